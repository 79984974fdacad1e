"""The wheel: it holds what it needs, and works in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests import ROOT
from tests.ensemble.serve.conftest import serving
from tests.shared import built_once

pytestmark = [pytest.mark.slow, pytest.mark.process]


def run(*arguments: object, cwd: Path, **environment: str) -> str:
    command = [sys.executable, *map(str, arguments)]
    found = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def dist() -> Path:
    """The source archive, and the wheel that was built from that alone."""

    def build(folder: Path) -> None:
        run("-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)

    return built_once("dist", build)


@pytest.fixture(scope="module")
def installed(dist: Path) -> Path:
    """The wheel, unpacked by pip: found before this repository's own code."""

    def install(folder: Path) -> None:
        run("-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, next(dist.glob("*.whl")), cwd=folder)

    return built_once("installed", install)


def test_the_archives_hold_what_belongs_there(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert set(names) >= {f"ensemble/{path}" for path in ("py.typed", "configs/demo.yaml", "serve/static/index.html")}
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"ensemble", "members"}
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    with tarfile.open(next(dist.glob("*.tar.gz"))) as source:
        inside = {name.partition("/")[2] for name in source.getnames()}
    assert inside >= {"README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "configs/cpu.yaml", "docs/guide.md"}
    assert not [name for name in inside if name.startswith(("data/", ".venv", "oof/demo"))]


def test_it_trains_and_answers_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    def ensemble(*arguments: object) -> str:
        return run("-m", "ensemble", *arguments, cwd=tmp_path, PYTHONPATH=str(installed))

    where = run("-c", "import ensemble; print(ensemble.__file__)", cwd=tmp_path, PYTHONPATH=str(installed))
    assert Path(where).is_relative_to(installed)
    ensemble("demo", "data")
    ensemble("train", "demo", "--members", "linear_spectrum", "--engine", "inline")
    assert "submission" in ensemble("blend", "demo")
    assert (tmp_path / "oof" / "demo" / "blend" / "submit.csv").exists()
    ensemble("bundle", "demo", "-o", "demo.bundle", "--photographs", 20)
    with tarfile.open(next((tmp_path / "data").glob("*.tar.gz"))) as archive:
        photograph = next(name for name in archive.getnames() if name.endswith((".jpg", ".png")))
        archive.extract(photograph, tmp_path, filter="data")
    assert photograph in ensemble("predict", "demo.bundle", photograph)
    with serving(tmp_path, bundle=tmp_path / "demo.bundle", PYTHONPATH=str(installed)) as server:
        answer = server.check((tmp_path / photograph).read_bytes()).json()
    assert answer["ensemble"]["name"] == "demo"
    assert answer["results"][0]["verdict"]
