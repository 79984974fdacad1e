"""How limits, rates and the doubt gate of a bundle come about: nothing is counted by what it helped to set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ensemble.core.errors import UserError
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.linear import LINEAR, LinearModel
from ensemble.predict.doubt import DoubtGate
from ensemble.predict.making.card import verdicts_section
from ensemble.predict.making.gate import HELD_OUT_SHARE, fit_gates
from ensemble.predict.making.held_out import HeldOutAnswers
from ensemble.predict.making.linear import linear_model_file
from ensemble.predict.making.rates import decided, nested_limits, verdicts_of
from ensemble.predict.making.variants import VARIANTS, Variant

RNG = np.random.default_rng(0)


def answers(logits: np.ndarray, labels: np.ndarray, folds: np.ndarray, *, guaranteed: bool = True) -> HeldOutAnswers:
    """Answers about one variant, all of which count."""
    count = len(logits)
    variant = Variant("made_up", "made up", guaranteed, lambda _: b"")
    members, doubts, prepared = np.zeros((count, 1)), np.zeros(count), np.ones(count, bool)
    return HeldOutAnswers(variant, np.arange(count), labels, folds, logits.astype(float), members, doubts, prepared)


def test_a_photograph_is_not_counted_by_a_limit_that_it_set() -> None:
    """One fold's real photographs have the largest logits by far: limits of the others do not know that."""
    folds = np.repeat(np.arange(5), 40)
    labels = np.tile([0, 1], 100)
    logits = np.where(labels == 1, 8.0, RNG.normal(-4, 1, 200))
    logits[(folds == 3) & (labels == 0)] = 9.0
    verdicts = verdicts_of([answers(logits, labels, folds)])
    (rate,) = verdicts.rates
    assert verdicts.strong > 9, "the limits of the bundle do know it"
    assert rate.some_false == rate.strong_false == 20, "and the rate does not hide that they did not, without the fold"
    nested = nested_limits([answers(logits, labels, folds)])
    assert nested[3].strong < 8
    assert nested[0].strong > 9


def test_rates_are_about_what_the_limits_say() -> None:
    """Of many real photographs whose logits are all different the stated shares are above the limits."""
    count = 20_000
    labels, folds = np.zeros(count, int), RNG.integers(0, 5, count)
    labels[::10] = 1
    logits = np.where(labels == 1, 5.0, RNG.normal(-3, 3, count))
    verdicts = verdicts_of([answers(logits, labels, folds)])
    real = labels == 0
    assert (logits[real] >= verdicts.strong).mean() == pytest.approx(0.005, abs=2e-4)
    assert (logits[real] >= verdicts.some).mean() == pytest.approx(0.02, abs=2e-4)
    assert verdicts.rates[0].some_false / real.sum() == pytest.approx(0.02, abs=2e-3)


def test_nothing_is_counted_of_which_nothing_is_said() -> None:
    labels, folds = np.tile([0, 1], 50), np.repeat(np.arange(5), 20)
    one = answers(np.where(labels == 1, 3.0, -3.0), labels, folds)
    one.logits[:10] = np.nan
    one.doubts[10:20] = 1.5
    one.prepared[20:30] = False
    assert not decided(one)[:30].any()
    assert decided(one)[30:].all()
    (rate,) = verdicts_of([one]).rates
    assert (rate.real, rate.undecided_real, rate.undecided_fake, rate.some_found) == (50, 15, 15, 35)


def test_variants_that_are_only_measured_set_no_limit() -> None:
    labels, folds = np.tile([0, 1], 100), np.repeat(np.arange(5), 40)
    clean = answers(np.where(labels == 1, 6.0, -6.0) + RNG.normal(0, 0.1, 200), labels, folds)
    blurred = answers(np.full(200, 9.0), labels, folds, guaranteed=False)
    verdicts = verdicts_of([clean, blurred])
    assert verdicts.some == 0.0
    assert [rate.some_false for rate in verdicts.rates] == [0, 100]


def test_without_real_photographs_there_are_no_limits() -> None:
    labels = np.ones(10, int)
    with pytest.raises(UserError, match="raise --photographs"):
        verdicts_of([answers(np.ones(10), labels, np.arange(10) % 5)])


def test_names_of_variants_are_different() -> None:
    assert len({variant.name for variant in VARIANTS}) == len({variant.title for variant in VARIANTS}) == len(VARIANTS)


@pytest.fixture(scope="module")
def columns() -> np.ndarray:
    """300 photographs that differ in ten directions, and a little in all."""
    directions = RNG.normal(size=(10, 400))
    return (RNG.normal(size=(300, 10)) @ directions + RNG.normal(size=(300, 400)) + 100).astype(np.float32)


