"""What many tests start from: a small competition, and a store that two cheap members have filled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ensemble.config import load_experiment
from ensemble.oof import OofStore
from ensemble.train import train
from tests.competitions import BOOSTED, LINEAR, write_competition, write_config

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="session")
def competition_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 training and 12 test photographs in folders. Read only."""
    return write_competition(tmp_path_factory.mktemp("competition"))


def train_inline(config: Path, data: Path, oof: Path) -> OofStore:
    """Train a config in this process."""
    experiment = load_experiment(config)
    store = OofStore(oof / experiment.name)
    assert train(experiment, list(experiment.members), data, store, "inline")
    return store


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, competition_folder: Path) -> OofStore:
    """A store in which two members are finished. Read only: copy it before changing it."""
    folder = tmp_path_factory.mktemp("trained")
    return train_inline(write_config(folder / "small.yaml", LINEAR, BOOSTED), competition_folder, folder / "oof")
