"""Members one after the other: noise is dropped, and the nested score counts the selection."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ensemble.blend.blenders.base import clone
from ensemble.blend.blenders.forward import ForwardSelection, Selection
from ensemble.blend.blenders.logistic import NonNegativeLogistic
from ensemble.blend.blenders.restored import restored
from ensemble.blend.evaluation.nested import Problem, evaluate
from ensemble.core.metrics.scores import log_loss
from ensemble.store.grown import GrowthStep

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def world(rng: np.random.Generator, rows: int, good: int = 5, noise: int = 60) -> Rows:
    """Logits of members that know something, followed by those of members that know nothing."""
    labels = rng.integers(0, 2, rows)
    shared = rng.normal(0, 1, rows)  # what is hard for one is hard for all
    known = [(2 * labels - 1) * 1.0 + shared + rng.normal(0, 1.5, rows) for _ in range(good)]
    unknown = [rng.normal(0, 2, rows) for _ in range(noise)]
    return np.array([*known, *unknown], dtype=np.float32).T, labels


def test_a_member_is_kept_where_it_gains_more_than_its_standard_error() -> None:
    rng = np.random.default_rng(0)
    logits, labels = world(rng, 600, 2, 1)
    selection = Selection(labels, rng.integers(0, 5, 600))
    before = selection.losses.mean()
    assert before == pytest.approx(math.log(2), abs=0.01), "the share of fakes alone"
    first, second, noise, again = (selection.offer(logits[:, column]) for column in (0, 1, 2, 0))
    assert (first.helps, second.helps, noise.helps, again.helps) == (True, True, False, False)
    assert first.gain == pytest.approx(before - first.losses.mean())
    difference = first.losses - second.losses
    assert second.standard_error == pytest.approx(difference.std() / math.sqrt(600))
    assert (selection.losses == second.losses).all()


def test_weights_are_those_of_the_members_that_were_kept() -> None:
    rng = np.random.default_rng(1)
    logits, labels = world(rng, 600, 3, 5)
    folds = rng.integers(0, 5, 600)
    fitted = ForwardSelection().fit(logits, labels, folds)
    kept = [column for column, step in enumerate(fitted.steps_) if step.helps]
    assert kept[:3] == [0, 1, 2]
    alone = NonNegativeLogistic().fit(logits[:, kept], labels, folds)
    np.testing.assert_allclose(fitted.decision_function(logits), alone.decision_function(logits[:, kept]))
    again = clone(fitted).fit(logits, labels, folds)
    np.testing.assert_array_equal(again.weights_, fitted.weights_)
    np.testing.assert_array_equal(restored(fitted.state()).decision_function(logits), fitted.decision_function(logits))


@pytest.mark.slow
def test_the_score_counts_the_selection_among_sixty_members_of_noise() -> None:
    """Twelve worlds: the nested score is within its standard error of fresh rows, and never optimistic.

    It is a little pessimistic, since each part learns from fewer rows. And fresh rows are decided better than by
    weights for all members.
    """
    nested, fresh, errors, accuracies, of_all = [], [], [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        logits, labels = world(rng, 800)
        evaluation = evaluate(ForwardSelection(), Problem(logits, 65, labels, rng.integers(0, 5, 800)))
        new, truth = world(rng, 20_000)
        losses = log_loss(evaluation.blender.decision_function(new), truth)
        fresh.append(losses.mean())
        nested.append(evaluation.nested_scores.log_loss)
        whole = NonNegativeLogistic().fit(logits, labels, labels)
        of_all.append(log_loss(whole.decision_function(new), truth).mean())
        errors.append(log_loss(evaluation.nested.astype(np.float64), labels).std() / math.sqrt(800))
        accuracy = float(((evaluation.blender.decision_function(new) >= 0) == (truth == 1)).mean())
        scores = evaluation.nested_scores
        accuracies.append((scores.accuracy - accuracy) / scores.standard_error)
    difference = np.array(nested) - np.array(fresh)
    assert -2.5 * np.mean(errors) / math.sqrt(12) < difference.mean() < np.mean(errors)
    assert abs(np.mean(accuracies)) < 1
    assert np.mean(fresh) < np.mean(of_all) - 0.01


def test_each_row_is_scored_by_a_fit_that_has_not_seen_it() -> None:
    logits, labels = world(np.random.default_rng(3), 200, 1, 0)
    folds = np.arange(200) % 4
    selection = Selection(labels, folds)
    before, step = selection.losses, selection.offer(logits[:, 0])
    for fold in range(4):
        out, rest = folds == fold, folds != fold
        share = (labels[rest].sum() + 1) / (rest.sum() + 2)
        none = np.full(out.sum(), np.log(share / (1 - share)))
        np.testing.assert_allclose(before[out], log_loss(none, labels[out]), rtol=1e-9)
        fitted = NonNegativeLogistic().fit(logits[rest], labels[rest], folds[rest])
        expected = log_loss(fitted.decision_function(logits[out]), labels[out])
        np.testing.assert_allclose(step.losses[out], expected, rtol=1e-4)


def test_of_members_that_do_not_help_the_one_that_gains_most_is_taken() -> None:
    labels, folds, place = np.arange(200) % 2, np.arange(200) // 50, np.arange(200) % 50
    sign = 2 * labels - 1
    worse, better = (np.where(place < right, sign, -sign) for right in (24, 26))
    fitted = ForwardSelection().fit(np.array([worse, better, worse], dtype=np.float32).T, labels, folds)
    assert not any(step.helps for step in fitted.steps_)
    assert fitted.weights_[1] > 0.01
    assert fitted.weights_[0] == fitted.weights_[2] == 0


def test_a_gain_is_a_fall_of_the_log_loss() -> None:
    said = GrowthStep("a", "kept", 0, 12.0, 0.0312, 0.004, 0.4, 0.9, 0).line()
    assert said == "a kept: log loss -0.0312 ± 0.0040, 12 s; the blend so far: 0.4000, accuracy 0.9000"


def test_on_rows_of_one_fold_no_member_is_taken_for_its_place() -> None:
    rng, labels = np.random.default_rng(0), np.arange(200) % 2
    logits = np.stack([rng.normal(size=200), 4 * labels - 2 + rng.normal(size=200)], axis=1).astype(np.float32)
    fitted = ForwardSelection().fit(logits, labels, np.zeros(200, np.int64))
    assert fitted.weights_[1] > 0
