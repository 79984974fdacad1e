"""Audits that learn: each fires on its planted fault, and is silent on clean columns over many seeds."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensemble.audit.files.copies import LARGEST, Pair, copies, look_alikes
from ensemble.audit.learned.adversarial import COMPARISONS, _Comparison, adversarial
from ensemble.audit.learned.adversarial import _judge as judge_comparisons
from ensemble.audit.learned.drift import drift, drift_in
from ensemble.audit.learned.linear_probe import (
    ALPHA,
    Auc,
    cross_validated,
    effective,
    random_folds,
    separability,
    within_folds,
)
from ensemble.audit.learned.permutation import best_auc, judge, permutation
from ensemble.competition.demo.camera import photograph
from ensemble.competition.demo.generator import Generator, draw_generator, generate
from ensemble.competition.demo.scene import draw_scene
from ensemble.folds.ledger import FoldLedger
from ensemble.store.predictions import Predictions
from members.forensics import Spectra

pytestmark = pytest.mark.training

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
TRACE = np.random.default_rng(99).normal(0, 0.5, 24)  # what a generator leaves, in standard deviations
OTHER = np.random.default_rng(98).normal(0, 0.5, 24)


def photographs(
    rng: np.random.Generator, n: int, trace: NDArray[np.float64] = TRACE, fakes: float = 0.5
) -> tuple[Floats, Labels]:
    labels = rng.permutation((np.arange(n) < fakes * n).astype(np.int64))
    return (rng.normal(size=(n, 24)) + labels[:, None] * trace).astype(np.float32), labels


def test_clean_sets_are_alike() -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        train, labels = photographs(rng, 400)
        found.append(adversarial(train, photographs(rng, 200)[0], labels, seed).verdict)
    assert found.count("fine") >= 19, found


def test_the_linear_model_is_ridge_regression_on_standardised_columns() -> None:
    rng = np.random.default_rng(0)
    columns = (rng.normal(size=(300, 40)) * rng.uniform(0.1, 100, 40)).astype(np.float32)
    columns[:, 3] = 7.3
    targets, folds = np.sign(rng.normal(size=(300, 5))), np.arange(300) % 3
    model = make_pipeline(StandardScaler(), Ridge(alpha=ALPHA)).fit(columns[folds != 0], targets[folds != 0])
    expected = model.predict(columns[folds == 0])
    np.testing.assert_allclose(cross_validated(columns, targets, folds)[folds == 0], expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_another_generator_is_found_in_the_fakes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, labels = photographs(rng, 800)
    check = adversarial(train, photographs(rng, 400, OTHER)[0], labels, seed)
    assert check.verdict == "alarm"
    assert "0.5 is expected" in check.sentence
    whole, fakes = check.tables[0].rows[0][3], check.tables[0].rows[1][3]
    assert fakes > whole > 0.55


@pytest.mark.parametrize("seed", range(3))
def test_another_way_of_saving_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, labels = photographs(rng, 400)
    assert adversarial(train, photographs(rng, 200)[0] + np.float32(0.5), labels, seed).verdict == "alarm"


def test_few_photographs_are_not_compared() -> None:
    train, labels = photographs(np.random.default_rng(0), 100)
    assert adversarial(train, train[:5], labels, 0).verdict == "not run"


def test_equal_sources_give_an_area_of_a_half() -> None:
    areas = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        areas.append(separability(photographs(rng, 200)[0], photographs(rng, 100)[0], rng).value)
    assert abs(np.mean(areas) - 0.5) < 0.02


@pytest.mark.parametrize("fakes", [0.5, 0.1])
def test_true_labels_are_learned(fakes: float) -> None:
    for seed in range(10):
        columns, labels = photographs(np.random.default_rng(seed), 400, fakes=fakes)
        check = permutation(columns, labels, np.arange(400) % 5, seed)
        assert check.verdict == "fine"
        assert "as it should be" in check.sentence, "not: they are too few to decide"


@pytest.mark.parametrize(("area", "verdict"), [(None, "look"), (0.5, "alarm"), (0.56, "look"), (0.9, "look")])
def test_shuffled_labels_are_found(area: float | None, verdict: str) -> None:
    best = None if area is None else Auc(area, 0.02, 400, 400)
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        columns, labels = photographs(rng, 800)
        found.append(permutation(columns, rng.permutation(labels), np.arange(800) % 5, seed, best).verdict)
    assert found.count(verdict) >= 9, found


def test_too_few_photographs_tell_nothing_and_alarm_nobody() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        columns, labels = photographs(rng, 100)
        check = permutation(columns, rng.permutation(labels), np.arange(100) % 5, seed, Auc(0.42, 0.05, 50, 50))
        assert check.verdict == "fine"
    found = re.search(r"would have to reach (0\.\d\d)", judge(check.figures | {"auc": 0.5}, None).sentence)
    assert found is not None
    assert 0.62 < float(found[1]) < 0.8


def test_a_verdict_changes_with_what_members_say() -> None:
    rng = np.random.default_rng(0)
    columns, labels = photographs(rng, 800)
    before = permutation(columns, rng.permutation(labels), np.arange(800) % 5, 0)
    chance = judge(before.figures, Auc(0.5, 0.01, 400, 400))
    assert (before.verdict, chance.verdict) == ("look", "alarm")
    assert "The best member reaches an AUC of 0.500 ± 0.010" in chance.sentence
    assert judge(before.figures, None) == before


def test_the_best_member_is_measured_within_folds_where_it_is_whole() -> None:
    predictions = answers(0)
    ledger = predictions.ledger
    areas = [within_folds(column.astype(float), ledger.labels, ledger.folds) for column in predictions.oof_logits.T]
    best = best_auc(predictions)
    assert best is not None
    assert best.value == max(areas) > 0.9
    assert best.first + best.second == 1000
    shifted = predictions.oof_logits + 100 * ledger.folds[:, None]
    moved = best_auc(replace(predictions, oof_logits=shifted.astype(np.float32)))
    assert moved is not None
    assert moved.value == pytest.approx(best.value, abs=1e-3), "scores of different models are never compared"
    predictions.oof_logits[0] = np.nan
    assert best_auc(predictions) is None


def test_copies_on_both_sides_of_a_fold_are_found() -> None:
    rng = np.random.default_rng(0)
    columns, labels = rng.normal(size=(300, 200)).astype(np.float32), rng.permutation(np.arange(300) % 2)
    folds = np.concatenate([np.arange(300), np.arange(300) + 1]) % 5
    noise = 0.02 * rng.normal(size=(600, 200)).astype(np.float32)  # saved again: no two are equal
    pairs = [Pair(row, row + 300, "alike", 50) for row in range(300)]
    columns = np.tile(columns, (2, 1)) + noise
    check = permutation(columns, np.tile(labels, 2), folds, 0, groups=look_alikes(pairs, 600))
    assert check.verdict == "alarm"
    assert "has seen its held-out rows" in check.sentence
    together = np.arange(600) % 300 % 5
    check = permutation(columns, np.tile(labels, 2), together, 0, groups=look_alikes(pairs, 600))
    assert check.verdict == "fine", check.sentence


def test_look_alikes_are_few_and_the_nearest() -> None:
    chain = [Pair(row, row + 1, "alike", 40 + row) for row in range(20)]
    for pairs in (chain, chain[::-1]):
        assert look_alikes(pairs, 12).tolist() == [0] * LARGEST + [10] * 2
    assert look_alikes([Pair(0, 5, "same file", 0)], 3).tolist() == [0, 1, 2], "test rows have no labels"


@pytest.mark.parametrize("test_too", [False, True])
def test_copies_do_not_make_sets_differ(test_too: bool) -> None:
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        train, labels = photographs(rng, 150)
        test, times = photographs(rng, 150)[0], 2 if test_too else 1
        both = np.concatenate([np.tile(train, (2, 1)), np.tile(test, (times, 1))])
        both += 0.05 * rng.normal(size=both.shape).astype(np.float32)
        groups = np.concatenate([np.arange(300) % 150, 150 + np.arange(150 * times) % 150])
        found.append(adversarial(both[:300], both[300:], np.tile(labels, 2), seed, groups).verdict)
    assert found.count("fine") >= 9, found


def test_copies_across_sets_stand_in_one_fold() -> None:
    pairs = [Pair(1, 4, "same file", 0), Pair(4, 5, "mirrored", 9)]
    groups = copies(pairs, ["a", "a", "b", "c"], 6)
    assert [len(set(groups[rows])) for rows in ([0, 1, 4, 5], [0, 2, 3])] == [1, 3]
    folds = random_folds(np.array([0, 0, 0, 0, 1, 1]), np.random.default_rng(0), groups=groups)
    assert len(set(folds[[0, 1, 4, 5]])) == 1
    assert effective(groups) == 2


def test_what_could_be_seen_is_said_of_each_part() -> None:
    train, labels = photographs(np.random.default_rng(0), 400)
    sentence = adversarial(train, photographs(np.random.default_rng(1), 200)[0], labels, 0).sentence
    for part in ("all photographs", "those that look fake", "those that look real"):
        assert re.search(rf"0\.\d\d among {part}", sentence)


def test_few_fakes_are_compared_too() -> None:
    train, labels = photographs(np.random.default_rng(0), 600, fakes=0.2)
    check = adversarial(train, photographs(np.random.default_rng(1), 300, fakes=0.2)[0], labels, 0)
    assert len(check.tables[0].rows) == 3


def answers(seed: int, share: float = 0.5, look_real: float = 0.0) -> Predictions:
    """Members' logits: out of fold by one of five models each, on the test set the mean of five."""
    rng = np.random.default_rng(seed)
    labels, test = rng.permutation(np.arange(1000) % 2), (rng.random(500) < share).astype(np.int64)
    folds, members = rng.permutation(np.arange(1000) % 5), int(rng.integers(2, 13))
    test = np.where(rng.random(500) < look_real, 0, test)
    hard = rng.normal(size=1500)
    columns = []
    for _ in range(members):
        signal = rng.uniform(1, 2) * (2 * np.append(labels, test) - 1) + 0.7 * hard + 0.5 * rng.normal(size=1500)
        models = signal + rng.uniform(0.2, 0.8) * rng.normal(size=(5, 1500)) + rng.normal(0, 0.1, (5, 1))
        columns.append(rng.uniform(0.5, 3) * np.append(models[folds, np.arange(1000)], models[:, 1000:].mean(axis=0)))
    logits = np.column_stack(columns).astype(np.float32)
    names = [f"{i:04d}.jpg" for i in range(1000)]
    ledger = FoldLedger(pd.DataFrame({"name": names, "label": labels, "group": names, "fold": folds}), 5, 0, 0)
    return Predictions([f"member_{i}" for i in range(members)], logits[:1000], logits[1000:], ledger, {}, {}, {}, {})


