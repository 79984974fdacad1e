"""Folds first: a ledger without training, for people whose models live elsewhere, and a blend of these alone."""

from __future__ import annotations

import errno
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from tests.commands import run_here
from tests.competitions import BOOSTED, LINEAR, read_rows, write_competition, write_config, write_rows

pytestmark = pytest.mark.training


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_competition(tmp_path / "data")
    return tmp_path


def test_folds_are_those_that_training_uses(folder: Path) -> None:
    write_config(folder / "small.yaml", BOOSTED)
    found = run_here("folds", "cut", "small.yaml", cwd=folder)
    assert found.returncode == 0, found.stderr
    ledger = OofStore(folder / "oof" / "small").ledger()
    assert f"40 rows in 3 folds, ledger {ledger.sha256[:12]}" in found.stdout
    assert run_here("folds", "export", "small.yaml", "-o", "folds.csv", cwd=folder).returncode == 0
    assert pd.read_csv(folder / "folds.csv")["fold"].tolist() == ledger.folds.tolist()
    assert run_here("train", "small.yaml", "--engine", "inline", cwd=folder).returncode == 0
    assert OofStore(folder / "oof" / "small").ledger().sha256 == ledger.sha256
    assert run_here("folds", "cut", "small.yaml", cwd=folder).returncode == 0
    assert len(list((folder / "oof" / "small" / "members").rglob("fold.json"))) == 3, "nothing is lost"
    before = (folder / "oof" / "small" / "experiment.yaml").read_bytes()
    write_config(folder / "small.yaml", LINEAR)
    assert run_here("folds", "cut", "small.yaml", cwd=folder).returncode == 0
    assert (folder / "oof" / "small" / "experiment.yaml").read_bytes() == before, "a store is left as it is"


def test_an_experiment_of_imported_members_alone(folder: Path) -> None:
    (folder / "stack.yaml").write_text("name: stack\nfolds: {n_folds: 3}\n")
    refused = run_here("train", "stack.yaml", cwd=folder)
    assert refused.returncode == 2
    assert "stack has no members to train; for imported predictions run ensemble folds cut" in refused.stderr
    assert run_here("folds", "cut", "stack.yaml", cwd=folder).returncode == 0
    store = OofStore(folder / "oof" / "stack")
    ledger, names, rng = store.ledger(), store.sample().names, np.random.default_rng(0)
    for member in ("one", "two"):
        noisy = 1 / (1 + np.exp(-rng.normal(4 * ledger.labels - 2, 2)))
        ledger.table[["name", "fold"]].assign(pred=noisy).to_csv(folder / "oof.csv", index=False)
        pd.DataFrame({"name": names, "pred": rng.random(len(names))}).to_csv(folder / "test.csv", index=False)
        files = ("--train-predictions", "oof.csv", "--test-predictions", "test.csv")
        imported = run_here("blend", "import", member, *files, "--store", "stack.yaml", cwd=folder)
        assert imported.returncode == 0, imported.stderr
    blended = run_here("blend", "stack.yaml", cwd=folder)
    assert blended.returncode == 0, blended.stderr
    assert "nested accuracy" in blended.stdout
    assert [row[0] for row in read_rows(store.blend_folder / "submit.csv")] == ["name", *sorted(names)]
    assert run_here("report", "stack.yaml", cwd=folder).returncode == 0
    assert "one" in (store.root / "leaderboard.md").read_text()


def test_before_there_are_predictions_that_is_said(folder: Path) -> None:
    (folder / "stack.yaml").write_text("name: stack\nfolds: {n_folds: 3}\n")
    missing = run_here("folds", "export", "stack.yaml", cwd=folder)
    assert missing.returncode == 2
    assert "ensemble folds cut" in missing.stderr
    assert run_here("folds", "cut", "stack.yaml", cwd=folder).returncode == 0
    assert run_here("blend", "stack.yaml", cwd=folder).returncode == 2


def test_a_store_half_begun_keeps_no_folds_of_other_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, config = write_competition(tmp_path / "data"), write_config(tmp_path / "c.yaml", LINEAR)
    cut = ("folds", "cut", config, "--data", data, "--oof", tmp_path / "oof")
    assert run_here(*cut, cwd=tmp_path).returncode == 0
    header, *rows = read_rows(data / "train.csv")
    before = int(rows[0][1])
    rows[0][1], rows[1][1] = rows[1][1], rows[0][1]
    assert int(rows[0][1]) == 1 - before
    write_rows(data / "train.csv", header, rows)
    with monkeypatch.context() as patch:
        patch.setattr(FoldLedger, "save", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
        assert run_here(*cut, cwd=tmp_path).returncode == 2
    assert run_here(*cut, cwd=tmp_path).returncode == 0
    table = OofStore(tmp_path / "oof" / "small").ledger().table.set_index("name")
    assert table["label"][rows[0][0]] == 1 - before
