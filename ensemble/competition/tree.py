"""The files of a competition by relative path: in a folder, or in archives, which count as folders once unpacked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import overload

from ensemble.competition.archive import MAX_FILES, Allowance, folder_of, is_archive, read_archive
from ensemble.competition.kinds import is_junk, is_table, mistaken_for
from ensemble.core.errors import UserError
from ensemble.core.parallel import blocks
from ensemble.core.storage.files import Location
from ensemble.core.storage.spool import Spool

_DEPTH = 3  # archives in archives in archives


@dataclass
class FileTree:
    """Files below a folder, and those of archives that were unpacked into a file of their own. Junk is left out.

    Attributes
    ----------
    folder : path
        Where the files lie.
    plain : list of str
        Relative POSIX paths of the files in the folder, archives among them.
    unpacked : mapping of str to bytes
        Content of archives by `<path without suffix>/<path inside>`.
    notes : list of str
        What was ignored in archives.
    """

    folder: Location
    plain: list[str]
    unpacked: Spool = field(default_factory=Spool)
    notes: list[str] = field(default_factory=list)
    allowance: Allowance = field(default_factory=Allowance)

    @classmethod
    def open(cls, path: Location) -> FileTree:
        """List a folder. Of an archive, read its content, and list the tables beside it.

        Raises
        ------
        UserError
            The path does not exist, or is a file of another kind.
        """
        if not path.exists():
            raise UserError(f"{path} does not exist; --data takes the folder with the photographs, or their archive")
        if path.is_dir():
            return cls(path, list_files(path))
        if not is_archive(path.name):
            what = mistaken_for(path.read_bytes()[:1024]) or "no archive"
            raise UserError(f"{path} is {what}; --data takes the folder with the photographs, or their archive")
        names = [file.name for file in path.parent.iterdir() if file.is_file() and not is_junk(file.name)]
        beside = sorted(name for name in names if is_table(name))
        tree = cls(path.parent, [path.name, *beside])
        tree.unpack()
        return tree

    @property
    def names(self) -> list[str]:
        """All files but archives."""
        return sorted({name for name in self.plain if not is_archive(name)} | self.unpacked.keys())

    @cached_property
    def _files(self) -> set[str]:
        return set(self.plain)

    @cached_property
    def _kept(self) -> Spool:
        """Files of an object store that were read."""
        return Spool()

    @cached_property
    def archives(self) -> list[str]:
        """Archives in the folder."""
        return [name for name in self.plain if is_archive(name)]

    def unpack(self) -> bool:
        """Read the content of all archives, those inside other archives too. Return whether that was news.

        Raises
        ------
        UserError
            One of them cannot be read.
        """
        if self.unpacked or not self.archives:
            return False
        for name in self.archives:
            with (self.folder / name).open("rb") as file:
                content = read_archive(file, str(self.folder / name), self.allowance)
            self.notes += content.notes
            self._add(folder_of(name), content.files, _DEPTH)
        return True

    def _add(self, folder: str, files: Mapping[str, bytes], depth: int) -> None:
        for name, content in files.items():
            path = f"{folder}/{name}"
            if is_archive(name) and depth:
                inner = read_archive(BytesIO(content), str(self.folder / path), self.allowance)
                self.notes += inner.notes
                self._add(folder_of(path), inner.files, depth - 1)
            elif self.unpacked.get(path, content) != content:
                raise UserError(f"{self.folder / path} is in two archives with different content; remove one of them")
            elif path not in self._files:  # what lies unpacked is what the user looks at
                self.unpacked[path] = content

    def below(self, folder: str) -> list[str]:
        """Return the names of the files below a folder, relative to it."""
        return [name.removeprefix(f"{folder}/") for name in self.names if name.startswith(f"{folder}/")]

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Read files; those on an object store concurrently."""
        wanted = list(names)
        found = {name: kept[name] for name in wanted for kept in (self.unpacked, self._kept) if name in kept}
        rest = [name for name in wanted if name not in found]
        if isinstance(self.folder, Path):
            return found | {name: (self.folder / name).read_bytes() for name in rest}
        fetched = dict(self.folder.read_files(rest))
        self._kept.update(fetched)
        return found | fetched


class Files(Sequence[bytes]):
    """Files of a tree, read when they are asked for; an empty name is an empty file."""

    def __init__(self, tree: FileTree, names: Sequence[str]) -> None:
        self._tree, self._names = tree, list(names)

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, rows: int) -> bytes: ...
    @overload
    def __getitem__(self, rows: slice) -> list[bytes]: ...
    def __getitem__(self, rows: int | slice) -> bytes | list[bytes]:
        picked = self._names[rows] if isinstance(rows, slice) else [self._names[rows]]
        found = self._tree.read(dict.fromkeys(filter(None, picked)))
        contents = [found.get(name, b"") for name in picked]
        return contents if isinstance(rows, slice) else contents[0]

    def __iter__(self) -> Iterator[bytes]:
        for rows in blocks(len(self)):
            yield from self[rows]

    def take(self, rows: Sequence[int]) -> Files:
        """Return some of the files."""
        return Files(self._tree, [self._names[row] for row in rows])


def list_files(folder: Location) -> list[str]:
    """Return the relative POSIX paths of all files below a folder but junk, sorted; links to folders are followed."""
    if not isinstance(folder, Path):
        return [name for name in folder.files_below() if not is_junk(name)]
    found: list[str] = []
    _walk(str(folder), "", (os.path.realpath(folder),), found)
    return sorted(found)


def _walk(folder: str, prefix: str, above: tuple[str, ...], found: list[str]) -> None:
    """Add the files below a folder. `above` are the folders that it lies in, into which a link may lead back."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_junk(entry.name):
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link to itself
                continue
            if is_folder:
                real = os.path.realpath(entry.path)
                if real not in above:
                    _walk(entry.path, f"{prefix}{entry.name}/", (*above, real), found)
            elif is_file:
                found.append(f"{prefix}{entry.name}")
    if len(found) > MAX_FILES:
        raise UserError(f"{folder} contains more than {MAX_FILES:,} files; is it the right folder?")


def parents(name: str) -> list[str]:
    """Return all folders that a file lies in, the outermost first; the root is none of them."""
    return [str(parent) for parent in reversed(PurePosixPath(name).parents[:-1])]
