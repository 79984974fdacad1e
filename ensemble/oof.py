"""OofStore: out-of-fold and test predictions, a folder a fold, written atomically, signed with what made them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ensemble.config import Experiment, MemberSettings, load_experiment
from ensemble.errors import UserError
from ensemble.files import Location, new_folder, remove_unfinished, write_text
from ensemble.folds import FoldLedger
from ensemble.predictions_file import PredictionsFile
from ensemble.tables import SampleTable

PREDICTIONS = "predictions.parquet"
IMPORTED = "imported.json"  # beside the folds of a member that was trained elsewhere
IMPORTED_RECIPE = "imported"  # the key by which its recipe tells so
STORE_MARKERS = ("data.json", "folds.json")  # by which a folder is known to be a store
RECORD = "fold.json"
COLUMNS = "columns.parquet"  # feature columns for blenders that read them
MANIFEST, SUBMISSION, BLEND_OOF = "blend.json", "submit.csv", "oof.parquet"  # in the blend's folder


@dataclass(frozen=True)
class Provenance:
    """What made a fold's predictions. Two folds with equal provenance are the same work."""

    recipe: dict[str, Any]
    folds: str
    data: str
    code: str

    def changes(self, other: Provenance) -> list[str]:
        """In words, what differs in the other."""
        found = [name for name in ("data", "folds", "code") if getattr(self, name) != getattr(other, name)]
        return found + _config_changes(self.recipe, other.recipe)


@dataclass(frozen=True)
class FoldResult:
    """What one (member, fold) task brings home.

    Attributes
    ----------
    heldout, test : float64 arrays
        Probability of fake for the rows that this fold held out (in ledger order) and for the test rows.
    model : dict of bytes
        The files of the trained model, by name; empty when it could not be saved (`model_note` says why).
    started, finished : float
        Seconds since the epoch.
    peak_memory_mib : float
        Highest resident memory of the process that did the work.
    """

    member: str
    fold: int
    heldout: NDArray[np.float64]
    test: NDArray[np.float64]
    seconds_fit: float
    seconds_predict: float
    started: float
    finished: float
    peak_memory_mib: float
    threads: int
    versions: dict[str, str]
    model: dict[str, bytes] = field(default_factory=dict, repr=False)
    model_note: str = ""
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class FoldRecord:
    """The `fold.json` of a finished fold."""

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

    @property
    def trained_elsewhere(self) -> bool:
        """Whether only the predictions came here."""
        return IMPORTED_RECIPE in self.provenance.recipe

    @property
    def seconds(self) -> float:
        """Seconds in the member's own fit and predict_proba."""
        return self.seconds_fit + self.seconds_predict


