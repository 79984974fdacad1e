"""A search: honest folds, trials that are neither lost nor run twice, failures that end nothing, and budgets."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from sqlalchemy.exc import OperationalError

from ensemble.config.members import MemberSettings
from ensemble.core.metrics.scores import log_loss
from ensemble.grow.search import Search
from ensemble.grow.tune import inner_ledger
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.repeats import ledger_of_cut
from tests.commands import Result, run_here, run_process
from tests.competitions import write_competition

pytestmark = pytest.mark.training
CONFIG = """name: small
folds: {n_folds: 3}
members:
  - name: linear
    features: {use: members.forensics.LogDCT, cell: 16}
    model:
      use: sklearn.pipeline.Pipeline
      steps:
        - [scale, {use: sklearn.preprocessing.StandardScaler}]
        - [logistic, {use: sklearn.linear_model.LogisticRegression, C: 0.01, max_iter: 300}]
    tune: {model.steps.1.1.C: {low: 1e-4, high: 100, log: true}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_competition(tmp_path / "data", train=60)
    (tmp_path / "small.yaml").write_text(CONFIG)
    return tmp_path


def tune(folder: Path, *options: object, oof: str = "oof") -> Result:
    found = run_here(
        "tune", "small.yaml", "--member", "linear", "--engine", "inline", "--oof", oof, *options, cwd=folder
    )
    assert found.returncode == 0, found.stderr
    return found


def result_of(folder: Path, name: str = "result", oof: str = "oof") -> Any:
    return json.loads((folder / oof / "small" / "tune" / "linear" / f"{name}.json").read_text())


def test_a_search_finds_better_settings_and_says_what_is_left_of_the_gain(folder: Path) -> None:
    said = tune(folder, "--trials", 12).stdout
    result = result_of(folder)
    assert sum(result["trials"].values()) == 12
    assert result["trials"]["pruned"]
    assert result["inner"]["best"] < result["inner"]["configured"]
    assert f"{result['ledger']['best']:.4f}, as configured {result['ledger']['configured']:.4f}" in said
    assert list(result["importances"]) == ["model.steps.1.1.C"]
    trials = result_of(folder, "trials")
    assert all(len(trial["losses"]) < 3 for trial in trials if trial["state"] == "pruned")
    assert trials[0]["values"] == {"model.steps.1.1.C": 0.01}, "the search begins with the config"
    assert result["inner"]["configured"] == trials[0]["loss"]
    best = next(trial for trial in trials if trial["trial"] == result["best"])
    assert best["loss"] == min(trial["loss"] for trial in trials if trial["state"] == "finished")
    study = folder / "oof" / "small" / "tune" / "linear" / "study.db"
    assert len(optuna.load_study(study_name=None, storage=f"sqlite:///{study}").trials) == 12


def test_the_search_has_folds_of_its_own(folder: Path) -> None:
    tune(folder, "--trials", 2)
    store = OofStore(folder / "oof" / "small")
    ledger, own = store.ledger(), OofStore(store.root / "tune" / "linear")
    assert own.ledger().sha256 == inner_ledger(ledger).sha256 != ledger.sha256
    assert (own.ledger().folds != ledger.folds).any()
    assert own.ledger().table["group"].tolist() == ledger.table["group"].tolist()
    assert not (store.root / "members").exists(), "nothing is added to what a blend reads"
    trials = result_of(folder, "trials")
    names = sorted(path.name for path in (own.root / "members").iterdir())
    experiment = own.experiment()
    member = experiment.members[0].model_copy(update={"name": names[0]})
    predictions = load_predictions(own, experiment.model_copy(update={"members": (member,)}))
    loss = log_loss(predictions.oof_logits[:, 0].astype(np.float64), own.ledger().labels).mean()
    assert loss == pytest.approx(trials[0]["loss"], rel=1e-5)


def test_the_tuned_member_can_be_put_into_a_config(folder: Path) -> None:
    tune(folder, "--trials", 6)
    best = (folder / "oof" / "small" / "tune" / "linear" / "best.yaml").read_text()
    (folder / "tuned.yaml").write_text(f"name: tuned\nfolds: {{n_folds: 3}}\n{best}")
    assert run_here("train", "tuned.yaml", "--engine", "inline", cwd=folder).returncode == 0
    store = OofStore(folder / "oof" / "tuned")
    logits = load_predictions(store).oof_logits[:, 0].astype(np.float64)
    expected = result_of(folder)["ledger"]["best"]
    assert log_loss(logits, store.ledger().labels).mean() == pytest.approx(expected, rel=1e-5)


def test_more_trials_go_on_with_those_of_before(folder: Path) -> None:
    tune(folder, "--trials", 5)
    five = result_of(folder, "trials")
    said = tune(folder, "--trials", 9).stdout
    assert "5 trials ended in earlier runs" in said
    assert result_of(folder, "trials")[:5] == five
    assert "trial 4:" not in said
    tune(folder, "--trials", 9, oof="again")
    assert result_of(folder, oof="again") == result_of(folder), "as without a break"


def test_another_space_is_another_study(folder: Path) -> None:
    tune(folder, "--trials", 3)
    (folder / "small.yaml").write_text(CONFIG.replace("high: 100", "high: 10"))
    assert "earlier runs" not in tune(folder, "--trials", 3).stdout


def test_a_trial_that_fails_ends_nothing(folder: Path) -> None:
    (folder / "small.yaml").write_text(CONFIG.replace("low: 1e-4", "low: -50.0").replace(", log: true", ""))
    said = tune(folder, "--trials", 12).stdout
    trials = result_of(folder, "trials")
    failed = [trial for trial in trials if trial["state"] == "failed"]
    assert 0 < len(failed) < 12
    assert all("must be a float in the range" in trial["cause"] for trial in failed)
    assert f"{len(failed)} failed" in said


def test_a_setting_without_effect_is_no_fault(folder: Path) -> None:
    (folder / "small.yaml").write_text(
        CONFIG.replace(
            "model.steps.1.1.C: {low: 1e-4, high: 100, log: true}", "model.steps.1.1.max_iter: {low: 300, high: 400}"
        )
    )
    said = tune(folder, "--trials", 4).stdout
    assert "none is better than the settings of the config" in said
    assert result_of(folder)["importances"] == {}


def test_a_config_whose_own_settings_fail_says_so_and_can_be_mended(folder: Path) -> None:
    (folder / "small.yaml").write_text(CONFIG.replace("C: 0.01", "C: 0.01, dual: true"))  # fails only when it is fitted
    found = run_here("tune", "small.yaml", "--member", "linear", "--engine", "inline", "--trials", 3, cwd=folder)
    assert found.returncode == 2
    assert "the trial of the config's own settings was not finished; failed trials: ValueError: Solver" in found.stderr
    (folder / "small.yaml").write_text(CONFIG)
    tune(folder, "--trials", 3)


def test_a_config_whose_own_settings_took_too_long_is_tried_again_whatever_the_others_did(folder: Path) -> None:
    tune(folder, "--trials", 3)
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder}/oof/small/tune/linear/study.db")
    with sqlite3.connect(folder / "oof/small/tune/linear/study.db") as connection:
        connection.execute("UPDATE trials SET state = 'FAIL' WHERE number = 0")
    shutil.rmtree(next((folder / "oof/small/tune/linear/members").glob("*-0")))
    tune(folder, "--trials", 3)
    states = [trial.state.name for trial in study.get_trials()]
    assert states == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]


