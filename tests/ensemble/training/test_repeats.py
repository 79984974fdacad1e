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
from ensemble.store.predictions import load_predictions, member_cost
from ensemble.store.record import to_text
from ensemble.store.repeats import store_of_cut
from ensemble.store.results import ALL
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
    assert "boosted has a damaged fold-1 of cut 3 of the folds" in refused.stderr


def test_altered_photographs_are_predicted_by_the_models_of_all_cuts(folder: Path) -> None:
    train(folder)
    assert run_here("blend", "small.yaml", cwd=folder).returncode == 0
    options = ("--engine", "inline", "--photographs", 0, "--alterations", "jpeg_50_420")
    found = run_here("robustness", "oof/small", *options, cwd=folder)
    assert found.returncode == 0, found.stderr
    assert "differently" not in found.stdout
    store = OofStore(folder / "oof" / "small")
    check = json.loads((store.root / "robustness" / "robustness.json").read_text())["check"]
    assert max(check["members"].values()) < 1e-3
    assert check["blend"]["rows_that_differ"] == 0


def test_clusters_are_compared_with_one_cut(folder: Path) -> None:
    train(folder)
    found = run_here("generators", "oof/small", "--engine", "inline", cwd=folder)
    assert found.returncode == 0, found.stderr
    store = OofStore(folder / "oof" / "small")
    table = pd.read_parquet(store.root / "generators" / "generators.parquet").set_index(["member", "cluster"])
    first = load_predictions(store, store.experiment().on_first_cut())
    right = (first.oof_logits[:, first.members.index("linear")] >= 0) == (first.ledger.labels == 1)
    row = table.loc[("linear", ALL)]
    assert row["accuracy"] - row["accuracy_change"] == pytest.approx(right.mean())


def test_pages_and_costs_are_of_all_cuts(folder: Path) -> None:
    write_config(folder / "small.yaml", LINEAR)
    train(folder)
    store = OofStore(folder / "oof" / "small")
    page, before = store.member_folder("linear") / "report.md", load_predictions(store)
    assert "cut once for all members" in (store.root / "model_card.md").read_text()
    once = page.read_text()
    write_config(folder / "small.yaml", LINEAR, extra=REPEATED)
    train(folder)
    assert run_here("blend", "small.yaml", cwd=folder).returncode == 0
    assert "cut 3 times, the logits being means over the cuts" in (store.root / "model_card.md").read_text()
    assert page.read_text() != once, "its scores are of the means now"
    after = load_predictions(store)
    fitted = sum(record.seconds for cut in range(3) for record in after.records_of("linear", cut))
    assert member_cost("linear", after)["seconds"] > fitted > sum(r.seconds for r in before.records_of("linear"))


def test_what_one_cut_has_measured_is_not_tried_again_for_the_next(folder: Path) -> None:
    write_config(folder / "small.yaml", LINEAR, extra=REPEATED)
    found = run_here("train", "small.yaml", "--engine", "inline", "--budget", "10min", cwd=folder)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("trying linear") == 1
    assert len(load_predictions(OofStore(folder / "oof" / "small")).spreads["linear"]) == 3


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


def test_members_that_the_config_no_longer_names_are_said(folder: Path) -> None:
    train(folder)
    write_config(folder / "small.yaml", LINEAR)
    assert "but not in this config, and so left out from now on: boosted" in train(folder)
    assert "left out from now on" not in train(folder)
