"""Faults of a store: files that are missing, empty, cut, flipped, swapped, of another version, or no files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bad_input.cases import flipped

_FILES = (
    "data.json", "experiment.yaml", "folds.json", "folds.parquet", "photographs.json", "runs.json",
    "members/linear/fold-1/fold.json", "members/linear/fold-1/predictions.parquet",
    "blend/blend.json", "blend/oof.parquet", "blend/submit.csv", "audit/audit.json", "spectra.parquet",
    "report.html", "leaderboard.csv",
)  # fmt: skip


_DATA = ("--data", "data", "--engine", "inline")
COMMANDS: dict[str, tuple[str, ...]] = {  # that read of a store what a blend does not
    "report": ("report", "small.yaml"),
    "robustness": ("robustness", "small.yaml", *_DATA, "--photographs", "12", "--alterations", "jpeg_50_420"),
    "generators": ("generators", "small.yaml", *_DATA),
    "tune": ("tune", "small.yaml", *_DATA, "--member", "linear", "--trials", "2"),
    "grow": ("grow", "small.yaml", *_DATA, "--budget", "60s", "--portfolio", "portfolio.yaml"),
    "bundle": ("bundle", "oof/small", "-o", "small.bundle", "--photographs", "12"),
}
_READ = {  # which command reads what, besides the report
    "exhibits.parquet": "report",
    "leaderboard.md": "report",
    "grow.json": "grow",
    "members/linear/fold-1/model/model.skops": "bundle",
    "photographs.json": "bundle",
    "repeats/1/folds.json": "grow",
    "repeats/1/data.json": "grow",
    "repeats/1/members/linear/fold-1/fold.json": "bundle",
    "repeats/1/members/linear/fold-1/model/model.skops": "bundle",
    **{f"robustness/{name}": "robustness" for name in (
        "robustness.parquet", "robustness.json", "robustness.csv", "logits.parquet", "as_they_are/linear.parquet",
    )},
    **{f"generators/{name}": "generators" for name in (
        "clusters.parquet", "clusters.json", "generators.parquet", "generators.json", "folds.json", "data.json",
    )},
    **{f"tune/linear/{name}": "tune" for name in (
        "study.db", "trials.json", "result.json", "best.yaml", "owner.txt",
    )},
}  # fmt: skip


def changes_read_by_others() -> Iterator[tuple[str, str, str, Callable[[Path], object]]]:
    """Yield name, command, file and change."""
    for file, command in _READ.items():
        for name, change in CHANGES.items():
            yield f"{file} is {name}", command, file, change


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _next_version(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format": 999} if isinstance(content, dict) else content))


CHANGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": lambda path: path.write_bytes(flipped(path.read_bytes())),
    "a folder": _folder,
    "a text": lambda path: path.write_text("no such thing"),
    "another kind": lambda path: path.write_text("[1, 2, 3]"),
    "nothing": lambda path: path.write_text("null"),
}


def changes() -> Iterator[tuple[str, str, Callable[[Path], object]]]:
    """Yield name, file and change."""
    for file in _FILES:
        for name, change in CHANGES.items():
            yield f"{file} is {name}", file, change
    yield "data.json of another version", "data.json", _next_version
    yield "a fold of another version", "members/linear/fold-1/fold.json", _next_version
    yield (
        "folds swapped",
        "members/linear/fold-1/fold.json",
        lambda path: _swap(path.parent, path.parent.with_name("fold-2")),
    )


def _swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
