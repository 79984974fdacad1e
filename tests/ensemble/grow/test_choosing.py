"""Which candidate comes next."""

from __future__ import annotations

import dataclasses
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ensemble.blend.blenders.forward import Selection
from ensemble.config.members import MemberSettings
from ensemble.engine.inline import InlineEngine
from ensemble.engine.tasks.failures import Cancelled, Failure
from ensemble.grow import choosing
from ensemble.grow.choosing import Chooser, expected_gain, gain_per_second
from ensemble.grow.growing import Growing
from ensemble.store.grown import Growth, GrowthStep
from ensemble.training.budget import Budget


def member(name: str, value: float = 1.0, model: str = "x.A") -> MemberSettings:
    return MemberSettings.model_validate({"name": name, "value": value, "model": {"use": model}})


@pytest.fixture(autouse=True)
def nothing_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chooser, "missing", lambda *_: 2)


def chooser_of(names: str, record: Any = lambda *_: None) -> Chooser:
    store, ledger = SimpleNamespace(record=record), SimpleNamespace(n_folds=2)
    context: Any = SimpleNamespace(engine=InlineEngine(), ledger=ledger, store=store)
    return Chooser(context, list(names), Budget(1_000, time.monotonic()), 100)


def test_what_is_stored_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    record = SimpleNamespace(finished=30.0, started=0.0, seconds_features_per_photograph=0.0)
    chooser = chooser_of("a", lambda *_: record)
    two = chooser.seconds(member("a"), [])
    monkeypatch.setattr(Chooser, "missing", lambda *_: 1)
    assert 0 < chooser.seconds(member("a"), []) <= two
    monkeypatch.setattr(Chooser, "missing", lambda *_: 0)
    assert chooser.seconds(member("a"), []) == 0


def step(outcome: str) -> GrowthStep:
    return GrowthStep("", outcome, 0, 0, 0, 0, 0, 0, 0)  # type: ignore[arg-type]


def test_members_of_a_kind_that_was_tried_are_worth_less_and_of_one_that_was_dropped_less_still() -> None:
    kept, dropped = (member("a"), step("kept")), (member("b"), step("dropped"))
    assert expected_gain(member("c", 6), []) == 6
    assert expected_gain(member("c", 6), [kept]) == 3
    assert expected_gain(member("c", 6), [dropped]) == 2
    assert expected_gain(member("c", 6), [kept, kept, dropped]) == 6 / 5
    assert expected_gain(member("c", 6, "x.B"), [kept, dropped]) == 6


def test_the_largest_gain_a_second_is_chosen_among_those_that_fit() -> None:
    members = [member("slow", 20), member("fast", 1), member("good", 3)]
    seconds = {"slow": 50.0, "fast": 5.0, "good": 10.0}

    def record(name: str, fold: int) -> SimpleNamespace:
        return SimpleNamespace(started=100.0, finished=100.0 + seconds[name], seconds_features_per_photograph=0.0)

    store, ledger = SimpleNamespace(record=record), SimpleNamespace(n_folds=2)
    context = SimpleNamespace(engine=InlineEngine(), ledger=ledger, store=store)

    def chosen(left: float) -> str | None:
        chooser = Chooser(context, list(seconds), Budget(left + 7, time.monotonic()), 100)  # type: ignore[arg-type]
        found = chooser.next(members, [])
        return found and found.name

    assert chosen(1_000) == "slow"
    assert chosen(60) == "good"
    assert chosen(15) == "fast"
    assert chosen(11) is None, "an estimate may be off by a tenth"


def test_small_differences_of_measured_times_decide_nothing() -> None:
    assert gain_per_second(1, 100) == gain_per_second(1, 106)
    assert gain_per_second(1, 100) > gain_per_second(1, 200)
    assert gain_per_second(1, 0.0) == gain_per_second(1, 1.0)


def test_a_pilot_that_was_cut_short_is_not_run_before_every_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def pilots(_context: Any, members: list[MemberSettings], *_: Any) -> dict[str, Failure]:
        tried.extend(member.name for member in members)
        return {member.name: Cancelled("it would take too long", "") for member in members}

    monkeypatch.setattr(choosing, "run_pilots", pilots)
    chooser = chooser_of("s")
    for _ in range(2):
        assert chooser.next([member("s")], []) is None
    assert tried == ["s"]


