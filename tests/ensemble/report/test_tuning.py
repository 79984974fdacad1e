"""The section about searches for better settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Facts, Figure, Table, blocks_of
from ensemble.report.sections.tuning import tuning

TRIALS: list[dict[str, Any]] = [
    {"trial": 0, "state": "finished", "loss": 0.2, "values": {"model.C": 0.01, "features.layers": ["a"]}},
    {"trial": 1, "state": "finished", "loss": 0.1, "values": {"model.C": 9.87654321, "features.layers": ["a", "b"]}},
    {"trial": 2, "state": "pruned", "loss": 0.9, "values": {"model.C": 0.3, "features.layers": ["b"]}},
    {"trial": 3, "state": "failed", "loss": None, "values": {"model.C": 0.4, "features.layers": ["b"]}},
    {"trial": 4, "state": "finished", "loss": 0.7, "values": {"model.C": 0.002, "features.layers": ["a"]}},
]
RESULT: dict[str, Any] = {
    "trials": {"finished": 3, "pruned": 1, "failed": 1},
    "best": 1,
    "values": {"best": TRIALS[1]["values"], "configured": TRIALS[0]["values"]},
    "inner": {"best": 0.1, "configured": 0.2},
    "ledger": {"best": 0.12, "configured": 0.19},
    "importances": {"model.C": 0.8, "features.layers": 0.2},
}


def write(root: Path, result: dict[str, Any]) -> None:
    folder = root / "tune" / "linear"
    folder.mkdir(parents=True, exist_ok=True)
    trials = [{**trial, "losses": [], "cause": ""} for trial in TRIALS]
    (folder / "trials.json").write_text(json.dumps(trials))
    (folder / "result.json").write_text(json.dumps(result))


@pytest.fixture
def searched(material: Material, tmp_path: Path) -> Material:
    write(tmp_path, RESULT)
    return Material(type(material.store)(tmp_path), material.experiment, material.predictions, material.manifest)


def test_a_search_is_shown_with_what_is_left_of_its_gain(searched: Material) -> None:
    section = tuning(searched)
    assert section is not None
    facts = [fact for block in blocks_of([section], Facts) for fact in block.facts]
    assert [(fact.value, fact.note) for fact in facts[:3]] == [
        ("0.1000", "0.2000 as configured"),
        ("0.1200", "0.1900 as configured"),
        ("0.1000", "of which 0.0700 is left on the store's folds"),
    ]
    figures = list(blocks_of([section], Figure))
    assert "model.C 80%" in figures[0].description
    assert "2 finished trials" in figures[1].description, "that of 0.7 would hide the others"
    assert "0.1000, at 9.877" in figures[1].description
    assert figures[2].layout["xaxis"]["type"] == "category"
    table = next(table for table in blocks_of([section], Table) if table.id == "tuning-trials-linear")
    assert table.frame["trial"].tolist() == [1, 0, 4, 2, 3]
    assert table.strong == (0,)


def test_without_a_search_or_with_a_damaged_one_there_is_no_section(searched: Material, material: Material) -> None:
    assert tuning(material) is None
    (searched.store.root / "tune" / "linear" / "trials.json").write_text("{")
    assert tuning(searched) is None


def test_a_search_that_found_nothing_better_is_shown_too(searched: Material) -> None:
    write(searched.store.root, {**RESULT, "best": 0, "ledger": {}, "importances": {}})  # type: ignore[arg-type]
    section = tuning(searched)
    assert section is not None
    assert len(list(blocks_of([section], Figure))) == 2
