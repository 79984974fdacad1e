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