def test_settings_that_were_tried_are_not_trained_again(folder: Path) -> None:
    (folder / "small.yaml").write_text(CONFIG.replace("{low: 1e-4, high: 100, log: true}", "{choices: [0.01, 1.0]}"))
    said = tune(folder, "--trials", 40).stdout
    assert "10 trials in a row had settings of earlier ones: the search ends" in said
    trials = result_of(folder, "trials")
    assert len(trials) < 40
    assert len({trial["loss"] for trial in trials if trial["state"] == "finished"}) <= 2
    assert len(list((folder / "oof/small/tune/linear/members").iterdir())) == 2


def test_a_trial_that_was_interrupted_between_two_settings_gets_the_other(tmp_path: Path) -> None:
    space = {"model.C": {"low": 0.1, "high": 10.0}, "model.tol": {"low": 0.1, "high": 1.0}}
    member = MemberSettings.model_validate({"name": "a", "model": {"use": "x.A", "C": 1.0, "tol": 0.5}, "tune": space})
    made = (member, f"sqlite:///{tmp_path / 's.db'}", "s", "me", 0, False)
    for number, expected in enumerate(({"model.C": 1.0, "model.tol": 0.5}, None)):
        Search(*made).next()
        with sqlite3.connect(tmp_path / "s.db") as connection:
            connection.execute("DELETE FROM trial_params WHERE param_name = 'model.tol' AND trial_id = ?", [number + 1])
        search = Search(*made)
        trial = search.next()
        assert trial.number == number
        assert set(search.values(trial)) == set(space)
        assert expected in (None, search.values(trial)), "the config's own settings"
        search.finish(trial, 0.5)


