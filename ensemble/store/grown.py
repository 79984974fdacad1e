"""What searches and growing ensembles leave in a store, by the names of their files."""

from __future__ import annotations

import json
from typing import Any, Final

from ensemble.core.storage.files import Location
from ensemble.store.oof import OofStore

TUNE: Final = "tune"  # folder of the store, with one for each member that was tuned
RESULT, TRIALS, BEST, STUDY, OWNER = "result.json", "trials.json", "best.yaml", "study.db", "owner.txt"
STEPS: Final = "grow.json"


def searches(store: OofStore) -> dict[str, Location]:
    """Return the folders of the searches that have a result, by member."""
    found = {path.parent.name: path.parent for path in store.root.glob(f"{TUNE}/*/{RESULT}")}
    return {member: found[member] for member in sorted(found)}


def read_search(folder: Location) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Return the result of a search, and its trials; None if they cannot be read."""
    try:
        result = dict(json.loads((folder / RESULT).read_text(encoding="utf-8")))
        trials = list(json.loads((folder / TRIALS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return (result, trials) if result.get("values") and trials else None


def read_steps(store: OofStore) -> dict[str, Any]:
    """Return `steps`, `seconds` and `why` of `ensemble grow`; without steps if there are none, or none can be read."""
    try:
        found = dict(json.loads((store.root / STEPS).read_text(encoding="utf-8")))
        return {"steps": list(found["steps"]), "seconds": float(found["seconds"]), "why": str(found["why"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"steps": [], "seconds": 0.0, "why": ""}
