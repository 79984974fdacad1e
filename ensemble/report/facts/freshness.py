"""Whether earlier results of robustness and generators still apply to what the store holds now."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.report.facts.material import Material
from ensemble.store.predictions import BY_REQUEST
from ensemble.store.results import BLEND, blend_sha256, command_of, predictions_sha256


def stale(material: Material, facts: dict[str, Any], which: str) -> str:
    """Return what has changed since the measurement, and the command to repeat it; empty where nothing has."""
    again = f"run {command_of(material.store, which)} again."
    if reason := _void(material, facts):
        return f"{reason}, so none of its figures is shown: {again}"
    blend, members = _changed(material, facts)
    names = (["The blend"] if blend else []) + members
    if not names:
        return ""
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    left_out = ("their rows" if names[1:] else "its rows") + ("" if blend else " and any blend's")
    return f"{listed} changed since this was measured, so {left_out} are left out: {again}"


def current_rows(material: Material, frame: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of members that have not changed; none where data or folds have."""
    if _void(material, facts):
        return frame.iloc[:0]
    blend, members = _changed(material, facts)
    changed = frame["member"].isin(members)
    if blend or members:
        changed |= frame["member"].map(_is_blend)
    return frame[~changed].reset_index(drop=True)


def _void(material: Material, facts: dict[str, Any]) -> str:
    """Return why none of the results apply; empty where some do."""
    if not isinstance(facts.get("predictions_sha256"), dict):
        return "An earlier version measured this and did not note on what"
    if facts.get("data_sha256") != material.facts["sha256"]:
        return "This was measured on other photographs than the store's"
    if facts.get("folds_sha256") != material.predictions.ledger.sha256:
        return "This was measured on other folds than the store's"
    return ""


def _changed(material: Material, facts: dict[str, Any]) -> tuple[bool, list[str]]:
    """Return whether the blend has changed, and the members whose predictions have."""
    predictions, noted = material.predictions, facts["predictions_sha256"]
    here = {name: sha for name, sha in noted.items() if predictions.left_out.get(name) != BY_REQUEST}
    members = [name for name, sha in here.items() if sha != predictions_sha256(predictions, name)]
    return facts.get("blend_sha256") != blend_sha256(material.manifest), members


def _is_blend(member: str) -> bool:
    """Whether a row is the blend's, with or without its method."""
    return member == BLEND or member.startswith(f"{BLEND} (")
