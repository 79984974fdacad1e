"""What `configs/serve/requirements.txt` installs is small, and enough to ask about photographs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble.predict.predictor import load_bundle
from tests import ROOT

SERVE = ROOT / "configs" / "serve"
MOST_MEGABYTES = 400

_SERVED = """
import sys
from ensemble.serve.app import make_app
from ensemble.serve.settings import Settings
assert make_app(Settings(sys.argv[1])).openapi()["paths"]
"""

pytestmark = [pytest.mark.slow, pytest.mark.training]


def megabytes(folder: Path) -> float:
    """What its files take on a disk, each once."""
    files = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in map(os.lstat, folder.rglob("*"))}
    return sum(files.values()) / 2**20


def test_a_new_environment_answers_as_this_one_does(made: Path, competition_folder: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "asking", with_pip=False)
    python = tmp_path / "asking" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install"]
    subprocess.run([*install, "-r", SERVE / "requirements.txt"], check=True, capture_output=True)
    source = tmp_path / "source"  # what the image copies; a build in the checkout would leave files there
    for name in ("configs", "ensemble", "members"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([*install, "--no-deps", source], check=True, capture_output=True)
    assert megabytes(tmp_path / "asking") < MOST_MEGABYTES
    asked = competition_folder / "test"
    command = [python, "-m", "ensemble", "predict", made, asked, "-o", "answers.csv"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    found = pd.read_csv(tmp_path / "answers.csv")
    expected = [answer.probability for answer in load_bundle(made).predict(sorted(asked.iterdir()))]
    np.testing.assert_allclose(found["probability"], expected, atol=1e-5)
    served = subprocess.run([python, "-c", _SERVED, made], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert served.returncode == 0, served.stderr
    parquet = subprocess.run([*command[:-1], "a.parquet"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (parquet.returncode, parquet.stderr.count("\n")) == (2, 1)
    assert "Parquet needs pyarrow" in parquet.stderr


def test_the_image_installs_the_same_requirements() -> None:
    dockerfile = (SERVE / "Dockerfile").read_text()
    assert "configs/serve/requirements.txt" in dockerfile
    assert "USER asking" in dockerfile, "it runs without rights"
