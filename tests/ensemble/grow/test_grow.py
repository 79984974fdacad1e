"""An ensemble that grows: what helps is kept, what does not is dropped, and it ends in time with all that it needs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ensemble.blend.blenders.forward import ForwardSelection, Step
from ensemble.core.storage.lock import only_writer
from ensemble.grow import growing
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.repeats import store_of_cut
from tests.commands import Result, run_here, run_process
from tests.competitions import BOOSTED, FEATURES, LINEAR, read_rows, write_competition, write_config
from tests.records import change_record

pytestmark = pytest.mark.training
NOISE = f"""
  - name: noise{{0}}
    value: 0.{{0}}
    seed: 1{{0}}
    features: {{{{use: {FEATURES}}}}}
    model: {{{{use: sklearn.dummy.DummyClassifier, strategy: stratified}}}}
"""
BROKEN = """
  - name: broken
    value: 5
    model: {use: tests.ensemble.grow.test_grow.Broken}
"""


SLOW = """
  - name: slow{0}
    value: 0.{0}
    model: {{use: tests.ensemble.grow.test_grow.Slow, number: {0}}}
"""


class Slow:
    """A classifier whose fit takes a while, and which knows nothing."""

    def __init__(self, number: int) -> None:
        self.number = number

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {"number": self.number}

    def set_params(self, **_: Any) -> Slow:
        return self

    def fit(self, X: Any, y: Any) -> Slow:
        time.sleep(0.05 * len(y))
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), 2), 0.5)


class Broken:
    """A classifier whose fit fails on the sixty rows of a pilot, and on those of a fold."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}

    def set_params(self, **_: Any) -> Broken:
        return self

    def fit(self, X: Any, y: Any) -> Broken:
        if len(y) > 30:
            raise ValueError("it cannot learn from so many")
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), 2), 0.5)


class BrokenOnFolds(Broken):
    """A classifier whose fit fails on the rows of a fold, though not on those of a pilot."""

    def fit(self, X: Any, y: Any) -> Broken:
        if len(y) > 60:
            raise ValueError("it cannot learn from so many")
        return self


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_competition(tmp_path / "data", train=60)
    write_config(tmp_path / "small.yaml", LINEAR)
    (tmp_path / "portfolio.yaml").write_text(
        f"name: portfolio\nmembers:{BOOSTED}{''.join(NOISE.format(n) for n in range(1, 3))}"
    )
    return tmp_path


OPTIONS = ("--portfolio", "portfolio.yaml", "--engine", "inline")


def grow(folder: Path, budget: str = "5min", oof: str = "oof") -> Result:
    found = run_here("grow", "small.yaml", "--budget", budget, "--oof", oof, *OPTIONS, cwd=folder)
    assert found.returncode == 0, found.stderr
    return found


def growth_of(folder: Path, oof: str = "oof") -> Any:
    return json.loads((folder / oof / "small" / "grow.json").read_text())


def test_what_helps_is_kept_and_noise_is_dropped(folder: Path) -> None:
    said = grow(folder).stdout
    growth, store = growth_of(folder), OofStore(folder / "oof" / "small")
    steps = [step for step in growth["steps"] if not step["member"].startswith("cut ")]
    outcomes = {step["member"]: step["outcome"] for step in steps}
    assert next(iter(outcomes)) == "linear", "the members of the config come first"
    assert outcomes["linear"] == "kept"
    assert {outcomes[name] for name in outcomes if name.startswith("noise")} == {"dropped"}
    assert growth["why"] == "every candidate was tried"
    assert "no further candidate: every candidate was tried" in said
    manifest = json.loads((store.blend_folder / "blend.json").read_text())
    assert manifest["chosen"] == "forward"
    weights = dict(zip(manifest["members"], manifest["weights"], strict=True))
    assert {name for name, weight in weights.items() if weight} <= {n for n, o in outcomes.items() if o == "kept"}
    names = [row[0] for row in read_rows(store.blend_folder / "submit.csv")]
    assert names == ["name", *sorted(store.sample().names)]
    page = (store.root / "report.md").read_text().partition("# Growth")[2]
    assert "every candidate was tried" in page
    assert re.search(r"noise1 *\| *dropped", page)
    for step in growth["steps"]:
        assert (step["outcome"] == "kept") == (step["gain"] > step["standard_error"])
    experiment = store.experiment()
    folds = experiment.folds.model_copy(update={"repeats": 1})  # candidates were tried on the first cut alone
    predictions = load_predictions(store, experiment.model_copy(update={"folds": folds}))
    again = ForwardSelection().fit(predictions.oof_logits, store.ledger().labels, store.ledger().folds)
    assert [step.gain for step in again.steps_] == pytest.approx([step["gain"] for step in steps])


