"""Which candidate comes next."""

from __future__ import annotations

import time
from types import SimpleNamespace

from ensemble.config.members import MemberSettings
from ensemble.engine.inline import InlineEngine
from ensemble.grow.choosing import Chooser, expected_gain, gain_per_second
from ensemble.store.grown import GrowthStep
from ensemble.training.budget import Budget


def member(name: str, value: float = 1.0, model: str = "x.A") -> MemberSettings:
    return MemberSettings.model_validate({"name": name, "value": value, "model": {"use": model}})


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
        found, failed = chooser.next(members, [])
        assert failed == []
        return found and found.name

    assert chosen(1_000) == "slow"
    assert chosen(60) == "good"
    assert chosen(15) == "fast"
    assert chosen(11) is None, "an estimate may be off by a tenth"


def test_small_differences_of_measured_times_decide_nothing() -> None:
    assert gain_per_second(1, 100) == gain_per_second(1, 106)
    assert gain_per_second(1, 100) > gain_per_second(1, 200)
    assert gain_per_second(1, 0.0) == gain_per_second(1, 1.0)
