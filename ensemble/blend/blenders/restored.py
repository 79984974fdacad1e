"""Fitted blenders from their stored states."""

from __future__ import annotations

from typing import Any

from ensemble.blend.blenders.base import Blender
from ensemble.blend.blenders.boosted import BoostedStacking
from ensemble.blend.blenders.simple import AverageOfBlenders, FixedWeights


def restored(state: dict[str, Any]) -> Blender:
    """Return the fitted blender with this state.

    Raises
    ------
    ValueError
        There is none of this kind.
    """
    if state["kind"] == "average":
        return AverageOfBlenders.of_fitted([restored(part) for part in state["blenders"]], state["members"])
    if state["kind"] == "boosted":
        return BoostedStacking.from_text(state["model"], state["model_sha256"], state["members"])
    if state["kind"] == "linear":
        return FixedWeights(state["weights"], state["intercept"])
    raise ValueError(f"no blender is of the kind {state['kind']!r}")
