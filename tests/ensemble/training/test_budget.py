"""What fits into the time that there is: which members are chosen, and that the run ends when it said it would."""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.config.members import MemberSettings
from ensemble.config.reading import load_experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.inline import InlineEngine
from ensemble.engine.resources import makespan
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS
from ensemble.engine.tasks.pilot import Pilot, PilotTask
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.train import train
from ensemble.training.budget import Budget, Limits
from ensemble.training.pilots import pilot_rows, run_pilots
from ensemble.training.selection import by_gain, that_fit
from ensemble.training.speeds import Speeds
from tests.competitions import write_config
from tests.ensemble.training.test_execute import training
from tests.ensemble.training.test_train import foreign
from tests.records import change_record


def member(name: str, kind: str = "a.B", value: float = 1.0) -> MemberSettings:
    return MemberSettings.model_validate({"name": name, "model": {"use": kind}, "value": value})


def test_unlike_members_are_worth_more() -> None:
    members = [member("cnn", "m.CNN"), member("cnn2", "m.CNN"), member("tree", "l.GBM"), member("dear", "x.Y", 3.0)]
    assert [m.name for m in by_gain(members, [], [])] == ["dear", "cnn", "tree", "cnn2"]
    assert [m.name for m in by_gain(members, [], [member("old", "m.CNN")])] == ["dear", "tree", "cnn", "cnn2"]
    assert [m.name for m in by_gain(members, ["cnn2"], [])][:2] == ["cnn2", "dear"]


def test_what_does_not_fit_makes_room_for_what_does() -> None:
    seconds = {"long": 100.0, "short": 10.0, "unknown": math.inf}
    members = [member(name) for name in ("unknown", "long", "short")]
    found = that_fit(
        members, lambda m, _: [(seconds[m.name], {"CPU": 1})], lambda jobs: sum(j[0] for j in jobs), lambda _: 50
    )
    assert [m.name for m in found] == ["short"]


JOBS = st.lists(st.tuples(st.floats(0.01, 1e4), st.fixed_dictionaries({"CPU": st.integers(1, 4)})), min_size=1)


@given(JOBS, st.integers(4, 16))
def test_a_span_is_no_shorter_than_the_work_and_no_longer_than_a_queue(jobs: list, cpus: int) -> None:  # type: ignore[type-arg]
    found = makespan(jobs, [{"CPU": cpus / 2}, {"CPU": cpus / 2}])
    work = sum(seconds * requested["CPU"] for seconds, requested in jobs)
    assert found >= max(work / cpus, max(seconds for seconds, _ in jobs)) * (1 - 1e-9)
    assert found <= sum(seconds for seconds, _ in jobs) * (1 + 1e-9)


def test_what_never_fits_takes_for_ever() -> None:
    assert makespan([(1.0, {"GPU": 1})], [{"CPU": 2}]) == math.inf
    assert makespan([], [{"CPU": 2}]) == 0.0


def test_the_last_blend_has_its_time() -> None:
    now = time.monotonic()
    assert Budget(7200, now).left == pytest.approx(7140, abs=1)
    assert Budget(1000, now).left == pytest.approx(970, abs=1)
    assert Budget(4, now).left == pytest.approx(2, abs=0.5)
    assert Budget(math.inf, now).left == math.inf
    assert not Budget(math.inf, now).limited


def test_a_pilot_sees_training_rows_of_both_kinds_only() -> None:
    labels, folds = np.arange(4000) % 2, np.arange(4000) // 2 % 5
    rows = pilot_rows(labels, folds)
    assert len(rows) == len(set(rows.tolist())) == 60
    assert not (folds[rows] == 0).any()
    assert labels[rows[:20]].sum() == 10


def run(config: Path, data: Path, oof: Path, engine: str, seconds: float) -> tuple[OofStore, bool, float]:
    """The store, whether the run was complete, and the seconds that it took."""
    experiment, begun = load_experiment(config), time.monotonic()
    store, limits = OofStore(oof / "small"), Limits(budget=Budget(seconds, begun))
    complete = train(experiment, list(experiment.members), data, store, engine, limits)
    return store, complete, time.monotonic() - begun


