"""More labelled photographs: old folds stay, what can be kept is kept, and nothing is lost."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.pipeline import Pipeline

from ensemble.config.experiment import DataSettings
from ensemble.config.members import PseudoLabels
from ensemble.core.metrics.scores import to_probabilities
from ensemble.core.storage.files import folder_content
from ensemble.core.storage.lock import only_writer
from ensemble.engine.recipes.build import build
from ensemble.engine.recipes.saving import model_of_files
from ensemble.engine.tasks.base import fake_probability
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.record import to_text
from tests.commands import Result, run_here
from tests.competitions import BOOSTED, LINEAR, photograph, write_competition, write_config, write_rows
from tests.records import change_provenance

pytestmark = pytest.mark.training
NO_MODEL = """
  - name: forgetful
    model: {use: tests.ensemble.grow.test_update.Forgetful}
"""


class Forgetful:
    """A classifier that cannot be stored."""

    def get_params(self, deep: bool = True) -> dict[str, object]:
        return {}

    def set_params(self, **_: object) -> Forgetful:
        return self

    def fit(self, X: object, y: np.ndarray) -> Forgetful:
        self.classes_, self.share_ = np.array([0, 1]), y.mean()
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.tile([1 - self.share_, self.share_], (len(X), 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trained store, and the same competition with more photographs."""
    write_competition(tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "more")
    rows = [[f"{n:05d}.png", n % 2] for n in range(40)]
    for number in range(20):
        Image.fromarray(photograph(700 + number, number % 2 == 1)).save(
            tmp_path / "more" / "train" / f"new{number}.png"
        )
        rows.append([f"new{number}.png", number % 2])
    write_rows(tmp_path / "more" / "train.csv", ["name", "target"], rows)
    write_config(tmp_path / "small.yaml", LINEAR, BOOSTED)
    assert run_here("train", "small.yaml", "--engine", "inline", cwd=tmp_path).returncode == 0
    return tmp_path


def update(folder: Path, *options: object) -> Result:
    return run_here("update", "small.yaml", "--data", "more", "--engine", "inline", *options, cwd=folder)


def test_old_predictions_stay_and_new_ones_are_of_models_that_have_not_seen_them(folder: Path) -> None:
    store = OofStore(folder / "oof" / "small")
    before, ledger = load_predictions(store), store.ledger()
    found = update(folder)
    assert found.returncode == 0, found.stderr
    assert "20 new photographs; the old folds stay" in found.stdout
    assert "linear: kept, its models predict the new photographs" in found.stdout
    now, after = store.ledger().table.set_index("name"), load_predictions(store)
    was = ledger.table.set_index("name")
    assert (now.loc[was.index, "fold"] == was["fold"]).all()
    rows = store.ledger().table["name"].isin(was.index).to_numpy()
    np.testing.assert_array_equal(after.oof_logits[rows], before.oof_logits)
    np.testing.assert_array_equal(after.test_logits, before.test_logits)
    assert np.isfinite(after.oof_logits).all()
    labels = store.ledger().labels[~rows]
    assert ((after.oof_logits[~rows, 0] >= 0) == (labels == 1)).mean() > 0.7
    record = store.record("linear", 0)
    assert record is not None
    assert record.model_note == f"learned from {len(ledger.training(0))} photographs, before others arrived"
    trained = run_here("train", "small.yaml", "--data", "more", "--engine", "inline", cwd=folder)
    assert "nothing to do" in trained.stdout
    assert run_here("blend", "small.yaml", cwd=folder).returncode == 0


def test_the_old_store_is_kept_beside_it(folder: Path) -> None:
    sha256 = OofStore(folder / "oof" / "small").ledger().sha256
    assert update(folder).returncode == 0
    (aside,) = (folder / "oof").glob("small~2*")
    assert OofStore(aside).ledger().sha256 == sha256
    assert len(list(aside.rglob("members/*/*/fold.json"))) == 6
    assert not (folder / "oof" / "small~update").exists()


