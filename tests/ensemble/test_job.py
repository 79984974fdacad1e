"""`ray job submit` to a head node, with the command of the README."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from tests import ROOT
from tests.competitions import BOOSTED, LINEAR, write_config
from tests.shared import end_group, start_head

RAY = Path(sys.executable).with_name("ray")


def submit(command: list[object]) -> subprocess.CompletedProcess[str]:
    """Submit a job; a head that has only just started says that it has no agent yet, and asks to try again."""
    deadline = time.monotonic() + 180
    while True:
        result = subprocess.run(
            list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
        )
        if "No available agent to submit job" not in result.stderr or time.monotonic() > deadline:
            return result
        time.sleep(2)


@pytest.fixture
def dashboard() -> Iterator[str]:
    """Dashboard of a Ray that ends with the test."""
    with tempfile.TemporaryDirectory(prefix="tests-") as folder:  # a short path: Ray's sockets lie below it
        head = start_head(Path(folder) / "r", dashboard=True)
        try:
            yield str(head["dashboard"])
        finally:
            end_group(head["pid"])


@pytest.mark.process
@pytest.mark.ray
def test_a_job_trains_all_members(dashboard: str, competition_folder: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "job.yaml", LINEAR, BOOSTED, name="job")
    command: list[object] = [RAY, "job", "submit", "--address", dashboard, "--working-dir", ".", "--"]
    command += ["python", "-m", "ensemble.train", config, "--data", competition_folder, "--oof", tmp_path / "oof"]
    result = submit(command)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "succeeded" in output
    assert "linear/fold-" in output, "progress is visible in the job's log"
    store = OofStore(tmp_path / "oof" / "job")
    assert load_predictions(store).members == ["linear", "boosted"]


def test_what_a_job_uploads_is_small() -> None:
    """Ray obeys `.gitignore`: the environment, the data and the stores stay out of `--working-dir .`."""
    rules = (ROOT / ".gitignore").read_text().splitlines()
    assert {".venv/", "data/", "oof/*"} <= set(rules)
    assert not (ROOT / ".rayignore").exists()
