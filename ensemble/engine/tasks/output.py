"""What members and their libraries print: all is kept with the fold, the screen shows what members' own code says.

Seen is what Python code writes to `sys.stdout` and `sys.stderr`, not what C code writes past them.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

_MOST = 500_000  # characters that are kept of the beginning, and as many of the end
_OF_A_NOTE = 10_000  # characters of the end, with a traceback
_LIBRARIES = tuple({sysconfig.get_path(key) for key in ("purelib", "platlib")})
_OURS = ("ensemble", "members")  # which may be installed among them


class Output:
    """Text that was printed, in its order."""

    def __init__(self) -> None:
        self._start: list[str] = []
        self._end: deque[str] = deque()
        self._room, self._ends, self._dropped = _MOST, 0, False

    def add(self, text: str) -> None:
        """Append a text; of very much the middle is dropped."""
        if self._room > 0:
            self._start.append(text[: self._room])
            text, self._room = text[self._room :], self._room - len(text)
        self._end.append(text)
        self._ends += len(text)
        while self._ends - len(self._end[0]) > _MOST:
            self._ends -= len(self._end.popleft())
            self._dropped = True

    def __str__(self) -> str:
        return "".join(self._start) + "\n(...)\n" * self._dropped + "".join(self._end)


_current: Output | None = None


@contextmanager
def printed() -> Iterator[Output]:
    """Collect what is printed in the block; an error that leaves it carries the end of the text as a note."""
    global _current
    output = _current = Output()
    try:
        with (
            _kept_open(),
            redirect_stdout(cast(TextIO, _Stream(sys.stdout))),
            redirect_stderr(cast(TextIO, _Stream(sys.stderr))),
        ):
            yield output
    except BaseException as error:
        if text := str(output):
            error.add_note(f"Printed before:\n{text[-_OF_A_NOTE:]}")
        raise
    finally:
        _current = None


@contextmanager
def _kept_open() -> Iterator[None]:
    """Open stdout and stderr again after the block, in which a member may have closed their descriptors."""
    kept = []
    for number in (1, 2):
        with suppress(OSError):  # this process was started without it
            kept.append((number, os.dup(number)))
    try:
        yield
    finally:
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)


class _Stream:
    """A stream that keeps what is written; what installed libraries write goes no further.

    A library may hold on to it, such as in a handler of logging: after the block all goes further.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._write(text, _library_writes())

    def writelines(self, lines: Iterable[str]) -> None:
        self._write("".join(lines), _library_writes())

    def _write(self, text: str, by_library: bool) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if _current is not None:
            _current.add(text)
        if _current is None or not by_library:
            self._stream.write(text)
        return len(text)

    def close(self) -> None:
        """Leave it open: later output goes to it too."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._stream, name)


def _library_writes() -> bool:
    """Return whether the code that calls the caller is an installed library's."""
    try:
        frame = sys._getframe(2)
    except ValueError:  # a thread of C
        return True
    ours = str(frame.f_globals.get("__name__")).partition(".")[0] in _OURS
    return frame.f_code.co_filename.startswith(_LIBRARIES) and not ours
