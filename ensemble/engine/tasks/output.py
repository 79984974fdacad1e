"""What members and their libraries print: all is kept with the fold, the screen shows what members' own code says."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

_MOST = 1_000_000  # characters that are kept of a fold
_LIBRARIES = tuple({sysconfig.get_path(key) for key in ("purelib", "platlib")})


class Output:
    """Text that was printed, in its order."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._left = _MOST

    def add(self, text: str) -> None:
        """Append a text, as long as there is room."""
        if self._left > 0:
            self.parts.append(text[: self._left])
            self._left -= len(text)

    def __str__(self) -> str:
        return "".join(self.parts) + ("\n(more was printed)\n" if self._left < 0 else "")


@contextmanager
def printed() -> Iterator[Output]:
    """Collect what is printed in the block; an error that leaves it carries the text as a note."""
    output = Output()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(cast(TextIO, _Stream(sys.stdout, output))))
        stack.enter_context(redirect_stderr(cast(TextIO, _Stream(sys.stderr, output))))
        try:
            yield output
        except Exception as error:
            if output.parts:
                error.add_note(f"Printed before:\n{output}")
            raise


class _Stream:
    """A stream that keeps what is written; what installed libraries write goes no further."""

    def __init__(self, stream: TextIO, output: Output) -> None:
        self._stream, self._output = stream, output

    def write(self, text: str) -> int:
        self._output.add(text)
        if not sys._getframe(1).f_code.co_filename.startswith(_LIBRARIES):
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
