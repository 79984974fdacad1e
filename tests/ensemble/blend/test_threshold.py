from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ensemble.blend.blenders.rows import targets
from ensemble.blend.compare import _prior
from ensemble.blend.evaluation.nested import Problem, evaluate
from ensemble.blend.evaluation.prior import PriorShift, estimate_prior
from ensemble.blend.evaluation.threshold import (
    CALIBRATION,
    Decision,
    Rule,
    _elect,
    as_it_is,
    decision_of,
    fit_plateau,
    fit_temperature,
    fit_temperature_and_bias,
    place_decision,
    plateau,
)
from ensemble.core.metrics.paired import compare_counts
from ensemble.core.metrics.scores import to_probabilities
from tests.ensemble.blend.test_blenders import blender_of
from tests.ensemble.blend.worlds import folds_of


def calibrated(n: int, seed: int = 0, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are the log-odds of their labels: a normal with shift two, and variance four times that."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < share).astype(np.int64)
    logits = (2 * labels - 1) * 2.0 + rng.normal(size=n) * 2.0
    return logits + np.log(share / (1 - share)), labels


def test_temperature_and_bias_undo_what_was_done() -> None:
    logits, labels = calibrated(40_000)
    found = fit_temperature_and_bias(logits * 3 + 1.5, labels)
    assert found.temperature == pytest.approx(3, rel=0.05)
    assert found.shift == pytest.approx(1.5, abs=0.1)
    assert fit_temperature(logits * 0.5, labels).temperature == pytest.approx(0.5, rel=0.05)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.2, 5), st.floats(-3, 3))
def test_the_fit_is_the_minimum_that_a_library_finds(seed: int, scale: float, bias: float) -> None:
    logits, labels = calibrated(300, seed)
    logits = logits * scale + bias

    aims = targets(labels)

    def loss(parameters: np.ndarray) -> float:
        z = (logits - parameters[1]) * np.exp(parameters[0])
        return float((np.logaddexp(0, z) - aims * z).mean())

    found = fit_temperature_and_bias(logits, labels)
    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"maxiter": 2000}).fun
    assert loss(np.array([-np.log(found.temperature), found.shift])) <= best + 1e-6


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 1)), min_size=2, max_size=40))
def test_the_plateau_is_that_of_brute_force(rows: list[tuple[int, int]]) -> None:
    """Every threshold between its ends is nearly the best, and one step further on either side none is."""
    logits, labels = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])

    def accuracy(threshold: float) -> float:
        return float(((logits >= threshold) == (labels == 1)).mean())

    distinct = np.unique(logits)
    near = max(accuracy(t) for t in distinct) - 0.004 - 1e-9
    low, high = plateau(logits, labels)
    inside = [t for t in distinct if low <= t <= high]
    assert inside
    assert all(accuracy(t) >= near for t in inside)
    assert high in distinct
    for beyond in (distinct[distinct < inside[0]][-1:], distinct[distinct > high][:1]):
        assert all(accuracy(t) < near for t in beyond)


def test_between_two_hills_lies_a_valley() -> None:
    logits = np.arange(20.0)
    labels = np.array([0] * 4 + [1] * 6 + [0] * 6 + [1] * 4)
    low, high = plateau(logits, labels)
    assert ((logits >= (low + high) / 2) == (labels == 1)).mean() == max(
        ((logits >= t) == (labels == 1)).mean() for t in logits
    )


def test_where_half_lies_on_the_plateau_it_stays() -> None:
    logits, labels = calibrated(4000)
    assert fit_plateau(logits, labels).shift == 0
    assert fit_plateau(logits + 3, labels).shift == pytest.approx(3, abs=0.6)


def placed(logits: np.ndarray, labels: np.ndarray) -> tuple[str, Decision, np.ndarray]:
    matrix = np.asfortranarray(logits.astype(np.float32)[:, None])
    here = Problem(matrix, 1, labels, folds_of(len(labels)))
    rule, _ = place_decision(evaluate(blender_of("mean"), here), here)
    return rule.title, rule.decision, rule.nested


def test_what_is_in_order_is_left_alone() -> None:
    assert placed(*calibrated(4000))[0] == "as it is"


def test_a_bias_that_costs_decisions_is_taken_out() -> None:
    logits, labels = calibrated(4000)
    title, decision, nested = placed(logits + 2, labels)
    assert title in ("temperature and bias", "plateau")
    assert decision.shift == pytest.approx(2, abs=0.5)
    assert ((nested >= 0) == (labels == 1)).mean() > ((logits + 2 >= 0) == (labels == 1)).mean() + 0.03


