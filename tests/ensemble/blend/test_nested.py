from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.blend.blenders.rows import at_most
from ensemble.blend.evaluation.choice import _elect, choose
from ensemble.blend.evaluation.movement import changes_when_altered
from ensemble.blend.evaluation.nested import Problem, evaluate, evaluate_average
from ensemble.blend.evaluation.threshold import place_decision
from ensemble.store.altered import AlteredLogits
from tests.ensemble.blend.test_blenders import TITLES, blender_of
from tests.ensemble.blend.worlds import problem, world


@pytest.mark.parametrize("title", TITLES)
def test_nested_scores_see_no_row_of_their_own(title: str) -> None:
    """A fold's nested logits stay the same when its own labels are turned round."""
    here = problem(120, [0.5, 0.7], k=3)
    turned = Problem(here.logits, 2, np.where(here.folds == 1, 1 - here.labels, here.labels), here.folds)
    one, two = (evaluate(blender_of(title, 2), p).nested[here.folds == 1] for p in (here, turned))
    np.testing.assert_array_equal(one, two)


@pytest.mark.training
@pytest.mark.parametrize("title", [title for title in TITLES if title != "mean"])
def test_where_there_is_nothing_to_learn_nothing_is_claimed(title: str) -> None:
    """Thirty members of noise: in-sample every search finds something, nested none does."""
    in_sample, nested = [], []
    for seed in range(5):
        evaluation = evaluate(blender_of(title, 30), problem(400, [0.0] * 30, seed))
        in_sample.append(evaluation.in_sample_scores.accuracy)
        nested.append(evaluation.nested_scores.accuracy)
    assert abs(np.mean(nested) - 0.5) < 0.035
    assert np.mean(in_sample) > 0.54


@pytest.mark.training
def test_neither_choice_nor_decision_nor_average_claims_anything_there() -> None:
    chosen, decided = [], []
    for seed in range(8):
        here = problem(400, [0.0] * 30, seed)
        evaluations = [evaluate(blender_of(t, 30), here) for t in ("mean", "single_best", "greedy", "logistic")]
        evaluations.append(evaluate_average(evaluations, here))
        choice = choose(evaluations, here)
        chosen.append(((choice.choosing.nested >= 0) == (here.labels == 1)).mean())
        decided.append(((place_decision(choice.choosing, here)[0].nested >= 0) == (here.labels == 1)).mean())
    assert abs(np.mean(chosen) - 0.5) < 0.03
    assert abs(np.mean(decided) - 0.5) < 0.03


def test_in_sample_flatters_and_nested_does_not() -> None:
    """Where there is nothing to learn, fifty members still let a search find something in-sample."""
    gaps = []
    for seed in range(6):
        here = problem(400, [0.0] * 50, seed)
        evaluation = evaluate(blender_of("greedy", 50), here)
        gaps.append((evaluation.in_sample_scores.accuracy - 0.5, evaluation.nested_scores.accuracy - 0.5))
    in_sample, nested = np.mean(gaps, axis=0)
    assert in_sample > 0.08
    assert abs(nested) < 0.03


def test_many_folds_are_left_out_a_few_at_a_time() -> None:
    here = problem(400, [0.5], k=40)
    parts = here.held_out
    assert len(parts) == 10
    assert sorted(np.concatenate(parts).tolist()) == list(range(400))
    for part in parts:
        assert not set(here.folds[part]) & set(np.delete(here.folds, part))


def test_rows_of_one_fold_cannot_be_held_out_but_the_mean_learns_nothing() -> None:
    logits, labels = world(60, [0.5, 0.8])
    here = Problem(logits, 2, labels, np.zeros(60, dtype=np.int64))
    mean = evaluate(blender_of("mean"), here)
    assert mean.nested_scores.accuracy == mean.in_sample_scores.accuracy
    with pytest.raises(ValueError, match="one fold"):
        evaluate(blender_of("greedy"), here)


@pytest.mark.training
def test_the_simplest_within_one_standard_error_is_chosen() -> None:
    order = ["mean", "greedy", "cma", "logistic"]
    means = 0
    for seed in range(10):
        alike = problem(600, [0.6, 0.6, 0.6], seed)
        means += choose([evaluate(blender_of(t), alike) for t in order], alike).chosen.title == "mean"
    assert means >= 7, "one standard error is not beyond chance, but it is not easily exceeded"
    uneven = problem(600, [1.5, 0.0, 0.0, 0.0])
    choice = choose([evaluate(blender_of(t, 4), uneven) for t in order], uneven)
    assert choice.chosen.title != "mean"
    assert choice.chosen.title in choice.reason


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_nothing_below_the_plain_mean_is_chosen(seed: int) -> None:
    here = problem(200, [0.5, 0.6, 0.4, 0.0], seed)
    evaluations = [evaluate(blender_of(t, 4), here) for t in ("mean", "single_best", "greedy")]
    chosen = choose(evaluations, here).chosen
    assert chosen.nested_scores.accuracy >= evaluations[0].nested_scores.accuracy


