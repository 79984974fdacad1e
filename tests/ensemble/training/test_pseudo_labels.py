"""Pseudo-labels: never of a held-out row, balanced and confident, and refused where the test photographs differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.base import BaseEstimator, ClassifierMixin

from ensemble.audit.pseudo_labels import objection
from ensemble.config.members import MemberSettings, PseudoLabels
from ensemble.engine.tasks.fold import FoldTask, pseudo_labelled
from ensemble.store.checks import Check, Verdict
from ensemble.store.oof import OofStore
from tests.commands import run_here
from tests.competitions import LINEAR, write_competition, write_config, write_rows

ASKING = LINEAR + "    pseudo_labels: {confidence: 0.8}\n"


class Recorder(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier by the mean of a row, which notes what it was fitted on."""

    fits: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []  # noqa: RUF012  looked at by tests

    def fit(self, X: NDArray[np.float32], y: NDArray[np.int64]) -> Recorder:
        Recorder.fits.append((X.copy(), y.copy()))
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        fake = X.mean(axis=1).astype(np.float64)
        return np.stack([1 - fake, fake], axis=1)


@given(
    arrays.arrays(np.float64, st.integers(0, 60), elements=st.floats(0, 1)), st.floats(0.51, 0.99), st.floats(0.1, 2)
)
def test_pseudo_labels_are_sure_balanced_and_few(probabilities: NDArray[np.float64], sure: float, most: float) -> None:
    rows, labels = pseudo_labelled(probabilities, PseudoLabels(confidence=sure, most=most), 20)
    assert len(rows) == len(set(rows.tolist())) == len(labels) <= most * 20
    assert (labels == 0).sum() == (labels == 1).sum()
    assert ((labels == 1) | (1 - probabilities[rows] >= sure)).all()
    assert ((labels == 0) | (probabilities[rows] >= sure)).all()
    left = np.delete(probabilities, rows)
    if len(rows):
        assert (left <= probabilities[rows[labels == 1]].min()).all(), "the surest ones"
        assert (left >= probabilities[rows[labels == 0]].max()).all()


def test_a_fold_learns_test_rows_and_never_a_held_out_one() -> None:
    rng = np.random.default_rng(0)
    labels, folds = np.arange(40) % 2, np.arange(40) // 8
    labels[:3] = 1  # so that no other rows have the labels of the training rows
    table = rng.uniform(0, 1, (70, 4)).astype(np.float32)
    table[40:] = np.linspace(0, 1, 30)[:, None]
    member = MemberSettings.model_validate(
        {
            "name": "a",
            "model": {"use": "tests.ensemble.training.test_pseudo_labels.Recorder"},
            "pseudo_labels": {"confidence": 0.9},
        }
    )

    def fits(labels: NDArray[np.int64]) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        Recorder.fits.clear()
        FoldTask(member, 2, "").run([table, labels, folds], lambda *_: None)
        return list(Recorder.fits)

    for (first, known), (second, learned) in (fits(labels), fits(np.where(folds == 2, 1 - labels, labels))):
        np.testing.assert_array_equal(first, table[:40][folds != 2])
        np.testing.assert_array_equal(known, labels[folds != 2])
        np.testing.assert_array_equal(second[:32], first)
        np.testing.assert_array_equal(second[32:], table[[40, 41, 42, 69, 68, 67]])
        assert learned.tolist() == [*known.tolist(), 0, 0, 0, 1, 1, 1]


