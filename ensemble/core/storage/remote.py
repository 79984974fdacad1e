"""Path on an object store (`s3://`, `gs://`, `memory://`), with the methods of `pathlib.Path` that callers use.

Objects are read and written whole, with retries. Where fsspec reports "does not exist" when a connection is broken,
this module reports an outage: a store that is unreachable must never look empty.
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
from ensemble.core.storage.retry import with_retries

if TYPE_CHECKING:
    from typing import Self

_Kind = TypeVar("_Kind")
_CONCURRENT = 32  # requests at a time
_BATCH = 256  # objects that are read before the first of them is returned


class RemotePath(ProxyUPath):
    """Address on an object store, where a folder is only a common prefix of objects.

    Every request raises what `with_retries` raises.
    """

    def exists(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002  as pathlib has it
        """Whether there is an object here or below."""
        return self._kind() is not None

    def is_file(self) -> bool:
        """Whether there is an object here."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether there are objects below."""
        return self._kind() == "directory"

    def stat(self, *, follow_symlinks: bool = True) -> StatResultType:  # noqa: ARG002  as pathlib has it
        """Return the size, and the time of the last change if the store reports one."""
        return self._request(self.__wrapped__.stat)

    def iterdir(self) -> Iterator[Self]:
        """Return the children, sorted."""
        listed = self._request(lambda: self.fs.ls(self.path, detail=False))
        names = sorted(self._below(name) for name in listed)
        return (self / name for name in names if name)

    def glob(self, pattern: str, **_: Any) -> Iterator[Self]:
        """Find what matches a relative pattern of shell wildcards; `**` is not supported."""
        first, _slash, rest = pattern.partition("/")
        children: list[Self] = []
        with suppress(FileNotFoundError):
            children = [child for child in self.iterdir() if fnmatchcase(child.name, first)]
        for child in children:
            yield from child.glob(rest) if rest else [child]

    def read_bytes(self) -> bytes:
        """Read the object."""
        content: bytes = self._request(lambda: self.fs.cat_file(self.path))
        return content

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:  # noqa: ARG002
        """Read the object as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> BytesIO:  # type: ignore[override]
        """Read the object into a file in memory."""
        if mode != "rb":
            raise ValueError(f"an object can be opened as rb only, not as {mode}")
        return BytesIO(self.read_bytes())

    def write_bytes(self, data: bytes) -> int:
        """Write or replace the object atomically, a large one by a multipart upload."""
        try:
            self._request(lambda: self.fs.pipe_file(self.path, data))
        except FileNotFoundError:
            raise UserError(f"{self} cannot be written: there is no such bucket; make it, or name another") from None
        return len(data)

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: an object store has no folders, and buckets are not created by accident."""

    def unlink(self, missing_ok: bool = True) -> None:  # noqa: ARG002  a store does not report whether it existed
        """Delete the object."""
        self._request(lambda: self._remove(self.path))

    def files_below(self) -> dict[str, int]:
        """Return the sizes in bytes of all objects below, by their relative name, sorted."""
        found = self._request(lambda: self.fs.find(self.path, detail=True))
        sizes = {self._below(name): facts["size"] for name, facts in found.items() if facts["type"] == "file"}
        return {name: sizes[name] for name in sorted(sizes) if name}

    def read_files(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Read the objects below of these relative names, concurrently and in this order."""
        for some in _batches(names):
            yield from zip(some, self._each(some, lambda path: self.fs.cat_file(path)), strict=True)

    def remove_files(self, names: Iterable[str]) -> None:
        """Delete the objects below of these relative names."""
        for some in _batches(names):
            self._each(some, self._remove)

    def copy_files(self, names: Iterable[str], target: Self) -> None:
        """Copy the objects below of these relative names inside the store."""
        for some in _batches(names):
            self._each(some, lambda path: self.fs.cp_file(path, (target / self._below(path)).path))

    def _each(self, names: list[str], do: Callable[[str], _Kind]) -> list[_Kind]:
        """Call a function for the path of each, concurrently: a store has a high latency, but serves many requests."""
        paths = [(self / name).path for name in names]
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            return self._request(lambda: list(pool.map(do, paths)))  # retried together

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):  # an earlier attempt succeeded, but its answer was lost
            self.fs.rm_file(path)

    def _kind(self) -> str | None:
        with suppress(FileNotFoundError):  # `fs.exists` and `fs.isdir` return False in an outage
            kind: str = self._request(lambda: self.fs.info(self.path))["type"]
            return kind
        return None

    def _request(self, do: Callable[[], _Kind]) -> _Kind:
        return with_retries(do, str(self))

    def _below(self, name: str) -> str:
        """Return a listed name relative to this folder; empty for the folder itself and for its siblings."""
        folder = self.path.rstrip("/") + "/"
        return name.removeprefix(folder).rstrip("/") if name.startswith(folder) else ""


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    listed = list(names)
    return (listed[start : start + _BATCH] for start in range(0, len(listed), _BATCH))
