"""Record of a finished fold: what made it, what it cost, and a checksum of every byte that was stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ensemble.core.storage.json_file import parse_json
from ensemble.engine.tasks.fold import FoldResult

LATER_ARRIVED = "before others arrived"  # end of the note of a model that ensemble update has kept
IMPORTED_RECIPE = "imported"  # a key that only the recipes of members have that were trained elsewhere
PREDICTIONS = "predictions.parquet"
_CHECKSUM = "sha256"
_BLANK = "0" * 64


@dataclass(frozen=True)
class Provenance:
    """What made a fold's predictions. Two folds with equal provenance are the same work."""

    recipe: dict[str, Any]
    folds: str
    data: str
    code: str

    def changes(self, other: Provenance) -> list[str]:
        """Describe what differs in the other, a text for each difference."""
        found = [name for name in ("data", "folds", "code") if getattr(self, name) != getattr(other, name)]
        return found + _config_changes(self.recipe, other.recipe)


@dataclass(frozen=True)
class FoldState:
    """State of a fold in a store: missing, stale (`reasons` say why), or valid for the provenance asked about."""

    status: Literal["missing", "stale", "valid"]
    reasons: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether the fold need not be trained again."""
        return self.status == "valid"


@dataclass(frozen=True)
class FoldRecord:
    """The `fold.json` of a finished fold.

    `files` has the sha256 of every other file of the folder, by its relative name; it is empty where an older version
    wrote the fold, which recorded that of the predictions only.
    """

    member: str
    fold: int
    provenance: Provenance
    seconds_fit: float
    seconds_predict: float
    seconds_features_per_photograph: float
    started: float
    finished: float
    peak_memory_mib: float
    threads: int
    versions: dict[str, str]
    model_note: str
    predictions_sha256: str
    history: list[dict[str, Any]] = field(repr=False)
    files: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def checksums(self) -> dict[str, str]:
        """Sha256 of every file of which it is known, by its name relative to the fold's folder."""
        return {PREDICTIONS: self.predictions_sha256, **self.files}

    @property
    def trained_elsewhere(self) -> bool:
        """Whether the predictions were imported."""
        return IMPORTED_RECIPE in self.provenance.recipe

    @property
    def learned_fewer(self) -> bool:
        """Whether it was trained before photographs arrived that its folds hold now."""
        return self.model_note.endswith(LATER_ARRIVED)

    @property
    def seconds(self) -> float:
        """Seconds in the member's own fit and predict_proba."""
        return self.seconds_fit + self.seconds_predict


_SHARED = (
    "member", "fold", "seconds_fit", "seconds_predict", "started", "finished", "peak_memory_mib", "threads",
    "versions", "model_note", "history",
)  # fmt: skip


def record_of(
    result: FoldResult, provenance: Provenance, features_seconds: float, files: dict[str, bytes]
) -> FoldRecord:
    """Build the record of a fold whose folder will hold `files`."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return FoldRecord(
        provenance=provenance,
        seconds_features_per_photograph=features_seconds,
        predictions_sha256=sums[PREDICTIONS],
        files=sums,
        **{name: getattr(result, name) for name in _SHARED},
    )


def to_text(record: FoldRecord) -> str:
    """Return the record as JSON; its last value is the sha256 of the whole text with zeros in that value's place."""
    blank = json.dumps({**asdict(record), _CHECKSUM: _BLANK}, indent=1) + "\n"
    head, _, tail = blank.rpartition(_BLANK)
    return head + hashlib.sha256(blank.encode()).hexdigest() + tail


def from_text(text: bytes) -> FoldRecord:
    """Parse a record. One that an older version wrote has neither `files` nor a checksum of itself.

    Raises
    ------
    ValueError, TypeError, KeyError
        A byte of it was changed since it was written.
    """
    raw = parse_json(text, dict)
    checksum = raw.pop(_CHECKSUM, None)
    if checksum is not None or "files" in raw:
        head, _, tail = text.rpartition(str(checksum).encode())
        if hashlib.sha256(head + _BLANK.encode() + tail).hexdigest() != checksum:
            raise ValueError("the record does not match its checksum")
    return FoldRecord(**{**raw, "provenance": Provenance(**raw["provenance"])})


def _config_changes(old: Any, new: Any, place: str = "config") -> list[str]:
    """List paths and values at which two nested settings differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [c for key in keys for c in _config_changes(old.get(key), new.get(key), f"{place}.{key}")]
    return [] if old == new else [f"{place}: {old!r} -> {new!r}"]
