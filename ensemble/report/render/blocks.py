"""Blocks of a report: facts, tables, figures, verdicts and photographs, as plain data.

Sections make blocks and know no HTML; `html`, `markdown` and the CSV files are three ways to write the same blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import pandas as pd

from ensemble.store.checks import Verdict

Kind = Literal[
    "text",  # as it is
    "count",  # 12,000
    "score",  # 0.9781: a share, an AUC, a loss
    "gain",  # +0.0120
    "weight",  # 0.25
    "number",  # three significant digits
    "seconds",  # 4.3, 1,132
    "bytes",  # MiB
    "dots",  # a list of scores, drawn as dots on one common scale
]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    key : str
        Its name in the frame and in the CSV.
    title : str
        Its heading.
    error : str
        Column with the standard error that is shown behind the value, after ±.
    shade : bool
        Whether cells are tinted by value, from the smallest to the largest of all shaded columns.
    note : str
        What the column means, where the title does not say so.
    """

    key: str
    title: str
    kind: Kind = "text"
    error: str = ""
    shade: bool = False
    note: str = ""


class Block:
    """Part of a section; a writer dispatches on its class."""

    @property
    def inner(self) -> tuple[Block, ...]:
        """Blocks within this one."""
        return ()


@dataclass(frozen=True)
class Table(Block):
    """A table that can be sorted; the CSV file `report/<id>.csv` holds all columns of `frame`, unrounded.

    Attributes
    ----------
    caption : str
        What it shows, and on what it was measured.
    strong : tuple of int
        Rows that are emphasised: what was chosen.
    """

    id: str
    caption: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    strong: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure(Block):
    """A Plotly figure, and the same in words and in numbers.

    Attributes
    ----------
    description : str
        The text alternative: what is to be seen, with the numbers that matter.
    traces, layout : list of dict, dict
        As Plotly.js takes them. Colours are names that follow the light or dark theme: `$real`, `$fake`, `$accent`,
        `$muted`, `$ink`, `$ground`, `$line`, and `$1` to `$8`. The page sets fonts, margins and backgrounds.
    table : Table
        What is drawn, as numbers.
    height : int
        Pixels.
    """

    id: str
    title: str
    description: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any]
    table: Table
    height: int = 320

    @property
    def inner(self) -> tuple[Block, ...]:
        """Its numbers."""
        return (self.table,)


@dataclass(frozen=True)
class Fact:
    """A number with its label, and a note on what it was measured on."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Facts(Block):
    """A few facts side by side; with `lead`, the first is the answer."""

    facts: tuple[Fact, ...]
    lead: bool = False


@dataclass(frozen=True)
class Text(Block):
    """Paragraphs of plain text, with an optional heading above and an optional list below."""

    paragraphs: tuple[str, ...]
    title: str = ""
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing(Block):
    """Preformatted lines, such as a config."""

    title: str
    lines: str


@dataclass(frozen=True)
class Finding:
    """Result of one audit: a question, a verdict, a sentence, a remedy, and the tables behind it."""

    id: str
    title: str
    verdict: Verdict
    sentence: str
    remedy: str = ""
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Findings(Block):
    """Audits with their verdicts."""

    findings: tuple[Finding, ...]

    @property
    def inner(self) -> tuple[Block, ...]:
        """The tables behind the verdicts."""
        return tuple(table for finding in self.findings for table in finding.tables)


@dataclass(frozen=True)
class Exhibit:
    """One photograph, with its predictions.

    Attributes
    ----------
    name : str
        As the competition calls it.
    truth : str
        real, fake, or not known.
    picture, spectrum : str
        Data URIs of the photograph and of its log power spectrum; empty where the photograph is missing.
    curve : tuple of float
        Its luminance spectrum at the gallery's `frequencies`.
    votes : tuple of (str, float)
        Members with their probabilities of fake, the blend first.
    note : str
        Why it is shown.
    split : str
        train or test: the same name may be in both.
    width, height : int
        Pixels of the photograph; 0 where it is missing.
    """

    name: str
    truth: str
    picture: str
    spectrum: str
    curve: tuple[float, ...]
    votes: tuple[tuple[str, float], ...]
    note: str
    split: str = "train"
    width: int = 0
    height: int = 0

    @property
    def key(self) -> str:
        """The part after `#photograph-` in a link to it."""
        return self.name if self.split == "train" else f"{self.split}/{self.name}"


@dataclass(frozen=True)
class Gallery(Block):
    """Photographs for people to look at; a click enlarges one, with its spectrum beside the class means.

    Attributes
    ----------
    frequencies : tuple of float
        Cycles a pixel of the curves.
    means : dict of str to tuple of float
        Curves to compare with, such as those of all real and of all fake training photographs.
    bands : dict of str to (tuple of float, tuple of float)
        Their 5th and 95th percentiles.
    """

    id: str
    title: str
    caption: str
    exhibits: tuple[Exhibit, ...]
    frequencies: tuple[float, ...] = ()
    means: dict[str, tuple[float, ...]] = field(default_factory=dict)
    bands: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)

    @property
    def inner(self) -> tuple[Block, ...]:
        """The votes as numbers."""
        return (self.table,)

    @property
    def table(self) -> Table:
        """Votes as a table: for the CSV, and for readers without scripts."""
        who = list(dict.fromkeys(who for exhibit in self.exhibits for who, _ in exhibit.votes))
        rows = [
            {"photograph": e.key, "truth": e.truth, "why": e.note, **{f"fake_by_{who}": p for who, p in e.votes}}
            for e in self.exhibits
        ]
        columns = (
            Column("photograph", "Photograph"),
            Column("truth", "Truth"),
            *(Column(f"fake_by_{each}", each, "score") for each in who),
            Column("why", "Why it is shown"),
        )
        keys = [column.key for column in columns]
        caption = f"{self.title}: probabilities of fake"
        return Table(f"{self.id}-votes", caption, pd.DataFrame(rows, columns=keys), columns)


@dataclass(frozen=True)
class Details(Block):
    """Blocks that a reader opens, such as a member's own part."""

    id: str
    title: str
    summary: str
    blocks: tuple[Block, ...]

    @property
    def inner(self) -> tuple[Block, ...]:
        """The blocks themselves."""
        return self.blocks


@dataclass(frozen=True)
class Section:
    """A part of the report under one heading."""

    id: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


B = TypeVar("B", bound=Block)


def blocks_of(sections: Iterable[Section], kind: type[B]) -> Iterator[B]:
    """Yield every block of one kind, at any depth, in the order of the page."""
    for section in sections:
        for block in _walk(section.blocks):
            if isinstance(block, kind):
                yield block


def _walk(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from _walk(block.inner)