def test_the_most_promising_are_measured_first_and_one_whose_pilot_failed_comes_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []

    def pilots(_context: Any, members: list[MemberSettings], *_: Any) -> dict[str, Failure]:
        asked.append([member.name for member in members])
        return {member.name: (Failure if member.name == "d" else Cancelled)("no", "") for member in members}

    monkeypatch.setattr(choosing, "run_pilots", pilots)
    members = [member(name, value) for value, name in enumerate("abcde", 1)]
    chooser = chooser_of("abcde")
    found = chooser.next(members, [])
    assert asked == [["e", "d", "c"], ["b", "a"]]
    assert found is members[3], "it may have had too few photographs"
    assert chooser.next(members, []) is members[3]
    assert len(asked) == 2, "no pilot runs twice"


def test_features_count_until_one_candidate_has_read_them_and_what_was_measured_counts_most() -> None:
    took = [10.0]

    def record(*_: object) -> SimpleNamespace:
        return SimpleNamespace(started=100.0, finished=100.0 + took[0], seconds_features_per_photograph=0.5)

    a, b = (
        MemberSettings.model_validate({"name": name, "features": {"use": features}, "model": {"use": "x.A"}})
        for name, features in (("a", "x.F"), ("b", "x.G"))
    )
    chooser = chooser_of("ab", record)
    assert chooser.seconds(a, []) == chooser.seconds(a, [(b, step("kept"))]) == 20 + 50
    again = a.model_copy(update={"name": "c"})
    assert chooser.seconds(a, [(b, step("kept")), (again, step("dropped"))]) == 20
    assert chooser.seconds_of_folds([a, a, b, b]) == 40
    took[0] = 30.0
    chooser.measured(a)
    assert chooser.seconds_of_folds([a, a, b, b]) == 80


def test_half_is_fake_in_the_accuracy_of_a_step() -> None:
    run: Any = SimpleNamespace(_selection=Selection(np.arange(40) % 2, np.arange(40) // 10), growth=Growth())
    assert Growing._add(run, "a", None, 0.0, 0.0, 0.0).accuracy == 0.5


def test_members_of_the_config_come_first_and_five_dropped_in_a_row_end_it() -> None:
    def reason(outcomes: list[str], own: tuple[str, ...] = (), earlier: int = 0) -> str:
        run: Any = SimpleNamespace(
            _open=[member("left")],
            _own=set(own),
            growth=Growth([step(outcome) for outcome in outcomes], earlier=earlier),
            _context=SimpleNamespace(engine=SimpleNamespace(time_is_up=False)),
        )
        return Growing._reason_to_end(run)

    five = ["dropped"] * 5
    assert reason(["kept", *five]) == "5 candidates in a row did not help"
    assert reason(five[1:]) == reason([*five[1:], "kept", "dropped"]) == ""
    assert reason(five, own=("left",)) == reason(five, earlier=1) == ""
    own, other = member("own", 0.01), member("other", 100)
    chooser = SimpleNamespace(next=lambda members, _: members[0] if members else None)
    run: Any = SimpleNamespace(_open=[other, own], _own={"own"}, _chooser=chooser, tried=[])
    assert Growing._next(run) is own
    run._own = {}
    assert Growing._next(run) is other


@pytest.mark.parametrize(("why", "earlier"), [("the time is up", 2), ("", 1)], ids=["ended", "interrupted"])
def test_only_a_run_that_has_ended_gives_the_next_one_new_patience(why: str, earlier: int) -> None:
    steps = [dataclasses.replace(step("dropped"), member=name) for name in "ab"]
    run: Any = SimpleNamespace(
        growth=Growth(steps, why=why, earlier=1),
        _candidates={"a": member("a"), "b": member("b")},
        _is_trained=lambda _: True,
        _selection=SimpleNamespace(offer=lambda _: None),
        _logits=lambda _: [None],
        _add=lambda name, *_: run.growth.steps.append(dataclasses.replace(step("dropped"), member=name)),
        _context=SimpleNamespace(board=SimpleNamespace(log=lambda _: None)),
    )
    Growing._resume(run)
    assert (len(run.growth.steps), run.growth.earlier, run.growth.why) == (2, earlier, "")