class OofStore:
    """One experiment's folder: `experiment.yaml`, the ledger, and `members/<name>/fold-<k>/`."""

    def __init__(self, root: Location) -> None:
        self.root = root

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.root.name

    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.root / "folds.json").exists()

    def begin(self, experiment: Experiment, ledger: FoldLedger, sample: SampleTable, facts: dict[str, Any]) -> None:
        """Write what every fold of the store rests on; leave finished folds alone."""
        self.root.mkdir(parents=True, exist_ok=True)
        for name in ("fold-*", "*.json", "*.yaml", "folds.parquet"):  # a blend at work in the same store is left alone
            remove_unfinished(self.root, name)
        write_text(self.root / "experiment.yaml", experiment.to_yaml())
        write_text(self.root / "data.json", json.dumps({**facts, "sample": asdict(sample)}, indent=1) + "\n")
        ledger.save(self.root)

    def experiment(self) -> Experiment:
        """The resolved config of the last run."""
        return load_experiment(self.root / "experiment.yaml")

    def ledger(self) -> FoldLedger:
        """The fold ledger, verified."""
        return FoldLedger.load(self.root)

    def facts(self) -> dict[str, Any]:
        """What is known of the data: `sha256`, `source`, `synthetic`, sizes."""
        try:
            facts: dict[str, Any] = json.loads((self.root / "data.json").read_text(encoding="utf-8"))
            SampleTable(**facts["sample"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"{self.root} is no store of a trained experiment ({error!r}); train first") from None
        return facts

    def sample(self) -> SampleTable:
        """The sample submission."""
        return SampleTable(**self.facts()["sample"])

    @property
    def blend_folder(self) -> Location:
        """Where the last blend lies: submit.csv, blend.json, oof.parquet, study.db."""
        return self.root / "blend"

    def member_folder(self, member: str) -> Location:
        """Where a member's folds and report lie."""
        return self.root / "members" / member

    def fold_folder(self, member: str, fold: int) -> Location:
        """Where one fold lies."""
        return self.member_folder(member) / f"fold-{fold}"

    def log_file(self, member: str, fold: int) -> Location:
        """Where the traceback of a failed fold is written."""
        return self.member_folder(member) / f"fold-{fold}.error.txt"

    def write(
        self,
        result: FoldResult,
        provenance: Provenance,
        ledger: FoldLedger,
        sample: SampleTable,
        features_seconds: float,
    ) -> None:
        """Store a fold's work; it is either there whole or not at all."""
        rows = ledger.table.iloc[ledger.heldout(result.fold)]
        heldout = {"name": rows["name"], "split": "oof", "label": rows["label"], "pred": result.heldout}
        test = {"name": sample.names, "split": "test", "label": -1, "pred": result.test}
        table = pd.concat([pd.DataFrame(heldout), pd.DataFrame(test)], ignore_index=True)
        table.insert(1, "fold", result.fold)
        content = _parquet(table)
        record = FoldRecord(
            provenance=provenance,
            seconds_features_per_photograph=features_seconds,
            predictions_sha256=hashlib.sha256(content).hexdigest(),
            **{name: getattr(result, name) for name in _SHARED},
        )
        with new_folder(self.fold_folder(result.member, result.fold), RECORD) as folder:
            (folder / PREDICTIONS).write_bytes(content)
            for name, model_file in result.model.items():
                path = folder / "model" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(model_file)
            (folder / RECORD).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
        self.log_file(result.member, result.fold).unlink(missing_ok=True)

    def record(self, member: str, fold: int) -> FoldRecord | None:
        """The record of a finished fold; None where there is none that can be read."""
        try:
            raw = json.loads((self.fold_folder(member, fold) / RECORD).read_text(encoding="utf-8"))
            record = FoldRecord(**{**raw, "provenance": Provenance(**raw["provenance"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return record if (record.member, record.fold) == (member, fold) else None

    def predictions(self, member: str, fold: int) -> pd.DataFrame | None:
        """A fold's table (name, fold, split, label, pred); None where it is missing or not as it was written."""
        record = self.record(member, fold)
        table = None if record is None else self.table(member, fold, record)
        return None if table is None else table.to_pandas()

    def table(self, member: str, fold: int, record: FoldRecord) -> pa.Table | None:
        """The same, as Arrow holds it, for a record that is at hand."""
        file = self.file(member, fold, record)
        return None if file is None else file.read()

    def file(self, member: str, fold: int, record: FoldRecord) -> PredictionsFile | None:
        """The file itself, if it is as it was written."""
        try:
            content = (self.fold_folder(member, fold) / PREDICTIONS).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != record.predictions_sha256:
            return None
        try:
            return PredictionsFile(content)
        except (pa.ArrowException, OSError):
            return None

    def imported(self) -> list[str]:
        """Members whose predictions were made elsewhere, in the order of their names."""
        return sorted(path.parent.name for path in self.root.glob(f"members/[!.]*/{IMPORTED}"))

    def origin(self, member: str) -> dict[str, Any]:
        """What is known of an imported member: its files, how its folds were checked, and what was noticed."""
        try:
            found: dict[str, Any] = json.loads((self.member_folder(member) / IMPORTED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def finished(self, member: str, fold: int, provenance: Provenance) -> list[str] | None:
        """What changed since this fold was finished: empty when it stands, None when it never was."""
        if not self.fold_folder(member, fold).exists():
            return None
        record = self.record(member, fold)
        if record is None or self.predictions(member, fold) is None:
            return ["its files are damaged"]
        return [f"{change} changed" for change in record.provenance.changes(provenance)]


_SHARED = (
    "member", "fold", "seconds_fit", "seconds_predict", "started", "finished", "peak_memory_mib", "threads",
    "versions", "model_note", "history",
)  # fmt: skip


def provenance_of(member: MemberSettings, code: str, ledger: FoldLedger, data: str) -> Provenance:
    """What would make this member's predictions now."""
    return Provenance(member.recipe, ledger.sha256, data, code)


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    # Names are all different: a dictionary of them is written in four times the time, and read in twice the time.
    table.to_parquet(buffer, index=False, use_dictionary=["split"], compression="zstd")
    return buffer.getvalue()


def _config_changes(old: Any, new: Any, place: str = "config") -> list[str]:
    """Paths and values at which two nested settings differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [c for key in keys for c in _config_changes(old.get(key), new.get(key), f"{place}.{key}")]
    return [] if old == new else [f"{place}: {old!r} -> {new!r}"]
