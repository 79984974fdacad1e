"""Members are looked at before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.checks import check_members
from ensemble.config import MemberSettings
from ensemble.errors import UserError


def test_a_fold_is_no_beginning_for_others(tmp_path: Path) -> None:
    """Its model has learned rows that other folds are scored on; features are shared by all of them."""
    folder = tmp_path / "oof" / "first" / "members" / "cnn" / "fold-0"
    (folder / "model").mkdir(parents=True)
    weights = folder / "model" / "model.safetensors"
    weights.touch()
    recipe = {"use": "members.embedding.FrozenEmbedding", "backbone": "test_efficientnet", "weights": str(weights)}
    settings = {"name": "frozen", "features": recipe, "model": {"use": "sklearn.linear_model.LogisticRegression"}}
    member = MemberSettings.model_validate(settings)
    (folder / "fold.json").touch()
    with pytest.raises(UserError, match=r"member frozen: .*model\.safetensors is the model of a fold"):
        check_members([member])
    (folder / "fold.json").unlink()
    with pytest.raises(UserError, match="cannot be read as a plain state dict"):
        check_members([member])
