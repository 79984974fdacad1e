"""The store and what is read from it: whatever was tampered with is noticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import to_probabilities
from ensemble.core.storage.files import new_file, new_folder, put_back, remove_unfinished
from ensemble.engine.recipes.saving import load_model
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.record import FoldState, Provenance
from tests.records import change_provenance, reseal, stored_predictions

PICKLES = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin"}


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    """A trained store that a test may change."""
    return OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))


def test_layout(trained: OofStore) -> None:
    files = {path.relative_to(trained.root).as_posix() for path in trained.root.rglob("*") if path.is_file()}
    assert {"experiment.yaml", "folds.parquet", "folds.json", "leaderboard.csv", "leaderboard.md"} <= files
    for member, model in (("linear", "model.skops"), ("boosted", "lightgbm.txt")):
        assert f"members/{member}/report.md" in files
        for fold in range(3):
            for name in ("predictions.parquet", "fold.json", f"model/{model}"):
                assert f"members/{member}/fold-{fold}/{name}" in files
    assert not [name for name in files if Path(name).suffix in PICKLES]


def test_predictions_by_pandas_equal_the_matrices(trained: OofStore) -> None:
    predictions = load_predictions(trained)
    tables = [pd.read_parquet(trained.fold_folder("boosted", fold) / "predictions.parquet") for fold in range(3)]
    assert list(tables[0].columns) == ["name", "fold", "split", "label", "pred"]
    together = pd.concat(tables)
    oof = together[together["split"] == "oof"].sort_values("name")
    column = predictions.members.index("boosted")
    np.testing.assert_allclose(oof["pred"], predictions.probabilities(column), atol=1e-6)
    assert oof["label"].tolist() == predictions.ledger.labels.tolist()
    mean_logit = np.mean(
        [np.log(t / (1 - t)) for t in (x[x["split"] == "test"]["pred"].to_numpy() for x in tables)], axis=0
    )
    np.testing.assert_allclose(
        to_probabilities(mean_logit), to_probabilities(predictions.test_logits[:, column]), atol=1e-6
    )


def test_a_saved_model_predicts_what_was_stored(trained: OofStore, competition_folder: Path) -> None:
    from ensemble.competition.dataset import Competition
    from members.forensics import LogDCT

    ledger = trained.ledger()
    features = LogDCT(cell=16).transform(Competition.open(competition_folder).decode())
    for member in ("linear", "boosted"):
        model = load_model(trained.fold_folder(member, 1) / "model", kind=None)
        stored = stored_predictions(trained, member, 1)
        found = model.predict_proba(features[ledger.heldout(1)])[:, 1]
        np.testing.assert_allclose(found, stored[stored["split"] == "oof"]["pred"], atol=1e-12)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def unsign(record: Path) -> None:
    """Remove the record's checksum of itself, which those of the first version had not."""
    content = json.loads(record.read_text())
    del content["sha256"]
    record.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "file"),
    [
        (unsign, "fold.json"),
        (truncate, "predictions.parquet"),
        (flip_a_bit, "predictions.parquet"),
        (Path.unlink, "predictions.parquet"),
        (truncate, "fold.json"),
        (Path.unlink, "fold.json"),
        (truncate, "model/model.skops"),
        (flip_a_bit, "model/model.skops"),
        (Path.unlink, "model/model.skops"),
    ],
)
def test_a_damaged_fold_is_not_finished(store: OofStore, damage: object, file: str) -> None:
    record = store.record("linear", 1)
    assert record is not None
    assert store.state("linear", 1, record.provenance).is_valid
    damage(store.fold_folder("linear", 1) / file)  # type: ignore[operator]
    state = store.state("linear", 1, record.provenance)
    assert state == FoldState("stale", (f"its files are damaged ({file})",))
    if not file.startswith("model/"):  # of which a blend reads nothing
        assert load_predictions(store).partial["linear"].startswith("2 of 3 folds")


def test_folds_of_different_code_are_not_one_member(store: OofStore) -> None:
    change_provenance(store.fold_folder("linear", 0), code="0" * 64)
    assert load_predictions(store).left_out == {"linear": "folds made by different versions of its code; train again"}


