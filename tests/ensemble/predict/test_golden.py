"""Bundles of every released schema are read by this version, and answer as they did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ensemble.predict.bundle.manifest import SCHEMA
from ensemble.predict.predictor import load_bundle
from tests.competitions import photograph
from tests.ensemble.predict.golden import ASKED, GOLDEN

SCHEMAS = sorted(GOLDEN.glob("schema-*.zip"))


def test_there_is_one_of_each_schema() -> None:
    assert [path.stem for path in SCHEMAS] == [f"schema-{number}" for number in range(1, SCHEMA + 1)]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_golden_bundle_answers_as_it_did(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    bundle = load_bundle(path)
    found = [
        answer.row(bundle.members)
        for answer in bundle.predict(photograph(900 + seed, fake=seed % 2 == 1) for seed in ASKED)
    ]
    assert len(found) == len(expected) > 1
    for row, before in zip(found, expected, strict=True):
        assert row["verdict"] == before["verdict"]
        assert row["probability"] == pytest.approx(before["probability"], abs=1e-4)
        for name in bundle.members:
            assert row[f"member_{name}"] == pytest.approx(before[f"member_{name}"], abs=1e-4)
