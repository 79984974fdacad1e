from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from ensemble.blend.manifest import rebuild
from ensemble.blend.run import blend
from ensemble.errors import UserError
from ensemble.metrics import is_right
from ensemble.oof import OofStore
from ensemble.predictions import load_predictions
from ensemble.report.leaderboard import leaderboard


@pytest.fixture(scope="module")
def blended(trained: OofStore, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path_factory.mktemp("blend") / "small")))
    blend(store)
    return store


def manifest(store: OofStore) -> dict[str, object]:
    content: dict[str, object] = json.loads((store.root / "blend" / "blend.json").read_text())
    return content


def test_submission_has_the_samples_rows_in_its_order(blended: OofStore, competition_folder: Path) -> None:
    sample = pd.read_csv(competition_folder / "submit.csv")
    found = pd.read_csv(blended.root / "blend" / "submit.csv")
    assert list(found.columns) == list(sample.columns)
    assert found["name"].tolist() == sample["name"].tolist()
    assert found["pred"].between(0, 1).all()


def test_blending_again_gives_the_same_bytes(blended: OofStore) -> None:
    before = (blended.root / "blend" / "submit.csv").read_bytes()
    first = manifest(blended)
    blend(blended)
    assert (blended.root / "blend" / "submit.csv").read_bytes() == before
    assert manifest(blended) == first


def test_the_manifest_rebuilds_the_same_bytes(blended: OofStore, tmp_path: Path) -> None:
    sha256 = rebuild(blended.root / "blend" / "blend.json", blended, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (blended.root / "blend" / "submit.csv").read_bytes()
    assert sha256 == manifest(blended)["submission_sha256"]


def test_a_manifest_of_other_predictions_is_refused(blended: OofStore, tmp_path: Path) -> None:
    content = manifest(blended)
    content["predictions_sha256"]["linear/fold-0"] = "0"  # type: ignore[index]
    (tmp_path / "blend.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="linear/fold-0"):
        rebuild(tmp_path / "blend.json", blended, tmp_path / "again.csv")
    assert not (tmp_path / "again.csv").exists()


def test_an_edited_manifest_is_refused(blended: OofStore, tmp_path: Path) -> None:
    content = manifest(blended)
    content["weights"] = [1.0, 0.0]
    (tmp_path / "blend.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="was it edited"):
        rebuild(tmp_path / "blend.json", blended, tmp_path / "again.csv")
    assert not (tmp_path / "again.csv").exists()


def test_a_config_decides_what_is_blended(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    experiment = store.experiment()
    settings = experiment.blend.model_copy(update={"methods": ("greedy",)})
    changed = experiment.model_copy(update={"blend": settings, "members": experiment.members[:1]})
    result = blend(store, changed)
    assert (result["members"], list(result["blenders"])) == (["linear"], ["greedy"])
    assert not (store.blend_folder / "study.db").exists(), "no study of an earlier blend is left behind"


@pytest.mark.parametrize("file", ["oof.parquet", "blend.json"])
def test_a_blend_that_was_tampered_with_is_not_shown(blended: OofStore, tmp_path: Path, file: str) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    predictions = load_predictions(store)
    assert leaderboard(store, predictions)["measured_on"].tolist() == ["nested OOF", "OOF", "OOF"]
    path = store.blend_folder / file
    path.write_bytes(path.read_bytes()[:-9])
    assert leaderboard(store, predictions)["measured_on"].tolist() == ["OOF", "OOF"]


def test_the_manifests_score_is_that_of_the_stored_oof(blended: OofStore) -> None:
    table = pd.read_parquet(blended.root / "blend" / "oof.parquet")
    accuracy = is_right(table["pred"].to_numpy(), table["label"].to_numpy()).mean()
    content = manifest(blended)
    summary = content["blenders"][content["chosen"]]  # type: ignore[index]
    assert summary["nested"]["accuracy"] == accuracy
    assert summary["optimism"] == pytest.approx(summary["in_sample"]["accuracy"] - accuracy)


def test_the_studies_can_be_opened(blended: OofStore) -> None:
    storage = f"sqlite:///{blended.root / 'blend' / 'study.db'}"
    assert set(optuna.study.get_all_study_names(storage)) == {"weights", "stacking"}
    assert len(optuna.load_study(study_name="weights", storage=storage).trials) == 10


def test_an_incomplete_member_is_left_out_and_said(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    shutil.rmtree(store.fold_folder("linear", 2))
    result = blend(store)
    assert result["members"] == ["boosted"]
    assert result["left_out"] == {"linear": "2 of 3 folds (not trained)"}


def test_the_mean_blend_by_hand(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    experiment = store.experiment()
    only_mean = experiment.model_copy(update={"blend": experiment.blend.model_copy(update={"methods": ("mean",)})})
    assert blend(store, only_mean)["chosen"] == "mean"
    logits = []
    for member in ("linear", "boosted"):
        for fold in range(3):
            table = pd.read_parquet(store.fold_folder(member, fold) / "predictions.parquet")
            p = np.clip(table[table["split"] == "test"]["pred"].to_numpy(), 1e-7, 1 - 1e-7)
            logits.append(np.log(p / (1 - p)))
    expected = 1 / (1 + np.exp(-np.mean(logits, axis=0)))
    np.testing.assert_allclose(pd.read_csv(store.root / "blend" / "submit.csv")["pred"], expected, atol=1e-7)
