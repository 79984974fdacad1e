"""The package from Python: tables of a store, and train, blend and report as functions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble.api import Experiment, UserError, blend, load_experiment, open_store, report, train
from ensemble.store.oof import OofStore
from tests.competitions import BOOSTED, LINEAR, write_competition, write_config

pytestmark = pytest.mark.training


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> Path:
    """A copy of the trained store, not blended yet."""
    return Path(shutil.copytree(str(trained.root), tmp_path / "oof" / "small", ignore=shutil.ignore_patterns("blend")))


def test_the_tables_of_a_store(store: Path) -> None:
    opened = open_store(store)
    assert list(opened.oof) == ["name", "fold", "label", "linear", "boosted"]
    assert list(opened.test) == ["name", "linear", "boosted"]
    assert (len(opened.oof), len(opened.test)) == (40, 12)
    right = (opened.oof["linear"] >= 0.5) == (opened.oof["label"] == 1)
    board = opened.leaderboard.set_index("member")
    assert board.loc["linear", "accuracy"] == pytest.approx(right.mean())
    fold = pd.read_parquet(store / "members" / "linear" / "fold-1" / "predictions.parquet")
    expected = fold[fold["split"] == "oof"].set_index("name")["pred"]
    found = opened.oof.set_index("name").loc[expected.index]
    assert set(found["fold"]) == {1}
    assert found["linear"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6)


def test_a_blend_is_a_column_of_the_store(store: Path, tmp_path: Path) -> None:
    result = blend(store, output=tmp_path / "mine.csv")
    assert result.measured_on == "nested OOF"
    assert result.weights is None or all(weight >= 0 for weight in result.weights.values())
    submission = pd.read_csv(tmp_path / "mine.csv")
    assert result.submission == tmp_path / "mine.csv"
    assert result.store.test["blend"].tolist() == submission["pred"].tolist()
    assert result.store.test["name"].tolist() == submission["name"].tolist()
    right = (result.store.oof["blend"] >= 0.5) == (result.store.oof["label"] == 1)
    assert result.scores.accuracy == pytest.approx(right.mean())
    assert result.store.leaderboard["member"].tolist()[:2] == ["blend", f"blend ({result.chosen})"]
    shutil.rmtree(store / "members" / "linear")  # then the blend is one of other predictions
    assert "blend" not in open_store(store).oof


def test_a_blend_of_another_sample_is_none_of_this_store(store: Path) -> None:
    """The submission has the rows of the sample in its order; the sample may be another one after the next training."""
    blend(store)
    facts = json.loads((store / "data.json").read_text())
    facts["sample"]["names"].reverse()
    (store / "data.json").write_text(json.dumps(facts))
    assert "blend" not in open_store(store).test


def test_a_report(store: Path, competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = report(store, data=competition_folder)
    assert result.page == store / "report.html"
    assert result.page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert result.leaderboard["member"].tolist() == open_store(store).leaderboard["member"].tolist()
    assert not capsys.readouterr().out
    other = write_competition(tmp_path / "other", first=100)
    with pytest.raises(UserError, match="not what"):
        report(store, data=other)


def test_train_by_a_config_or_an_experiment(competition_folder: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "small.yaml", LINEAR, BOOSTED)
    first = train(config, competition_folder, tmp_path / "oof", "inline", members=["linear"], timeout="5min")
    assert first.complete
    assert list(first.store.test) == ["name", "linear", "blend"]
    assert np.isfinite(first.store.oof["linear"]).all()
    experiment = load_experiment(config)
    assert isinstance(experiment, Experiment)
    second = train(experiment, competition_folder, tmp_path / "oof", "inline")
    assert list(second.store.test) == ["name", "linear", "boosted", "blend"]
    assert open_store(experiment, tmp_path / "oof").root == open_store(config, tmp_path / "oof").root


def test_mistakes_are_user_errors(store: Path, competition_folder: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "small.yaml", LINEAR)
    with pytest.raises(UserError, match="nobody"):
        train(config, competition_folder, tmp_path, "inline", members=["nobody"])
    with pytest.raises(UserError, match="is a folder"):
        blend(store, output=tmp_path)
    with pytest.raises(UserError, match="budget takes a duration"):
        train(config, competition_folder, tmp_path, "inline", budget="soon")
    for named in (config, load_experiment(config)):
        with pytest.raises(UserError, match="not a store"):
            open_store(named, tmp_path)


@pytest.mark.training
@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text(path.read_text().replace("0.", "0.1", 1))])
def test_a_submission_that_is_not_the_blends(store: Path, spoil: Callable[[Path], object]) -> None:
    blend(store)
    assert "blend" in open_store(store).test
    spoil(store / "blend" / "submit.csv")
    assert "blend" not in open_store(store).test


@pytest.mark.training
def test_mistakes_of_a_notebook(store: Path, competition_folder: Path, tmp_path: Path) -> None:
    for call in (
        lambda: open_store("foo://x"),
        lambda: blend(store, output="foo://x"),
        lambda: report(store, data="foo://x"),
    ):
        with pytest.raises(UserError, match="no library is installed"):
            call()
    config = write_config(tmp_path / "c.yaml", LINEAR, BOOSTED)
    assert train(config, competition_folder, tmp_path / "oof", "inline", members="linear").complete