def test_means_over_fold_models_do_not_drift() -> None:
    found = [drift(answers(seed)).verdict for seed in range(30)]
    assert found.count("fine") >= 29, found


def test_rows_without_a_photograph_do_not_drift() -> None:
    """They are given the logits of a stand-in, all the same."""
    predictions, exists = answers(0), np.arange(500) >= 150
    test = np.where(exists[:, None], predictions.test_logits, np.float32(5))
    store: Any = SimpleNamespace(sample=lambda: SimpleNamespace(has_photograph=exists))
    assert drift(replace(predictions, test_logits=test)).verdict != "fine"
    check = drift_in(store, replace(predictions, test_logits=test))
    assert check == drift(replace(predictions, test_logits=predictions.test_logits[150:]))


@pytest.mark.parametrize("fault", [lambda seed: answers(seed, share=0.7), lambda seed: answers(seed, look_real=0.5)])
def test_another_share_and_fakes_that_look_real_are_found(fault: Callable[[int], Predictions]) -> None:
    for seed in range(5):
        check = drift(fault(seed))
        assert check.verdict in ("look", "alarm")
        assert "fake" in check.sentence
        assert len(check.tables[0].rows) >= 2


def test_fakes_that_leave_members_unsure_are_an_alarm() -> None:
    """Another generator's fakes are still called fake, but barely: no share of fakes explains that."""
    for seed in range(5):
        predictions = answers(seed)
        test = predictions.test_logits
        unsure = np.where(test > 0, np.float32(0.1) * test, test)
        check = drift(replace(predictions, test_logits=unsure))
        assert check.verdict == "alarm"
        assert "no share of fakes explains" in check.sentence


