"""How unlike the members are: whose logits move together, who errs together, who alone is right."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Array
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Fact, Facts, Figure, Section, Table

_GROUPS = 15  # of members that err together
_SHORT = 24


def diversity(material: Material) -> Section | None:
    """Likeness of the members that have predicted common rows; None for a single member."""
    right = material.member_right
    members = list(material.predictions.members)
    rows = np.flatnonzero(~np.isnan(right).any(axis=1))
    if len(members) < 2 or not len(rows):
        return None
    right, logits = right[rows] == 1, material.predictions.oof_logits[rows].astype(np.float64)
    blocks: tuple[Block, ...] = (
        _facts(right, members),
        _correlations(logits, members),
        _shared_errors(right, members),
        _together(right, members),
        _alone(right, members),
    )
    lead = f"Out-of-fold, on the {len(rows):,} training photographs that all {len(members)} members have predicted."
    return Section("diversity", "Diversity", lead, blocks)


def _facts(right: NDArray[np.bool_], members: list[str]) -> Facts:
    wrong = (~right).sum(axis=1)
    majority = int((wrong * 2 > len(members)).sum())
    helped, even = int(((wrong > 0) & (wrong * 2 < len(members))).sum()), int((wrong * 2 == len(members)).sum())
    return Facts(
        (
            Fact("All members right", f"{(wrong == 0).sum():,}", f"of {len(right):,} photographs"),
            Fact("Somebody wrong, most right", f"{helped:,}", "blending helps here"),
            *([Fact("As many wrong as right", f"{even:,}", "an equal vote is a toss-up")] if even else []),
            Fact("Most members wrong", f"{majority:,}", "an equal vote gets these wrong; weights may mend some"),
            Fact("All members wrong", f"{(wrong == len(members)).sum():,}", "among these: hard, or wrong labels"),
        )
    )  # fmt: skip


def _correlations(logits: Array, members: list[str]) -> Table:
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.atleast_2d(np.corrcoef(logits.T))
    return _matrix("logit-correlation", "Correlation of logits: at 1 those of two members rise and fall in proportion",
                   values, members, "weight")  # fmt: skip


def _shared_errors(right: NDArray[np.bool_], members: list[str]) -> Table:
    wrong = (~right).astype(np.float64)
    caption = "Photographs that both decide wrongly; on the diagonal, those that the member itself decides wrongly"
    return _matrix("shared-errors", caption, wrong.T @ wrong, members, "count")


def _matrix(name: str, caption: str, values: Array, members: list[str], kind: str) -> Table:
    """Members against members; columns are numbered as the rows are, for names are long."""
    frame = pd.DataFrame(values, columns=members)
    frame.insert(0, "member", [f"{place} {member}" for place, member in enumerate(members, start=1)])
    columns = [Column(m, str(p), kind, shade=True, note=m) for p, m in enumerate(members, start=1)]  # type: ignore[arg-type]
    return Table(name, caption, frame, (Column("member", "Member"), *columns))


def _together(right: NDArray[np.bool_], members: list[str]) -> Figure:
    """As an UpSet plot: which members are wrong on the same photographs, and on how many (Lex et al., 2014)."""
    groups = Counter(tuple(row) for row in (~right).tolist() if any(row)).most_common(_GROUPS)
    sizes = [count for _, count in groups]
    frame = pd.DataFrame(
        {
            "members": [", ".join(m for m, wrong in zip(members, group, strict=True) if wrong) for group, _ in groups],
            "how_many": [sum(group) for group, _ in groups],
            "photographs": sizes,
        }
    )
    places = [(x, y) for x, (group, _) in enumerate(groups) for y, wrong in enumerate(group) if wrong]
    empty = [(x, y) for x, (group, _) in enumerate(groups) for y, wrong in enumerate(group) if not wrong]
    traces = [
        {"type": "bar", "x": list(range(len(groups))), "y": sizes, "marker": {"color": "$accent"}, "yaxis": "y2",
         "text": sizes, "textposition": "outside", "cliponaxis": False, "hoverinfo": "skip"},
        _marks(empty, "$line", 6),
        _marks(places, "$accent", 9),
    ]  # fmt: skip
    ticks = {"tickmode": "array", "tickvals": list(range(len(members))), "ticktext": [_short(m) for m in members]}
    largest = f"{sizes[0]} photographs, by {frame['members'].iloc[0]}" if groups else "none"
    return Figure(
        "errors-together",
        "Who errs together?",
        f"UpSet plot of the {len(groups)} commonest groups of members that are wrong on the same photographs and no "
        f"others are. The largest group: {largest}.",
        traces,
        {
            "showlegend": False,
            "xaxis": {"visible": False},
            "yaxis": {**ticks, "domain": [0, 0.5], "autorange": "reversed", "showgrid": False, "zeroline": False},
            "yaxis2": {"domain": [0.58, 0.96], "title": {"text": "photographs"}},
        },
        Table(
            "errors-together-numbers",
            "Groups of members that are wrong on the same photographs",
            frame,
            (Column("members", "Wrong together"), Column("how_many", "Members", "count"),
             Column("photographs", "Photographs", "count")),
        ),
        height=240 + 22 * len(members),
    )  # fmt: skip


def _marks(places: list[tuple[int, int]], colour: str, size: int) -> dict[str, object]:
    x, y = [place[0] for place in places], [place[1] for place in places]
    return {"type": "scatter", "mode": "markers", "x": x, "y": y, "marker": {"color": colour, "size": size},
            "hoverinfo": "skip"}  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= _SHORT else f"{name[: _SHORT - 1]}…"


def _alone(right: NDArray[np.bool_], members: list[str]) -> Table:
    """Photographs that nobody else decides rightly, and that nobody else decides wrongly."""
    wrong = (~right).sum(axis=1)
    only_right, only_wrong = wrong == len(members) - 1, wrong == 1
    frame = pd.DataFrame(
        {
            "member": members,
            "right_alone": [int((only_right & right[:, place]).sum()) for place in range(len(members))],
            "wrong_alone": [int((only_wrong & ~right[:, place]).sum()) for place in range(len(members))],
            "wrong": [int((~right[:, place]).sum()) for place in range(len(members))],
        }
    )
    return Table(
        "alone",
        "Photographs that one member alone decides rightly, or wrongly",
        frame,
        (
            Column("member", "Member"),
            Column("right_alone", "Right alone", "count"),
            Column("wrong_alone", "Wrong alone", "count"),
            Column("wrong", "Wrong in all", "count"),
        ),
    )