def test_overconfidence_costs_no_decision_but_is_cooled() -> None:
    logits, labels = calibrated(4000)
    title, decision, nested = placed(logits * 4, labels)
    assert title == "temperature"
    assert decision.temperature == pytest.approx(4, rel=0.2)
    assert decision.shift == 0
    assert ((nested >= 0) == (logits >= 0)).all()


def test_a_few_lucky_flips_are_not_enough() -> None:
    """On 60 rows a threshold that looks better in-sample is not proven, so it is not applied."""
    for seed in range(8):
        assert placed(*calibrated(60, seed))[1].shift == 0


def test_nested_decisions_see_no_row_of_their_own() -> None:
    logits, labels = calibrated(600)
    folds = folds_of(600)
    turned = np.where(folds == 1, 1 - labels, labels)
    one, two = (
        {rule.title: rule.nested[folds == 1] for rule in place_decision(evaluate(blender_of("mean"), p), p)[1]}
        for p in (
            Problem(np.asfortranarray((logits + 1).astype(np.float32)[:, None]), 1, y, folds) for y in (labels, turned)
        )
    )
    for title, nested in one.items():
        np.testing.assert_array_equal(nested, two[title])


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_both_estimates_find_the_share_of_fakes(share: float) -> None:
    oof, labels = calibrated(20_000, 1)
    rng = np.random.default_rng(2)
    fake = rng.random(20_000) < share
    test = np.where(fake, 1, -1) * 2.0 + rng.normal(size=20_000) * 2.0
    prior = estimate_prior(oof, labels, test)
    assert prior.em == pytest.approx(share, abs=0.02)
    assert prior.bbse == pytest.approx(share, abs=0.02)
    assert prior.shifted == (share != 0.5)
    assert bool(prior.in_words(asked=False)) == (share != 0.5)
    decided = ((test + prior.correction >= 0) == fake).mean()
    assert decided >= ((test >= 0) == fake).mean() - 0.001
    if share != 0.5:
        assert "--correct-prior" in prior.in_words(asked=False)
        assert "corrected for it" in prior.in_words(asked=True)
        assert decided > ((test >= 0) == fake).mean()


def test_what_is_no_change_of_the_share_is_said_to_be_none() -> None:
    """Test photographs of which those called fake are hardly so: EM and the confusion matrix fall out."""
    oof, labels = calibrated(20_000, 1)
    test = np.where(np.arange(20_000) % 2, 0.3, -4.0) + np.random.default_rng(3).normal(scale=0.1, size=20_000)
    prior = estimate_prior(oof, labels, test)
    assert not prior.agree
    assert "disagree" in prior.in_words(asked=False)
    assert prior.correction == 0, "asked for or not"


def test_blenders_that_call_nothing_rightly_give_no_estimate_but_no_error() -> None:
    labels = np.arange(100) % 2
    prior = estimate_prior(np.where(labels == 1, -1.0, 1.0), labels, np.ones(50))
    assert np.isfinite(prior.em)
    assert not prior.shifted


def test_a_decision_keeps_probabilities_in_order() -> None:
    z = np.linspace(-5, 5, 11)
    p = to_probabilities(Decision(2.0, 1.0)(z))
    assert (np.diff(p) > 0).all()
    assert ((p >= 0.5) == (z >= 1.0)).all()


def test_three_test_rows_that_are_all_called_fake_are_no_shift() -> None:
    oof, labels = calibrated(2000)
    prior = estimate_prior(oof, labels, np.array([3.0, 4.0, 5.0]))
    assert (prior.shifted, prior.correction, prior.in_words(asked=False)) == (False, 0.0, "")


def test_the_correction_is_of_calibrated_logits_and_in_the_units_of_the_rule() -> None:
    (oof, labels), (test, _) = calibrated(20_000, 1), calibrated(20_000, 2, 0.2)
    test = test - np.log(0.2 / 0.8)  # the share has changed, which the scores do not know
    here = Problem(np.asfortranarray(oof.astype(np.float32)[:, None]), 1, labels, folds_of(20_000))
    unchanged = as_it_is(evaluate(blender_of("mean", 1), here), here)
    hot = replace(unchanged, nested=unchanged.nested + 3)
    calibration = replace(unchanged, title=CALIBRATION, decision=Decision(2.0, 3.0))
    prior, added = _prior(2 * test + 3, hot, [calibration], here)
    assert prior.em == pytest.approx(0.2, abs=0.02)
    assert prior.bbse == pytest.approx(0.2, abs=0.03)
    assert added == pytest.approx(2 * prior.correction)
    assert added < -2
    hot = replace(hot, decision=Decision(4.0, 0.0))
    assert _prior(2 * test + 3, hot, [calibration], here)[1] == pytest.approx(prior.correction / 2)


