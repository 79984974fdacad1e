"""What is answered about one photograph, as a row of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ensemble.predict.verdicts import CANNOT, FalsePositives


@dataclass(frozen=True)
class Answer:
    """The answer about one photograph.

    Attributes
    ----------
    name : str
        As it was asked about.
    verdict : str
        One of the four of `ensemble.predict.verdicts`.
    reason : str
        Why nothing can be said; empty where something is.
    probability : float or None
        Of fake, at the share of fakes of the training photographs; None where the models could not be asked.
    false_positives : FalsePositives or None
        Error rate of a verdict that accuses.
    doubt : float or None
        Distance from the training photographs, in units of the limit: above 1 nothing is said.
    members : dict of str to float
        Each member's probability.
    width, height : int or None
        In pixels, as stored.
    format : str
        JPEG, PNG and so on.
    """

    name: str
    verdict: str = CANNOT
    reason: str = ""
    probability: float | None = None
    false_positives: FalsePositives | None = None
    doubt: float | None = None
    members: Mapping[str, float] = field(default_factory=dict)
    width: int | None = None
    height: int | None = None
    format: str = ""

    def row(self, members: Sequence[str]) -> dict[str, Any]:
        """Return the answer as a flat row, with a column for each of these members."""
        rate = self.false_positives
        return {
            "name": self.name,
            "probability": _rounded(self.probability),
            "verdict": self.verdict,
            "reason": self.reason,
            "false_positive_rate": _rounded(rate.share if rate else None),
            "false_positive_low": _rounded(rate.low if rate else None),
            "false_positive_high": _rounded(rate.high if rate else None),
            "doubt": _rounded(self.doubt),
            "width": self.width,
            "height": self.height,
            "format": self.format,
            **{f"member_{name}": _rounded(self.members.get(name)) for name in members},
        }


def _rounded(value: float | None) -> float | None:
    """Round to what does not depend on the photographs that are computed together."""
    return None if value is None else round(value, 6)
