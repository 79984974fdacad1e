"""blend/report.md: how the blend was made, how good each blender is, and what each member is worth."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.report.text import heading, markdown_table
from ensemble.store.oof import OofStore

Content = dict[str, Any]


def blend_page(store: OofStore, content: Content) -> str:
    """The Markdown text, from the manifest alone."""
    parts = [
        f"# The blend of {heading(store)}",
        *_taking_part(content),
        _summary(content),
        "## Blenders",
        markdown_table(_blenders(content)),
        _READ_WITH_CARE,
        "## The decision at 0.5",
        _decision(content),
        markdown_table(_rules(content)),
        *_members(content),
        *_outlook(content),
        "## The submission",
        "\n".join(f"- {line}" for line in submission_lines(content)),
    ]
    return "\n\n".join(parts) + "\n"


_READ_WITH_CARE = (
    "Comparisons are of nested decisions by McNemar's exact test at 5%, photographs counted as independent. Of twenty "
    "such lines one is wrong by chance; they speak of these fitted blenders, not of the methods. The best member was "
    "found on the very rows on which it is compared."
)


def submission_lines(content: Content) -> list[str]:
    """What a person should know before handing it in."""
    lines = [*content["guard"]["lines"]]
    if content["prior"] and content["prior"]["in_words"]:
        lines.append(content["prior"]["in_words"])
    if content["added_logit"]:
        lines.append(f"{content['added_logit']:+.3f} is added to every test logit for the estimated share of fakes")
    return lines


def score_line(content: Content) -> str:
    """The honest score in a sentence."""
    nested = content["nested"]
    if content["worth"] is None:
        return f"accuracy {_score(nested)}, measured on {content['measured_on']} ({nested['n']} photographs)"
    own = _score(content["nested_of_the_chosen"])
    return (
        f"nested accuracy {_score(nested)}, each fold by the blender that the scores of the others chose; "
        f"the chosen one's own, which being chosen flatters, is {own} ({nested['n']} photographs)"
    )


def _taking_part(content: Content) -> list[str]:
    """Members that are not whole, and those that wait."""
    used = [f"{name}, {why}" for name, why in content["partial"].items() if name in content["members"]]
    waiting = [f"{name}, {content['partial'].get(name, 'complete')}" for name in content["waiting"]]
    return [
        *([f"Not complete, so only rows that all have predicted are used: {'; '.join(used)}."] if used else []),
        *([f"Not taking part, for too few rows would be left: {'; '.join(waiting)}."] if waiting else []),
    ]


def _summary(content: Content) -> str:
    return f"{content['reason']}. {score_line(content)[0].upper()}{score_line(content)[1:]}."


def _score(scores: Content) -> str:
    if scores["accuracy"] is None:
        return "unknown"
    return f"{scores['accuracy']:.4f} ± {scores['standard_error']:.4f}"


def _blenders(content: Content) -> pd.DataFrame:
    rows = []
    for title, summary in content["blenders"].items():
        row = {
            "blender": f"**{title}**" if title == content["chosen"] else title,
            "in-sample": f"{summary['in_sample']['accuracy']:.4f}",
            "nested ± SE": _score(summary["nested"]),
            "optimism": f"{summary['optimism']:+.4f}",
            "nested log loss": f"{summary['nested']['log_loss']:.4f}",
            "seconds": f"{summary['seconds']:.2f}",
        }
        row |= {f"against {rival}": found["in_words"] for rival, found in summary["against"].items()}
        row["weights"] = _weights(summary)
        rows.append(row)
    return pd.DataFrame(rows)


def _weights(summary: Content) -> str:
    """Weights, largest first; where members were drawn into bags, in how many of theirs each was chosen."""
    if summary["weights"] is None:
        return "no weighted sum"
    inclusion = summary["inclusion"] or [None] * len(summary["weights"])
    weighted = zip(summary["weights"].items(), inclusion, strict=True)
    shown = sorted(weighted, key=lambda item: -abs(item[0][1]))
    return ", ".join(
        f"{name} {weight:.2f}" + ("" if share is None else f" ({share:.0%} of bags)")
        for (name, weight), share in shown
        if weight != 0
    )


def _decision(content: Content) -> str:
    decision = content["decision"]
    applied = (
        "The logits stay as they are"
        if content["decision_rule"] == "as it is"
        else f"Applied: {content['decision_rule']}, (logit - {decision['shift']:.3f}) / {decision['temperature']:.3f}"
    )
    return (
        f"{applied}. A shift is applied only if its nested decisions are better (McNemar, 5%), a temperature, which "
        "moves no decision, only if the nested log loss falls by more than two standard errors."
    )


def _rules(content: Content) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "rule": title,
                "shift": f"{rule['decision']['shift']:.3f}",
                "temperature": f"{rule['decision']['temperature']:.3f}",
                "nested decisions": rule["decisions"]["in_words"],
                "nested log loss falls by": f"{rule['log_loss_gain']:+.4f} ± {rule['log_loss_error']:.4f}",
            }
            for title, rule in content["rules"].items()
        ]
    )


def _members(content: Content) -> list[str]:
    found = content["worth"]
    if found is None:
        return []
    rows = [
        {
            "member": member["member"],
            "blend without it": "" if len(found["members"]) == 1 else f"{member['without']:.4f}",
            "what it changes": "" if len(found["members"]) == 1 else member["gain"]["in_words"],
            f"beside {found['best']}": "" if member["added_to_best"] is None else member["added_to_best"]["in_words"],
            "seconds": "" if member["seconds"] is None else f"{member['seconds']:.0f}",
            "seconds for +0.01": _seconds_per_point(member),
            "right alone": member["rescues"],
        }
        for member in found["members"]
    ]
    names = [member["member"] for member in found["members"]]
    effective = found["effective_members"]
    return [
        "## What each member is worth",
        f"Nested, blended by {found['blender']}. `right alone`: photographs that no other member decides rightly.",
        markdown_table(pd.DataFrame(rows)),
        f"Those that err at all do so like {effective:.1f} independent members." if effective is not None else "",
        "Correlation of logits:",
        _matrix(names, found["logit_correlation"]),
        "Correlation of errors:",
        _matrix(names, found["error_correlation"]),
    ]


def _seconds_per_point(member: Content) -> str:
    if member["seconds_per_point"] is None:
        return ""
    return f"{member['seconds_per_point']:.0f}" + ("" if member["gain"]["p"] < 0.05 else " (gain not proven)")


def _matrix(names: list[str], values: list[list[float | None]]) -> str:
    table = pd.DataFrame([["" if v is None else f"{v:.2f}" for v in row] for row in values], columns=names)
    table.insert(0, "", names)
    return markdown_table(table)


def _outlook(content: Content) -> list[str]:
    found = content["outlook"]
    if found is None:
        return []
    path = ", ".join(f"{accuracy:.4f}" for accuracy in found["path"])
    return [
        "## What next",
        "\n".join(f"- {line}" for line in found["lines"]),
        f"Held-out accuracy of greedy selection with one, two, ... members: {path}.",
    ]