def test_a_shift_is_measured_from_the_share_of_training() -> None:
    oof, labels = calibrated(20_000, 1, share=0.2)
    rng = np.random.default_rng(2)
    test = np.where(rng.random(20_000) < 0.5, 2.0, -2.0) + 2 * rng.normal(size=20_000) + np.log(0.2 / 0.8)
    prior = estimate_prior(oof, labels, test)
    assert prior.training == pytest.approx(0.2, abs=0.02)
    assert prior.em == pytest.approx(0.5, abs=0.02)
    assert prior.bbse == pytest.approx(0.5, abs=0.04)
    assert prior.correction == pytest.approx(np.log(4), abs=0.15)


def test_the_error_of_the_share_and_its_limits() -> None:
    labels = np.repeat([1, 0], [20, 1000])
    nested = np.concatenate([np.repeat([1.0, -1.0], [16, 4]), np.repeat([1.0, -1.0], [100, 900])])
    prior = estimate_prior(nested, labels, np.repeat([1.0, -1.0], [7300, 2700]))
    assert prior.bbse == pytest.approx(0.9)
    assert prior.error == pytest.approx(0.12066, rel=1e-3), "nearly all of it from the twenty fakes"
    assert PriorShift(0.5, 0.455, 0.475, 0.01).correction == 0, "only one of the two is far"
    assert PriorShift(0.5, 0.30, 0.25, 0.03).correction == pytest.approx(-0.8473, abs=1e-4)


def test_who_asks_for_a_correction_reads_that_there_was_none() -> None:
    same = PriorShift(0.5, 0.5, 0.51, 0.01)
    assert same.in_words(asked=True).endswith("nothing is corrected")
    assert same.in_words(asked=False) == ""


def test_a_fold_does_not_elect_its_own_rule() -> None:
    labels, folds = np.arange(300) % 2, folds_of(300)
    logits = np.where(labels == 1, 3.0, -3.0)
    for fold, wrong in enumerate([6, 1, 1, 1, 1]):  # four gains are not proven, nine are
        logits[np.flatnonzero((folds == fold) & (labels == 0))[:wrong]] = 1.0
    here = Problem(np.asfortranarray(logits.astype(np.float32)[:, None]), 1, labels, folds)
    rule, _ = place_decision(evaluate(blender_of("mean", 1), here), here)
    assert rule.title in (CALIBRATION, "plateau")
    assert rule.elected[0] in ("as it is", "temperature")
    assert ((rule.nested >= 0) == (labels == 1)).sum() == 294


def test_rules_are_fitted_on_the_logits_of_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = calibrated(2000)
    here = Problem(np.asfortranarray(logits.astype(np.float32)[:, None]), 1, labels, folds_of(2000))
    whole = evaluate(blender_of("single_best", 1), here).whole
    plain = decision_of(whole, "temperature", here).temperature
    monkeypatch.setattr(type(whole.blender), "logits_of_fit", lambda self, x, _y, _f: 4 * self.decision_function(x))
    assert decision_of(whole, "temperature", here).temperature == pytest.approx(4 * plain, rel=1e-3)


def test_of_proven_shifts_the_one_that_gains_most_and_a_temperature_beyond_two_errors() -> None:
    def rule(gained: int, gain: float = 0.0) -> Rule:
        return Rule("", Decision(), np.zeros(1), compare_counts(gained, 0, 1000), gain, 0.01)

    assert _elect([rule(0), rule(0, 1.0), rule(30), rule(40)]) == 3
    assert _elect([rule(0), rule(0, 1.0), rule(40), rule(30)]) == 2
    assert _elect([rule(0), rule(0, 0.021), rule(0), rule(0)]) == 1
    assert _elect([rule(0), rule(0, 0.019), rule(0), rule(0)]) == 0


def test_the_plateau_begins_half_way_and_its_temperature_is_that_of_shifted_logits() -> None:
    logits, labels = np.array([-3.0, -3.0, 3.0, 3.0]), np.array([0, 0, 1, 1])
    assert plateau(logits, labels) == (0.0, 3.0)
    assert fit_plateau(logits, labels).shift == 0
    logits, labels = calibrated(4000)
    assert fit_plateau(logits + 3, labels).temperature == pytest.approx(1, abs=0.2)
