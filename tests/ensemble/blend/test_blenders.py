from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.base
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from ensemble.blend.blenders.base import Blender, LinearBlender, blended, clone
from ensemble.blend.blenders.boosted import BoostedStacking
from ensemble.blend.blenders.greedy import BaggedGreedy, GreedyLogLoss, GreedySelection
from ensemble.blend.blenders.logistic import LogisticStacking, NonNegativeLogistic
from ensemble.blend.blenders.restored import restored
from ensemble.blend.blenders.roster import blenders
from ensemble.blend.blenders.rows import Split
from ensemble.blend.blenders.search import CmaWeights, rounded
from ensemble.blend.blenders.simple import AverageOfBlenders, FixedWeights, MeanOfLogits, SingleBest
from ensemble.blend.compare import _evaluate_all
from ensemble.blend.evaluation.nested import evaluate, evaluate_average
from ensemble.config.experiment import BlendSettings
from ensemble.core.metrics.decisions import (
    DecisionCounter,
    correct_count,
    mean_log_loss,
    softplus_mean,
    wrong_then_log_loss,
)
from tests.ensemble.blend.worlds import folds_of, problem, world

ALL = BlendSettings(trials=24)
TITLES = [title for title in ALL.methods if title != "average"]
CONVEX = ["mean", "single_best", "greedy", "greedy_log_loss", "bagged_greedy", "cma"]


def blender_of(title: str, members: int = 3) -> Blender:
    (blender,) = blenders(ALL.model_copy(update={"methods": (title,)}), members)
    return blender


def fitted(title: str, n: int, quality: list[float], seed: int = 0) -> tuple[Blender, np.ndarray, np.ndarray]:
    logits, labels = world(n, quality, seed)
    return blender_of(title, len(quality)).fit(logits, labels, folds_of(n)), logits, labels


@pytest.mark.parametrize("title", TITLES)
def test_the_same_input_gives_the_same_decisions(title: str) -> None:
    (first, logits, _), (second, _, _) = (fitted(title, 300, [0.5, 0.8, 0.1]) for _ in range(2))
    np.testing.assert_array_equal(first.decision_function(logits), second.decision_function(logits))


EVERY = [*blenders(ALL, 3), FixedWeights([0.5, 0.3, 0.2]), AverageOfBlenders([MeanOfLogits(), SingleBest()], 3)]


@pytest.mark.parametrize("blender", EVERY, ids=lambda blender: blender.title)
@pytest.mark.parametrize("copy", [clone, sklearn.base.clone])
def test_a_clone_has_the_parameters_and_nothing_learned(blender: Blender, copy: Callable[[Blender], Blender]) -> None:
    """`sklearn.base.clone` also checks that `__init__` stores its parameters unchanged."""
    logits, labels = world(120, [0.5, 0.8, 0.1])
    fitted = copy(blender).fit(logits, labels, folds_of(120))
    again = copy(fitted)
    assert type(again) is type(blender)
    assert str(again.get_params()) == str(blender.get_params()) or blender.title == "average"
    assert vars(again).keys() == vars(copy(blender)).keys(), "what was learned is not copied"
    refitted = again.fit(logits, labels, folds_of(120))
    np.testing.assert_array_equal(refitted.decision_function(logits), fitted.decision_function(logits))


@pytest.mark.parametrize("weights", [[], [1.0], [0.5, 0.5, 0.0, 0.0], [0.5, 0.5, float("nan")]])
def test_weights_of_other_members_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="are not 3 finite numbers"):
        FixedWeights(weights).decision_function(np.ones((2, 3), np.float32))


def test_a_state_of_no_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no blender is of the kind 'magic'"):
        restored({"kind": "magic", "weights": [1.0], "intercept": 0.0})


def test_fitting_an_average_fits_clones() -> None:
    logits, labels = world(200, [0.5, 0.8, 0.1])
    parts = [MeanOfLogits(), SingleBest()]
    average = AverageOfBlenders(parts, 3).fit(logits, labels, folds_of(200))
    assert not any(hasattr(part, "weights_") for part in parts)
    expected = np.mean([p.fit(logits, labels, folds_of(200)).decision_function(logits) for p in parts], axis=0)
    np.testing.assert_array_equal(average.decision_function(logits), expected)