def test_the_folds_are_cut_again_as_long_as_that_helps(folder: Path) -> None:
    said = grow(folder).stdout
    steps = growth_of(folder)["steps"]
    cuts = [step for step in steps if step["member"].startswith("cut ")]
    assert cuts[0]["member"] == "cut 2 of the folds"
    assert "next: cut 2 of the folds" in said
    store = OofStore(folder / "oof" / "small")
    kept = sum(step["outcome"] == "kept" for step in cuts)
    assert store.experiment().folds.repeats == 1 + kept
    assert all(step["outcome"] == "kept" for step in cuts[:-1]), "the first that does not help is the last"
    assert store_of_cut(store, 1).ledger().sha256 != store.ledger().sha256
    members = {step["member"] for step in steps if step["outcome"] == "kept" and step not in cuts}
    assert {path.name for path in (store_of_cut(store, 1).root / "members").iterdir()} == members


def test_a_second_run_does_nothing_twice(folder: Path) -> None:
    grow(folder)
    before = growth_of(folder)
    written = {path: path.stat().st_mtime for path in (folder / "oof").rglob("fold.json")}
    said = grow(folder).stdout
    assert "resuming after 4 candidates of earlier runs" in said
    assert {path: path.stat().st_mtime for path in (folder / "oof").rglob("fold.json")} == written
    assert _decisions(folder, "oof") == [_untimed(step) for step in before["steps"]]


def test_more_candidates_go_on_from_there(folder: Path) -> None:
    grow(folder)
    with (folder / "portfolio.yaml").open("a") as file:
        file.write(NOISE.format(7) + NOISE.format(8))
    grow(folder)
    assert [step["member"] for step in growth_of(folder)["steps"]][4:6] == ["noise8", "noise7"]


def test_a_candidate_that_fails_ends_nothing(folder: Path) -> None:
    with (folder / "portfolio.yaml").open("a") as file:
        file.write(BROKEN)
    said = grow(folder).stdout
    outcomes = {step["member"]: step["outcome"] for step in growth_of(folder)["steps"]}
    assert outcomes["broken"] == "failed"
    assert {"linear", "boosted", "noise1", "noise2"} <= outcomes.keys()
    assert "it cannot learn from so many" in said


def test_it_ends_in_time_with_all_that_it_needs(folder: Path) -> None:
    slow = "".join(SLOW.format(n) for n in range(1, 9))
    (folder / "portfolio.yaml").write_text(f"name: portfolio\nmembers:{BOOSTED}{slow}")
    started = time.monotonic()
    grow(folder, "40s")
    assert time.monotonic() - started < 45
    growth = growth_of(folder)
    assert growth["why"] in ("the time is up", "no candidate that is left can be finished in time")
    assert len(growth["steps"]) < 10
    assert (folder / "oof" / "small" / "blend" / "submit.csv").exists()
    assert (folder / "oof" / "small" / "report.html").exists()


def test_cheap_candidates_are_found_behind_those_that_do_not_fit(folder: Path) -> None:
    """Only the most promising ones are measured first; where none of them fits, the others are."""
    slow = "".join(SLOW.format(number).replace("value: 0.", "value: 9") for number in range(1, 4))
    (folder / "portfolio.yaml").write_text(f"name: portfolio\nmembers:{slow}{BOOSTED}")
    grow(folder, "20s")
    steps = {step["member"]: step for step in growth_of(folder)["steps"]}
    assert steps["boosted"]["outcome"] in ("kept", "dropped")


def test_one_cut_of_the_folds_is_grown_on(folder: Path) -> None:
    write_config(folder / "small.yaml", LINEAR, extra="folds: {n_folds: 3, repeats: 2}")
    found = run_here("grow", "small.yaml", "--budget", "1min", *OPTIONS, cwd=folder)
    assert found.returncode == 2
    assert "set folds.repeats to 1" in found.stderr


def test_too_little_time_is_said(folder: Path) -> None:
    write_config(folder / "small.yaml", SLOW.format(1))
    (folder / "portfolio.yaml").write_text(f"name: portfolio\nmembers:{SLOW.format(2)}")
    found = run_here("grow", "small.yaml", "--budget", "2s", *OPTIONS, cwd=folder)
    assert found.returncode == 2
    assert "give it more time" in found.stderr


