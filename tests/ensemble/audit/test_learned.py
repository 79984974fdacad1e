"""Audits that learn: each fires on its planted fault, and is silent on clean columns over many seeds."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from ensemble.audit.adversarial import adversarial
from ensemble.audit.drift import drift
from ensemble.audit.permutation import permutation
from ensemble.audit.probe import told_apart
from ensemble.demo.camera import photograph
from ensemble.demo.generator import Generator, draw_generator, generate
from ensemble.demo.scene import draw_scene
from ensemble.folds import FoldLedger
from ensemble.predictions import Predictions
from members.forensics import Spectra

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
TRACE = np.random.default_rng(99).normal(0, 0.5, 24)  # what a generator leaves, in standard deviations
OTHER = np.random.default_rng(98).normal(0, 0.5, 24)


def photographs(rng: np.random.Generator, n: int, trace: NDArray[np.float64] = TRACE) -> tuple[Floats, Labels]:
    labels = rng.permutation(np.arange(n) % 2)
    return (rng.normal(size=(n, 24)) + labels[:, None] * trace).astype(np.float32), labels


def test_clean_sets_are_alike() -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        train, labels = photographs(rng, 400)
        found.append(adversarial(train, photographs(rng, 200)[0], labels, seed).verdict)
    assert found.count("fine") >= 19, found


@pytest.mark.parametrize("seed", range(3))
def test_another_generator_is_found_in_the_fakes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train, labels = photographs(rng, 800)
    check = adversarial(train, photographs(rng, 400, OTHER)[0], labels, seed)
    assert check.verdict == "alarm"
    assert "0.5 is what it should be" in check.sentence
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
        areas.append(told_apart(photographs(rng, 200)[0], photographs(rng, 100)[0], rng)[0].value)
    assert abs(np.mean(areas) - 0.5) < 0.02


def test_true_labels_are_learned() -> None:
    for seed in range(10):
        columns, labels = photographs(np.random.default_rng(seed), 400)
        assert permutation(columns, labels, np.arange(400) % 5, seed, 0.9).verdict == "fine"


@pytest.mark.parametrize(("best", "verdict"), [(None, "look"), (0.51, "alarm"), (0.9, "look")])
def test_shuffled_labels_are_found(best: float | None, verdict: str) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        columns, labels = photographs(rng, 400)
        assert permutation(columns, rng.permutation(labels), np.arange(400) % 5, seed, best).verdict == verdict


def test_copies_on_both_sides_of_a_fold_are_found() -> None:
    rng = np.random.default_rng(0)
    columns, labels = rng.normal(size=(300, 200)).astype(np.float32), rng.permutation(np.arange(300) % 2)
    folds = np.concatenate([np.arange(300), np.arange(300) + 1]) % 5
    check = permutation(np.tile(columns, (2, 1)), np.tile(labels, 2), folds, 0, 0.9)
    assert check.verdict == "alarm"
    assert "held-out rows" in check.sentence


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


@pytest.mark.parametrize("fault", [lambda seed: answers(seed, share=0.7), lambda seed: answers(seed, look_real=0.5)])
def test_another_share_and_fakes_that_look_real_are_found(fault: Callable[[int], Predictions]) -> None:
    for seed in range(5):
        check = drift(fault(seed))
        assert check.verdict in ("look", "alarm")
        assert "fake" in check.sentence
        assert len(check.tables[0].rows) >= 2


def rendered(n: int, seed: int, generator: Callable[..., Generator] = draw_generator) -> list[NDArray[np.uint8]]:
    """Demo photographs, every second of them fake."""
    photos = []
    for i in range(n):
        rng = np.random.default_rng((seed, i))
        scene = draw_scene(rng)
        with patch("ensemble.demo.generator.draw_generator", generator):
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