def test_the_gate_singles_out_what_lies_elsewhere(columns: np.ndarray) -> None:
    folds = np.arange(300) % 5
    gates = fit_gates(columns, folds, 5)
    assert gates is not None
    assert (gates.doubts(columns, folds) > 1).mean() == pytest.approx(HELD_OUT_SHARE, abs=0.02)
    elsewhere = columns + RNG.normal(0, 1.5, columns.shape).astype(np.float32)
    assert (gates.doubts(elsewhere, folds) > 1).mean() > 0.9
    components = gates.gate.components
    np.testing.assert_allclose(components @ components.T, np.eye(len(components)), atol=1e-4)


def test_a_gate_is_read_as_it_was_written(columns: np.ndarray) -> None:
    gate = DoubtGate.fit(columns)
    np.testing.assert_allclose(DoubtGate.from_bytes(gate.to_bytes())(columns), gate(columns), rtol=1e-6)


def test_where_all_photographs_are_alike_there_is_no_gate() -> None:
    assert fit_gates(np.full((30, 20), 3, np.float32), np.arange(30) % 5, 5) is None


X = (RNG.normal(size=(120, 12)) * np.logspace(-1, 2, 12) + 50).astype(np.float32)
Y = (X[:, 3] > 50).astype(int)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=5_000),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(with_mean=False), StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), CalibratedClassifierCV(RidgeClassifier(), ensemble=False)),
        CalibratedClassifierCV(make_pipeline(StandardScaler(), RidgeClassifier()), cv=3),
        make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
    ],
    ids=["logistic", "scaled", "twice", "calibrated", "mean of three", "discriminant"],
)
@pytest.mark.filterwarnings("ignore")
def test_linear_models_are_the_same_as_numbers(model: object) -> None:
    fitted = model.fit(X, Y)  # type: ignore[attr-defined]
    found = LinearModel({LINEAR: linear_model_file(fitted, X.shape[1])}, {}, 1)
    np.testing.assert_allclose(found(X), fitted.predict_proba(X)[:, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (RandomForestClassifier(n_estimators=3), "a RandomForestClassifier is neither"),
        (make_pipeline(MinMaxScaler(), LogisticRegression()), "a MinMaxScaler in front of the model is no scaler"),
        (CalibratedClassifierCV(RidgeClassifier(), method="isotonic"), "is no sigmoid"),
        (CalibratedClassifierCV(RandomForestClassifier(n_estimators=3)), "is no linear model"),
    ],
)
def test_other_models_are_refused(model: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        linear_model_file(model.fit(X, Y), X.shape[1])  # type: ignore[attr-defined]


@pytest.mark.training
def test_the_card_has_a_row_for_each_variant_and_calls_nothing_real(made: Path) -> None:
    manifest = BundleFiles(made).manifest
    section = verdicts_section(manifest)
    assert all(rate.title in section for rate in manifest.verdicts.rates)
    assert "No evidence does not mean real." in section
    assert (made / "card.md").read_text().rstrip().endswith(section)


@pytest.mark.training
def test_the_threshold_of_the_bundle_and_those_of_folds(columns: np.ndarray) -> None:
    folds = np.arange(300) % 5
    gates = fit_gates(columns, folds, 5)
    assert gates is not None
    distances = gates.doubts(columns, folds) * gates.thresholds[folds]
    assert (distances > gates.threshold).mean() == pytest.approx(0.01, abs=0.004)
    moved = columns.copy()
    moved[folds == 3] += np.random.default_rng(1).normal(0, 20, (60, 400)).astype(np.float32)
    gates = fit_gates(moved, folds, 5)
    assert gates is not None
    assert gates.thresholds[3] < gates.thresholds[[0, 1, 2, 4]].min() / 2, "fold 3 did not set its own"


def test_no_rate_is_promised_that_so_few_photographs_cannot_hold() -> None:
    labels, folds = np.tile([0, 1], 50), np.repeat(np.arange(5), 20)
    whole, part = (answers(np.where(labels == 1, 3.0, -3.0), labels, folds) for _ in range(2))
    part.prepared[:30] = False  # 35 real ones are left
    found = verdicts_of([whole, part])
    assert found.strong_rate == found.some_rate == pytest.approx(1 / 36)
    labels, folds = np.tile([0, 1], 1000), np.arange(2000) % 5
    found = verdicts_of([answers(np.where(labels == 1, 3.0, -3.0), labels, folds)])
    assert (found.strong_rate, found.some_rate) == (0.005, 0.02)


def test_each_count_is_of_its_own_class_and_verdict() -> None:
    labels, folds = np.repeat([0, 1], [500, 40]), np.arange(540) % 5
    logits = np.full(540, -8.0)
    logits[:5] = 6.0  # a real one of each fold: they set the strong limit
    logits[500:525], logits[525:535] = 8.0, 3.0
    one = answers(logits, labels, folds)
    one.prepared[[10, 11, 12, 539]] = False
    (rate,) = verdicts_of([one]).rates
    assert (rate.real, rate.fake, rate.strong_false, rate.some_false) == (500, 40, 0, 5)
    assert (rate.strong_found, rate.some_found, rate.undecided_real, rate.undecided_fake) == (25, 35, 3, 1)
