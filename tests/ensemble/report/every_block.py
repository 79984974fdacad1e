"""Sections that hold every kind of block, with what is hard to show: long names, gaps, names that are code."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ensemble.report.render.blocks import (
    Column,
    Details,
    Exhibit,
    Fact,
    Facts,
    Figure,
    Finding,
    Findings,
    Gallery,
    Section,
    Table,
    Text,
    Verdict,
)

LONG = "a_member_whose_name_is_sixty_characters_long.efficientnet_b0"
SPITEFUL = (
    "<script>alert(1)</script>.jpg",
    "</script><img src=x onerror=alert(2)>.jpg",
    "\"quoted\" 'twice'.jpg",
    "Müller ß 写真.jpg",
    "two\nlines | a pipe.jpg",
    '=HYPERLINK("http://x.invalid";"prize").jpg',
    "[a link](javascript:alert(3)) `code`.jpg",
    "{{ 7 * 7 }} $ink.jpg",
    '<a href="http://x.invalid">b</a>.jpg',
)
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5E"
    "rkJggg=="
)
VERDICTS: tuple[Verdict, ...] = ("fine", "look", "alarm", "not run")


def every_block() -> list[Section]:
    """Five sections."""
    return [
        Section("answer", "The answer", "300 training and 100 test photographs.", (_answer(), _paragraphs())),
        Section("members", "Members", "Each on the same photographs.", (_board(), *_pages())),
        Section("drawn", "Figures", "", (_curves(), _bars(), _heatmap(), _crowd())),
        Section("audits", "What the audits found", "Four questions.", (_findings(),)),
        Section("photographs", "Photographs to look at", "Names are as their owners chose.", (_gallery(), _names())),
    ]


def _answer() -> Facts:
    note = "95% interval 95.79% to 99.35%; nested OOF on 300 training photographs, 5 of them decided wrongly"
    facts = [Fact("Expected accuracy of this submit.csv", "98.33%", note), Fact("AUC", "0.9984", "of the blend")]
    return Facts((*facts, Fact("Members blended", "12"), Fact("Slowest member", LONG)), lead=True)


def _paragraphs() -> Text:
    return Text(("A paragraph that tells what the number means. " * 3, "p < 0.05 & that is all.", "x" * 200))


def _board() -> Table:
    """Every kind of column, and gaps in each."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "member": [LONG, "linear", "boosted_2", "boosted_10", "NA", "tiny-cnn"],
            "n": [12_000, 12_000, 12_000, 12_000, 7_999, 12_000],
            "accuracy": [0.97812345, 0.9, 0.95, 0.95, np.nan, 0.1],
            "se": [0.0013, 0.002, 0.0021, 0.0021, np.nan, np.nan],
            "gain": [0.012, -0.0004, 0.0, np.nan, 0.1, -0.25],
            "weight": [0.5, 0.25, 0.25, np.nan, np.nan, 0.0],
            "size": [0.000123456, 1234567.0, 12.3456, np.nan, 0.0, -3.0],
            "seconds": [4.321, 1132.4, np.nan, 9.96, 0.0, 86400.0],
            "memory": [512.0, 2048.5, np.nan, 1.0, 70_000.0, 3.0],
            "folds": [*(rng.uniform(0.9, 1, 5).round(5).tolist() for _ in range(4)), [], [0.93]],
            "error a": [0.1, 0.9, 0.5, np.nan, 0.0, 0.2],
            "error b": [0.3, 0.4, np.nan, 0.6, 0.7, 1.0],
            "words": ["better", "not proven", "", "worse than before | by far", "-1 of 3", "a sentence of some length"],
        }
    )
    columns = (
        Column("member", "Member"),
        Column("n", "Photographs", "count"),
        Column("accuracy", "Accuracy", "score", error="se", note="out-of-fold, with its standard error"),
        Column("gain", "Worth", "gain"),
        Column("weight", "Weight", "weight"),
        Column("size", "Size", "number"),
        Column("seconds", "Seconds", "seconds"),
        Column("memory", "Memory, MiB", "bytes"),
        Column("folds", "Folds", "dots"),
        Column("error a", "Error, blurred", "score", shade=True),
        Column("error b", "Error, cut", "score", shade=True),
        Column("words", "In words"),
    )
    return Table("board", "Members by accuracy, out-of-fold on 12,000 training photographs", frame, columns, (0,))


def _pages() -> list[Details]:
    inner = Details("inner", "Deeper still", "a part inside a part", (_lines("inner-lines", 40), Text(("Within.",))))
    page = Details("page-linear", "linear", "0.9000 ± 0.0020", (_lines("linear-lines", 12), inner))
    return [page, Details("page-long", LONG, "0.9781 ± 0.0013", (_lines("long-lines", 5),))]


