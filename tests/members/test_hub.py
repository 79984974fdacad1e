"""The networks of configs/hub.yaml, built with random weights: no hub is needed to see that they give their columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ensemble.config import MemberSettings, load_experiment
from members.backbones import check_network
from members.embedding import FrozenEmbedding

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
