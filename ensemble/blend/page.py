"""blend/report.md: how the blend was made, the score of each blender, and the worth of each member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ensemble.blend.evaluation.threshold import AS_IT_IS
from ensemble.core.console.text import plural
from ensemble.report.render.blocks import Column, Section, Table, Text
from ensemble.report.render.markdown import to_markdown
from ensemble.report.text import heading
from ensemble.store.oof import OofStore

Content = dict[str, Any]

_COMPARISONS = (
    "Comparisons are of nested decisions by McNemar's exact test at 5%, photographs counted as independent. One in "
    "twenty is significant by chance; they are about these fitted blenders, not about the methods. The best member was "
    "selected on the same rows on which it is compared:"
)
_PROOF = (
    "A shift is applied only if its nested decisions are better (McNemar, 5%), a temperature, which changes no "
    "decision, only if the nested log loss falls by more than two standard errors."
)


def blend_page(store: OofStore, content: Content) -> str:
    """Return the page in Markdown, from the manifest alone."""
    sections = [_blenders(content), _decision(content)]
    if content["worth"] is not None:
        sections += [_members(content["worth"]), _outlook(content["outlook"])]
    submission = Text((), items=tuple(submission_lines(content)))
    sections.append(Section("", "The submission", "", (submission,)))
    return to_markdown(f"The blend of {heading(store)}", sections)


def submission_lines(content: Content) -> list[str]:
    """Return what to know before submitting."""
    lines = [*content["guard"]["lines"], *_below_the_best_member(content)]
    if content["prior"] and content["prior"]["in_words"]:
        lines.append(content["prior"]["in_words"])
    if content["added_logit"]:
        lines.append(f"{content['added_logit']:+.3f} is added to every test logit for the estimated share of fakes")
    return lines


def _below_the_best_member(content: Content) -> list[str]:
    best = content.get("best_member")
    if best is None or content["nested"]["accuracy"] >= best["accuracy"]:
        return []
    return [
        f"{best['name']} alone has {best['accuracy']:.4f}, more than the blend: it is the best of "
        f"{plural(len(content['members']), 'member')} on the very rows that it is scored on, which favours it, while "
        "the blend is scored on rows that no choice has seen"
    ]


def score_line(content: Content) -> str:
    """Return the honest score in a sentence."""
    nested = content["nested"]
    if content["worth"] is None:
        return f"accuracy {_score(nested)}, measured on {content['measured_on']} ({plural(nested['n'], 'photograph')})"
    return (
        f"nested accuracy {_score(nested)} ({plural(nested['n'], 'photograph')}), each fold decided by the blender "
        f"that the scores of the other folds choose; {_score(content['nested_of_the_chosen'])} for the chosen blender, "
        "which is optimistic, since it was chosen by that score"
    )


def _score(scores: Content) -> str:
    return f"{scores['accuracy']:.4f} ± {scores['standard_error']:.4f}"


def _table(caption: str, rows: Sequence[dict[str, str]]) -> Table:
    """Return a table of texts, titled by the keys of its rows."""
    return Table("", caption, pd.DataFrame(rows), tuple(Column(key, key) for key in rows[0]))


def _blenders(content: Content) -> Section:
    rows = [
        {
            "blender": f"**{title}**" if title == content["chosen"] else title,
            "in-sample": f"{blender['in_sample']['accuracy']:.4f}",
            "nested ± SE": _score(blender["nested"]),
            "optimism": f"{blender['optimism']:+.4f}",
            "nested log loss": f"{blender['nested']['log_loss']:.4f}",
            **_changed(blender),
            "seconds": f"{blender['seconds']:.2f}",
            **{f"against {rival}": comparison["in_words"] for rival, comparison in blender["against"].items()},
            "weights": _weights(blender),
        }
        for title, blender in content["blenders"].items()
    ]
    score = score_line(content)
    lead = f"{content['reason']}. {score[0].upper()}{score[1:]}."
    return Section("", "Blenders", lead, (Text(tuple(_incomplete(content))), _table(_COMPARISONS, rows)))


def _changed(blender: Content) -> dict[str, str]:
    share = blender["changed_when_altered"]
    return {} if share is None else {"decisions changed by alterations": f"{share:.1%}"}


def _incomplete(content: Content) -> list[str]:
    """Name members with missing folds, and those left out because of them."""
    partial = content["partial"]
    used = [f"{name}, {folds}" for name, folds in partial.items() if name in content["members"]]
    waiting = [f"{name}, {partial.get(name, 'complete')}" for name in content["waiting"]]
    return [
        *([f"Incomplete, so only rows that all members have predicted are used: {'; '.join(used)}."] if used else []),
        *([f"Left out, since too few rows would remain: {'; '.join(waiting)}."] if waiting else []),
    ]


def _weights(blender: Content) -> str:
    """Weights, largest first; after bagging with the share of its bags in which a member was selected."""
    if blender["weights"] is None:
        return "not a weighted sum"
    inclusion = blender["inclusion"] or [None] * len(blender["weights"])
    weights = zip(blender["weights"].items(), inclusion, strict=True)
    return ", ".join(
        f"{name} {weight:.2f}" + ("" if share is None else f" ({share:.0%} of bags)")
        for (name, weight), share in sorted(weights, key=lambda item: -abs(item[0][1]))
        if weight != 0
    )


def _decision(content: Content) -> Section:
    decision = content["decision"]
    applied = (
        "The logits stay unchanged."
        if content["decision_rule"] == AS_IT_IS
        else f"Applied: {content['decision_rule']}, (logit - {decision['shift']:.3f}) / {decision['temperature']:.3f}."
    )
    rows = [
        {
            "rule": title,
            "shift": f"{rule['decision']['shift']:.3f}",
            "temperature": f"{rule['decision']['temperature']:.3f}",
            "nested decisions": rule["decisions"]["in_words"],
            "decrease of the nested log loss": f"{rule['log_loss_gain']:+.4f} ± {rule['log_loss_error']:.4f}",
        }
        for title, rule in content["rules"].items()
    ]
    return Section("", "The decision at 0.5", applied, (_table(_PROOF, rows),))


def _members(worth: Content) -> Section:
    members, single = worth["members"], len(worth["members"]) == 1
    rows = [
        {
            "member": member["member"],
            "blend without it": "" if single else f"{member['without']:.4f}",
            "what it changes": "" if single else member["gain"]["in_words"],
            f"with {worth['best']}": member["added_to_best"]["in_words"] if member["added_to_best"] else "",
            "seconds": "" if member["seconds"] is None else f"{member['seconds']:.0f}",
            "seconds for +0.01": _seconds_per_point(member),
            "correct alone": str(member["rescues"]),
        }
        for member in members
    ]
    caption = f"Nested, blended by {worth['blender']}. Correct alone: photographs on which only this member is correct."
    names, effective = [member["member"] for member in members], worth["effective_members"]
    blocks = (
        _table(caption, rows),
        Text(() if effective is None else (f"Their errors are like those of {effective:.1f} independent members.",)),
        _matrix("Correlation of logits:", names, worth["logit_correlation"]),
        _matrix("Correlation of errors:", names, worth["error_correlation"]),
    )
    return Section("", "What each member is worth", "", blocks)


def _seconds_per_point(member: Content) -> str:
    if member["seconds_per_point"] is None:
        return ""
    return f"{member['seconds_per_point']:.0f}" + ("" if member["gain"]["p"] < 0.05 else " (gain not proven)")


def _matrix(caption: str, names: list[str], values: Sequence[Sequence[float | None]]) -> Table:
    cells = [["" if value is None else f"{value:.2f}" for value in row] for row in values]
    return _table(caption, [{"": n, **dict(zip(names, row, strict=True))} for n, row in zip(names, cells, strict=True)])


def _outlook(outlook: Content) -> Section:
    path = ", ".join(f"{accuracy:.4f}" for accuracy in outlook["path"])
    caption = f"Held-out accuracy of greedy selection with one, two, ... members: {path}."
    return Section("", "What next", caption, (Text((), items=tuple(outlook["lines"])),))
