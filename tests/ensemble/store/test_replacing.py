"""A store takes the place of another one, wherever that is interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ensemble.store import replacing
from ensemble.store.oof import OofStore
from ensemble.store.opening import find_store
from ensemble.store.replacing import replace_store, successor


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    """A store whose successor, with another log, is complete."""
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))
    made = successor(store)
    shutil.copytree(trained.root, made.root)
    (made.root / "new").touch()
    return store


class Killed(BaseException):
    """What ends a process."""


@pytest.mark.parametrize("moves", [0, 1, 2])
@pytest.mark.parametrize("named", ["folder", "name", "config"])
def test_whatever_is_asked_next_finds_the_new_one(
    store: OofStore, moves: int, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "small.yaml"
    shutil.copy(store.root / "experiment.yaml", config)
    done, move = [], replacing.move_folder

    def killed(*arguments: object) -> None:
        if len(done) < moves:
            move(*arguments)  # type: ignore[arg-type]
        done.append(arguments)
        if len(done) > moves or len(done) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(replacing, "move_folder", killed)
        with pytest.raises(Killed):
            replace_store(store)
    asked = {"folder": store.root, "name": Path("small"), "config": config}[named]
    found, _ = find_store(asked, tmp_path / "oof")
    assert found.root == store.root
    assert (store.root / "new").exists()
    assert sorted(path.name[:7] for path in (tmp_path / "oof").glob("small*")) == ["small", "small~2"]


def test_a_successor_that_is_not_complete_is_written_again(store: OofStore) -> None:
    find_store(store.root, store.root.parent)
    assert not (store.root / "new").exists()
    assert not successor(store).root.exists()
