"""The process that keeps the workers: one that ends, by a photograph or a lack of memory, is started again."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing import parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Final

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

_READY: Final = "ENSEMBLE_SERVE_READY"  # name of a variable: whether a worker of this server ever was
_PAUSE: Final = 5.0  # seconds before a worker that could not start is started again
_MOST_KILLS: Final = 2  # the first may have answered and been killed between two looks at it


class Supervisor(Multiprocess):
    """Supervisor of uvicorn that gives up only where the first workers cannot start, and ends with its terminal."""

    _kills = 0  # times that workers were killed in a row before any was seen to have started

    def keep_subprocess_alive(self) -> None:
        """Start workers again that have ended."""
        if _READY not in os.environ:
            if any(process.is_ready() for process in self.processes):
                os.environ[_READY] = "1"  # workers that are started from now on see it
            elif any((process.exitcode or 0) < 0 for process in self.processes):
                self._kills += 1
                if self._kills >= _MOST_KILLS:
                    self.should_exit.set()
                    return
        super().keep_subprocess_alive()

    def handle_hup(self) -> None:
        """End, as the terminal was closed."""
        self.handle_term()

    def handle_quit(self) -> None:
        """End."""
        self.handle_term()

    @property
    def has_failed(self) -> bool:
        """Whether it has ended because no worker could start, such as for a lack of memory."""
        return self._kills >= _MOST_KILLS or any(process.exitcode == STARTUP_FAILURE for process in self.processes)


def end_with_parent() -> None:
    """End this worker by SIGTERM when its supervisor is gone: it would keep the port."""
    supervisor = parent_process()
    if supervisor is None:  # on Ray, or in a test
        return

    def watch() -> None:
        wait([supervisor.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=watch, daemon=True).start()


def end_as_failed() -> None:
    """End this worker, which cannot start; if others could before, another one tries again soon."""
    if _READY in os.environ:
        time.sleep(_PAUSE)
        sys.exit(1)
    sys.exit(STARTUP_FAILURE)
