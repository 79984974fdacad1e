"""Start and end of every command: typed options, one sentence for a user's mistake, exit codes 0 / 1 / 2."""

from __future__ import annotations

import errno
import functools
import gc
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from ensemble.core.console.text import brief
from ensemble.core.errors import UserError

_UNUSABLE = (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)  # paths that a user gave
_UNREACHABLE = (errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.ESTALE)  # the same
_NO_ROOM = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG)
INTERRUPTED, TERMINATED = 130, 143  # what shells report for a process that Ctrl-C or SIGTERM ended

HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
_LOG_WIDTH = 180  # enough for every table in a log


def make_console(*, stderr: bool = False) -> Console:
    """Create the console of a command: as wide as the terminal, or wide enough for every table in a log.

    `stderr` is for commands whose results go to stdout.
    """
    stream = sys.stderr if stderr else sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal may not support every character
    width = None if stream.isatty() else _LOG_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print a line of plain text."""
    make_console().print(line, markup=False)


def run(command: Callable[..., Any]) -> None:
    """Run one command as a program: parse its options from `sys.argv` and exit with its code."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=HELP)
    app.command()(guarded(command))
    start(app)


def start(app: typer.Typer) -> None:
    """Run the command line and exit with its code."""
    gc.freeze()  # the collector then skips loaded modules, which saves 0.3 s of a `train` with nothing to do
    app()


def verbs(commands: dict[str, Callable[..., Any]], about: str, default: str | None = None) -> typer.Typer:
    """Group commands under one name. Arguments that do not start with a verb go to the default command, if any."""

    class Group(TyperGroup):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            words = args if default is None or (args and args[0] in commands) else [default, *args]
            return super().parse_args(ctx, words)

    app = typer.Typer(
        cls=Group,
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=default is None,
        help=about,
        context_settings=HELP,
    )
    app.callback()(lambda: None)  # one verb is a verb too
    for name, command in commands.items():
        app.command(name, epilog=about if name == default else None)(guarded(command))
    return app


def guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command: a `UserError` becomes its message and exit code 2, Ctrl-C a hint how to continue.

    Members in the working directory can be imported, by `python -m` and by the console script.
    """

    @functools.wraps(command)
    def guarded_command(*args: Any, **options: Any) -> Any:
        try:
            with terminable() as terminated:
                _allow_imports_from_here()
                return command(*args, **options)
        except UserError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(2) from None
        except OSError as error:
            full = error.errno in _NO_ROOM
            if not full and not isinstance(error, _UNUSABLE) and error.errno not in _UNREACHABLE:
                raise
            folder = isinstance(error, IsADirectoryError)
            first = "make room, or " if full else "remove the folder, or " if folder else ""
            where = brief(str(error.filename2 or error.filename or "the disk"))
            sys.stderr.write(f"{where}: {error.strerror}; {first}give another path\n")
            raise SystemExit(2) from None
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] in ("ensemble", "members"):
                raise
            sys.stderr.write(f"this needs {error.name}, which is not installed here\n")
            raise SystemExit(2) from None
        except KeyboardInterrupt as error:
            sys.stderr.write(
                f"interrupted; {str(error) or 'finished work is stored, run the same command to continue'}\n"
            )
            raise SystemExit(TERMINATED if terminated else INTERRUPTED) from None

    return guarded_command


def _allow_imports_from_here() -> None:
    try:
        here = str(Path.cwd())
    except FileNotFoundError:
        raise UserError("the current folder no longer exists; change to another one") from None
    if here not in sys.path:
        sys.path.append(here)


@contextmanager
def terminable() -> Iterator[list[int]]:
    """Let SIGTERM end the block like Ctrl-C: a write is finished or discarded, and workers end.

    Schedulers, containers and `ray job stop` send it. The list that is yielded holds the signal once it was received.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  as signals call it
        received.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)
