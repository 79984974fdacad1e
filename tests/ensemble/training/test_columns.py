"""A few feature columns of every photograph, for the blender that reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from ensemble.blend.run import blend
from ensemble.competition.dataset import Competition
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.engine.recipes import code
from ensemble.store.columns import columns_missing, read_columns
from ensemble.store.oof import OofStore
from members.forensics import LogDCT
from tests.competitions import LINEAR, write_competition
from tests.conftest import train_inline


def config(path: Path, cell: int = 8, methods: str = "[mean, boosted]") -> Path:
    columns = f"{{use: members.forensics.LogDCT, cell: {cell}}}"
    settings = f"{{trials: 10, methods: {methods}, columns: {columns}}}"
    path.write_text(f"name: small\nfolds: {{n_folds: 3}}\nblend: {settings}\nmembers:{LINEAR}")
    return path


@pytest.fixture(scope="module")
def filled(competition_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    folder = tmp_path_factory.mktemp("columns")
    return train_inline(config(folder / "c.yaml"), competition_folder, folder / "oof")


@pytest.mark.training
def test_columns_are_those_of_the_photographs(filled: OofStore, competition_folder: Path) -> None:
    found = read_columns(filled, filled.ledger())
    assert found is not None
    expected = LogDCT(cell=8).transform(Competition.open(competition_folder).decode())
    np.testing.assert_array_equal(np.concatenate(found), expected)


@pytest.mark.training
def test_those_of_other_versions_of_libraries_are_made_again(
    filled: OofStore, competition_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    competition, recipe = Competition.open(competition_folder), filled.experiment().blend.columns
    assert recipe is not None
    assert not columns_missing(recipe, competition, filled)
    monkeypatch.setattr(code, "_installed_version", lambda root: f"{root}==99")
    assert columns_missing(recipe, competition, filled)


@pytest.mark.training
def test_the_blender_reads_them(filled: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(filled.root, tmp_path / "small")))
    content = blend(store)
    assert content["columns_sha256"] is not None
    assert set(content["blenders"]) == {"mean", "boosted"}
    other = store.experiment()
    recipe = other.blend.columns.model_copy(update={"cell": 5})  # type: ignore[union-attr]
    other = other.model_copy(update={"blend": other.blend.model_copy(update={"columns": recipe})})
    assert blend(store, other)["columns_sha256"] is None, "those of another recipe are not read"
    (store.root / "columns.parquet").unlink()
    assert blend(store)["columns_sha256"] is None, "without them it reads the logits alone"


@pytest.mark.training
def test_a_second_run_makes_them_only_when_something_changed(
    filled: OofStore, competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = OofStore(Path(shutil.copytree(filled.root, tmp_path / "oof" / "small")))
    before = (store.root / "columns.parquet").read_bytes()
    train_inline(config(tmp_path / "c.yaml"), competition_folder, tmp_path / "oof")
    assert "nothing to do" in capsys.readouterr().out
    train_inline(config(tmp_path / "c.yaml", cell=4), competition_folder, tmp_path / "oof")
    assert "features members.forensics.LogDCT" in capsys.readouterr().out
    assert (store.root / "columns.parquet").read_bytes() != before
    assert store.record("linear", 0) is not None, "the members stay as they are"
    (store.root / "columns.parquet").write_bytes(b"no parquet")
    train_inline(config(tmp_path / "c.yaml", cell=4), competition_folder, tmp_path / "oof")
    assert read_columns(store, store.ledger()) is not None
    untold = parquet.read_table(store.root / "columns.parquet")
    metadata = {key: value for key, value in untold.schema.metadata.items() if key != b"recipe"}
    parquet.write_table(untold.replace_schema_metadata(metadata), store.root / "columns.parquet")
    recipe = store.experiment().blend.columns
    assert read_columns(store, store.ledger(), recipe) is None
    train_inline(config(tmp_path / "c.yaml", cell=4), competition_folder, tmp_path / "oof")
    assert read_columns(store, store.ledger(), recipe) is not None


@pytest.mark.training
def test_columns_that_fail_cost_no_member(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path / "c.yaml")
    path.write_text(path.read_text().replace("members.forensics.LogDCT, cell: 8}}", "tests.foreign.RaisesFeatures}}"))
    experiment = load_experiment(path)
    assert experiment.blend.columns is not None
    store = train_inline(path, competition_folder, tmp_path / "oof")
    said = capsys.readouterr().out
    assert "columns.parquet could not be made: " in said
    assert "no features today" in said
    assert store.record("linear", 2) is not None
    assert blend(store)["columns_sha256"] is None


@pytest.mark.training
def test_another_order_of_the_sample(competition_folder: Path, tmp_path: Path) -> None:
    """The same photographs in another order: the columns follow their names."""
    data = write_competition(tmp_path / "data")
    store = train_inline(config(tmp_path / "c.yaml"), data, tmp_path / "oof")
    first = read_columns(store, store.ledger())
    facts = json.loads((store.root / "data.json").read_text())
    facts["sample"]["names"].reverse()
    (store.root / "data.json").write_text(json.dumps(facts))
    second = read_columns(store, store.ledger())
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first[1][::-1], second[1])
    assert len(pd.read_parquet(store.root / "columns.parquet")) == 52


def test_a_wrong_path_is_told_before_anything_runs(competition_folder: Path, tmp_path: Path) -> None:
    path = config(tmp_path / "c.yaml")
    path.write_text(path.read_text().replace("members.forensics.LogDCT, cell: 8}}", "nowhere.Nothing}}"))
    with pytest.raises(UserError, match="no module 'nowhere'"):
        train_inline(path, competition_folder, tmp_path / "oof")
    assert not (tmp_path / "oof" / "small" / "members").exists()