def test_a_member_can_be_trained_again_on_all_photographs(folder: Path) -> None:
    found = update(folder, "--again", "boosted")
    assert "boosted: to be trained again (by request), about" in found.stdout
    trained = run_here("train", "small.yaml", "--data", "more", "--engine", "inline", cwd=folder)
    assert "3 folds to train, 3 finished already" in trained.stdout
    assert not list((folder / "oof").glob("small~2*"))[1:], "the store was not set aside again"


def test_members_that_have_not_learned_what_arrived_are_not_compared_on_clusters(folder: Path) -> None:
    assert update(folder).returncode == 0
    assert run_here("train", "small.yaml", "--data", "more", "--engine", "inline", cwd=folder).returncode == 0
    assert run_here("blend", "small.yaml", cwd=folder).returncode == 0
    assert "learned fewer photographs" in (folder / "oof" / "small" / "model_card.md").read_text()
    found = run_here("generators", "small.yaml", "--data", "more", "--engine", "inline", cwd=folder)
    assert found.returncode == 2
    assert "(has not learned photographs that arrived later: run ensemble update --again for it)" in found.stderr


def test_further_cuts_of_the_folds_are_said_to_be_trained_again(folder: Path) -> None:
    write_config(folder / "small.yaml", LINEAR, BOOSTED, extra="folds: {n_folds: 3, repeats: 2}")
    assert run_here("train", "small.yaml", "--engine", "inline", cwd=folder).returncode == 0
    found = update(folder)
    assert found.returncode == 0, found.stderr
    assert "1 further cut of the folds: to be trained again, all members, about" in found.stdout
    trained = run_here("train", "small.yaml", "--data", "more", "--engine", "inline", cwd=folder)
    assert "6 folds to train, 6 finished already" in trained.stdout


def test_a_member_without_a_model_is_said_to_be_trained_again(folder: Path) -> None:
    write_config(folder / "small.yaml", LINEAR, NO_MODEL)
    assert run_here("train", "small.yaml", "--engine", "inline", cwd=folder).returncode == 0
    found = update(folder)
    assert found.returncode == 0, found.stderr
    assert "forgetful: to be trained again (" in found.stdout


def test_a_member_whose_code_has_changed_is_not_kept(folder: Path) -> None:
    store = OofStore(folder / "oof" / "small")
    for fold in range(3):
        record = store.record("boosted", fold)
        assert record is not None
        old = replace(record, provenance=replace(record.provenance, code="of another version"))
        (store.fold_folder("boosted", fold) / "fold.json").write_text(to_text(old))
    found = update(folder)
    assert "boosted: to be trained again (its code has changed since)" in found.stdout
    assert store.record("boosted", 1) is None
    assert store.record("linear", 1) is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("gone", "00003.png: no longer there; train a new experiment"),
        ("label", "00003.png: labelled differently"),
        ("picture", "train/00003.png: a different photograph"),
        ("sample", "the sample submission has changed"),
        ("nothing", "has no photographs that are new"),
    ],
)
def test_what_has_changed_is_refused_and_nothing_is_lost(folder: Path, change: str, words: str) -> None:
    table = pd.read_csv(folder / "more" / "train.csv")
    if change == "gone":
        table = table[table["name"] != "00003.png"]
        (folder / "more" / "train" / "00003.png").unlink()
    elif change == "label":
        table.loc[table["name"] == "00003.png", "target"] = 0
    elif change == "picture":
        Image.fromarray(photograph(999, True)).save(folder / "more" / "train" / "00003.png")
    elif change == "sample":
        write_rows(folder / "more" / "submit.csv", ["name", "pred"], [[f"{n:05d}.png", 0] for n in range(11)])
        (folder / "more" / "test" / "00011.png").unlink()
    else:
        shutil.rmtree(folder / "more")
        shutil.copytree(folder / "data", folder / "more")
        table = pd.read_csv(folder / "more" / "train.csv")
    table.to_csv(folder / "more" / "train.csv", index=False)
    found = update(folder)
    assert found.returncode == 2
    assert words in found.stderr
    assert [path.name for path in (folder / "oof").glob("small*")] == ["small"]


