"""The same data, config and versions give the same submission, whatever computes it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.commands import run_process
from tests.competitions import BOOSTED, CNN, LINEAR, pack, write_competition, write_config
from tests.shared import built_once, end_group, start_head

pytestmark = [pytest.mark.slow, pytest.mark.process]
FROZEN = """
  - name: frozen
    features: {use: members.embedding.FrozenEmbedding, backbone: test_efficientnet, weights: none,
               layers: [blocks.0], statistics: [mean, log_covariance]}
    model: {use: members.ridge.CalibratedRidge, alpha: 10, cv: 3}
"""
# What a processor without the newest instructions computes with: of torch, of OpenBLAS and of NumPy.
OLDER_CPU = {
    "ATEN_CPU_CAPABILITY": "default",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX2 FMA3",
}


def submission(data: Path, folder: Path, engine: str = "inline", **environment: str) -> Path:
    """Train and blend, each in a process of its own."""
    write_config(folder / "small.yaml", LINEAR, BOOSTED, CNN, FROZEN)
    for command in (("train", "small.yaml", "--data", data, "--engine", engine), ("blend", "small.yaml")):
        found = run_process(*command, cwd=folder, **environment)
        assert found.returncode == 0, found.stdout + found.stderr
    return folder / "oof" / "small" / "blend" / "submit.csv"


@pytest.fixture(scope="module")
def usual(competition_folder: Path) -> bytes:
    """The submission of one process."""
    folder = built_once("determinism", lambda folder: submission(competition_folder, folder))
    return (folder / "oof" / "small" / "blend" / "submit.csv").read_bytes()


@pytest.fixture(scope="module", params=[1, 2, 3])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Ray of so many workers."""
    started = start_head(tmp_path_factory.mktemp("r") / "r", cpus=request.param)
    yield str(started["address"])
    end_group(started["pid"])


def test_again(usual: bytes, competition_folder: Path, tmp_path: Path) -> None:
    assert submission(competition_folder, tmp_path).read_bytes() == usual


def test_by_any_number_of_workers(usual: bytes, competition_folder: Path, cluster: str, tmp_path: Path) -> None:
    assert submission(competition_folder, tmp_path, "ray", RAY_ADDRESS=cluster).read_bytes() == usual


@pytest.mark.parametrize("kind", ["folder", "data.zip", "data.tar.gz"])
def test_with_files_and_rows_in_any_order(usual: bytes, kind: str, tmp_path: Path) -> None:
    data = write_competition(tmp_path / "data")
    header, *rows = (data / "train.csv").read_text().splitlines()
    random.Random(1).shuffle(rows)
    (data / "train.csv").write_text("\n".join([header, *rows]) + "\n")
    if kind != "folder":
        packed = tmp_path / "packed"
        packed.mkdir()
        pack(data, packed / kind)
        for table in ("train.csv", "submit.csv"):
            (data / table).rename(packed / table)
        data = packed
    assert submission(data, tmp_path).read_bytes() == usual


def test_another_processor_decides_alike(usual: bytes, competition_folder: Path, tmp_path: Path) -> None:
    path = submission(competition_folder, tmp_path, **OLDER_CPU)
    (tmp_path / "usual.csv").write_bytes(usual)
    here, there = (pd.read_csv(each)["pred"].to_numpy() for each in (tmp_path / "usual.csv", path))
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-4)
    assert ((here >= 0.5) == (there >= 0.5)).all()