def test_without_sure_rows_nothing_is_learned_twice() -> None:
    member = MemberSettings.model_validate(
        {"name": "a", "model": {"use": "tests.ensemble.training.test_pseudo_labels.Recorder"}, "pseudo_labels": {}}
    )
    Recorder.fits.clear()
    FoldTask(member, 0, "").run(
        [np.full((30, 2), 0.5, np.float32), np.arange(20) % 2, np.arange(20) // 4], lambda *_: None
    )
    assert len(Recorder.fits) == 1


def test_members_without_them_have_the_recipe_that_they_had() -> None:
    member = MemberSettings.model_validate({"name": "a", "model": {"use": "x.A"}})
    assert set(member.recipe) == {"features", "model", "seed"}
    asking = member.model_copy(update={"pseudo_labels": PseudoLabels()})
    assert asking.recipe["pseudo_labels"] == {"confidence": 0.95, "most": 0.5}


def shuffled_competition(folder: Path) -> None:
    """A competition in which names say nothing about labels."""
    write_competition(folder, train=80, test=40)
    order = np.random.default_rng(0).permutation(80)
    for number in range(80):
        (folder / "train" / f"{number:05d}.png").rename(folder / "train" / f"{order[number]:05d}.old")
    for path in (folder / "train").iterdir():
        path.rename(path.with_suffix(".png"))
    rows = [[f"{order[number]:05d}.png", number % 2] for number in range(80)]
    write_rows(folder / "train.csv", ["name", "target"], sorted(rows))


@pytest.mark.training
def test_they_are_learned_where_the_audits_find_nothing(tmp_path: Path) -> None:
    shuffled_competition(tmp_path / "data")
    write_config(tmp_path / "small.yaml", ASKING)
    found = run_here("train", "small.yaml", "--engine", "inline", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "auditing the photographs before linear may learn from test photographs" in found.stdout
    record = OofStore(tmp_path / "oof" / "small").record("linear", 0)
    assert record is not None
    assert record.provenance.recipe["pseudo_labels"]["confidence"] == 0.8
    card = (tmp_path / "oof" / "small" / "model_card.md").read_text()
    assert "linear also learned test photographs by the labels that they seemed to have" in card
    refused = run_here("generators", "small.yaml", "--members", "linear", "--engine", "inline", cwd=tmp_path)
    assert refused.returncode == 2
    assert "linear learns test photographs, which may be like the fakes of a cluster" in refused.stderr


@pytest.mark.training
def test_they_are_refused_where_the_test_photographs_differ(tmp_path: Path) -> None:
    shuffled_competition(tmp_path / "data")
    for path in (tmp_path / "data" / "test").iterdir():
        Image.open(path).filter(ImageFilter.GaussianBlur(2)).save(path)
    write_config(tmp_path / "small.yaml", ASKING)
    found = run_here("train", "small.yaml", "--engine", "inline", cwd=tmp_path)
    assert found.returncode == 2
    assert "member linear may not learn pseudo-labels: By their spectra a model separates test from" in found.stderr
    assert not list((tmp_path / "oof").rglob("fold.json"))


@pytest.mark.parametrize(
    ("name", "verdict", "refused"),
    [
        ("adversarial", "look", True),
        ("adversarial", "not run", True),
        ("duplicates_across", "look", True),
        ("duplicates_across", "not run", True),
        ("names", "alarm", True),
        ("names", "look", False),
        ("permutation", "not run", False),
    ],
)
def test_what_speaks_against_pseudo_labels(name: str, verdict: Verdict, refused: bool) -> None:
    checks = [Check("formats", "?", "fine", "nothing"), Check(name, "?", verdict, "this")]
    assert objection(checks) == ("this" if refused else "")


@pytest.mark.training
@pytest.mark.parametrize(
    "verb",
    [("grow", "--budget", "5min", "--portfolio", "small.yaml"), ("tune", "--member", "linear", "--trials", "1")],
)
def test_growing_and_tuning_refuse_them_too(tmp_path: Path, verb: tuple[str, ...]) -> None:
    shuffled_competition(tmp_path / "data")
    for path in (tmp_path / "data" / "test").iterdir():
        Image.open(path).filter(ImageFilter.GaussianBlur(2)).save(path)
    space = "    tune: {model.steps.1.1.C: {low: 0.001, high: 1.0, log: true}}\n"
    write_config(tmp_path / "small.yaml", ASKING + space)
    found = run_here(verb[0], "small.yaml", *verb[1:], "--engine", "inline", cwd=tmp_path)
    assert found.returncode == 2
    assert "member linear may not learn pseudo-labels" in found.stderr


class Progressing(ClassifierMixin, BaseEstimator):
    """A classifier that reports its progress."""

    on_progress: Any = None

    def fit(self, X: Any, y: Any) -> Progressing:
        self.classes_ = np.array([0, 1])
        if self.on_progress:
            self.on_progress(1.0, "done")
        return self

    def predict_proba(self, X: Any) -> Any:
        fake = np.where(np.arange(len(X)) % 2, 0.99, 0.01)
        return np.stack([1 - fake, fake], axis=1)


def test_both_fits_report_their_half() -> None:
    model = {"use": "tests.ensemble.training.test_pseudo_labels.Progressing"}
    member = MemberSettings.model_validate({"name": "m", "model": model, "pseudo_labels": {}})
    table, labels, folds = np.zeros((40, 3), np.float32), np.arange(20) % 2, np.arange(20) // 2 % 5
    said: list[float] = []
    FoldTask(member, 0, "").run([table, labels, folds], lambda done, _: said.append(done))
    assert said == [0.5, 1.0]
