"""Signatures of what a page is made from: one that is up to date is not written again."""

from __future__ import annotations

from dataclasses import asdict

from ensemble.core.storage.files import Location
from ensemble.core.storage.hashing import digest, file_sha256
from ensemble.engine.recipes.code import framework_code
from ensemble.report.exhibits.stored import EXHIBITS
from ensemble.report.facts.material import Material
from ensemble.report.text import BASELINE, heading
from ensemble.store.columns import SPECTRA
from ensemble.store.grown import RESULT, STEPS, searches

_READ = (  # what sections read beside the predictions, relative to the store
    "blend/blend.json", "audit/audit.json", "robustness/robustness.json", "generators/generators.json", "runs.json",
    "data.json", "robustness/robustness.parquet", "generators/generators.parquet", EXHIBITS, STEPS,
)  # fmt: skip
_HEAD = 4096  # bytes of a page in which its signature is


def report_signature(material: Material) -> str:
    """Identify everything that the report is made from, its own code included."""
    root = material.store.root
    read = [_hash(root / name) for name in _READ] + [_hash(root.with_name(BASELINE) / "leaderboard.csv")]
    predictions = material.predictions
    seen = [predictions.hashes, predictions.left_out, predictions.partial, predictions.ledger.sha256]
    spectra = [material.experiment.report.spectra.model_dump(mode="json"), _stamp(root / SPECTRA)]
    tuned = [_hash(folder / RESULT) for folder in searches(material.store).values()]
    return digest([material.store.name, seen, read, spectra, tuned, framework_code()])


def member_signature(material: Material, column: int) -> str:
    """Identify everything that a member's own page is made from."""
    predictions = material.predictions
    records = [asdict(record) for record in predictions.every_record_of(predictions.members[column])]
    return digest([heading(material.store), predictions.ledger.sha256, records, framework_code()])


def is_signed(path: Location, signature: str) -> bool:
    """Whether a page bears this signature."""
    try:
        with path.open("rb") as file:
            return signature.encode() in file.read(_HEAD)
    except OSError:
        return False


def _stamp(path: Location) -> list[float]:
    """Size and time of a file that is too large to be hashed."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime]


def _hash(path: Location) -> str:
    try:
        return file_sha256(path)
    except OSError:
        return ""
