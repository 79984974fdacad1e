"""Writing so that nothing is ever half there. Besides the lock, no room above knows a folder from an object store.

In a folder (NFS too): to a temporary name beside it, then renamed. On an object store, where one object is put whole or
not at all but nothing is renamed: prepared on this machine, then uploaded, the file that says "this is whole" last.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from ensemble.core.storage.remote import RemotePath

    Location: TypeAlias = Path | RemotePath
else:
    Location = Path  # typer reads annotations at run time; a local run should not wait for fsspec

_UNFINISHED = ".unfinished-"
_OLD = "-old-"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")


def location(text: str | Path) -> Location:
    """Where a text of the command line points: a path, or an address such as `s3://bucket/oof`.

    Raises
    ------
    ValueError
        No library knows addresses of this kind.
    """
    scheme = _SCHEME.match(str(text))
    if scheme is None:
        return Path(text)
    if scheme[1] in ("file", "local"):
        return Path(str(text)[scheme.end() :])
    from ensemble.core.storage.remote import RemotePath

    return RemotePath(str(text), use_listings_cache=False)  # another driver may have written since


@contextmanager
def new_file(path: Location) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` when the block ends well, and vanishes when it does not."""
    if not isinstance(path, Path):
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / path.name
            path.write_bytes((Path(folder) / path.name).read_bytes())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_UNFINISHED}{uuid.uuid4().hex}-{path.name}"
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Location, *markers: str) -> Iterator[Path]:
    """Give a temporary folder to fill; it takes the place of `path` and all that was in it when the block ends well.

    `markers` are names of files, at any depth, without which a folder does not count. On an object store they go first
    where something is replaced and come last, in this order, where it is written: what is half there never counts.
    """
    with _renamed(path) if isinstance(path, Path) else _uploaded(path, markers) as folder:
        yield folder


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
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


@contextmanager
def _uploaded(path: RemotePath, markers: tuple[str, ...]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / path.name
        folder.mkdir()
        yield folder
        _replace(path, folder, markers)


def _replace(path: RemotePath, folder: Path, markers: tuple[str, ...]) -> None:
    """Upload a folder into the place of another."""
    before = path.files_below()
    for name in reversed(_last(before, markers)):
        path.remove_files([name])
    files = [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]
    last = _last(files, markers)
    for name in files:
        if name not in last:
            (path / name).write_bytes((folder / name).read_bytes())
    path.remove_files(name for name in before if name not in files)
    for name in last:
        (path / name).write_bytes((folder / name).read_bytes())


def _last(names: Iterable[str], markers: tuple[str, ...]) -> list[str]:
    """Those that are called like a marker, in the order of the markers; of one name the outermost is the last."""
    called = [(name.rpartition("/")[2], name) for name in names]
    ranked = [(markers.index(last), -name.count("/"), name) for last, name in called if last in markers]
    return [name for _, _, name in sorted(ranked)]


def move_folder(old: Location, new: Location, *markers: str) -> None:
    """Give a folder another name. On an object store it is copied whole before the first file of the old one goes.

    `markers` come last there, in the copy and among what is removed: whenever the move ends, one of the two is whole,
    and the old one, as long as anything is left of it, is known for what it is.
    """
    if isinstance(old, Path) and isinstance(new, Path):
        old.rename(new)
    elif not isinstance(old, Path) and not isinstance(new, Path):
        names = list(old.files_below())
        last = _last(names, markers)
        ordered = [name for name in names if name not in last]
        for some in (ordered, last):
            old.copy_files(some, new)
        for some in (ordered, last):
            old.remove_files(some)
    else:
        raise ValueError(f"{old} and {new} lie in different stores")


def put_back(path: Path) -> None:
    """Where a process was stopped between taking the old folder away and putting the new one there: the old again."""
    for old in path.parent.glob(f"{_UNFINISHED}*{_OLD}{path.name}"):
        if not path.exists():
            old.rename(path)


def write_text(path: Location, text: str) -> None:
    """Write a whole text file, UTF-8, atomically."""
    if not isinstance(path, Path):
        path.write_bytes(text.encode())
        return
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def local_copy(path: Location) -> Iterator[Path]:
    """A file or folder for a library that reads real files only: itself, or a copy that lives as long as the block.

    Raises
    ------
    FileNotFoundError
        It does not exist on the object store. (A path is given as it is.)
    """
    if isinstance(path, Path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        if path.is_dir():
            for name, content in path.read_files(path.files_below()):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                (copy / name).write_bytes(content)
        else:
            copy.write_bytes(path.read_bytes())
        yield copy


def files_below(folder: Location, wanted: Callable[[str], bool]) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """Relative POSIX name, size and what reads it, of all files below a folder, sorted.

    Those of an object store are only the wanted ones, for many are asked for at once before anybody reads them.
    """
    if isinstance(folder, Path):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                yield file.relative_to(folder).as_posix(), file.stat().st_size, file.read_bytes
    else:
        sizes = folder.files_below()
        for name, content in folder.read_files(filter(wanted, sizes)):
            yield name, sizes[name], partial(bytes, content)


def remove_unfinished(folder: Location, *names: str) -> None:
    """Remove what a killed run left behind of files and folders with such names (default: any), at any depth.

    On an object store it leaves nothing behind that is called unfinished: only a folder without its marker.
    """
    if not isinstance(folder, Path):
        return
    for old in _unfinished(folder, _OLD, names or ("*",)):
        put_back(old.with_name(old.name.partition(_OLD)[2]))
    for left in _unfinished(folder, "-", names or ("*",)):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def _unfinished(folder: Path, mark: str, names: tuple[str, ...]) -> list[Path]:
    """Temporary files and folders of such names, sorted; the tree is walked once for all names."""
    patterns = [f"{_UNFINISHED}*{mark}{name}" for name in names]
    found = folder.rglob(f"{_UNFINISHED}*")
    return sorted(path for path in found if any(fnmatchcase(path.name, pattern) for pattern in patterns))