@pytest.mark.process
@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_as_it_would_have(folder: Path) -> None:
    options = ("grow", "small.yaml", "--budget", "10min", *OPTIONS)
    assert run_process(*options, "--oof", "undisturbed", cwd=folder).returncode == 0
    command = [sys.executable, "-m", "ensemble", *map(str, options), "--oof", "killed"]
    rng, folds, steps = np.random.default_rng(0), dict[Path, float](), list[Any]()
    for _ in range(20):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(rng.uniform(2, 6)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        stored = {path: path.stat().st_mtime for path in (folder / "killed").rglob("members/*/*/fold.json")}
        assert all(stored[path] == written for path, written in folds.items()), "trained twice"
        folds = stored
        if (folder / "killed" / "small" / "grow.json").exists():
            now = [step for step in _decisions(folder, "killed") if not step["member"].startswith("cut ")]
            assert now[: len(steps)] == steps, "lost"
            steps = now
    assert run_process(*options, "--oof", "killed", cwd=folder).returncode == 0
    assert _decisions(folder, "killed") == _decisions(folder, "undisturbed")
    files = [folder / oof / "small" / "blend" / "submit.csv" for oof in ("killed", "undisturbed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def _decisions(folder: Path, oof: str) -> list[Any]:
    return [_untimed(step) for step in growth_of(folder, oof)["steps"]]


def _untimed(step: dict[str, Any]) -> dict[str, Any]:
    return {key: step[key] for key in step if key not in ("seconds", "expected", "after")}


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.slow
def test_it_grows_on_ray(folder: Path) -> None:
    found = run_process("grow", "small.yaml", "--budget", "5min", "--portfolio", "portfolio.yaml", cwd=folder)
    assert found.returncode == 0, found.stderr
    outcomes = {step["member"]: step["outcome"] for step in growth_of(folder)["steps"]}
    assert outcomes["linear"] == "kept"
    assert {"boosted", "noise1", "noise2"} <= outcomes.keys()


def test_cuts_that_are_stored_cost_nothing_in_a_later_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "_MOST_CUTS", 2)
    monkeypatch.setattr(Step, "helps", property(lambda _: True))
    (folder / "portfolio.yaml").write_text(f"name: portfolio\nmembers:{LINEAR}")
    grow(folder)
    store = OofStore(folder / "oof" / "small")
    assert store.experiment().folds.repeats == 2
    for fold in range(3):
        change_record(store.fold_folder("linear", fold), started=0.0, finished=3600.0)
    grow(folder)
    assert store.experiment().folds.repeats == 2


def test_a_candidate_whose_folds_fail_ends_nothing(folder: Path) -> None:
    write_competition(folder / "data", train=100)
    broken = BROKEN.replace("Broken", "BrokenOnFolds")
    (folder / "portfolio.yaml").write_text(f"name: portfolio\nmembers:{broken}{BOOSTED}")
    said = grow(folder).stdout
    outcomes = {step["member"]: step["outcome"] for step in growth_of(folder)["steps"]}
    assert "broken/fold-0 FAILED" in said
    assert outcomes["broken"] == "failed"
    assert outcomes["boosted"] in ("kept", "dropped")


GROW = ("grow", "small.yaml", "--budget", "5min", *OPTIONS)


@pytest.mark.parametrize("verb", [GROW, ("tune", "small.yaml", "--member", "slow1", "--trials", "1")])
def test_a_fold_that_runs_too_long_is_ended(folder: Path, verb: tuple[str, ...]) -> None:
    write_config(folder / "small.yaml", SLOW.format(1) + "    tune: {model.number: {low: 1, high: 5}}\n")
    (folder / "portfolio.yaml").write_text(f"name: portfolio\nmembers:{SLOW.format(1)}")
    found = run_here(*verb, "--timeout", "1s", "--engine", "inline", cwd=folder)
    assert found.returncode == 2
    assert "it ran longer than --timeout allows (1 s)" in found.stdout + found.stderr


TUNE = ("tune", "small.yaml", "--member", "linear", "--trials", "1")


@pytest.mark.parametrize(("what", "verb"), [("train", GROW), ("train", TUNE), ("tune-linear", TUNE)])
def test_one_writer_at_a_time(folder: Path, what: str, verb: tuple[str, ...]) -> None:
    write_config(folder / "small.yaml", LINEAR + "    tune: {model.steps.1.1.C: {low: 0.001, high: 1.0}}\n")
    with only_writer(folder / "oof" / "small", what):
        found = run_here(*verb, "--engine", "inline", cwd=folder)
    assert found.returncode == 2
    assert f"another process is writing to oof/small ({what})" in found.stderr


def test_a_mistake_in_the_portfolio_is_found_before_anything_runs(folder: Path) -> None:
    text = (folder / "portfolio.yaml").read_text()
    (folder / "portfolio.yaml").write_text(text.replace("LGBMClassifier", "LGBMClassifierr"))
    found = run_here(*GROW, cwd=folder)
    assert found.returncode == 2
    assert "member boosted" in found.stderr
    assert not (folder / "oof").exists()
