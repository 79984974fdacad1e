"""The commands on an object store: the same bytes as in a folder, and no work of anybody's lost."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ensemble.blend.__main__ import import_member
from ensemble.blend.__main__ import main as blend
from ensemble.competition.dataset import Competition
from ensemble.core.storage import lease as leases
from ensemble.core.storage.files import Location, local_copy
from ensemble.core.storage.lock import only_writer
from ensemble.core.storage.remote import RemotePath
from ensemble.engine.features import table as features
from ensemble.report.__main__ import main as report
from ensemble.store.folds_command import export
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.train import main as train
from tests.competitions import BOOSTED, LINEAR, pack, write_competition, write_config
from tests.storage import content, fill, invoke, make_bucket, new_place, s3_at

# A .skops is a ZIP archive with the time of day in it.
SAME = ("predictions.parquet", "submit.csv", "oof.parquet", "folds.parquet", "folds.json", "lightgbm.txt")


def succeed(command: Any, *args: object) -> str:
    found = invoke(command, *args)
    assert found.exit_code == 0, (found.output, found.exception)
    return str(found.output)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("config") / "c.yaml", LINEAR, BOOSTED)


@pytest.fixture(scope="module")
def local(trained: OofStore, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    """What the commands make in a folder."""
    root = Path(shutil.copytree(trained.root, tmp_path_factory.mktemp("local") / "oof" / "small"))
    succeed(blend, root)
    return OofStore(root)


@pytest.fixture(scope="module")
def remote(s3_url: str, config: Path, competition_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Data and store on S3, trained by the command itself; read only."""
    with s3_at(s3_url):
        make_bucket()
        root = new_place("s3", tmp_path_factory.mktemp("remote"))
        data = fill(root / "data", competition_folder)
        command = [sys.executable, "-m", "ensemble.train", config, "--data", data, "--oof", root / "oof"]
        run = subprocess.run([*map(str, command), "--engine", "inline"], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
        succeed(blend, "--oof", root / "oof")
        succeed(train, config, "--data", data, "--oof", root / "oof")  # has the photographs that this blend shows
        yield OofStore(root / "oof" / "small")


def same_bytes(store: OofStore) -> dict[str, bytes]:
    return {name: found for name, found in content(store.root).items() if name.endswith(SAME)}


@pytest.mark.training
def test_train_and_blend_give_the_bytes_of_a_local_run(local: OofStore, remote: OofStore) -> None:
    expected, found = same_bytes(local), same_bytes(remote)
    assert len(expected) == 6 + 3 + 4
    assert {name: found.get(name) == expected[name] for name in expected} == dict.fromkeys(expected, True)


@pytest.mark.training
def test_nothing_is_left_but_the_store(remote: OofStore) -> None:
    names = {name.partition("/")[0] for name in content(remote.root.parent)}
    assert names == {"small", ".features"}
    assert not [name for name in content(remote.root.parent) if "unfinished" in name]


def test_a_second_run_does_nothing(remote: OofStore, config: Path) -> None:
    root = remote.root.parent
    before = content(root)
    said = succeed(train, config, "--data", root.parent / "data", "--oof", root, "--engine", "inline")
    assert f"nothing to do: all 6 folds of {root}/small" in said
    assert content(root) == before


@pytest.mark.training
def test_reports_and_exports_are_read_from_it(remote: OofStore, local: OofStore, tmp_path: Path) -> None:
    assert "linear" in succeed(report, "--oof", remote.root.parent)
    succeed(export, remote.root, "-o", tmp_path / "folds.csv")
    succeed(export, remote.root, "-o", remote.root.parent.parent / "folds.csv")
    assert (remote.root.parent.parent / "folds.csv").read_bytes() == (tmp_path / "folds.csv").read_bytes()
    assert len(pd.read_csv(tmp_path / "folds.csv")) == 40


@pytest.mark.training
def test_a_submission_is_made_again_from_it(remote: OofStore) -> None:
    rebuilt = remote.root.parent.parent / "again.csv"
    succeed(blend, remote.root, "--rebuild", remote.blend_folder / "blend.json", "-o", rebuilt)
    assert rebuilt.read_bytes() == (remote.blend_folder / "submit.csv").read_bytes()
    with local_copy(remote.blend_folder / "study.db") as file:
        assert sqlite3.connect(file).execute("select count(*) from trials").fetchone()[0] > 0


@pytest.mark.training
def test_the_features_are_cached_beside_it(
    remote: OofStore, competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a chunk was computed again")

    monkeypatch.setattr(features, "write_chunk", never)
    other = write_config(tmp_path / "other.yaml", LINEAR, name="other")
    succeed(train, other, "--data", competition_folder, "--oof", remote.root.parent, "--engine", "inline")
    files = [name for name in content(remote.root.parent) if name.startswith("other/")]
    (remote.root.parent).remove_files(files)  # type: ignore[union-attr]


@pytest.mark.training
@pytest.mark.fault("two drivers at once")
def test_a_second_driver_is_refused(remote: OofStore, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT", 0.1)
    root = remote.root.parent
    command = [sys.executable, "-m", "ensemble.train", config, "--data", root.parent / "data", "--oof", root]
    with only_writer(remote.root, "train"):
        run = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    told = run.stderr.splitlines()
    assert told[0].startswith(f"{remote.root} is locked by process ")
    assert told[1].startswith("another process is writing to ")
    assert len(told) == 2


@pytest.mark.parametrize("name", ["faces", "faces.tar.gz", "faces.tar", "faces.zip"])
def test_data_is_read_from_anywhere(competition_folder: Path, place: Location, tmp_path: Path, name: str) -> None:
    source = competition_folder
    if name != "faces":
        source = tmp_path / "source"
        source.mkdir()
        pack(competition_folder, source / name)
        for table in ("train.csv", "submit.csv"):
            shutil.copy(competition_folder / table, source)
    whole = Competition.open(competition_folder)
    data = fill(place / "d", source)
    for path in (data, data / name) if name != "faces" else (data,):
        found = Competition.open(path)
        assert found.sha256 == whole.sha256
        assert found.source == str(path)


@pytest.fixture
def store(trained: OofStore, place: Location) -> OofStore:
    assert isinstance(trained.root, Path)
    return OofStore(fill(place / "oof" / "small", trained.root))


@pytest.mark.training
@pytest.mark.parametrize("place", ["local", "memory"], indirect=True)
def test_work_on_other_data_is_set_aside_whole(store: OofStore, config: Path, tmp_path: Path) -> None:
    before = content(store.root)
    data = write_competition(tmp_path / "other", train=30, first=500)
    said = succeed(train, config, "--data", data, "--oof", store.root.parent, "--engine", "inline")
    assert "the finished work was moved to" in said
    (aside,) = store.root.parent.glob("small~*")
    assert content(aside) == before
    assert len(store.ledger().table) == 30
    assert load_predictions(store).partial == {}


@pytest.mark.parametrize("place", ["local", "memory"], indirect=True)
def test_a_member_that_was_trained_elsewhere_is_taken_in(store: OofStore, tmp_path: Path) -> None:
    ledger, sample = store.ledger(), store.sample()
    files = [tmp_path / "oof.csv", tmp_path / "test.csv"]
    ledger.table.assign(pred=0.3 + 0.4 * ledger.labels)[["name", "fold", "pred"]].to_csv(files[0], index=False)
    pd.DataFrame({"name": sample.names, "pred": 0.4}).to_csv(files[1], index=False)
    there = [fill_file(store.root.parent / file.name, file) for file in files]
    for _ in range(2):  # the second replaces the first
        said = succeed(
            import_member,
            "theirs",
            "--train-predictions",
            there[0],
            "--test-predictions",
            there[1],
            "--store",
            store.root,
        )
        assert "40 out-of-fold and 12 test rows" in said
    assert store.imported() == ["theirs"]
    assert "theirs" in load_predictions(store).members


def fill_file(target: Location, file: Path) -> Location:
    target.write_bytes(file.read_bytes())
    return target


def test_an_import_that_was_cut_short_can_be_done_again(
    trained: OofStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(trained.root, Path)
    store = OofStore(fill(new_place("memory", tmp_path) / "small", trained.root))
    ledger, sample = store.ledger(), store.sample()
    ledger.table.assign(pred=0.3 + 0.4 * ledger.labels)[["name", "fold", "pred"]].to_csv(tmp_path / "o.csv")
    pd.DataFrame({"name": sample.names, "pred": 0.4}).to_csv(tmp_path / "t.csv", index=False)
    files = ("--train-predictions", tmp_path / "o.csv", "--test-predictions", tmp_path / "t.csv")
    args = ("theirs", *files, "--store", store.root)
    real, left = RemotePath.write_bytes, [6]

    def cut(self: RemotePath, data: bytes) -> int:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return real(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(RemotePath, "write_bytes", cut)
        assert invoke(import_member, *args).exit_code == 130
    assert content(store.member_folder("theirs")) != {}
    assert store.imported() == []
    assert "theirs" not in load_predictions(store).members
    succeed(import_member, *args)
    assert store.imported() == ["theirs"]
