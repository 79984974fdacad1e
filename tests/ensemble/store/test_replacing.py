"""A store takes the place of another one, wherever that is interrupted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ensemble.core.errors import UserError
from ensemble.core.storage.files import write_text
from ensemble.core.storage.lock import only_writer
from ensemble.store import replacing
from ensemble.store.oof import OofStore
from ensemble.store.opening import find_store
from ensemble.store.replacing import only_trainer, replace_store, successor
from tests.storage import content, fill, new_place


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


@pytest.mark.parametrize("kept", [0, 3, 8])
def test_what_is_copied_and_not_yet_removed_is_removed(trained: OofStore, kept: int, tmp_path: Path) -> None:
    """On an object store folders are copied, and then removed file by file."""
    store = OofStore(fill(new_place("memory", tmp_path) / "small", trained.root))
    made = successor(store)
    for root in (store.root, made.root):
        fill(root, trained.root)
        write_text(root / "complete", "")
    for name in sorted(content(made.root))[: -1 - kept]:
        (made.root / name).unlink()
    write_text(made.root / "complete", "")
    with only_trainer(store):
        assert content(store.root) == content(trained.root)
    assert not content(made.root)
    assert not [name for name in content(store.root.parent) if "~2" in name]


def test_the_next_training_goes_on_with_it(store: OofStore) -> None:
    write_text(store.root.with_name("small~update") / "complete", "")
    with only_trainer(store):
        assert (store.root / "new").exists()


def successor_of(store: OofStore) -> OofStore:
    return OofStore(store.root.with_name("small~update"))


def test_a_successor_that_is_not_complete_is_written_again(store: OofStore) -> None:
    find_store(store.root, store.root.parent)
    assert not (store.root / "new").exists()
    assert not successor(store).root.exists()


def test_an_update_after_one_that_was_killed_at_the_very_end_is_not_thrown_away(store: OofStore) -> None:
    write_text(store.root / "complete", "")
    replace_store(store)
    assert (store.root / "new").exists()
    assert not (store.root / "complete").exists()


def test_nobody_puts_it_in_place_while_another_process_does(store: OofStore) -> None:
    write_text(successor_of(store).root / "complete", "")
    with only_writer(store.root, "train"), pytest.raises(UserError, match="another process"):
        find_store(store.root, store.root.parent)
    assert not (store.root / "new").exists()
