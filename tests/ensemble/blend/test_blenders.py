from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.blend.base import Blender
from ensemble.blend.greedy import GreedySelection
from ensemble.blend.mean import MeanOfLogits
from ensemble.blend.nested import choose, evaluate
from ensemble.blend.objective import mean_log_loss, right_count
from ensemble.blend.run import blenders
from ensemble.blend.stacking import LogisticStacking
from ensemble.blend.weights import OptunaWeights
from ensemble.config import BlendSettings

MAKERS: list[Callable[[], Blender]] = [
    MeanOfLogits,
    GreedySelection,
    lambda: OptunaWeights(trials=40),
    lambda: LogisticStacking(trials=5),
]


def world(n: int, quality: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of members that see the label through noise of their own."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    signal = np.outer(2 * labels - 1, quality)
    return signal + rng.normal(size=signal.shape), labels


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_input_gives_the_same_weights(make: Callable[[], Blender]) -> None:
    logits, labels = world(300, [0.5, 0.8, 0.1])
    first, second = make().fit(logits, labels), make().fit(logits, labels)
    np.testing.assert_array_equal(first.weights_, second.weights_)
    assert first.intercept_ == second.intercept_


@pytest.mark.parametrize("make", MAKERS[:3])
def test_convex_weights(make: Callable[[], Blender]) -> None:
    weights = make().fit(*world(300, [0.5, 0.8, 0.1])).weights_
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("make", MAKERS)
def test_one_member_is_no_trouble(make: Callable[[], Blender]) -> None:
    logits, labels = world(200, [0.7])
    blended = make().fit(logits, labels).decision_function(logits)
    assert np.corrcoef(blended, logits[:, 0])[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("make", MAKERS[1:])
def test_a_useless_member_gets_little(make: Callable[[], Blender]) -> None:
    weights = make().fit(*world(2000, [1.0, 0.0])).weights_
    assert weights[0] > 3 * abs(weights[1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_greedy_starts_at_the_best_member_and_never_ends_below(seed: int) -> None:
    logits, labels = world(60, [0.3, 0.4, 0.5], seed)
    best = max(right_count(column, labels) for column in logits.T)
    assert right_count(GreedySelection().fit(logits, labels).decision_function(logits), labels) >= best


def test_greedy_equals_the_walk_by_hand() -> None:
    logits, labels = world(80, [0.4, 0.5, 0.3])
    picks: list[int] = []
    for _ in range(2):
        ranked = [
            (
                -right_count(logits[:, [*picks, j]].mean(1), labels),
                mean_log_loss(logits[:, [*picks, j]].mean(1), labels),
            )
            for j in range(3)
        ]
        picks.append(min(range(3), key=ranked.__getitem__))
    greedy = GreedySelection(rounds=2)
    assert greedy._walk(logits, labels)[0] == picks


def test_weights_come_near_the_best_of_a_grid() -> None:
    logits, labels = world(400, [0.3, 0.9])
    grid = max(right_count(logits @ [w, 1 - w], labels) for w in np.linspace(0, 1, 51))
    found = OptunaWeights(trials=100).fit(logits, labels)
    assert right_count(found.decision_function(logits), labels) >= grid - 2


@pytest.mark.parametrize("make", MAKERS)
def test_nested_scores_see_no_row_of_their_own(make: Callable[[], Blender]) -> None:
    """A fold's nested logits stay the same when its own labels are turned round."""
    logits, labels = world(120, [0.5, 0.7])
    folds = np.repeat(np.arange(3), 40)
    turned = np.where(folds == 1, 1 - labels, labels)
    one, two = (evaluate(make, logits, y, folds).nested[folds == 1] for y in (labels, turned))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("make", MAKERS)
def test_shuffled_labels_score_one_half(make: Callable[[], Blender]) -> None:
    logits, labels = world(1000, [0.0] * 6, seed=3)
    accuracy = evaluate(make, logits, labels, np.arange(1000) % 5).nested_scores.accuracy
    assert abs(accuracy - 0.5) < 0.06


def test_the_simplest_within_one_standard_error_is_chosen() -> None:
    folds = np.arange(600) % 5
    alike, labels = world(600, [0.6, 0.6, 0.6])
    chosen, _ = choose([evaluate(make, alike, labels, folds) for make in MAKERS], labels)
    assert chosen.title == "mean"
    uneven, labels = world(600, [1.5, 0.0, 0.0, 0.0])
    chosen, reason = choose([evaluate(make, uneven, labels, folds) for make in MAKERS], labels)
    assert chosen.title != "mean"
    assert chosen.title in reason


def test_a_config_picks_blenders_in_the_order_of_their_simplicity() -> None:
    for methods in itertools.permutations(["stacking", "mean", "greedy"], 2):
        titles = [make().title for make in blenders(BlendSettings(methods=methods))]
        assert titles == [title for title in ("mean", "greedy", "weights", "stacking") if title in methods]