def test_groups_of_old_photographs_that_have_changed_are_refused(folder: Path) -> None:
    shutil.rmtree(folder / "oof")
    config = folder / "small.yaml"
    config.write_text(config.read_text().replace("name: small\n", "name: small\ndata: {group_column: who}\n"))
    for data, group in (("data", "g3"), ("more", "g4")):
        table = pd.read_csv(folder / data / "train.csv")
        table["who"] = [f"g{row}" for row in range(len(table))]
        table.loc[table["name"] == "00003.png", "who"] = group
        table.to_csv(folder / data / "train.csv", index=False)
    assert run_here("folds", "cut", "small.yaml", cwd=folder).returncode == 0
    found = update(folder)
    assert found.returncode == 2
    assert "groups of old photographs have changed" in found.stderr


def test_folds_that_nobody_has_trained_on_are_extended(folder: Path) -> None:
    shutil.rmtree(folder / "oof")
    assert run_here("folds", "cut", "small.yaml", cwd=folder).returncode == 0
    before = OofStore(folder / "oof" / "small").ledger()
    assert update(folder).returncode == 0
    after = OofStore(folder / "oof" / "small").ledger().table.set_index("name")
    assert len(after) == 60
    assert (after.loc[before.table["name"], "fold"].to_numpy() == before.folds).all()


def test_a_member_that_has_learned_test_photographs_is_not_kept(folder: Path) -> None:
    store = OofStore(folder / "oof" / "small")
    asking = store.experiment()
    linear = asking.members[0].model_copy(update={"pseudo_labels": PseudoLabels()})
    asking = asking.model_copy(update={"members": (linear, asking.members[1])})
    (store.root / "experiment.yaml").write_text(asking.to_yaml())
    for fold in range(3):
        change_provenance(store.fold_folder("linear", fold), recipe=linear.recipe)  # else it is of another config
    found = update(folder)
    assert found.returncode == 0, found.stderr
    assert "linear: to be trained again (it has learned test photographs" in found.stdout
    assert "boosted: kept" in found.stdout


@pytest.mark.parametrize("what", ["train", "blend", "robustness"])
def test_nobody_else_may_write_meanwhile(folder: Path, what: str) -> None:
    with only_writer(folder / "oof" / "small", what):
        found = update(folder)
    assert found.returncode == 2
    assert f"another process is writing to oof/small ({what})" in found.stderr


def test_photographs_that_new_ones_may_crop_are_refused(folder: Path) -> None:
    store = OofStore(folder / "oof" / "small")
    cropped = store.experiment().model_copy(update={"data": DataSettings(on_size_mismatch="crop")})
    (store.root / "experiment.yaml").write_text(cropped.to_yaml())
    found = update(folder)
    assert found.returncode == 2
    assert "cropped to the smallest size" in found.stderr


@pytest.mark.parametrize("ended", [False, True])
def test_a_search_that_runs_keeps_its_store(folder: Path, ended: bool) -> None:
    search = folder / "oof" / "small" / "tune" / "linear"
    search.mkdir(parents=True)
    if ended:
        (search / "result.json").write_text("{}")
    with only_writer(folder / "oof" / "small", "tune-linear"):
        found = update(folder)
    assert found.returncode == 2
    assert "another process is writing to oof/small (tune-linear)" in found.stderr


def test_a_new_photograph_is_predicted_by_the_model_of_its_own_fold(folder: Path) -> None:
    assert update(folder).returncode == 0
    store = OofStore(folder / "oof" / "small")
    ledger, logits, recipe = (
        store.ledger(),
        load_predictions(store).oof_logits[:, 0],
        store.experiment().members[0].features,
    )
    assert recipe is not None
    for fold in range(3):
        rows = [row for row in ledger.heldout(fold) if ledger.table["name"][row].startswith("new")]
        paths = [folder / "more" / "train" / ledger.table["name"][row] for row in rows]
        pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
        model = store.fold_folder("linear", fold) / "model"
        fitted = model_of_files(folder_content(model), Pipeline)
        expected = fake_probability(fitted, build(recipe).transform(pixels))
        np.testing.assert_allclose(to_probabilities(logits[rows]), expected, atol=1e-5)
