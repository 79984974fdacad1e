"""Writing so that nothing is ever half there: to a temporary name in the same folder, then renamed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNFINISHED = ".unfinished-"
_OLD = "-old-"


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_UNFINISHED}{uuid.uuid4().hex}-{path.name}"
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; it takes the place of `path` and all that was in it when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_UNFINISHED}{uuid.uuid4().hex}-{path.name}"
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            old = path.parent / f"{_UNFINISHED}{uuid.uuid4().hex}{_OLD}{path.name}"
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    finally:
        put_back(path)
        shutil.rmtree(temporary, ignore_errors=True)


def put_back(path: Path) -> None:
    """Where a process was stopped between taking the old folder away and putting the new one there: the old again."""
    for old in path.parent.glob(f"{_UNFINISHED}*{_OLD}{path.name}"):
        if not path.exists():
            old.rename(path)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, UTF-8, atomically."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_unfinished(folder: Path, name: str = "*") -> None:
    """Remove what a killed run left behind of files and folders called `name`, at any depth."""
    for old in folder.rglob(f"{_UNFINISHED}*{_OLD}{name}"):
        put_back(old.with_name(old.name.partition(_OLD)[2]))
    for left in sorted(folder.rglob(f"{_UNFINISHED}*-{name}")):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
