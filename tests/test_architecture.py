"""Arrows run one way: the two packages never import each other, and the rooms of `ensemble` stand on one another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import ROOT

# Low to high: a room may import from those before it and from its own level, never from a later one.
LEVELS = [
    ["errors", "plain", "markdown", "durations", "outage", "remote", "files", "signs", "threads"],
    ["console", "provenance", "store_format"],
    ["config", "archive", "metrics", "paired", "images"],
    ["tables", "predictions_file", "record", "member", "models", "progress"],
    ["competition", "folds", "submission"],
    ["oof"],
    ["predictions", "inquiries", "stores", "engine", "lock", "foreign"],
    ["budget", "schedule", "speeds", "timeline"],
    ["features"],
    ["checks", "plan", "prepare", "runs", "work"],
    ["selection"],
    ["execute"],
    ["columns", "exhibits"],
    ["audit"],
    ["report"],
    ["blend", "train", "demo"],
    ["generators", "robustness"],
    ["cli"],
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
FILES = sorted([*(ROOT / "ensemble").rglob("*.py"), *(ROOT / "members").rglob("*.py")])


def imported(path: Path) -> set[str]:
    """Modules that a file imports, whole paths."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(ROOT / "ensemble").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_packages_do_not_know_each_other(path: Path) -> None:
    own, other = ("ensemble", "members") if path.is_relative_to(ROOT / "ensemble") else ("members", "ensemble")
    assert not [name for name in imported(path) if name.partition(".")[0] == other], f"{own} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pickles(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imported(path)} & {"pickle", "cloudpickle", "dill", "joblib"}
    assert "allow_pickle=True" not in path.read_text()


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.is_relative_to(ROOT / "ensemble") and room(p) != "__init__"], ids=str
)
def test_rooms_stand_on_one_another(path: Path) -> None:
    others = {name.split(".")[1] for name in imported(path) if name.startswith("ensemble.")} - {room(path)}
    assert not [other for other in others if LEVEL[other] > LEVEL[room(path)]], f"{room(path)} looks up"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
