"""How different the members are: whose logits correlate, whose errors coincide, who alone is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Array
from ensemble.core.console.text import plural
from ensemble.report.facts.material import UNKNOWN, Likeness, Material
from ensemble.report.render.blocks import Block, Column, Fact, Facts, Figure, Kind, Section, Table

_GROUPS = 15  # of members that are wrong together
_SHORT = 24


def diversity(material: Material) -> Section | None:
    """Compare the members on the rows that all have predicted; None for a single member."""
    right = material.member_right
    members = list(material.predictions.members)
    rows = (right != UNKNOWN).all(axis=1)
    if len(members) < 2 or not rows.any():
        return None
    right = right[rows] == 1
    blocks: tuple[Block, ...] = (
        _facts(right, members),
        *_two_by_two(material.likeness, members),
        _draw_groups(_groups(right), members),
        _alone(right, members),
    )
    lead = f"Out-of-fold, on the {len(right):,} training photographs that all {len(members)} members have predicted."
    return Section("diversity", "Diversity", lead, blocks)


def _facts(right: NDArray[np.bool_], members: list[str]) -> Facts:
    wrong = (~right).sum(axis=1)
    majority = int((wrong * 2 > len(members)).sum())
    helped, even = int(((wrong > 0) & (wrong * 2 < len(members))).sum()), int((wrong * 2 == len(members)).sum())
    return Facts(
        (
            Fact("All members right", f"{(wrong == 0).sum():,}", f"of {len(right):,} photographs"),
            Fact("Some members wrong, most right", f"{helped:,}", "blending helps here"),
            *([Fact("As many wrong as right", f"{even:,}", "an equal vote is a toss-up")] if even else []),
            Fact("Most members wrong", f"{majority:,}", "an equal vote gets these wrong; weights may correct some"),
            Fact("All members wrong", f"{(wrong == len(members)).sum():,}", "among these: hard, or wrong labels"),
        )
    )  # fmt: skip


def _two_by_two(likeness: Likeness, members: list[str]) -> tuple[Table, Table]:
    """Compare members on the photographs that both have predicted."""
    where = ", on the photographs that both have predicted"
    correlation = f"Correlation of logits between members{where}"
    errors = f"Photographs that both members get wrong{where}; on the diagonal, all errors of a member"
    return (
        _matrix("logit-correlation", correlation, likeness.correlation, members, "weight"),
        _matrix("shared-errors", errors, likeness.both_wrong, members, "count"),
    )


def _matrix(name: str, caption: str, values: Array, members: list[str], kind: Kind) -> Table:
    """Return a table of members by members; columns are numbered like the rows, since names are long."""
    frame = pd.DataFrame(values, columns=members)
    frame.insert(0, "member", [f"{place} {member}" for place, member in enumerate(members, start=1)])
    columns = [Column(m, str(p), kind, shade=True, note=m) for p, m in enumerate(members, start=1)]
    return Table(name, caption, frame, (Column("member", "Member"), *columns))


Group = tuple[bool, ...]  # of members that are wrong


def _groups(right: NDArray[np.bool_]) -> list[tuple[Group, int]]:
    """Count the photographs of the most frequent groups of members that are wrong together."""
    packed = np.packbits(~right[~right.all(axis=1)], axis=1)
    _, first, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    most = np.lexsort((first, -counts))[:_GROUPS]
    groups = np.unpackbits(packed[first[most]], axis=1, count=right.shape[1]).astype(bool)
    return [(tuple(group), int(count)) for group, count in zip(groups.tolist(), counts[most], strict=True)]


def _draw_groups(groups: list[tuple[Group, int]], members: list[str]) -> Figure:
    """Draw them as an UpSet plot (Lex et al., 2014)."""
    sizes = [count for _, count in groups]
    names = [", ".join(m for m, wrong in zip(members, group, strict=True) if wrong) for group, _ in groups]
    how_many = [sum(group) for group, _ in groups]
    largest = f"{plural(sizes[0], 'photograph')}, by {names[0]}" if groups else "none"
    ticks = {"tickmode": "array", "tickvals": list(range(len(members))), "ticktext": [_short(m) for m in members]}
    return Figure(
        "errors-together",
        "Which members are wrong together?",
        f"UpSet plot of the {len(groups)} most frequent groups of members that are wrong on the same photographs while "
        f"all others are right. The largest group: {largest}.",
        [{"type": "bar", "x": list(range(len(groups))), "y": sizes, "marker": {"color": "$accent"}, "yaxis": "y2",
          "text": sizes, "textposition": "outside", "cliponaxis": False, "hoverinfo": "skip"},
         _marks(groups, False, "$line", 6), _marks(groups, True, "$accent", 9)],
        {
            "showlegend": False,
            "xaxis": {"visible": False},
            "yaxis": {**ticks, "domain": [0, 0.5], "autorange": "reversed", "showgrid": False, "zeroline": False},
            "yaxis2": {"domain": [0.58, 0.96], "title": {"text": "photographs"}},
        },
        Table(
            "errors-together-numbers",
            "Groups of members that are wrong on the same photographs",
            pd.DataFrame({"members": names, "how_many": how_many, "photographs": sizes}),
            (Column("members", "Wrong together"), Column("how_many", "Members", "count"),
             Column("photographs", "Photographs", "count")),
        ),
        height=240 + 22 * len(members),
    )  # fmt: skip


def _marks(groups: list[tuple[Group, int]], wrong: bool, colour: str, size: int) -> dict[str, object]:
    """Return a mark for each member that is wrong in a group, or for each that is not."""
    places = [(x, y) for x, (group, _) in enumerate(groups) for y, is_wrong in enumerate(group) if is_wrong == wrong]
    return {"type": "scatter", "mode": "markers", "x": [x for x, _ in places], "y": [y for _, y in places],
            "marker": {"color": colour, "size": size}, "hoverinfo": "skip"}  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= _SHORT else f"{name[: _SHORT - 1]}…"


def _alone(right: NDArray[np.bool_], members: list[str]) -> Table:
    """Count the photographs that one member alone gets right, and those that it alone gets wrong."""
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
        "Photographs that one member alone gets right, or wrong",
        frame,
        (
            Column("member", "Member"),
            Column("right_alone", "Right alone", "count"),
            Column("wrong_alone", "Wrong alone", "count"),
            Column("wrong", "Wrong in all", "count"),
        ),
    )