@pytest.mark.parametrize("times", [0.1, 5.0])
def test_members_that_lose_or_gain_certainty_are_found(times: float) -> None:
    predictions = answers(0)
    check = drift(replace(predictions, test_logits=predictions.test_logits * np.float32(times)))
    assert check.verdict == "look"
    assert "of the size out of fold" in check.sentence


def test_balanced_errors_are_said_to_be_unseen() -> None:
    assert "Errors that balance" in drift(answers(0)).sentence


def rendered(n: int, seed: int, generator: Callable[..., Generator] = draw_generator) -> list[NDArray[np.uint8]]:
    """Demo photographs, every second of them fake."""
    photos = []
    for i in range(n):
        rng = np.random.default_rng((seed, i))
        scene = draw_scene(rng)
        with patch("ensemble.competition.demo.generator.draw_generator", generator):
            photos.append(generate(scene, rng) if i % 2 else photograph(scene, rng))
    return photos


def spectra(photos: list[NDArray[np.uint8]], saved: int = 92) -> Floats:
    pixels = []
    for photo in photos:
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=saved, subsampling="4:2:0")
        pixels.append(np.asarray(Image.open(file)))
    return np.asarray(Spectra().transform(np.stack(pixels)), np.float32)


def other_generator(rng: np.random.Generator) -> Generator:
    """One that starts at 128 pixels and up-samples by repeating them."""
    box = np.array([0, 1, 1, 0], np.float32)
    return replace(draw_generator(rng), start=128, kernels=np.tile(box, (1, 3, 1)))


