"""What the documentation says, done: its shell blocks as a person would paste them, and its Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble.store.oof import OofStore
from tests import ROOT
from tests.competitions import BOOSTED, LINEAR, write_competition, write_config
from tests.documents import SHELL, Block, blocks

RUN = ("README.md", "docs/guide.md", "docs/report.md")


def block_of(page: str, language: str, mark: str) -> str:
    """The text of the block that holds a mark."""
    return next(block.text for block in blocks(ROOT / page, language) if mark in block.text)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after `make submit`, but with few small photographs, and with the two files of the README."""
    folder = tmp_path_factory.mktemp("place")
    write_competition(folder / "data" / "demo")
    (folder / "my_member.py").write_text(block_of("README.md", "python", "Brightness"))
    (folder / "mine.yaml").write_text(block_of("README.md", "yaml", "Brightness"))
    return folder


def paste(block: Block, place: Path) -> str:
    """Run a shell block, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=place,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, f"{block.text}{result.stdout}{result.stderr}"
    return result.stdout


def write_theirs(store: OofStore, folder: Path) -> None:
    """Predictions that somebody made elsewhere on the folds of a store."""
    table, random = store.ledger().table, np.random.default_rng(0)
    oof = table[["name", "fold"]].assign(pred=np.clip(table["label"] * 0.5 + random.uniform(0, 0.5, len(table)), 0, 1))
    oof.to_csv(folder / "their_oof.csv", index=False)
    names = store.sample().names
    pd.DataFrame({"name": names, "pred": random.uniform(size=len(names))}).to_csv(
        folder / "their_test.csv", index=False
    )


@pytest.mark.process
@pytest.mark.ray
@pytest.mark.training
@pytest.mark.usefixtures("on_ray")
def test_shell_blocks_run_in_the_order_of_the_pages(place: Path) -> None:
    store = OofStore(place / "oof" / "mine")
    pages = [block for page in RUN for block in blocks(ROOT / page, "sh") if block.is_run]
    printed = ""
    for block in {block.text: block for block in pages}.values():  # one that two pages show is run once
        if "their_oof.csv" in block.text:
            write_theirs(store, place)
        printed += paste(block, place)
    assert "was not saved" not in printed
    assert "[Warning]" not in printed  # of LightGBM
    assert (store.fold_folder("brightness", 0) / "model" / "rate.npy").exists()
    board = pd.read_csv(store.root / "leaderboard.csv")
    assert {"brightness", "boosted", "theirs"} < set(board["member"])
    assert {measured.partition(",")[0] for measured in board["measured_on"]} == {"OOF", "nested OOF"}
    sample = pd.read_csv(place / "data" / "demo" / "submit.csv")
    assert pd.read_csv(store.root / "blend" / "submit.csv")["name"].tolist() == sample["name"].tolist()
    assert (place / "same.csv").read_bytes() == (place / "submit.csv").read_bytes()
    robustness = pd.read_csv(store.root / "robustness" / "robustness.csv")
    assert {"brightness", "boosted"} <= set(robustness["member"]), "their models could be loaded"


def test_blocks_that_are_not_run_are_those_that_say_so() -> None:
    """Pages whose blocks the test above does not run have none that claims to be run."""
    assert not [b.text for b in SHELL if b.is_run and b.page.relative_to(ROOT).as_posix() not in RUN]


@pytest.mark.training
def test_the_lines_of_from_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a small config and few photographs in the place of the demo's."""
    write_competition(tmp_path / "data" / "demo")
    (tmp_path / "configs").mkdir()
    write_config(tmp_path / "configs" / "demo.yaml", LINEAR, BOOSTED, name="demo")
    monkeypatch.chdir(tmp_path)
    exec(block_of("docs/python.md", "python", "open_store"), {})  # noqa: S102  the documentation's own text
    printed = capsys.readouterr().out
    assert "\nTrue\n" in printed
    assert "nested OOF" in printed
    assert "oof/demo/report.html" in printed.splitlines()[-1]


def test_the_samples_of_forensic_features() -> None:
    photographs = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    for page in ("docs/guide.md", "members/forensics/README.md"):
        variables = {"photographs": photographs}
        exec(block_of(page, "python", "ForensicFeatures"), variables)  # noqa: S102


PRETEND = """#!/bin/sh
# In the place of Python: makes an environment whose pip finds {builds}, and writes down what it is to install.
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit; fi
if [ "$3" = index ]; then echo "Available versions: 9.0.0, {builds}8.0.0"; exit; fi
echo "$@" >> "{log}"
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("torch", "builds", "expected"),
    [
        ("cpu", "8.1.0+cpu, 8.0.0+cpu, ", "torch==8.1.0+cpu torchvision==8.1.0+cpu"),
        ("cpu", "", None),
        ("", "8.1.0+cpu, ", ""),
    ],
)
def test_torch_for_cpus_is_installed_where_pip_finds_it(
    tmp_path: Path, torch: str, builds: str, expected: str | None
) -> None:
    log, python, made = tmp_path / "log", tmp_path / "python", tmp_path / "venv" / ".installed"
    log.touch()
    python.write_text(PRETEND.format(builds=builds, log=log))
    python.chmod(0o755)
    command = ["make", made, f"VENV={made.parent}", f"PYTHON={python}", f"TORCH={torch}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    installed = log.read_text()
    assert made.exists() == (result.returncode == 0) == (expected is not None)
    if expected is None:
        assert "PIP_EXTRA_INDEX_URL" in result.stderr
        assert "--editable" not in installed
    else:
        assert ("+cpu" in installed) == bool(expected)
        assert expected in installed
        assert "--editable" in installed