def test_a_study_that_was_edited_is_refused(folder: Path) -> None:
    tune(folder, "--trials", 2)
    with sqlite3.connect(folder / "oof/small/tune/linear/study.db") as connection:
        connection.execute("UPDATE trial_params SET param_name = 'model.other'")
    found = run_here("tune", "small.yaml", "--member", "linear", "--engine", "inline", "--trials", 3, cwd=folder)
    assert found.returncode == 2
    assert "study.db was edited and cannot be read; remove it" in found.stderr


def test_the_settings_of_the_config_are_tried_by_another_driver_if_the_first_never_comes_back(folder: Path) -> None:
    storage = f"sqlite:///{folder / 'shared.db'}"
    tune(folder, "--trials", 2, "--storage", storage)
    with sqlite3.connect(folder / "shared.db") as connection:
        connection.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 0")
    tune(folder, "--trials", 4, "--storage", storage, oof="other")
    assert result_of(folder, oof="other")["configured"] == 2


def test_a_mistake_in_a_choice_is_found_before_anything_runs(folder: Path) -> None:
    (folder / "small.yaml").write_text(CONFIG.replace("{low: 1e-4, high: 100, log: true}", "{choices: [0.01, -1.0]}"))
    found = run_here("tune", "small.yaml", "--member", "linear", "--trials", 3, cwd=folder)
    assert found.returncode == 2
    assert "The 'C' parameter of LogisticRegression must be a float" in found.stderr
    assert not (folder / "oof").exists()


def test_other_photographs_are_another_study(folder: Path) -> None:
    tune(folder, "--trials", 3)
    write_competition(folder / "data", train=60, first=500)
    assert "earlier runs" not in tune(folder, "--trials", 3).stdout


def test_two_drivers_share_a_storage(folder: Path) -> None:
    """Each runs its own trials, and takes none of the other's, though both call their store by the same name."""
    storage = f"sqlite:///{folder / 'shared.db'}"
    other = folder / "other"
    other.mkdir()
    for name in ("data", "small.yaml"):
        (other / name).symlink_to(folder / name)
    for where, trials in ((folder, 4), (other, 8)):
        tune(where, "--trials", trials, "--storage", storage)
    (study,) = optuna.study.get_all_study_names(storage)
    trials = optuna.load_study(study_name=study, storage=storage).trials
    assert len(trials) == 8
    assert len({trial.user_attrs["owner"] for trial in trials}) == 2
    one, two = ({p.name for p in (w / "oof/small/tune/linear/members").iterdir()} for w in (folder, other))
    assert not one & two


def test_mistakes_are_said_before_anything_runs(folder: Path) -> None:
    def refused(*options: object) -> str:
        found = run_here("tune", "small.yaml", *options, cwd=folder)
        assert found.returncode == 2
        return found.stderr

    assert "give --budget, --trials or both" in refused("--member", "linear")
    assert "did you mean linear?" in refused("--member", "liner", "--trials", 1)
    assert "cannot be opened" in refused(
        "--member", "linear", "--trials", 1, "--engine", "inline", "--storage", "x://y"
    )
    shutil.rmtree(folder / "oof")
    (folder / "small.yaml").write_text(CONFIG.partition("    tune:")[0])
    assert "member linear has nothing to search" in refused("--member", "linear", "--trials", 1)
    assert not (folder / "oof").exists()


def test_a_password_is_not_shown(folder: Path) -> None:
    options = ("--member", "linear", "--trials", 1, "--engine", "inline")
    found = run_here("tune", "small.yaml", *options, "--storage", "mysql://me:secret@nowhere/db", cwd=folder)
    assert found.returncode == 2
    assert "mysql://me:***@nowhere/db" in found.stderr
    assert "secret" not in found.stderr