def rights(*wrong: list[int]) -> list[np.ndarray]:
    """Right decisions of 1,000 rows, all but some."""
    return [np.isin(np.arange(1000), rows, invert=True) for rows in wrong]


def test_one_photograph_more_is_no_reason() -> None:
    assert _elect(rights([1, 2, 3], [1, 2]), None) == (0, 1)


def test_what_is_worse_than_something_simpler_is_not_chosen_for_its_many_flips() -> None:
    """The best is far ahead of the mean on few flips, but within one standard error of a worse one, on many."""
    mean, single, greedy = list(range(320)), list(range(400, 721)), list(range(300))
    assert _elect(rights(mean, single, greedy), None) == (2, 2), "single: net 21 of 621 flips, but below the mean"


def test_within_one_standard_error_the_one_that_changes_least_on_altered_photographs_is_chosen() -> None:
    none, some, many = np.zeros(50), np.arange(50) % 2 / 2, np.ones(50)
    mean, greedy = [1, 2, 3], [1, 4]
    assert _elect(rights(mean, greedy), [many, none]) == (1, 1)
    assert _elect(rights(greedy, mean), [many, none]) == (1, 0), "a correct decision fewer is within chance"
    assert _elect(rights(mean, greedy), [some, some]) == (0, 1), "the simplest of those that change as few"
    one = np.zeros(50)
    one[7] = 0.2
    assert _elect(rights(mean, greedy), [one, none]) == (0, 1), "one photograph is no reason"
    far = list(range(100))
    assert _elect(rights(greedy, far), [many, none]) == (0, 0), "not if it is beyond one standard error"


def altered_second_member(rows: np.ndarray, logits: np.ndarray) -> AlteredLogits:
    """What happens if an alteration turns round what the second member says."""
    altered = logits[rows].copy()
    altered[:, 1] *= -1
    return AlteredLogits(rows, logits[rows], {"turned": altered}, "")


def test_a_member_that_alterations_confuse_loses_its_blend_the_choice() -> None:
    here = problem(400, [0.9, 0.9], k=4)
    evaluations = [evaluate(blender_of(title, 2), here) for title in ("mean", "single_best", "nonnegative_logistic")]
    rows = np.arange(0, 400, 3)
    evaluations[1].blender.weights_ = np.array([1.0, 0.0])
    for part in evaluations[1].parts:
        part.blender.weights_ = np.array([1.0, 0.0])
    movement = altered_second_member(rows, here.logits)
    changes = [changes_when_altered(each, movement) for each in evaluations]
    assert changes[1].tolist() == [0.0] * len(rows)
    assert changes[0].mean() > 0.2
    correct = [np.ones(400, dtype=bool)] * 3
    assert _elect(correct, changes)[0] == 1
    assert _elect(correct, None)[0] == 0


def test_a_folds_altered_answers_do_not_elect_its_blender() -> None:
    here = problem(300, [0.5, 0.5])
    right = (2 * here.labels - 1).astype(np.float32)
    evaluations = [replace(evaluate(blender_of(t, 2), here), nested=right) for t in ("mean", "single_best")]
    for part in evaluations[1].parts:
        part.blender.weights_ = np.array([1.0, 0.0])
    turned = np.ones((300, 2), dtype=np.float32)
    turned[here.folds == 0] = [-9, 10]  # changes the single one
    for fold in range(1, 5):
        turned[np.flatnonzero(here.folds == fold)[:5]] = [9, -10]  # changes the mean
    altered = AlteredLogits(np.arange(300), np.ones((300, 2), dtype=np.float32), {"turned": turned}, "")
    choice = choose(evaluations, here, altered)
    assert [part.blender.title for part in choice.choosing.parts] == ["single_best"] + ["mean"] * 4
    assert choice.reason.startswith("mean changes 6.7% of its decisions when photographs are altered")


def test_each_photograph_is_altered_before_its_own_part_and_alterations_are_averaged() -> None:
    here = problem(100, [0.5, 0.5])
    evaluation = evaluate(blender_of("single_best", 2), here)
    evaluation.blender.weights_ = np.array([1.0, 0.0])
    for number, part in enumerate(evaluation.parts):
        part.blender.weights_ = np.array([0.0, 1.0]) if number == 0 else np.array([1.0, 0.0])
    ones = np.ones((100, 2), dtype=np.float32)
    altered = AlteredLogits(np.arange(100), ones, {"turned": ones * np.float32([1, -1]), "same": ones}, "")
    np.testing.assert_array_equal(changes_when_altered(evaluation, altered), np.where(here.folds == 0, 0.5, 0.0))


