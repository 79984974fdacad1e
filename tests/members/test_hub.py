"""The networks of configs/hub.yaml, built with random weights: no hub is needed to see that they give their columns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ensemble.config.members import MemberSettings
from ensemble.config.reading import load_experiment
from members.backbones import check_network
from members.embedding import FrozenEmbedding
from tests.competitions import LINEAR, write_config

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MEMBERS = load_experiment(ROOT / "configs" / "hub.yaml").members


@pytest.mark.parametrize("member", [m for m in MEMBERS if m.features is not None], ids=lambda member: member.name)
def test_a_fixed_network_gives_its_columns(member: MemberSettings) -> None:
    assert member.features is not None
    options: dict[str, Any] = {**member.features.parameters, "weights": "none", "flip": False, "engine": "torch"}
    photographs = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
    table = FrozenEmbedding(**options).transform(photographs)
    assert table.shape == (1, len(FrozenEmbedding(**options).get_feature_names_out()))
    assert np.isfinite(table).all()


def test_the_fine_tuned_network_has_the_layers_that_are_frozen() -> None:
    [tuned] = [member for member in MEMBERS if member.features is None]
    options = tuned.model.parameters
    check_network(options["backbone"], "none", stem_stride=None, frozen_layers=options["frozen_layers"])


def test_members_without_their_weights_are_left_out_with_the_reason(competition_folder: Path, tmp_path: Path) -> None:
    """Where the hub is out of reach, say: its members fail by their features or folds, and others are trained."""
    embedding = """
  - name: {name}
    features: {{use: members.embedding.FrozenEmbedding, backbone: test_resnet.r160_in1k, weights: {weights}}}
    model: {{use: members.ridge.CalibratedRidge}}"""
    tuned = """
  - name: tuned
    model: {use: members.cnn.ImageClassifier, backbone: test_resnet.r160_in1k, weights: hub, epochs: 1}"""
    config = write_config(tmp_path / "small.yaml", LINEAR, embedding.format(name="hub", weights="hub"), tuned)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    train = [sys.executable, "-m", "ensemble", "train", config, "--data", competition_folder, "--engine", "inline"]
    done = subprocess.run(
        [*map(str, train), "--oof", str(tmp_path)], check=False, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 1, done.stderr
    for member in ("hub FAILED: its features raised WeightsError", "tuned/fold-0 FAILED: WeightsError"):
        line = next(line for line in done.stdout.splitlines() if member in line)
        assert "weights" in line
    assert "linear/fold-2 done" in done.stdout
    assert "linear" in (tmp_path / "small" / "leaderboard.md").read_text()
