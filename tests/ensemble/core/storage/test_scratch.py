"""Temporary files of a run: in use as long as a process has them, removed by the next one after that."""

from __future__ import annotations

import errno
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from ensemble.core.errors import UserError
from ensemble.core.storage.array_file import ArrayFile
from ensemble.core.storage.scratch import create_scratch_file

CHILD = """
import os, signal, sys
from ensemble.core.storage.scratch import create_scratch_file
print(create_scratch_file(10)[0], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.mark.process
def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not(folder: Path) -> None:
    ours = ArrayFile.create((4,), np.uint8)
    done = subprocess.run([sys.executable, "-c", CHILD], check=False, capture_output=True, text=True)
    left = Path(done.stdout.strip())
    assert left.exists()
    assert left.parent == folder
    other = ArrayFile.create((4,), np.uint8)
    assert sorted(folder.iterdir()) == sorted([ours._path, other._path])


def test_a_file_that_was_handed_over_lasts_as_long_as_a_reader(folder: Path) -> None:
    written = ArrayFile.create((4,), np.uint8)
    written.write(0, np.arange(4, dtype=np.uint8))
    path = folder / "ensemble-node.array"
    written.hand_over(path)
    del written
    reader = ArrayFile.of_another_process(path, (4,), np.dtype(np.uint8))
    assert reader is not None
    ArrayFile.create((4,), np.uint8)
    np.testing.assert_array_equal(reader[...], np.arange(4))
    del reader
    ArrayFile.create((4,), np.uint8)
    assert not path.exists()
    assert ArrayFile.of_another_process(path, (4,), np.dtype(np.uint8)) is None


def test_no_folder_is_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder / "gone"))
    with pytest.raises(UserError, match=r"no temporary file can be written .*; set TMPDIR to a folder"):
        create_scratch_file(10)


def test_file_systems_that_cannot_reserve_room_are_used_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.posix_fallocate", unsupported)
    array = ArrayFile.create((4,), np.uint8)
    assert array[...].tolist() == [0, 0, 0, 0]


def test_a_disk_that_fills_up_meanwhile_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    array = ArrayFile.create((4,), np.uint8)
    monkeypatch.setattr(ArrayFile, "_path", Path("/dev/full"), raising=False)
    del array.__dict__["_path"]
    with pytest.raises(UserError, match="has no room"):
        array.write(0, np.zeros(4, dtype=np.uint8))


def test_without_any_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    none = FileNotFoundError(errno.ENOENT, "No usable temporary directory found")
    monkeypatch.setattr(tempfile, "_get_default_tempdir", Mock(side_effect=none))
    with pytest.raises(UserError, match="TMPDIR"):
        create_scratch_file(10)