def test_the_parts_of_an_average_make_its_nested_logits() -> None:
    here = problem(300, [0.5, 0.8, 0.1])
    average = evaluate_average([evaluate(blender_of(t), here) for t in ("greedy", "nonnegative_logistic")], here)
    for part in average.parts:
        found = part.blender.decision_function(here.logits[part.held_out])
        np.testing.assert_allclose(found, average.nested[part.held_out], rtol=1e-5, atol=1e-6)


def test_the_reason_counts_what_the_best_has_more() -> None:
    here = problem(300, [0.5, 0.5])
    right = (2 * here.labels - 1).astype(np.float32)
    nested = [np.where(np.isin(np.arange(300), wrong), -right, right) for wrong in ([0, 1, 2], [3])]
    evaluations = [
        replace(evaluate(blender_of(title, 2), here), nested=logits)
        for title, logits in zip(("mean", "greedy"), nested, strict=True)
    ]
    assert choose(evaluations, here).reason == (
        "mean is the simplest blender within one standard error of the best: greedy makes 2 more correct decisions, "
        "and the two differ on 4 photographs (standard error 2.0)"
    )


def test_for_each_fold_the_blender_is_chosen_by_the_scores_of_the_others() -> None:
    """What is scored on a fold does not decide which blender decides it."""
    here = problem(300, [0.4, 0.5, 0.6, 0.0], seed=2)
    turned = Problem(here.logits, 4, np.where(here.folds == 2, 1 - here.labels, here.labels), here.folds)
    titles = ("mean", "single_best", "greedy", "logistic")
    evaluations = [evaluate(blender_of(t, 4), here) for t in titles]
    one, two = (choose(evaluations, p).choosing.nested[here.folds == 2] for p in (here, turned))
    np.testing.assert_array_equal(one, two)


def test_rows_are_drawn_by_lot_where_there_are_more_than_needed() -> None:
    """Every second row is a fake: every second row would be all fakes."""
    rows = at_most(40_000, 20_000)
    assert len(np.unique(rows)) == 20_000
    assert (np.diff(rows) > 0).all()
    assert abs((rows % 2).mean() - 0.5) < 0.02
    np.testing.assert_array_equal(rows, at_most(40_000, 20_000))
    assert at_most(5, 5).tolist() == at_most(5, 9).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.training
@pytest.mark.parametrize("title", TITLES)
def test_a_blender_that_is_given_only_some_rows_is_scored_on_all(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = problem(900, [0.9, 0.6, 0.3])
    whole = evaluate(blender_of(title), here)
    monkeypatch.setattr(type(whole.blender), "most_rows", 300)
    seen, fit = [], type(whole.blender).fit
    monkeypatch.setattr(type(whole.blender), "fit", lambda self, *rows: (seen.append(rows), fit(self, *rows))[1])
    some = evaluate(blender_of(title), here)
    for part, (logits, labels, folds) in zip([some.whole, *some.parts], seen, strict=True):
        rows = part.fitted_on(here)
        assert len(rows) == 300
        assert not set(rows) & set(part.held_out)
        np.testing.assert_array_equal(logits, here.logits[rows])
        np.testing.assert_array_equal(labels, here.labels[rows])
        np.testing.assert_array_equal(folds, here.folds[rows])
    assert some.nested_scores.n == 900
    assert abs(some.nested_scores.accuracy - whole.nested_scores.accuracy) < 0.05


def test_each_fold_is_decided_by_the_blender_that_the_others_elect() -> None:
    here = problem(300, [0.5, 0.5])
    right = (2 * here.labels - 1).astype(np.float32)
    worse = right.copy()
    worse[np.flatnonzero(here.folds == 0)[:9]] *= -1  # only fold 0 shows that one of the two is better
    logits = (("mean", worse), ("greedy", right))
    evaluations = [replace(evaluate(blender_of(title, 2), here), nested=nested) for title, nested in logits]
    choice = choose(evaluations, here)
    assert choice.chosen is evaluations[1]
    np.testing.assert_array_equal(choice.choosing.nested, worse)
    assert [part.blender.title for part in choice.choosing.parts] == ["mean"] + ["greedy"] * 4
    assert choice.choosing.nested_scores.accuracy == pytest.approx(1 - 9 / 300)
