"""Longest first, by what folds took before; and folds that take too long."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.config import MemberSettings, load_experiment
from ensemble.engine.task import FoldTask
from ensemble.oof import OofStore
from ensemble.predictions import load_predictions
from ensemble.schedule import longest_first, measured_seconds
from ensemble.train import train
from tests.competitions import LINEAR, write_config
from tests.ensemble.test_train import foreign

NO_ROWS = np.empty(0, dtype=np.intp)


def tasks(*members: str, n_folds: int = 2) -> list[FoldTask]:
    settings = [MemberSettings.model_validate({"name": name, "model": {"use": "a.B"}}) for name in members]
    return [FoldTask(member, fold, "", NO_ROWS, NO_ROWS, NO_ROWS) for member in settings for fold in range(n_folds)]


def test_the_unknown_come_first_and_the_longest_next() -> None:
    found = longest_first(tasks("quick", "new", "slow", "other"), {"quick": 1.0, "slow": 60.0})
    expected = ["new/fold-0", "other/fold-0", "new/fold-1", "other/fold-1"]
    assert [task.title for task in found] == [*expected, "slow/fold-0", "slow/fold-1", "quick/fold-0", "quick/fold-1"]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1e-3, 1e6), min_size=1), st.integers(1, 3))
def test_at_most_a_third_longer_than_the_best_order(seconds: dict[str, float], slots: int) -> None:
    found = [seconds[task.member.name] for task in longest_first(tasks(*seconds, n_folds=1), seconds)]
    ends = [0.0] * slots
    for length in found:
        ends[int(np.argmin(ends))] += length
    assignments = itertools.product(range(slots), repeat=len(found))
    best = min(np.bincount(places, weights=found, minlength=slots).max() for places in assignments)
    assert max(ends) <= best * 4 / 3 * (1 + 1e-9)


def test_what_folds_took_is_known_from_the_store(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    shutil.rmtree(store.fold_folder("linear", 0))
    found = measured_seconds(store, ["linear", "boosted", "unheard-of"], 3)
    records = [store.record("linear", fold) for fold in (1, 2)]
    assert set(found) == {"linear", "boosted"}
    assert found["linear"] == pytest.approx(np.mean([r.finished - r.started for r in records if r]))


@pytest.mark.parametrize(("engine", "timeout"), [("inline", 4), ("ray", 20)])  # a worker imports PyTorch first
def test_a_fold_that_hangs_is_ended_and_its_siblings_finish(
    engine: str,
    timeout: float,
    competition_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    mark = tmp_path / "mark"
    mark.mkdir()
    config = write_config(tmp_path / "c.yaml", foreign("hangs", "HangsInOneFold", mark=mark), LINEAR)
    experiment = load_experiment(config)
    store = OofStore(tmp_path / "oof" / "small")
    assert not train(experiment, list(experiment.members), competition_folder, store, engine, timeout)
    said = capsys.readouterr().out
    assert f"hangs/fold-1 FAILED: it ran longer than --timeout allows ({timeout} s) and was ended" in said
    predictions = load_predictions(store)
    assert predictions.members == ["hangs", "linear"]
    assert predictions.partial == {"hangs": "2 of 3 folds (not trained)"}
    hung = [int(path.name.split("-")[1]) for path in mark.glob("1-*")]
    assert len(hung) == 1, "a fold that hangs is not tried again"
    assert engine == "inline" or not os.path.exists(f"/proc/{hung[0]}")