def _lines(name: str, n: int) -> Figure:
    x = np.arange(n)
    frame = pd.DataFrame({"epoch": x, "loss": np.exp(-x / 5.0), "other": np.where(x == 2, np.nan, 1 / (1 + x))})
    traces = [
        {"type": "scatter", "mode": "lines+markers", "x": x, "y": frame[key], "name": key, "line": {"color": colour}}
        for key, colour in (("loss", "$real"), ("other", "$fake"))
    ]
    for trace in traces:
        trace["y"] = np.asarray(trace["y"], dtype=float)
    columns = (Column("epoch", "Epoch", "count"), Column("loss", "Loss", "score"), Column("other", "Other", "score"))
    table = Table(f"{name}-numbers", "Loss an epoch, fold 0", frame, columns)
    layout = {"xaxis": {"title": "epoch"}, "yaxis": {"title": {"text": "log loss"}, "rangemode": "tozero"}}
    return Figure(name, f"Loss of {name}", "The loss falls from 1.0 to nearly none.", traces, layout, table, 260)


def _curves() -> Figure:
    return _lines("curves", 60)


def _bars() -> Figure:
    frame = pd.DataFrame({"member": [LONG, "linear", "boosted"], "share": [0.5, 0.3, 0.2]})
    traces = [
        {
            "type": "bar", "orientation": "h", "x": [0.5, 0.3, 0.2], "y": [LONG, "linear", "boosted"],
            "marker": {"color": "$accent"},
        }
    ]  # fmt: skip
    table = Table("bars-numbers", "Weights", frame, (Column("member", "Member"), Column("share", "Weight", "weight")))
    layout = {"xaxis": {"title": "weight"}}
    return Figure("bars", "Who weighs what", "The longest name weighs half.", traces, layout, table)


def _heatmap() -> Figure:
    names = ["linear", "boosted", "cnn"]
    values = [[1.0, 0.7, 0.3], [0.7, 1.0, 0.4], [0.3, 0.4, 1.0]]
    frame = pd.DataFrame([[name, *row] for name, row in zip(names, values, strict=True)], columns=["member", *names])
    scale = [[0, "$ground"], [1, "$accent"]]
    traces = [{"type": "heatmap", "z": values, "x": names, "y": names, "colorscale": scale, "zmin": 0, "zmax": 1}]
    columns = (Column("member", "Member"), *(Column(name, name, "score", shade=True) for name in names))
    table = Table("alike-numbers", "Correlation of errors", frame, columns)
    return Figure("alike", "Who errs alike", "linear and boosted err alike: 0.70.", traces, {}, table)


def _crowd() -> Figure:
    """A point a photograph, with its name."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, len(SPITEFUL)))
    frame = pd.DataFrame({"name": SPITEFUL, "x": x, "y": y})
    traces = [
        {"type": "scatter", "mode": "markers+text", "x": x, "y": y, "text": list(SPITEFUL), "marker": {"color": "$3"}}
    ]
    columns = (Column("name", "Photograph"), Column("x", "x", "number"), Column("y", "y", "number"))
    table = Table("crowd-numbers", "Where each photograph lies", frame, columns)
    return Figure("crowd", "Photographs, alike ones close", "No groups are to be seen.", traces, {}, table)


def _findings() -> Findings:
    frame = pd.DataFrame({"what": ["same photograph twice"], "count": [3]})
    table = Table(
        "twice", "Photographs that are there twice", frame, (Column("what", "What"), Column("count", "Number", "count"))
    )
    return Findings(
        tuple(
            Finding(
                f"audit-{place}", f"Does {LONG if place == 1 else 'a thing'} leak?", verdict,
                "An AUC of 0.512 ± 0.013: chance.", "" if verdict == "fine" else "Leave the column out.",
                (table,) if place == 2 else (),
            )
            for place, verdict in enumerate(VERDICTS)
        )
    )  # fmt: skip


def _gallery() -> Gallery:
    curve = tuple(float(v) for v in np.linspace(1, 0, 9))
    exhibits = tuple(
        Exhibit(name, ("real", "fake", "not known")[place % 3], PIXEL if place else "", PIXEL if place else "", curve,
                (("blend", 0.93), (LONG, 0.41)), "surely wrong")
        for place, name in enumerate(SPITEFUL)
    )  # fmt: skip
    frequencies = tuple(float(v) for v in np.linspace(0, 0.5, 9))
    means = {"real": curve, "fake": tuple(v / 2 for v in curve)}
    return Gallery("wrong", "Surely wrong", "Most certain first.", exhibits, frequencies, means)


def _names() -> Table:
    frame = pd.DataFrame({"name": SPITEFUL, "fake": np.linspace(0, 1, len(SPITEFUL))})
    return Table("names", "Names", frame, (Column("name", "Photograph"), Column("fake", "Fake", "score")))
