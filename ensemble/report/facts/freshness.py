"""Whether what was asked of a store earlier still speaks of what the store holds now."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.report.facts.material import Material
from ensemble.store.results import BLEND, blend_sha256, command_of, predictions_sha256


def stale(material: Material, facts: dict[str, Any], which: str) -> str:
    """What has changed since an inquiry, and how to ask again, in one sentence; empty where nothing has."""
    again = f"run {command_of(material.store, which)} again."
    if everything := _everything(material, facts):
        return f"{everything}, so none of its figures is shown: {again}"
    blend, members = _changed(material, facts)
    names = (["The blend"] if blend else []) + members
    if not names:
        return ""
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    left_out = ("their rows" if names[1:] else "its rows") + ("" if blend else " and any blend's")
    return f"{listed} changed since this was measured, so {left_out} are left out: {again}"


def standing(material: Material, frame: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
    """The rows of those who have not changed; none where data or folds have."""
    if _everything(material, facts):
        return frame.iloc[:0]
    blend, members = _changed(material, facts)
    gone = frame["member"].isin(members)
    if blend or members:
        gone |= frame["member"].map(_is_blend)
    return frame[~gone].reset_index(drop=True)


def _everything(material: Material, facts: dict[str, Any]) -> str:
    """What makes all of it void."""
    if not isinstance(facts.get("predictions_sha256"), dict):
        return "An earlier version measured this and did not note on what"
    if facts.get("data_sha256") != material.facts["sha256"]:
        return "This was measured on other photographs than the store's"
    if facts.get("folds_sha256") != material.predictions.ledger.sha256:
        return "This was measured on other folds than the store's"
    return ""


def _changed(material: Material, facts: dict[str, Any]) -> tuple[bool, list[str]]:
    """Whether the blend is another one, and the members whose predictions are others."""
    noted = facts["predictions_sha256"]
    members = [name for name, sha in noted.items() if sha != predictions_sha256(material.predictions, name)]
    return facts.get("blend_sha256") != blend_sha256(material.manifest), members


def _is_blend(member: str) -> bool:
    """Also where its method stands behind it."""
    return member == BLEND or member.startswith(f"{BLEND} (")
