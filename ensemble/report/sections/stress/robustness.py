"""Accuracy on altered photographs: saved again, resized, blurred or cropped."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.core.metrics.scores import UNSURE
from ensemble.report.facts.freshness import current_rows, stale
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Details, Fact, Facts, Figure, Section, Table, Text
from ensemble.store.results import AS_THEY_ARE, BLEND, ROBUSTNESS, command_of, read

_TITLE = "Robustness"
_UNSURE = "Probability between {} and {}".format(*UNSURE)


def robustness(material: Material) -> Section:
    """Return the results of ensemble robustness; the command that makes them where there are none."""
    found = read(material.store, ROBUSTNESS)
    if found is None:
        how = f"{command_of(material.store, ROBUSTNESS)} alters held-out photographs and predicts them again."
        return Section(ROBUSTNESS, _TITLE, "Not measured yet.", (Text((how,)),))
    table, facts = found
    return section_of(current_rows(material, table, facts), facts, stale(material, facts, ROBUSTNESS))


def section_of(table: pd.DataFrame, facts: dict[str, Any], changed: str = "") -> Section:
    """Return the section of the rows that still apply; `changed` says which do not."""
    warning = (Text((changed,)),) if changed else ()
    if table.empty:
        return Section(ROBUSTNESS, _TITLE, "Measured, but not on what the store holds now.", warning)
    sample = facts["sample"]
    lead = (
        f"{sample['photographs']:,} of {sample['of']:,} training photographs, altered, each predicted by the models of "
        "the fold that held it out; the blend by blenders fitted on the other folds."
    )
    who, *others = _members(table)
    blocks: list[Block] = [*warning, _worst(table, who), _figure(table, who), _of_one(table, who), _of_all(table)]
    blocks += [_details(table, member) for member in others]
    blocks.append(_alterations(facts))
    if facts["notes"]:
        blocks.append(Text(tuple(f"{note[0].upper()}{note[1:]}." for note in facts["notes"])))
    return Section(ROBUSTNESS, _TITLE, lead, tuple(blocks))


def _members(table: pd.DataFrame) -> list[str]:
    """Return the members, the blend first if it is among them."""
    found = [str(name) for name in pd.unique(table["member"])]
    return sorted(found, key=lambda name: name != BLEND)


def _worst(table: pd.DataFrame, who: str) -> Facts:
    """Return the accuracy on unaltered photographs, and the worst."""
    mine = table[table["member"] == who].set_index("alteration")
    facts = []
    if AS_THEY_ARE in mine.index:
        clean = mine.loc[AS_THEY_ARE]
        facts.append(Fact("As they are", f"{clean['accuracy']:.3f}", f"± {clean['standard_error']:.3f}, {who}"))
    altered = mine.drop(index=AS_THEY_ARE, errors="ignore")
    if len(altered):
        worst = altered.iloc[int(altered["accuracy"].argmin())]
        alarms = altered.iloc[int(altered["false_positive_rate"].argmax())]
        facts += [
            Fact("Worst accuracy", f"{worst['accuracy']:.3f}", f"± {worst['standard_error']:.3f}, {worst['title']}"),
            Fact(
                "Most real photographs predicted fake",
                f"{alarms['false_positive_rate']:.3f}",
                f"± {alarms['false_positive_rate_error']:.3f}, {alarms['title']}",
            ),
        ]
    return Facts(tuple(facts))


def _figure(table: pd.DataFrame, who: str) -> Figure:
    """Draw accuracy by alteration, with the shares of fakes found and of real photographs recognised."""
    mine = table[table["member"] == who]
    frame = mine[["title", "accuracy", "standard_error", "fakes_found"]].reset_index(drop=True)
    frame["real_kept"] = 1 - mine["false_positive_rate"].to_numpy()
    worst = frame.iloc[int(frame["accuracy"].argmin())]
    return Figure(
        "altered",
        f"Altered photographs, predicted by {'the blend' if who == BLEND else who}",
        f"Accuracy, fakes found and real photographs recognised for {len(frame)} kinds of photographs, unaltered "
        f"and altered. The lowest accuracy is {worst['accuracy']:.3f}, for {worst['title']}. Where the two shares "
        "differ, the decision is biased: altered photographs look too real or too fake.",
        _traces(frame),
        {"xaxis": {"title": {"text": "share predicted correctly"}, "tickformat": ".2f"},
         "yaxis": {"autorange": "reversed", "type": "category"}},
        Table(
            "altered-numbers",
            "Shares predicted correctly, by alteration",
            frame,
            (Column("title", "Photographs"), Column("accuracy", "Accuracy", "score", error="standard_error"),
             Column("fakes_found", "Fakes found", "score"), Column("real_kept", "Real recognised", "score")),
        ),
        height=90 + 26 * len(frame),
    )  # fmt: skip


def _traces(frame: pd.DataFrame) -> list[dict[str, Any]]:
    kinds = [("fakes_found", "fakes found", "$fake", "diamond"), ("real_kept", "real recognised", "$real", "square")]
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "markers", "orientation": "h", "name": name, "x": frame[key], "y": frame["title"],
         "marker": {"color": colour, "symbol": symbol, "size": 8, "opacity": 0.85},
         "hovertemplate": f"%{{y}}: {name} %{{x:.3f}}<extra></extra>"}
        for key, name, colour, symbol in kinds
    ]  # fmt: skip
    bars = {"type": "data", "array": 1.96 * frame["standard_error"], "color": "$ink", "thickness": 1}
    traces.append(
        {"type": "scatter", "mode": "markers", "name": "accuracy, 95% interval", "x": frame["accuracy"],
         "y": frame["title"], "error_x": bars, "marker": {"color": "$ink", "size": 9},
         "hovertemplate": "%{y}: accuracy %{x:.3f}<extra></extra>"}
    )  # fmt: skip
    return traces


def _of_one(table: pd.DataFrame, who: str) -> Table:
    """Return all scores of the blend or of one member."""
    frame = table[table["member"] == who].reset_index(drop=True)
    name = "robustness-of-the-blend" if who == BLEND else f"robustness-of-member-{who}"
    return Table(
        name,
        f"{'The blend' if who == BLEND else who} on altered photographs, {frame['measured_on'].iloc[0]}; changes are "
        "paired with the same photographs unaltered",
        frame,
        (
            Column("title", "Photographs"),
            Column("accuracy", "Accuracy", "score", error="standard_error"),
            Column("change", "Change", "gain", error="change_error"),
            Column("auc", "AUC", "score", error="auc_error"),
            Column("false_positive_rate", "Real predicted fake", "score", error="false_positive_rate_error"),
            Column("fakes_found", "Fakes found", "score", error="fakes_found_error"),
            Column(
                "abstained",
                "Unsure",
                "score",
                error="abstained_error",
                note=_UNSURE,
            ),
            Column("n", "Rows", "count"),
        ),
    )


def _details(table: pd.DataFrame, member: str) -> Details:
    """Return a member's own table, closed, with its lowest accuracy as the summary."""
    mine = table[table["member"] == member]
    worst = mine.iloc[int(mine["accuracy"].argmin())]
    summary = f"lowest accuracy {worst['accuracy']:.3f} ± {worst['standard_error']:.3f}, {worst['title']}"
    return Details(f"robustness-member-{member}", member, summary, (_of_one(table, member),))


def _of_all(table: pd.DataFrame) -> Table:
    """Return the accuracy of the blend and all members, shaded on one scale."""
    wide = table.pivot_table(index="title", columns="member", values="accuracy", aggfunc="first")
    members = [str(name) for name in pd.unique(table["member"])]
    wide = wide.reindex(index=pd.unique(table["title"]), columns=members).reset_index()
    columns = [Column(member, member, "score", shade=True) for member in members]
    caption = "Accuracy of the blend and of each member; the stronger the colour, the better"
    return Table("robustness-of-members", caption, wide, (Column("title", "Photographs"), *columns))


def _alterations(facts: dict[str, Any]) -> Details:
    """Return a table of what each alteration imitates."""
    rows = [(each["title"], each["imitates"], name) for name, each in facts["alterations"].items()]
    columns = (
        Column("title", "Photographs"),
        Column("imitates", "Imitates"),
        Column("name", "Name", note="As --alterations takes it"),
    )
    frame = pd.DataFrame(rows, columns=[column.key for column in columns])
    table = Table("alterations", "What was done to the photographs, and what it imitates", frame, columns)
    return Details("robustness-alterations", "What was done to the photographs", f"{len(rows)} ways", (table,))
