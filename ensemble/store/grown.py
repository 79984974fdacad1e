"""What searches and growing ensembles leave in a store."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from ensemble.core.console.durations import format_duration
from ensemble.core.storage.files import Location, write_text
from ensemble.core.storage.json_file import read_json
from ensemble.store.oof import OofStore

TUNE: Final = "tune"  # folder of the store, with one for each member that was tuned
RESULT, TRIALS, BEST, STUDY, OWNER = "result.json", "trials.json", "best.yaml", "study.db", "owner.txt"
STEPS: Final = "grow.json"


def searches(store: OofStore) -> dict[str, Location]:
    """Return the folders of the searches that have a result, by member."""
    return {name: folder for name, folder in all_searches(store).items() if (folder / RESULT).exists()}


def all_searches(store: OofStore) -> dict[str, Location]:
    """Return the folders of all searches by member, also of those that run for the first time."""
    folders: list[Location] = list(store.root.glob(f"{TUNE}/[!.]*"))
    return {path.name: path for path in sorted(folders, key=str)}


def read_search(folder: Location) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Return the result of a search, and its trials; None if they cannot be read."""
    try:
        result = read_json(folder / RESULT, dict)
        trials = read_json(folder / TRIALS, list)
    except (OSError, ValueError):
        return None
    return (result, trials) if result.get("values") and trials else None


@dataclass(frozen=True)
class GrowthStep:
    """One candidate.

    Attributes
    ----------
    expected : float
        Seconds that it was expected to take.
    seconds : float
        That it took when it was trained, decision included.
    gain, standard_error : float
        By how much the held-out log loss of the blend fell, and its paired standard error; 0 where it failed.
    log_loss, accuracy : float
        Of the blend after the step, out-of-fold: chosen by these scores, so optimistic.
    after : float
        Seconds since the ensemble began to grow, over all runs.
    """

    member: str
    outcome: Literal["kept", "dropped", "failed"]
    expected: float
    seconds: float
    gain: float
    standard_error: float
    log_loss: float
    accuracy: float
    after: float

    def line(self) -> str:
        """Return the step in words."""
        took = format_duration(self.seconds)
        if self.outcome == "failed":
            return f"{self.member} FAILED, {took}"
        gain = f"log loss {-self.gain:+.4f} ± {self.standard_error:.4f}"
        blended = f"the blend so far: {self.log_loss:.4f}, accuracy {self.accuracy:.4f}"
        return f"{self.member} {self.outcome}: {gain}, {took}; {blended}"


@dataclass
class Growth:
    """All steps, in their order, and why the last run ended: empty while it has not.

    `earlier` is the number of steps of runs that came to their end before that.
    """

    steps: list[GrowthStep] = field(default_factory=list)
    seconds: float = 0.0
    why: str = ""
    earlier: int = 0

    @classmethod
    def read(cls, store: OofStore) -> Growth:
        """Return what a store has of them; no steps if there are none, or they cannot be read."""
        try:
            found = read_json(store.root / STEPS, dict)
            steps = [GrowthStep(**step) for step in found["steps"]]
            return cls(steps, float(found["seconds"]), str(found["why"]), int(found.get("earlier", 0)))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, store: OofStore) -> None:
        """Store them."""
        write_text(store.root / STEPS, json.dumps(asdict(self), indent=1) + "\n")
