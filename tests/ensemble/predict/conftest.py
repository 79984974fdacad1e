"""A bundle of a small store, made once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ensemble.store.oof import OofStore
from tests.commands import run_here
from tests.competitions import BOOSTED, CNN, LINEAR, write_config
from tests.conftest import train_inline
from tests.shared import built_once

RIDGE = """
  - name: ridge
    features: {use: members.forensics.ForensicFeatures, families: [colour]}
    model: {use: members.ridge.CalibratedRidge, alpha: 10, cv: 3}
"""
FROZEN = """
  - name: frozen
    features: {use: members.embedding.FrozenEmbedding, backbone: test_efficientnet, weights: none, layers: [blocks.0],
               statistics: [mean, log_covariance]}
    model: {use: members.ridge.CalibratedRidge, alpha: 10, cv: 3}
"""


@pytest.fixture(scope="session")
def bundled_store(competition_folder: Path) -> OofStore:
    """A store with a member of each kind, and the plain mean of all as its blend. Read only."""

    def build(folder: Path) -> None:
        extra = "folds: {n_folds: 3}\nreport: {spectra: {use: members.forensics.Spectra}}"
        config = write_config(folder / "kinds.yaml", LINEAR, BOOSTED, RIDGE, FROZEN, CNN, name="kinds", extra=extra)
        config.write_text(config.read_text().replace("blend: {trials: 10}", "blend: {methods: [mean]}"))
        train_inline(config, competition_folder, folder / "oof")
        assert run_here("blend", folder / "oof" / "kinds", cwd=folder).returncode == 0

    return OofStore(built_once("bundled", build) / "oof" / "kinds")


@pytest.fixture(scope="session")
def made(bundled_store: OofStore) -> Path:
    """Its bundle, a folder. Read only."""

    def build(folder: Path) -> None:
        result = run_here("bundle", bundled_store.root, "-o", folder / "kinds.bundle", cwd=folder)
        assert result.returncode == 0, result.stderr + result.stdout

    return built_once("made", build) / "kinds.bundle"


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "faces.bundle"))