def test_a_storage_that_goes_away_is_a_sentence_and_costs_no_trial(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune = Search.should_prune

    def gone(search: Search, trial: optuna.Trial, fold: int, loss: float) -> bool:
        if trial.number == 1 and fold == 1:
            raise OperationalError("SELECT", {}, OSError("server has gone away"))
        return prune(search, trial, fold, loss)

    options = ("tune", "small.yaml", "--member", "linear", "--trials", 2, "--engine", "inline")
    with monkeypatch.context() as patched:
        patched.setattr(Search, "should_prune", gone)
        found = run_here(*options, cwd=folder)
    assert found.returncode == 2
    assert "can no longer be used" in found.stderr
    assert run_here(*options, cwd=folder).returncode == 0
    assert result_of(folder)["trials"]["finished"] == 2


def test_a_budget_is_kept(folder: Path) -> None:
    tune(folder, "--trials", 1)  # the photographs' features are cached
    started = time.monotonic()
    said = tune(folder, "--budget", "16s").stdout
    assert 5 < time.monotonic() - started < 17
    assert "s left" in said
    assert result_of(folder)["ledger"], "there was time for the last step"


@pytest.mark.process
@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_as_it_would_have(folder: Path) -> None:
    """Twenty kills: no trial that has ended is lost, no fold is trained twice, and what is found is the same."""
    options = ("tune", "small.yaml", "--member", "linear", "--engine", "inline", "--trials", 30)
    assert run_process(*options, "--oof", "undisturbed", cwd=folder).returncode == 0
    command = [sys.executable, "-m", "ensemble", *map(str, options), "--oof", "killed"]
    rng, ended, folds = np.random.default_rng(0), list[Any](), dict[Path, float]()
    for _ in range(20):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(rng.uniform(2, 5)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        root = folder / "killed" / "small" / "tune" / "linear"
        if (root / "study.db").exists():
            now = _ended(root)
            assert now[: len(ended)] == ended
            ended = now
        stored = {path: path.stat().st_mtime for path in (root / "members").rglob("fold.json")}
        assert all(stored[path] == written for path, written in folds.items()), "trained twice"
        folds = stored
    assert run_process(*options, "--oof", "killed", cwd=folder).returncode == 0
    assert _without_causes(result_of(folder, "trials", "killed")) == _without_causes(
        result_of(folder, "trials", "undisturbed")
    )
    assert result_of(folder, oof="killed")["ledger"] == result_of(folder, oof="undisturbed")["ledger"]


def _ended(root: Path) -> list[Any]:
    copy = root.parent / "copy.db"
    shutil.copy(root / "study.db", copy)
    try:
        study = optuna.load_study(study_name=None, storage=f"sqlite:///{copy}")
    except (KeyError, ValueError):  # killed before there was a study
        return []
    return [(trial.number, trial.value, trial.params) for trial in study.trials if trial.state.is_finished()]


def _without_causes(trials: list[Any]) -> list[Any]:
    return [{key: value for key, value in trial.items() if key != "cause"} for trial in trials]


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("on_ray")
def test_trials_run_side_by_side_on_ray(folder: Path) -> None:
    found = run_process("tune", "small.yaml", "--member", "linear", "--trials", 10, cwd=folder)
    assert found.returncode == 0, found.stderr
    result = result_of(folder)
    assert sum(result["trials"].values()) == 10
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder}/oof/small/tune/linear/study.db")
    first, second = study.get_trials()[:2]
    assert first.datetime_complete is not None
    assert second.datetime_start is not None
    assert second.datetime_start < first.datetime_complete, "the second begins before the first has ended"


def test_other_settings_beside_the_space_are_another_study_and_no_cut_has_its_folds(folder: Path) -> None:
    tune(folder, "--trials", 1)
    ledger = OofStore(folder / "oof" / "small").ledger()
    assert inner_ledger(ledger).sha256 not in {ledger_of_cut(ledger, number).sha256 for number in range(10)}
    (folder / "small.yaml").write_text(CONFIG.replace("max_iter: 300", "max_iter: 200"))
    assert "earlier runs" not in tune(folder, "--trials", 1).stdout


def test_what_is_worse_than_most_is_pruned_but_never_the_config(tmp_path: Path) -> None:
    space = {"model.C": {"low": 0.1, "high": 10.0}}
    member = MemberSettings.model_validate({"name": "a", "model": {"use": "x.A", "C": 1.0}, "tune": space})
    made = (member, f"sqlite:///{tmp_path / 's.db'}", "s", "me", 0, False)
    search = Search(*made)
    search.fail(search.next(), "too slow")
    for _ in range(6):
        trial = search.next()
        assert not search.should_prune(trial, 0, 0.1)
        search.finish(trial, 0.1)
    again = Search(*made)
    configured, worse, better = again.next(), again.next(), again.next()
    assert again.values(configured) == {"model.C": 1.0}
    pruned = [again.should_prune(each, 0, loss) for each, loss in ((configured, 0.9), (worse, 0.9), (better, 0.05))]
    assert pruned == [False, True, False]