def test_swapped_folds_are_noticed(store: OofStore) -> None:
    first, second, third = (store.member_folder("linear") / name for name in ("fold-0", "fold-1", "x"))
    first.rename(third), second.rename(first), third.rename(second)
    assert load_predictions(store).partial["linear"].startswith("1 of 3 folds")


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        (0, "name", "foreign.png", "foreign.png"),
        (0, "label", 5, "different labels for"),
        (-1, "name", "x.png", "test rows"),
    ],
)
def test_rows_that_are_not_the_ledgers_are_named(
    store: OofStore, row: int, column: str, value: object, expected: str
) -> None:
    folder = store.fold_folder("linear", 2)
    table = pd.read_parquet(folder / "predictions.parquet")
    table.loc[table.index[row], column] = value
    reseal(folder, table)
    with pytest.raises(UserError, match=expected):
        load_predictions(store)


def test_another_ledger_is_an_error(store: OofStore) -> None:
    change_provenance(store.fold_folder("linear", 0), folds="0" * 64)
    with pytest.raises(UserError, match="different folds"):
        load_predictions(store)


def test_changes_are_named() -> None:
    old = Provenance({"model": {"use": "a.B", "leaves": 15}, "seed": 0}, "f", "d", "c")
    new = Provenance({"model": {"use": "a.B", "leaves": 31, "depth": 2}, "seed": 0}, "f", "d", "other")
    assert old.changes(new) == ["code", "config.model.leaves: 15 -> 31", "config.model.depth: None -> 2"]
    assert old.changes(old) == []


def fail_halfway(context: Any) -> None:
    with context as path:
        (path / "a" if path.is_dir() else path).write_text("new")
        raise RuntimeError("disk full")


def test_a_failed_write_leaves_the_old(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("old")
    (tmp_path / "file").write_text("old")
    for context in (new_folder(tmp_path / "folder"), new_file(tmp_path / "file")):
        with pytest.raises(RuntimeError):
            fail_halfway(context)
    assert (tmp_path / "folder" / "a").read_text() == (tmp_path / "file").read_text() == "old"
    with new_folder(tmp_path / "folder") as folder:
        (folder / "b").write_text("new")
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {"file", "folder", "folder/b"}


HALF = f".unfinished-{'a' * 32}"  # how the names of unfinished files begin


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{HALF}-fold-0").mkdir(parents=True)
    (tmp_path / f"{HALF}-submit.csv").write_text("half")
    (tmp_path / "kept").write_text("whole")
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_what_training_has_left_is_removed_and_what_others_are_writing_is_not(
    trained: OofStore, tmp_path: Path
) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    others = [
        store.root / "tune" / "cnn" / "members" / "cnn" / f"{HALF}-fold-0",
        store.root / "members" / f"{HALF}-theirs" / f"{HALF}-fold-0",
        store.root / f"{HALF}-blend",
    ]
    mine = [store.member_folder("linear") / f"{HALF}-fold-1", store.root / f"{HALF}-data.json"]
    for folder in [*others, *mine]:
        folder.mkdir(parents=True)
    store.begin(store.experiment(), store.ledger(), store.sample(), store.facts())
    assert all(folder.is_dir() for folder in others)
    assert not any(folder.exists() for folder in mine)


@pytest.mark.parametrize(
    ("left", "name", "back"),
    [("~faces[1]", "faces[1]", True), ("-theirs", "theirs", False), ("-x~theirs", "theirs", False)],
)
def test_only_an_old_folder_of_the_name_is_put_back(tmp_path: Path, left: str, name: str, back: bool) -> None:
    (tmp_path / f"{HALF}{left}").mkdir()
    put_back(tmp_path / name)
    assert (tmp_path / name).exists() == back


def test_only_what_is_asked_for_is_removed(tmp_path: Path) -> None:
    for name in ("a.json", "b.yaml", "c.csv"):
        (tmp_path / f"{HALF}-{name}").write_text("half")
    (tmp_path / f"{HALF}~d.json").mkdir()
    (tmp_path / ".unfinished-photographs-c.json").write_text("somebody's")
    remove_unfinished(tmp_path, "*.json", "b.yaml")
    assert {path.name for path in tmp_path.rglob("*")} == {
        f"{HALF}-c.csv",
        "d.json",
        ".unfinished-photographs-c.json",
    }
