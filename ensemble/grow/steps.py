"""The steps of a growing ensemble: what was tried, what it cost, what it gained, and why it ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Literal

from ensemble.core.console.durations import format_duration
from ensemble.core.storage.files import write_text
from ensemble.store.grown import STEPS, read_steps
from ensemble.store.oof import OofStore


@dataclass(frozen=True)
class GrowthStep:
    """One candidate.

    Attributes
    ----------
    expected : float
        Seconds that it was expected to take.
    seconds : float
        That it took, decision included; 0 where an earlier run had trained it.
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
    """All steps, in their order, and why the last run ended."""

    steps: list[GrowthStep] = field(default_factory=list)
    seconds: float = 0.0
    why: str = ""

    @classmethod
    def read(cls, store: OofStore) -> Growth:
        """Return what a store has of them."""
        stored = read_steps(store)
        return cls([GrowthStep(**step) for step in stored["steps"]], stored["seconds"], stored["why"])

    def write(self, store: OofStore) -> None:
        """Store them."""
        write_text(store.root / STEPS, json.dumps(asdict(self), indent=1) + "\n")
