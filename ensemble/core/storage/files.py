"""Atomic writes of files and folders. Callers need not know whether a location is a folder or an object store.

In a folder (NFS too), content is written to a temporary name and renamed. On an object store, where single objects are
written atomically but nothing can be renamed, it is prepared on this machine and uploaded, marker files last.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.core.errors import UserError

if TYPE_CHECKING:
    from typing import TypeAlias

    from ensemble.core.storage.remote import RemotePath

    Location: TypeAlias = Path | RemotePath
else:
    Location = Path  # typer reads annotations at run time, and a local run need not wait for fsspec

_UNFINISHED = ".unfinished-"
_NEW, _OLD = "-", "~"
_TEMPORARY = re.compile(rf"{re.escape(_UNFINISHED)}[0-9a-f]{{32}}([{_NEW}{_OLD}])(.*)", re.DOTALL)
_LONGEST = 50  # characters of a name that a temporary one keeps: 255 bytes is the longest name
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")


def location(text: str | Path) -> Location:
    """Parse a path or an address such as `s3://bucket/oof`.

    Raises
    ------
    UserError
        No library supports addresses of this kind.
    """
    scheme = _SCHEME.match(str(text))
    if scheme is None:
        return Path(text)
    if scheme[1] in ("file", "local"):
        return Path(str(text)[scheme.end() :])
    try:
        from ensemble.core.storage.remote import RemotePath

        # No cache: another driver may have written since. And one request an object: s3fs would first ask for its size.
        return RemotePath(str(text), use_listings_cache=False, max_concurrency=1)
    except (ImportError, ValueError) as error:
        raise UserError(f"no library is installed for addresses that begin with {scheme[0]}") from error


@contextmanager
def new_file(path: Location) -> Iterator[Path]:
    """Yield a temporary path to write to; it becomes `path` if the block succeeds, and is removed if it fails."""
    if not isinstance(path, Path):
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder) / path.name
            path.write_bytes((Path(folder) / path.name).read_bytes())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path, _NEW, path.name[-_LONGEST:])
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Location, *markers: str) -> Iterator[Path]:
    """Yield a temporary folder to fill; it replaces `path` and its content if the block succeeds.

    `markers` are names of files, at any depth, without which a folder is treated as missing. On an object store they
    are deleted first and written last, in this order, so that a partial folder is never taken for a complete one.
    """
    with _renamed(path) if isinstance(path, Path) else _uploaded(path, markers) as folder:
        yield folder


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path, _NEW, path.name)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            old = _temporary(path, _OLD, path.name)
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
    """Upload a folder in place of another."""
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
    """Return the marker files in the order of the markers; of equal names the outermost is last."""
    called = [(name.rpartition("/")[2], name) for name in names]
    ranked = [(markers.index(last), -name.count("/"), name) for last, name in called if last in markers]
    return [name for _, _, name in sorted(ranked)]


def move_folder(old: Location, new: Location, *markers: str) -> None:
    """Rename a folder. On an object store it is copied completely before the first file of the old one is deleted.

    `markers` are copied last and deleted last: whenever the move is interrupted, one of the two folders is complete,
    and the old one is recognised by its markers as long as anything is left of it.
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
        raise ValueError(f"{old} and {new} are in different stores")


def remove_folder(folder: Location, *markers: str) -> None:
    """Delete a folder; on an object store its marker files first, so that a partial folder is never a complete one."""
    if isinstance(folder, Path):
        aside = _temporary(folder, _NEW, folder.name)
        folder.rename(aside)
        shutil.rmtree(aside)
    else:
        names = list(folder.files_below())
        last = _last(names, markers)
        folder.remove_files([*reversed(last), *(name for name in names if name not in last)])


def put_back(path: Path) -> None:
    """Restore the old folder if a process was killed between renaming it and renaming the new one."""
    for old, _ in _unfinished(path.parent, _OLD, (escape(path.name),)):
        if not path.exists():
            old.rename(path)


def write_text(path: Location, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    if not isinstance(path, Path):
        path.write_bytes(text.encode())
        return
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def local_copy(path: Location) -> Iterator[Path]:
    """Yield a local path for libraries that need one: the path itself, or a temporary copy of a remote file or folder.

    Raises
    ------
    FileNotFoundError
        It does not exist on the object store. (A local path is not checked.)
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


def folder_content(folder: Location) -> dict[str, bytes]:
    """Return the contents of all files below a folder, by relative POSIX name."""
    if not isinstance(folder, Path):
        return dict(folder.read_files(folder.files_below()))
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def remove_unfinished(folder: Location, *names: str) -> None:
    """Remove temporary files and folders of killed runs with such names (default: any) from a folder.

    On an object store there are none: a killed run leaves only a folder without its marker.
    """
    if not isinstance(folder, Path):
        return
    for old, name in _unfinished(folder, _OLD, names or ("*",)):
        put_back(old.with_name(name))
    for mark in (_NEW, _OLD):
        for left, _ in _unfinished(folder, mark, names or ("*",)):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def remove_leftovers(path: Location) -> None:
    """Remove what killed runs left beside a file or folder; what they had moved aside is put back first."""
    remove_unfinished(path.parent, escape(path.name), escape(path.name[-_LONGEST:]))


def _unfinished(folder: Path, mark: str, patterns: tuple[str, ...]) -> list[tuple[Path, str]]:
    """Find what was to get a name like these, or (`_OLD`) had it: paths in the folder, sorted, with the name."""
    found = [(path, _TEMPORARY.fullmatch(path.name)) for path in sorted(folder.glob(f"{_UNFINISHED}*"))]
    marked = [(path, match[2]) for path, match in found if match and match[1] == mark]
    return [(path, name) for path, name in marked if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _temporary(path: Path, mark: str, name: str) -> Path:
    """Return a path beside another one, that nobody else uses."""
    return path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}{mark}{name}")