@pytest.mark.training
@pytest.mark.parametrize(
    ("engine", "seconds"), [("inline", 30), pytest.param("ray", 60, marks=[pytest.mark.ray, pytest.mark.slow])]
)
def test_a_run_ends_on_time_with_whole_members(
    engine: str,
    seconds: float,
    competition_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The quick member fits; the other is more valuable, but its pilot tells that it would take too long."""
    slow = foreign("slow", "HighPass", seconds=90).replace("resources", "value: 9\n    resources")
    config = write_config(tmp_path / "c.yaml", slow, foreign("quick", "HighPass", seconds=0.1))
    store, complete, took = run(config, competition_folder, tmp_path / "oof", engine, seconds)
    said = capsys.readouterr().out
    assert complete
    assert took < seconds
    assert "trying slow, quick on a few photographs" in said
    assert "left out: slow" in said
    assert load_predictions(store).members == ["quick"]
    assert load_predictions(store).partial == {}


@pytest.mark.training
def test_a_guess_that_was_wrong_does_not_make_a_run_late(competition_folder: Path, tmp_path: Path) -> None:
    """A fold that hangs is ended when the time is up; what is finished is kept, and can be blended."""
    mark = tmp_path / "mark"
    mark.mkdir()
    hangs = foreign("hangs", "HangsInOneFold", mark=mark)
    config = write_config(tmp_path / "c.yaml", foreign("quick", "HighPass", seconds=0.3), hangs)
    engine = InlineEngine()
    run, _, said = training(config, competition_folder, tmp_path / "oof", engine, 16.0)
    engine.deadline = run.limits.budget.deadline
    for name, seconds in (("quick", 2.0), ("hangs", 1.0)):  # the longest go first, also by what they take
        run.speeds.estimate(name, seconds, 0.0)
    assert run.run(), "what a run has no time for is no failure"
    assert engine.time_is_up
    assert "the time is up; what is finished is kept" in said.getvalue()
    assert load_predictions(run.context.store).members == ["quick", "hangs"]
    assert load_predictions(run.context.store).partial == {"hangs": "1 of 3 folds (not trained)"}


@pytest.mark.training
def test_what_earlier_folds_took_decides(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An hour a fold, as the records of an earlier config say."""
    config = write_config(tmp_path / "c.yaml", foreign("slow", "HighPass"), foreign("quick", "HighPass"))
    store, _, _ = run(config, competition_folder, tmp_path / "oof", "inline", math.inf)
    for fold in range(3):
        change_record(store.fold_folder("slow", fold), started=0.0, finished=3600.0)
    config.write_text(config.read_text().replace("HighPass}", "HighPass, seconds: 0.1}"))
    capsys.readouterr()
    store, complete, _ = run(config, competition_folder, tmp_path / "oof", "inline", 60)
    said = capsys.readouterr().out
    assert complete
    assert "left out: slow (about 3 h 00 min by itself)" in said
    assert "few photographs" not in said
    assert load_predictions(store).members == ["quick"]


@pytest.mark.training
def test_a_member_whose_pilot_had_no_turn_is_tried(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ensemble.training.execute.run_pilots", lambda *_: {})  # all stayed in the queue
    config = write_config(tmp_path / "c.yaml", foreign("quick", "HighPass"))
    store, _, _ = run(config, competition_folder, tmp_path / "oof", "inline", 60)
    assert load_predictions(store).members == ["quick"]


def test_a_fold_that_is_fitted_twice_takes_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PilotTask, "run", lambda *_: Pilot(1.0, 0.01, 0.0, 0.0))
    engine = InlineEngine()
    engine.share(PHOTOGRAPHS, np.zeros((300, 8, 8, 3), np.uint8))
    engine.share(LABELS, np.arange(200) % 2)
    engine.share(FOLDS, np.arange(200) // 2 % 5)
    use = {"model": {"use": "sklearn.dummy.DummyClassifier"}}
    members = [
        MemberSettings.model_validate({"name": "one", **use}),
        MemberSettings.model_validate({"name": "two", **use, "pseudo_labels": {}}),
    ]
    speeds, context = Speeds(), SimpleNamespace(engine=engine, board=ProgressBoard())
    run_pilots(context, members, Budget(100, time.monotonic()), speeds)  # type: ignore[arg-type]
    assert speeds.fold("two") > 1.9 * speeds.fold("one")


@pytest.mark.training
def test_importing_is_no_part_of_a_pilot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text(
        "import time\ntime.sleep(2)\nfrom sklearn.dummy import DummyClassifier as Base\nclass M(Base):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    member = MemberSettings.model_validate({"name": "m", "model": {"use": "slow_to_import.M"}})
    engine = InlineEngine()
    engine.share(PHOTOGRAPHS, np.zeros((60, 8, 8, 3), np.uint8))
    engine.share(LABELS, np.arange(60) % 2)
    engine.submit(PilotTask(member, np.arange(60), 1.0))
    assert engine.wait(ProgressBoard())[0].failure is None
