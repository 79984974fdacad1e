"""A second run has nothing to do, and should not make anybody wait for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ensemble.store.oof import OofStore
from tests.conftest import train_inline

pytestmark = pytest.mark.process

SLOW_IMPORTS = ["torch", "ray", "sklearn", "lightgbm", "scipy", "optuna", "imagehash", "fsspec", "upath"]


@pytest.fixture
def store(trained: OofStore, competition_folder: Path, tmp_path: Path) -> OofStore:
    copy = OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))
    train_inline(copy.root / "experiment.yaml", competition_folder, tmp_path / "oof")  # draws the members' curves
    return copy


def test_nothing_slow_is_imported(store: OofStore, competition_folder: Path) -> None:
    run = (
        "import sys, typer\n"
        "from ensemble.train import main\n"
        "from pathlib import Path\n"
        "main(*map(Path, sys.argv[1:4]), engine='ray')\n"
        f"print('imported:', [name for name in {SLOW_IMPORTS} if name in sys.modules])"
    )
    paths = [store.root / "experiment.yaml", competition_folder, store.root.parent]
    said = subprocess.run([sys.executable, "-c", run, *paths], capture_output=True, text=True, check=True).stdout
    assert "nothing to do: all 6 folds" in said
    assert said.splitlines()[-1] == "imported: []"


def test_the_end_does_not_wait_for_the_collector() -> None:
    run = (
        "import gc, pandas\n"
        "from ensemble.core.console.console import run\n"
        "def main() -> None: print(len(gc.get_objects()) < gc.get_freeze_count())\n"
        "run(main)"
    )
    said = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True).stdout
    assert said == "True\n"
