"""A path on an object store (`s3://`, `gs://`, `memory://`): read and written as whole objects, patiently.

It offers what the rooms above use of `pathlib.Path`, so that they need not know where a store lies. What fsspec would
take for "not there" when the way to the store is broken is an outage here: a store that is away must never look empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from fnmatch import fnmatchcase
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from upath.extensions import ProxyUPath
from upath.types import StatResultType

from ensemble.core.errors import UserError
from ensemble.core.storage.retry import patiently

if TYPE_CHECKING:
    from typing import Self

_Kind = TypeVar("_Kind")
_AT_ONCE = 32  # requests under way
_AT_HAND = 256  # objects in memory that nobody has taken yet


class RemotePath(ProxyUPath):
    """An address on an object store, which has no folders: a folder is what the addresses of some objects begin with.

    Every call raises what `patiently` raises, besides what is said here.
    """

    def exists(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002  as pathlib has it
        """Whether there is an object, or one below."""
        return self._kind() is not None

    def is_file(self) -> bool:
        """Whether there is an object."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether there is an object below."""
        return self._kind() == "directory"

    def stat(self, *, follow_symlinks: bool = True) -> StatResultType:  # noqa: ARG002  as pathlib has it
        """Size, and the time of the last change where the store tells it."""
        self._fresh()
        return self._ask(self.__wrapped__.stat)

    def iterdir(self) -> Iterator[Self]:
        """What lies in the folder, sorted."""
        listed = self._ask(lambda: self._fresh().ls(self.path, detail=False))
        names = sorted(self._below(name) for name in listed)
        return (self / name for name in names if name)

    def glob(self, pattern: str, **_: Any) -> Iterator[Self]:
        """What matches a relative pattern of shell wildcards; `**` is not known."""
        first, _slash, rest = pattern.partition("/")
        children: list[Self] = []
        with suppress(FileNotFoundError):
            children = [child for child in self.iterdir() if fnmatchcase(child.name, first)]
        for child in children:
            yield from child.glob(rest) if rest else [child]

    def read_bytes(self) -> bytes:
        """The whole object."""
        content: bytes = self._ask(lambda: self._fresh().cat_file(self.path))
        return content

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:  # noqa: ARG002
        """The whole object as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> BytesIO:  # type: ignore[override]
        """The whole object as a file in memory, to be read."""
        if mode != "rb":
            raise ValueError(f"an object is opened as rb and written as a whole, not as {mode}")
        return BytesIO(self.read_bytes())

    def write_bytes(self, data: bytes) -> int:
        """Put the whole object, in the place of what was there; a large one in parts that become the object at once."""
        try:
            self._ask(lambda: self.fs.pipe_file(self.path, data))
        except FileNotFoundError:
            raise UserError(f"{self} cannot be written: there is no such bucket; make it, or name another") from None
        return len(data)

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: an object store has no folders, and a bucket is not made by accident."""

    def unlink(self, missing_ok: bool = True) -> None:  # noqa: ARG002  a store does not tell whether it was there
        """Remove the object."""
        self._ask(lambda: self._remove(self.path))

    def files_below(self) -> dict[str, int]:
        """Sizes in bytes of all objects below, by their relative name, sorted."""
        found = self._ask(lambda: self._fresh().find(self.path, detail=True))
        sizes = {self._below(name): facts["size"] for name, facts in found.items() if facts["type"] == "file"}
        return {name: sizes[name] for name in sorted(sizes) if name}

    def read_files(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The objects below of these relative names, many asked for at once, in their order."""
        for some in _batches(names):
            yield from zip(some, self._each(some, lambda path: self.fs.cat_file(path)), strict=True)

    def remove_files(self, names: Iterable[str]) -> None:
        """Remove the objects below of these relative names."""
        for some in _batches(names):
            self._each(some, self._remove)

    def copy_files(self, names: Iterable[str], target: Self) -> None:
        """Copy the objects below of these relative names, inside the store."""
        for some in _batches(names):
            self._each(some, lambda path: self.fs.cp_file(path, (target / self._below(path)).path))

    def _each(self, names: list[str], do: Callable[[str], _Kind]) -> list[_Kind]:
        """Do it for the path of each, many at once: a store answers slowly, but to many."""
        paths = [(self / name).path for name in names]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return self._ask(lambda: list(pool.map(do, paths)))  # as one: an outage of all is told once

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):  # the first of two tries did it, and its answer was lost
            self.fs.rm_file(path)

    def _kind(self) -> str | None:
        with suppress(FileNotFoundError):  # `fs.exists` and `fs.isdir` would call an outage an absence
            kind: str = self._ask(lambda: self._fresh().info(self.path))["type"]
            return kind
        return None

    def _ask(self, do: Callable[[], _Kind]) -> _Kind:
        return patiently(do, str(self))

    def _fresh(self) -> Any:
        """The file system without what it remembers of listings: another driver may have written since."""
        self.fs.invalidate_cache()
        return self.fs

    def _below(self, name: str) -> str:
        """A listed name, relative to this folder; empty for the folder itself and for its neighbours."""
        folder = self.path.rstrip("/") + "/"
        return name.removeprefix(folder).rstrip("/") if name.startswith(folder) else ""


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    listed = list(names)
    return (listed[start : start + _AT_HAND] for start in range(0, len(listed), _AT_HAND))
