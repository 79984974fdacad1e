from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.blend.base import at_most
from ensemble.blend.choice import choose
from ensemble.blend.nested import Problem, evaluate
from ensemble.metrics import is_right, paired_standard_error, to_probabilities
from tests.ensemble.blend.test_blenders import TITLES, maker
from tests.ensemble.blend.worlds import problem, world


@pytest.mark.parametrize("title", TITLES)
def test_nested_scores_see_no_row_of_their_own(title: str) -> None:
    """A fold's nested logits stay the same when its own labels are turned round."""
    here = problem(120, [0.5, 0.7], k=3)
    turned = Problem(here.logits, 2, np.where(here.folds == 1, 1 - here.labels, here.labels), here.folds)
    one, two = (evaluate(maker(title, 2), maker(title, 2), p).nested[here.folds == 1] for p in (here, turned))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("title", TITLES)
def test_shuffled_labels_score_one_half(title: str) -> None:
    here = problem(1000, [0.0] * 6, seed=3)
    accuracy = evaluate(maker(title, 6), maker(title, 6), here).nested_scores.accuracy
    assert abs(accuracy - 0.5) < 0.06


def test_in_sample_flatters_and_nested_does_not() -> None:
    """Where there is nothing to learn, fifty members still let a search find something in-sample."""
    gaps = []
    for seed in range(6):
        here = problem(400, [0.0] * 50, seed)
        evaluation = evaluate(maker("greedy", 50), maker("greedy", 50), here)
        gaps.append((evaluation.in_sample_scores.accuracy - 0.5, evaluation.nested_scores.accuracy - 0.5))
    in_sample, nested = np.mean(gaps, axis=0)
    assert in_sample > 0.08
    assert abs(nested) < 0.03


def test_many_folds_are_left_out_a_few_at_a_time() -> None:
    here = problem(400, [0.5], k=40)
    parts = here.held_out()
    assert len(parts) == 10
    assert sorted(np.concatenate(parts).tolist()) == list(range(400))
    for part in parts:
        assert not set(here.folds[part]) & set(np.delete(here.folds, part))


def test_rows_of_one_fold_cannot_be_held_out_but_the_mean_learns_nothing() -> None:
    logits, labels = world(60, [0.5, 0.8])
    here = Problem(logits, 2, labels, np.zeros(60, dtype=np.int64))
    mean = evaluate(maker("mean"), maker("mean"), here)
    assert mean.nested_scores.accuracy == mean.in_sample_scores.accuracy
    with pytest.raises(ValueError, match="one fold"):
        evaluate(maker("greedy"), maker("greedy"), here)


def test_the_simplest_within_one_standard_error_is_chosen() -> None:
    order = ["mean", "greedy", "cma", "logistic"]
    means = 0
    for seed in range(10):
        alike = problem(600, [0.6, 0.6, 0.6], seed)
        means += choose([evaluate(maker(t), maker(t), alike) for t in order], alike).chosen.title == "mean"
    assert means >= 7, "one standard error is not beyond chance, but it is not easily exceeded"
    uneven = problem(600, [1.5, 0.0, 0.0, 0.0])
    choice = choose([evaluate(maker(t, 4), maker(t, 4), uneven) for t in order], uneven)
    assert choice.chosen.title != "mean"
    assert choice.chosen.title in choice.reason


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_nothing_far_below_the_plain_mean_is_chosen(seed: int) -> None:
    here = problem(200, [0.5, 0.6, 0.4, 0.0], seed)
    evaluations = [evaluate(maker(t, 4), maker(t, 4), here) for t in ("mean", "single_best", "greedy")]
    choice = choose(evaluations, here)
    rights = [is_right(to_probabilities(e.nested), here.labels) for e in (evaluations[0], choice.chosen)]
    assert rights[0].mean() - rights[1].mean() <= paired_standard_error(*rights)


def test_the_score_of_choosing_is_made_without_the_fold_that_it_decides() -> None:
    """Turn a fold's labels round: what was chosen for that fold, and so its logits, stay as they are."""
    here = problem(300, [0.4, 0.5, 0.6, 0.0], seed=2)
    turned = Problem(here.logits, 4, np.where(here.folds == 2, 1 - here.labels, here.labels), here.folds)
    titles = ("mean", "single_best", "greedy", "logistic")
    evaluations = [evaluate(maker(t, 4), maker(t, 4), here) for t in titles]
    one, two = (choose(evaluations, p).nested[here.folds == 2] for p in (here, turned))
    np.testing.assert_array_equal(one, two)


def test_rows_are_drawn_by_lot_where_there_are_more_than_needed() -> None:
    """Every second row is a fake: every second row would be all fakes."""
    rows = at_most(40_000, 20_000)
    assert len(np.unique(rows)) == 20_000
    assert (np.diff(rows) > 0).all()
    assert abs((rows % 2).mean() - 0.5) < 0.02
    np.testing.assert_array_equal(rows, at_most(40_000, 20_000))
    assert at_most(5, 5).tolist() == at_most(5, 9).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("title", TITLES)
def test_a_blender_that_is_given_only_some_rows_is_scored_on_all(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = problem(900, [0.9, 0.6, 0.3])
    whole = evaluate(maker(title), maker(title), here)
    monkeypatch.setattr(type(whole.blender), "most_rows", 300)
    some = evaluate(maker(title), maker(title), here)
    assert [len(part.fitted_on) for part in some.parts] == [300] * 5
    for part in some.parts:
        assert not set(part.fitted_on) & set(part.held_out)
    assert some.nested_scores.n == 900
    assert abs(some.nested_scores.accuracy - whole.nested_scores.accuracy) < 0.05
