"""How commands end where a path or a folder cannot be used."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from ensemble.core.console.console import guarded
from tests.bad_input.cases import is_plain
from tests.commands import run_here, run_process


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "a" * 300),
        ("train", "demo", "--data", "a" * 300, "--engine", "inline"),
        ("blend", "a" * 300),
        ("blend", "a.yaml", "--oof", "gdrive://a"),
        ("predict", "a.bundle", "b.png", "-o", "a" * 300 + ".csv"),
    ],
)
def test_a_path_that_cannot_be_is_one_sentence(arguments: tuple[str, ...], tmp_path: Path) -> None:
    found = run_here(*arguments, cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert is_plain(found.stderr), found.stderr
    assert "Value error" not in found.stderr, "the words of a library"


def test_a_folder_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with contextlib.chdir(gone):
        gone.rmdir()
        with pytest.raises(SystemExit) as ended:
            guarded(lambda: None)()
        os.chdir(tmp_path)  # chdir goes back to where it was
    assert ended.value.code == 2
    assert "no longer exists" in capsys.readouterr().err


@pytest.mark.process
def test_a_library_that_a_small_installation_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "pandas.py").write_text("raise ModuleNotFoundError('no', name='pandas')")
    found = run_process("train", "demo", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert (found.returncode, found.stderr) == (2, "ensemble train needs pandas, which is not installed here\n")
