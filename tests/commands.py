"""The command line as people call it: in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from ensemble.cli import make_app

Result = subprocess.CompletedProcess[str]


def run_here(*arguments: object, cwd: Path) -> Result:
    """Run `ensemble VERB ...` in this process, from a folder. An error that is no user's mistake is raised."""
    words = list(map(str, arguments))
    with contextlib.chdir(cwd), mock.patch.object(sys, "path", list(sys.path)):
        found = CliRunner().invoke(make_app(words[0]), words)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Result(words, found.exit_code, found.stdout, found.stderr)


def run_process(*arguments: object, cwd: Path, **environment: str) -> Result:
    """Run `python -m ensemble VERB ...`."""
    return subprocess.run(
        [sys.executable, "-m", "ensemble", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
