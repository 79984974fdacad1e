"""The store's contract, wherever it lies: a fold is there whole or not at all, and every byte of it is watched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ensemble.config.reading import load_experiment
from ensemble.core.storage.files import Location
from ensemble.core.storage.remote import RemotePath
from ensemble.core.storage.version import FORMAT
from ensemble.engine.recipes.saving import load_model
from ensemble.engine.tasks.fold import FoldResult
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.record import FoldState, Provenance, from_text, to_text
from tests.records import stored_predictions
from tests.storage import content, fill, invoke, new_place


@pytest.fixture
def store(trained: OofStore, place: Location) -> OofStore:
    """A trained store, copied to where a test may change it."""
    assert isinstance(trained.root, Path)
    return OofStore(fill(place / "small", trained.root))


def provenance(store: OofStore, member: str, fold: int) -> Provenance:
    record = store.record(member, fold)
    assert record is not None
    return record.provenance


def test_it_is_read_alike(store: OofStore, trained: OofStore) -> None:
    assert store.exists()
    assert store.facts() == trained.facts()
    assert store.ledger().sha256 == trained.ledger().sha256
    assert load_predictions(store).hashes == load_predictions(trained).hashes
    assert store.state("linear", 0, provenance(trained, "linear", 0)).is_valid
    assert store.state("linear", 9, provenance(trained, "linear", 0)) == FoldState("missing")
    assert store.imported() == []
    model = load_model(store.fold_folder("linear", 0) / "model", kind=None)
    assert model.predict_proba([[0.0] * model.n_features_in_]).shape == (1, 2)


@pytest.mark.fault("a stored file is cut, flipped or gone")
@pytest.mark.parametrize("file", ["predictions.parquet", "model/lightgbm.txt", "fold.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damage_is_found_and_named(store: OofStore, file: str, damage: str) -> None:
    path = store.fold_folder("boosted", 1) / file
    whole, made = path.read_bytes(), provenance(store, "boosted", 1)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-1] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    assert store.state("boosted", 1, made) == FoldState("stale", (f"its files are damaged ({file})",))
    assert store.state("boosted", 0, made).is_valid
    path.write_bytes(whole)
    assert store.state("boosted", 1, made).is_valid


@pytest.fixture(scope="module")
def fold(trained: OofStore, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    """A store with a fold whose model has two files."""
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path_factory.mktemp("bytes") / "small")))
    result = result_of(store, "boosted", 1, history=[{"epoch": 1, "loss": 0.1 + 0.2, "note": "ä 1e-05"}])
    store.write(result, provenance(store, "boosted", 1), store.ledger(), store.sample(), 0.5)
    return store


def result_of(store: OofStore, member: str, fold: int, **changes: Any) -> FoldResult:
    """What a stored fold was made of, with two model files."""
    record, table = store.record(member, fold), stored_predictions(store, member, fold)
    shared = {name: getattr(record, name) for name in FoldResult.__dataclass_fields__ if hasattr(record, name)}
    pred = {split: table[table["split"] == split]["pred"].to_numpy() for split in ("oof", "test")}
    files = {"weights.safetensors": b"\0\1\2" * 9, "deep/settings.json": b"{}"}
    return FoldResult(**{**shared, "heldout": pred["oof"], "test": pred["test"], "model": files, **changes})


@pytest.mark.fault("any bit of any file of a fold is flipped, or the file is cut", tries=300)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bit_of_any_file_is_watched(fold: OofStore, data: st.DataObject) -> None:
    folder = fold.fold_folder("boosted", 1)
    files = content(folder)
    assert sorted(files) == [
        "fold.json", "model/deep/settings.json", "model/weights.safetensors", "predictions.parquet",
    ]  # fmt: skip
    name = data.draw(st.sampled_from(sorted(files)))
    place = data.draw(st.integers(0, len(files[name]) - 1))
    cut = data.draw(st.booleans())
    changed = bytearray(files[name])
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    made = provenance(fold, "boosted", 1)
    (folder / name).write_bytes(files[name][:place] if cut else bytes(changed))
    try:
        assert fold.state("boosted", 1, made) == FoldState("stale", (f"its files are damaged ({name})",))
    finally:
        (folder / name).write_bytes(files[name])
    assert fold.state("boosted", 1, made).is_valid


def test_every_bit_of_a_record_is_watched(fold: OofStore) -> None:
    """All of them: of a number some digits can change without its value, and of a text the case of an escape."""
    text = (fold.fold_folder("boosted", 1) / "fold.json").read_bytes()
    assert to_text(from_text(text)).encode() == text
    passed = []
    for place in range(len(text)):
        for bit in range(8):
            changed = bytearray(text)
            changed[place] ^= 1 << bit
            try:
                from_text(bytes(changed))
            except (ValueError, TypeError, KeyError):
                continue
            passed.append((place, bit))
    assert passed == []


def test_folds_of_an_older_version_stay_valid(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    for path in (tmp_path / "small").rglob("fold.json"):
        raw = json.loads(path.read_text())
        del raw["files"], raw["sha256"]
        path.write_text(json.dumps(raw, indent=1) + "\n")
    facts = json.loads((tmp_path / "small" / "data.json").read_text())
    del facts["format"]
    (tmp_path / "small" / "data.json").write_text(json.dumps(facts))
    assert store.exists()
    made = provenance(store, "linear", 0)
    assert store.state("linear", 0, made).is_valid
    assert load_predictions(store).partial == {}
    path = store.fold_folder("linear", 0) / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert store.state("linear", 0, made) == FoldState("stale", ("its files are damaged (predictions.parquet)",))


@pytest.mark.training
def test_a_fold_that_was_not_stored_whole_is_not_finished(
    trained: OofStore, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of its files were uploaded when the driver was killed, first and when it is done again."""
    assert isinstance(trained.root, Path)
    store = OofStore(fill(new_place("s3", tmp_path) / "small", trained.root))
    result, made = result_of(store, "linear", 1), provenance(store, "linear", 1)
    real, left = RemotePath.write_bytes, [0]

    def cut(self: RemotePath, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return real(self, data)

    for uploaded in range(4):
        left[0] = uploaded
        with monkeypatch.context() as patch:
            patch.setattr(RemotePath, "write_bytes", cut)
            with pytest.raises(KeyboardInterrupt):
                store.write(result, made, store.ledger(), store.sample(), 0.5)
        assert store.record("linear", 1) is None
        assert not store.state("linear", 1, made).is_valid
        assert load_predictions(store).partial["linear"].startswith("2 of 3 folds")
    store.write(result, made, store.ledger(), store.sample(), 0.5)
    assert store.state("linear", 1, made).is_valid
    assert load_predictions(store).partial == {}


def commands(store: OofStore, config: Path, folder: Path) -> dict[str, Callable[[], Any]]:
    """All that reads or writes a store."""
    from ensemble.blend.__main__ import import_member
    from ensemble.blend.__main__ import main as blend
    from ensemble.report.__main__ import main as report
    from ensemble.store.folds_command import export
    from ensemble.train import main as train

    root = store.root
    (folder / "x.csv").touch()
    return {
        "train": lambda: invoke(train, config, "--oof", root.parent, "--engine", "inline", "--data", folder),
        "blend": lambda: invoke(blend, root),
        "report": lambda: invoke(report, root),
        "newest": lambda: invoke(report, "--oof", root.parent),
        "export": lambda: invoke(export, root, "-o", folder / "folds.csv"),
        "import": lambda: invoke(
            import_member,
            "x",
            "--train-predictions",
            folder / "x.csv",
            "--test-predictions",
            folder / "x.csv",
            "--store",
            root,
        ),
    }


@pytest.mark.fault("a store of a newer version")
@pytest.mark.parametrize("place", ["local", "memory"], indirect=True)
@pytest.mark.parametrize("verb", ["train", "blend", "report", "newest", "export", "import"])
def test_a_store_of_a_newer_version_is_refused_and_left_alone(store: OofStore, tmp_path: Path, verb: str) -> None:
    facts = json.loads((store.root / "data.json").read_text())
    assert facts["format"] == FORMAT
    (store.root / "data.json").write_bytes(json.dumps({**facts, "format": FORMAT + 1}).encode())
    config = tmp_path / "c.yaml"
    config.write_bytes((store.root / "experiment.yaml").read_bytes())
    assert load_experiment(config).name == store.name
    before = content(store.root)
    found = commands(store, config, tmp_path)[verb]()
    assert found.exit_code == 2, found.output
    assert f"{store.root} is a store of format {FORMAT + 1}, which a newer version wrote" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert content(store.root) == before


def test_changed_provenance_is_still_told(store: OofStore) -> None:
    made = replace(provenance(store, "linear", 0), code="other")
    assert store.state("linear", 0, made) == FoldState("stale", ("code changed",))