def test_faults_are_found_in_real_spectra() -> None:
    train, test, labels = spectra(rendered(100, 0)), rendered(60, 1), np.arange(100) % 2
    assert adversarial(train, spectra(test), labels, 0).verdict == "fine"
    assert adversarial(train, spectra(test, saved=75), labels, 0).verdict == "alarm"
    other = adversarial(train, spectra(rendered(60, 1, other_generator)), labels, 0)
    assert other.verdict in ("look", "alarm"), other


def test_shares_of_fakes_are_those_of_the_right_set() -> None:
    explained = []
    for seed in range(5):
        predictions = answers(seed, share=0.8)
        check = drift(predictions)
        for place, row in enumerate(check.tables[0].rows):
            oof, test = ((each[:, place] >= 0).mean() for each in (predictions.oof_logits, predictions.test_logits))
            assert row[3:5] == pytest.approx((oof, test), abs=1e-4)
            assert test > oof + 0.1
        if found := re.search(r"it predicts (\d+)\.\d% .* and (\d+)\.\d% .* of the training", check.sentence):
            assert int(found[1]) > int(found[2])
        if found := re.search(r"A share of (\d+)% fakes in the test set would explain it", check.sentence):
            explained.append(int(found[1]))
    assert explained
    assert all(65 <= share <= 95 for share in explained), explained


def test_another_share_of_fakes_alone_is_worth_a_look_only() -> None:
    whole, alike = Auc(0.7, 0.02, 400, 200), Auc(0.5, 0.03, 200, 100)
    found = [_Comparison(what, auc) for what, auc in zip(COMPARISONS, (whole, alike, alike), strict=True)]
    check = judge_comparisons(found, (0.5, 0.8), (400, 200))
    assert check.verdict == "look"
    assert "80.0% of 200 test and 50.0% of 400 training photographs" in check.sentence
    assert judge_comparisons(found, (0.5, 0.5), (400, 200)).verdict == "alarm"
    apart = [found[0], _Comparison(COMPARISONS[1], Auc(0.9, 0.02, 210, 110)), found[2]]
    sentence = judge_comparisons(apart, (0.5, 0.5), (400, 200)).sentence
    assert "those that look fake (110 test, 210 training)" in sentence
    assert "Among all 200 and 400 it is 0.700" in sentence


def test_parts_that_were_not_compared_excuse_nothing() -> None:
    check = judge_comparisons([_Comparison(COMPARISONS[0], Auc(0.9, 0.03, 400, 31))], (0.5, 0.94), (400, 31))
    assert check.verdict == "alarm"
    assert "Neither" not in check.sentence


@pytest.mark.parametrize(
    ("mean", "chance", "spread", "verdict"),
    [(0.53, 0.02, 0.02, "alarm"), (0.505, 0.02, 0.02, "fine"), (0.53, 0.02, 0.1, "fine"), (0.53, 0.1, 0.02, "fine")],
)
def test_a_small_leak_shows_in_the_mean_of_the_shuffled(
    mean: float, chance: float, spread: float, verdict: str
) -> None:
    figures = {"photographs": 900.0, "auc": 0.8, "error": 0.02, "chance_error": chance}
    figures |= {"anew_mean": mean, "anew_most": 0.6, "anew_spread": spread}
    assert judge(figures, None).verdict == verdict
