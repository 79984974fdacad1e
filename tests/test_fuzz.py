"""Every parser is fed what a fuzzer makes of good files, as long as a run of the tests can afford."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import ROOT
from tests.fuzz.targets import TARGETS

SECONDS = 15


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_fuzzer_begins_with_is_read(name: str) -> None:
    with ThreadPoolExecutor(1) as thread:  # where no other test has left a loop of events
        for seed in TARGETS[name].seeds():
            thread.submit(TARGETS[name], seed).result()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not available for this platform")
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_that_a_fuzzer_makes_is_a_surprise(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    options = (f"-max_total_time={SECONDS}", "-max_len=20000", "-timeout=30", "-rss_limit_mb=6000", "-verbosity=1")
    found = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", name, str(tmp_path), f"-artifact_prefix={tmp_path}/", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert found.returncode == 0, found.stderr[-5_000:]
    done = re.search(r"Done (\d+) runs", found.stderr)
    assert done, found.stderr[-2_000:]
    record_property("fuzzed", [name, int(done[1])])