@pytest.mark.parametrize("title", TITLES)
def test_a_state_in_json_decides_to_the_same_bit(title: str) -> None:
    blender, logits, _ = fitted(title, 300, [0.5, 0.8, 0.1])
    again = restored(json.loads(json.dumps(blender.state())))
    np.testing.assert_array_equal(blender.decision_function(logits), again.decision_function(logits))


@pytest.mark.parametrize("title", CONVEX)
def test_convex_weights(title: str) -> None:
    blender, logits, _ = fitted(title, 300, [0.5, 0.8, 0.1])
    weights = blender.member_weights(3)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(blender.decision_function(logits), logits @ weights, atol=1e-5)


@pytest.mark.parametrize("title", TITLES)
def test_one_member_is_no_trouble(title: str) -> None:
    blender, logits, labels = fitted(title, 200, [0.7])
    found = correct_count(blender.decision_function(logits), labels)
    assert abs(found - correct_count(logits[:, 0], labels)) <= 8


@pytest.mark.parametrize("title", [title for title in TITLES if title not in ("mean", "boosted", "bagged_greedy")])
def test_a_useless_member_gets_little(title: str) -> None:
    blender, _, _ = fitted(title, 2000, [1.0, 0.0])
    weights = blender.member_weights(2)
    assert weights[0] > 3 * abs(weights[1])


@pytest.mark.parametrize("title", TITLES)
def test_members_that_tell_all_apart_are_no_trouble(title: str) -> None:
    logits, labels = world(200, [0.5, 20.0])
    blender = blender_of(title, 2).fit(logits, labels, folds_of(200))
    assert correct_count(blender.decision_function(logits), labels) == 200


@pytest.mark.parametrize("title", TITLES)
def test_all_rows_in_one_fold_leave_nothing_to_tune_on(title: str) -> None:
    logits, labels = world(120, [0.6, 0.9])
    blender = blender_of(title, 2).fit(logits, labels, np.zeros(120, dtype=np.int64))
    assert np.isfinite(blender.decision_function(logits)).all()


@settings(max_examples=50)
@given(
    st.integers(0, 10_000),
    st.integers(1, 6),
    st.lists(st.integers(0, 5), min_size=1, max_size=8),
)
def test_decisions_are_counted_exactly(seed: int, members: int, picks: list[int]) -> None:
    """Sums that are zero to the last bit too: fakes are right there, reals are wrong."""
    rng = np.random.default_rng(seed)
    logits = (rng.integers(-3, 4, size=(40, members)) / 4).astype(np.float32)
    labels = np.arange(40) % 2
    counter = DecisionCounter(logits, labels)
    total = counter.start.copy()
    for pick in picks:
        total += counter.margins[pick % members]
    found = counter.counts(total, np.arange(members))
    already = logits[:, [pick % members for pick in picks]].sum(axis=1)
    assert found.tolist() == [correct_count(already + column, labels) for column in logits.T]


@pytest.mark.parametrize("seed", range(5))
def test_greedy_equals_the_walk_by_hand(seed: int) -> None:
    """Its weights are those of the best prefix; ties, of which there are many, go to the smallest log loss."""
    logits, labels = world(80, [0.4, 0.5, 0.3], seed)
    logits = np.round(64 * logits) / 64  # sums are exact, as those of the integers that greedy selection counts with

    def rank(columns: list[int]) -> tuple[int, float]:
        mean = logits[:, columns].mean(1)
        return -correct_count(mean, labels), mean_log_loss(mean, labels)

    picks: list[int] = []
    for _ in range(12):
        picks.append(min(range(3), key=lambda member: rank([*picks, member])))
    found = GreedySelection(rounds=12).fit(logits, labels, folds_of(80))
    assert found.picks_ == picks
    best = min(range(1, 13), key=lambda size: rank(picks[:size]))
    np.testing.assert_array_equal(found.weights_, np.bincount(picks[:best], minlength=3) / best)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_no_search_ends_below_the_best_member(seed: int) -> None:
    """On the rows that it sees; rounding to steps of 1/50 may cost weights a row or two."""
    logits, labels = world(60, [0.3, 0.4, 0.5], seed)
    best = max(correct_count(column, labels) for column in logits.T)
    greedy = GreedySelection().fit(logits, labels, folds_of(60))
    assert correct_count(greedy.decision_function(logits), labels) >= best
    single = SingleBest().fit(logits, labels, folds_of(60))
    assert correct_count(single.decision_function(logits), labels) == best
    cma = CmaWeights(trials=8).fit(logits, labels, folds_of(60))
    assert correct_count(cma.decision_function(logits), labels) >= best - 2


def test_greedy_by_log_loss_ends_near_the_best_weights_of_a_grid() -> None:
    logits, labels = world(2000, [0.5, 0.9])
    grid = min(mean_log_loss(logits @ np.float32([w, 1 - w]), labels) for w in np.linspace(0, 1, 101))
    found = GreedyLogLoss().fit(logits, labels, folds_of(2000))
    assert mean_log_loss(found.decision_function(logits), labels) <= grid + 1e-3


def test_bags_tell_how_often_a_member_is_included() -> None:
    logits, labels = world(2000, [1.0, 0.9, 1.0, 0.9, 0.0, 0.0])
    bagged = BaggedGreedy(seed=1).fit(logits, labels, folds_of(2000))
    assert bagged.inclusion_[:4].min() > bagged.inclusion_[4:].max()
    assert bagged.weights_[:4].sum() > 0.8
    assert bagged.weights_.sum() == pytest.approx(1)


def test_weights_come_near_the_best_of_a_grid() -> None:
    logits, labels = world(400, [0.3, 0.9])
    grid = max(correct_count(logits @ [w, 1 - w], labels) for w in np.linspace(0, 1, 51))
    found = CmaWeights(trials=100).fit(logits, labels, folds_of(400))
    assert correct_count(found.decision_function(logits), labels) >= grid - 2


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=90))
def test_rounded_weights_are_whole_steps_of_one(raw: list[float]) -> None:
    weights = np.array(raw) / np.sum(raw)
    steps = rounded(weights, 50) * 50
    np.testing.assert_allclose(steps, np.round(steps))
    assert steps.sum() == pytest.approx(50)
    assert np.abs(steps - weights * 50).max() <= 1 + 1e-9


def test_a_non_negative_regression_is_never_negative_and_else_the_plain_one() -> None:
    logits, labels = world(3000, [0.8, 0.5, 0.3])
    ours = NonNegativeLogistic().fit(logits, labels, folds_of(3000))
    theirs = LogisticRegression(C=np.inf).fit(logits, labels)
    np.testing.assert_allclose(ours.weights_, theirs.coef_[0], atol=0.01)
    assert ours.intercept_ == pytest.approx(theirs.intercept_[0], abs=0.01)
    contrary = np.column_stack([logits, -logits[:, 0] + np.random.default_rng(0).normal(size=3000)]).astype(np.float32)
    weights = NonNegativeLogistic().fit(contrary, labels, folds_of(3000)).weights_
    assert weights.min() >= 0
    assert weights[3] == 0


def test_a_tuned_penalty_is_tuned_on_ledger_folds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Near-duplicates never lie in two folds, so no inner split may cut through one."""
    from ensemble.blend.blenders import logistic

    seen: list[set[int]] = []
    original = logistic._inner_log_loss

    def spy(C: float, X: np.ndarray, y: np.ndarray, splits: list[Split]) -> float:
        for fit, heldout in splits:
            assert not set(folds[fit]) & set(folds[heldout])
            seen.append(set(folds[heldout]))
        return original(C, X, y, splits)

    monkeypatch.setattr(logistic, "_inner_log_loss", spy)
    logits, labels = world(300, [0.5, 0.9])
    folds = folds_of(300)
    LogisticStacking(trials=2).fit(logits, labels, folds)
    assert set().union(*seen) == {0, 1, 2, 3, 4}


def test_trees_read_columns_that_follow_the_members() -> None:
    """A column that tells when the second member lies is of use."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    lies = rng.integers(0, 2, 4000)
    signal = (2 * labels - 1).astype(np.float32)
    logits = np.column_stack([signal * 0.4 + rng.normal(size=4000), signal * (1 - 2 * lies) * 3, lies])
    matrix = np.asfortranarray(logits.astype(np.float32))
    blind = blender_of("boosted", 2).fit(matrix[:, :2], labels, folds_of(4000))
    seeing = blender_of("boosted", 2).fit(matrix, labels, folds_of(4000))
    accuracy = [correct_count(b.decision_function(x), labels) for b, x in ((blind, matrix[:, :2]), (seeing, matrix))]
    assert accuracy[1] > accuracy[0] + 100


