"""The command line as a whole: every verb is found, says what it takes, and imports no more than it needs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ensemble.cli import VERBS, make_app


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_verb_has_help(verb: str, option: str) -> None:
    result = CliRunner().invoke(make_app(verb), [verb, option])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_all_verbs_are_listed() -> None:
    result = CliRunner().invoke(make_app(), ["-h"])
    assert result.exit_code == 0
    assert [verb for verb in VERBS if not re.search(rf"^\W*{verb}\s", result.output, re.MULTILINE)] == []


def test_the_version() -> None:
    result = CliRunner().invoke(make_app(), ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("who-took-this-photo ")


def test_an_unknown_verb_is_bad_input() -> None:
    assert CliRunner().invoke(make_app("trian"), ["trian"]).exit_code == 2


@pytest.mark.process
def test_ctrl_c_while_modules_are_imported_says_nothing() -> None:
    program = """
import os, signal, sys, time
from ensemble import cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # or a shell may have it ignored
def slow(name):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
cli.importlib.import_module = slow
sys.argv = ["ensemble", "train"]
cli.main()
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50)
    assert found.returncode == -signal.SIGINT
    assert found.stderr == ""


@pytest.mark.process
@pytest.mark.parametrize("start", [["ensemble", "train"], ["ensemble.train"], ["ensemble.blend"], ["ensemble.report"]])
def test_ways_to_start(start: list[str]) -> None:
    result = subprocess.run([sys.executable, "-m", *start, "-h"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout
