"""Contents of many small files in one file of this machine, by name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, MutableMapping

from ensemble.core.storage.scratch import no_room


class Spool(MutableMapping[str, bytes]):
    """A dict of bytes that are on disk, in the folder for temporary files; the file ends with it."""

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="ensemble-")  # noqa: SIM115  as long as it lives
        except OSError as error:
            raise no_room(error, 0) from None
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0

    def __setitem__(self, name: str, content: bytes) -> None:
        view, end = memoryview(content), self._end
        try:
            while view:
                written = os.pwrite(self._file.fileno(), view, end)
                end += written
                view = view[written:]
        except OSError as error:
            raise no_room(error, len(content)) from None
        self._places[name], self._end = (self._end, len(content)), end

    def __getitem__(self, name: str) -> bytes:
        start, length = self._places[name]
        parts: list[bytes] = []
        while length:  # the system reads two gigabytes at most
            part = os.pread(self._file.fileno(), length, start)
            if not part:
                raise EOFError("the file of a spool is shorter than it was written")
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __delitem__(self, name: str) -> None:
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