def test_a_search_among_many_members_never_ends_below_its_start() -> None:
    """Equal weights of sixty are finer than the grid: rounded, they would be those of the first fifty."""
    logits, labels = world(400, [0.4] * 60)
    blender = blender_of("cma", 60).fit(logits, labels, folds_of(400))
    greedy = blender_of("greedy", 60).fit(logits, labels, folds_of(400))
    found, *starts = (
        wrong_then_log_loss(blended(logits, weights.astype(np.float32), 0.0), labels)
        for weights in (blender.member_weights(60), greedy.member_weights(60), np.full(60, 1 / 60))
    )
    assert found <= min(starts) + 1e-6


def test_the_logits_that_a_rule_is_fitted_on_are_no_memory() -> None:
    """Labels are noise: trees know by heart those that they were fitted on, and must not be believed about them."""
    logits, labels = world(400, [0.0] * 20)
    blender = BoostedStacking(20, trials=1)
    blender.fit(logits, labels, folds_of(400))
    blender.settings_ = {"learning_rate": 0.3, "num_leaves": 12, "min_data_in_leaf": 2}
    blender.booster_ = blender._boost(blender.settings_, blender._data(logits, labels))
    by_heart = correct_count(blender.decision_function(logits), labels) / 400
    honest = correct_count(blender.logits_of_fit(logits, labels, folds_of(400)), labels) / 400
    assert by_heart > 0.8
    assert abs(honest - 0.5) < 0.1


def test_the_average_is_the_mean_of_the_blenders() -> None:
    here = problem(300, [0.5, 0.8, 0.1])
    parts = [evaluate(blender_of(title), here) for title in ("mean", "greedy", "boosted")]
    average = evaluate_average(parts, here)
    np.testing.assert_allclose(average.nested, np.mean([part.nested for part in parts], axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        average.blender.decision_function(here.logits),
        np.mean([part.blender.decision_function(here.logits) for part in parts], axis=0),
    )
    again = restored(json.loads(json.dumps(average.blender.state())))
    np.testing.assert_array_equal(again.decision_function(here.logits), average.blender.decision_function(here.logits))


@given(st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=50))
def test_softplus_in_single_precision(values: list[float]) -> None:
    found = softplus_mean(np.array(values, dtype=np.float32))
    assert found == pytest.approx(np.logaddexp(0, np.array(values)).mean(), rel=1e-5, abs=1e-6)


def test_former_names_in_a_config_are_those_of_today() -> None:
    assert BlendSettings(methods=["mean", "weights", "cma", "tpe", "stacking"]).methods == ("mean", "cma", "logistic")


def test_the_average_alone_is_that_of_the_mean() -> None:
    assert [blender.title for blender in blenders(BlendSettings(methods=("average",)), 3)] == ["mean"]


def test_a_config_picks_blenders_in_the_order_of_their_simplicity() -> None:
    for methods in itertools.permutations(["boosted", "mean", "greedy"], 2):
        titles = [blender.title for blender in blenders(BlendSettings(methods=methods), 3)]
        assert titles == [title for title in ("mean", "greedy", "boosted") if title in methods]


def test_every_linear_blender_tells_its_weights() -> None:
    for title in TITLES:
        blender, _, _ = fitted(title, 200, [0.5, 0.8, 0.1])
        assert isinstance(blender, LinearBlender) != (title == "boosted")
        assert np.isnan(blender.member_weights(3)).any() == (title == "boosted")


@pytest.mark.parametrize("title", TITLES)
def test_one_fake_among_a_hundred_is_no_trouble(title: str) -> None:
    """Inner folds without any fake are among those that are tuned on."""
    logits, _ = world(100, [0.6, 0.9])
    labels = (np.arange(100) == 7).astype(np.int64)
    blender = blender_of(title, 2).fit(logits, labels, folds_of(100))
    assert np.isfinite(blender.decision_function(logits)).all()


def test_the_average_leaves_the_best_member_out() -> None:
    here = problem(300, [0.5, 0.8, 0.1])
    chosen = ALL.model_copy(update={"methods": ("mean", "single_best", "greedy", "average")})
    evaluations, _ = _evaluate_all(chosen, here, lambda _: None)
    of = {each.title: each.nested for each in evaluations}
    np.testing.assert_allclose(of["average"], (of["mean"] + of["greedy"]) / 2, rtol=1e-5, atol=1e-5)
