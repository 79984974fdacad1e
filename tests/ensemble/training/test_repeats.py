"""Repeated folds: further cuts are stores of their own, and a row's prediction is the mean of honest ones."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import log_loss
from ensemble.predict.predictor import load_bundle
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.record import to_text
from ensemble.store.repeats import store_of_cut
from tests.commands import run_here
from tests.competitions import BOOSTED, LINEAR, write_competition, write_config

pytestmark = pytest.mark.training
REPEATED = "folds: {n_folds: 3, repeats: 3}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_competition(tmp_path / "data")
    write_config(tmp_path / "small.yaml", LINEAR, BOOSTED, extra=REPEATED)
    return tmp_path


def train(folder: Path) -> str:
    found = run_here("train", "small.yaml", "--engine", "inline", cwd=folder)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_row_gets_the_mean_over_the_cuts(folder: Path) -> None:
    assert "18 folds to train" in train(folder)
    store = OofStore(folder / "oof" / "small")
    once = store.experiment().model_copy(update={"folds": store.experiment().folds.model_copy(update={"repeats": 1})})
    cuts = [store_of_cut(store, number) for number in range(3)]
    assert len({cut.ledger().sha256 for cut in cuts}) == 3
    each, found = [load_predictions(cut, once) for cut in cuts], load_predictions(store)
    np.testing.assert_allclose(found.oof_logits, np.mean([one.oof_logits for one in each], axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.test_logits, np.mean([one.test_logits for one in each], axis=0), rtol=1e-5)
    assert len(found.hashes) == 18
    for column, name in enumerate(found.members):
        for cut, (accuracy, loss) in zip(each, found.spreads[name].values(), strict=True):
            logits, labels = cut.oof_logits[:, column].astype(np.float64), cut.ledger.labels
            assert accuracy == ((logits >= 0) == (labels == 1)).mean()
            assert loss == pytest.approx(log_loss(logits, labels).mean())
    assert found.without(["linear"]).members == ["boosted"]
    assert len(found.without(["linear"]).hashes) == 9


def test_it_is_reported_and_blended(folder: Path) -> None:
    train(folder)
    assert run_here("blend", "small.yaml", cwd=folder).returncode == 0
    store = OofStore(folder / "oof" / "small")
    assert "Repeated folds" in (store.root / "report.md").read_text()
    assert (store.blend_folder / "submit.csv").exists()
    assert "nothing to do: all 18 folds" in train(folder)


def test_a_bundle_answers_with_the_models_of_all_cuts(folder: Path) -> None:
    train(folder)
    store = OofStore(folder / "oof" / "small")
    shutil.rmtree(store_of_cut(store, 1).fold_folder("linear", 0))  # so that its cuts are the first and the third
    assert run_here("blend", "small.yaml", cwd=folder).returncode == 0
    made = run_here("bundle", "oof/small", "-o", "faces.bundle", cwd=folder)
    assert made.returncode == 0, made.stderr
    expected = pd.read_csv(store.blend_folder / "submit.csv")
    bundle = load_bundle(folder / "faces.bundle")
    found = bundle.predict([folder / "data" / "test" / name for name in expected["name"]])
    np.testing.assert_allclose([answer.probability for answer in found], expected["pred"], atol=1e-5)
    folds = {member.name: len(member.folds) for member in bundle.manifest.members}
    assert folds == {name: {"linear": 6, "boosted": 9}[name] for name in folds}
    model = store_of_cut(store, 2).model_folder("boosted", 1) / "lightgbm.txt"
    model.write_text(model.read_text() + " ")
    refused = run_here("bundle", "oof/small", "-o", "again.bundle", cwd=folder)
    assert refused.returncode == 2
    assert "boosted has a damaged fold-1" in refused.stderr
    assert "in cut 3 of the folds" in " ".join(refused.stderr.split())


def test_a_cut_that_is_not_finished_does_not_count_and_is_gone_on_with(folder: Path) -> None:
    train(folder)
    store = OofStore(folder / "oof" / "small")
    before = load_predictions(store)
    shutil.rmtree(store_of_cut(store, 2).fold_folder("linear", 1))
    found = load_predictions(store)
    assert [len(found.spreads[member]) for member in found.members] == [2, 3]
    assert "1 fold to train, 17 finished already" in train(folder)
    np.testing.assert_array_equal(load_predictions(store).oof_logits, before.oof_logits)


def test_cuts_are_averaged_in_the_order_of_the_sample(folder: Path) -> None:
    """It may have changed since a further cut was trained."""
    train(folder)
    store = OofStore(folder / "oof" / "small")
    before, facts = load_predictions(store), store.facts()
    for each in ("names", "files"):
        facts["sample"][each].reverse()
    (store.root / "data.json").write_text(json.dumps(facts))
    np.testing.assert_allclose(load_predictions(store).test_logits, before.test_logits[::-1], rtol=1e-6)


def test_a_cut_that_cannot_be_read_is_said(folder: Path) -> None:
    train(folder)
    store = OofStore(folder / "oof" / "small")
    (store_of_cut(store, 1).root / "folds.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="no fold ledger that can be read"):
        load_predictions(store)
    train(folder)
    found = load_predictions(store)
    assert [len(found.spreads[member]) for member in found.members] == [3, 3]


def test_cuts_that_other_code_has_trained_are_not_averaged(folder: Path) -> None:
    train(folder)
    cut = store_of_cut(OofStore(folder / "oof" / "small"), 1)
    for fold in range(3):
        record = cut.record("linear", fold)
        assert record is not None
        other = replace(record, provenance=replace(record.provenance, code="of another version"))
        (cut.fold_folder("linear", fold) / "fold.json").write_text(to_text(other))
    found = load_predictions(OofStore(folder / "oof" / "small"))
    assert [len(found.spreads[member]) for member in found.members] == [2, 3]
    assert "3 folds to train, 15 finished already" in train(folder)


def test_more_repeats_keep_what_there_is(folder: Path) -> None:
    write_config(folder / "small.yaml", LINEAR, BOOSTED)
    train(folder)
    write_config(folder / "small.yaml", LINEAR, BOOSTED, extra="folds: {n_folds: 3, repeats: 2}")
    assert "6 folds to train, 6 finished already" in train(folder)
    assert not list((folder / "oof").glob("small~*")), "nothing was set aside"


def test_cuts_of_other_photographs_are_refused(folder: Path) -> None:
    train(folder)
    store = OofStore(folder / "oof" / "small")
    write_competition(folder / "more", train=44)
    write_config(folder / "other.yaml", LINEAR, BOOSTED, name="other", extra=REPEATED)
    assert run_here("train", "other.yaml", "--data", "more", "--engine", "inline", cwd=folder).returncode == 0
    shutil.rmtree(store_of_cut(store, 1).root)
    shutil.copytree(store_of_cut(OofStore(folder / "oof" / "other"), 1).root, store_of_cut(store, 1).root)
    with pytest.raises(UserError, match="was trained on different photographs"):
        load_predictions(store)
