"""OofStore: out-of-fold and test predictions, one folder per fold, written atomically with their provenance."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ensemble.competition.rows import SampleTable
from ensemble.config.experiment import Experiment
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_folder, remove_unfinished, write_text
from ensemble.core.storage.hashing import file_sha256
from ensemble.core.storage.json_file import read_json
from ensemble.core.storage.version import FORMAT, refuse_newer
from ensemble.engine.tasks.fold import FoldResult
from ensemble.folds.ledger import FoldLedger
from ensemble.store.record import PREDICTIONS, FoldRecord, FoldState, Provenance, from_text, record_of, to_text

IMPORTED = "imported.json"  # beside the folds of a member that was trained elsewhere
STORE_MARKERS = ("data.json", "folds.json")  # files that every store has
OUTPUT = "output.txt"  # what a fold's member and its libraries printed
MODEL = "model"  # the folder of a fold's model
RECORD = "fold.json"  # written last: a fold without it is missing
COLUMNS = "columns.parquet"  # feature columns for blenders that read them
FEATURE_CACHE = ".features"
MANIFEST, SUBMISSION, BLEND_OOF = "blend.json", "submit.csv", "oof.parquet"  # in the blend's folder


class OofStore:
    """One experiment's folder: `experiment.yaml`, the ledger, and `members/<name>/fold-<k>/`.

    It may lie on an object store: `root` is a path or an address.

    Parameters
    ----------
    feature_cache : path
        Where feature tables are cached (default: beside the store, for all experiments).
    """

    def __init__(self, root: Location, feature_cache: Location | None = None) -> None:
        self.root = root
        self.feature_cache = feature_cache or root.parent / FEATURE_CACHE

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.root.name

    def exists(self) -> bool:
        """Whether a run has started here; a store that a newer version wrote is a `UserError`."""
        refuse_newer(self.root)
        return (self.root / "folds.json").exists()

    def begin(self, experiment: Experiment, ledger: FoldLedger, sample: SampleTable, facts: dict[str, Any]) -> None:
        """Write the config, the ledger, the sample and the facts of the data; leave finished folds as they are."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._remove_unfinished()
        if not self._is_of(facts["sha256"]):
            (self.root / "folds.json").unlink(missing_ok=True)  # an interrupted run leaves no folds of other data
        write_text(self.root / "experiment.yaml", experiment.to_yaml())
        content = {"format": FORMAT, **facts, "sample": sample.facts()}
        write_text(self.root / "data.json", json.dumps(content, indent=1) + "\n")
        ledger.save(self.root)

    def _remove_unfinished(self) -> None:
        """Remove what killed runs have left of what training writes: others may be writing to the same store."""
        if isinstance(self.root, Path):  # on an object store there is none, and listing it takes a request
            remove_unfinished(self.root, "*.json", "*.yaml", "folds.parquet")
            for member in self.root.glob("members/[!.]*"):
                remove_unfinished(member, "fold-*")

    def _is_of(self, sha256: str) -> bool:
        """Return whether the store was begun with this data."""
        try:
            return read_json(self.root / "data.json", dict).get("sha256") == sha256
        except (FileNotFoundError, ValueError):
            return False

    def experiment(self) -> Experiment:
        """Return the resolved config of the last run."""
        return load_experiment(self.root / "experiment.yaml")

    def ledger(self) -> FoldLedger:
        """Return the fold ledger, verified."""
        return FoldLedger.load(self.root)

    def facts(self) -> dict[str, Any]:
        """Return facts of the data: `sha256`, `source`, `synthetic`, sizes."""
        try:
            facts = read_json(self.root / "data.json", dict)
            SampleTable(**facts["sample"])
            _ = [facts[key] for key in ("sha256", "synthetic", "train_rows", "test_rows")]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{self.root} is not a store of a trained experiment, or is damaged; train first"
            ) from error
        return facts

    def sample(self) -> SampleTable:
        """Return the sample submission."""
        return SampleTable(**self.facts()["sample"])

    @property
    def blend_folder(self) -> Location:
        """Folder of the last blend: submit.csv, blend.json, oof.parquet, study.db."""
        return self.root / "blend"

    def member_folder(self, member: str) -> Location:
        """Return the folder of a member's folds and report."""
        return self.root / "members" / member

    def fold_folder(self, member: str, fold: int) -> Location:
        """Return the folder of one fold."""
        return self.member_folder(member) / f"fold-{fold}"

    def model_folder(self, member: str, fold: int) -> Location:
        """Return the folder of the files of one fold's model."""
        return self.fold_folder(member, fold) / MODEL

    def log_file(self, member: str, fold: int) -> Location:
        """Return the file for the traceback of a failed fold."""
        return self.member_folder(member) / f"fold-{fold}.error.txt"

    def write(
        self,
        result: FoldResult,
        provenance: Provenance,
        ledger: FoldLedger,
        sample: SampleTable,
        features_seconds: float,
    ) -> None:
        """Write a fold's predictions, models and record atomically.

        Raises
        ------
        OSError
            They could not be stored: the disk is full, say, or the object store was unreachable for minutes.
        """
        files = {PREDICTIONS: _parquet(_table(result, ledger, sample))}
        files |= {f"{MODEL}/{name}": content for name, content in result.model.items()}
        record = record_of(result, provenance, features_seconds, files)
        files |= {OUTPUT: result.output.encode(errors="replace")} if result.output else {}  # may be deleted
        try:
            with new_folder(self.fold_folder(result.member, result.fold), RECORD) as folder:
                for name, content in files.items():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(content)
                (folder / RECORD).write_text(to_text(record), encoding="utf-8")
            self.log_file(result.member, result.fold).unlink(missing_ok=True)
        except UserError as error:  # concerns this fold only: later ones may be stored again
            raise OSError(str(error)) from None

    def record(self, member: str, fold: int) -> FoldRecord | None:
        """Read the record of a finished fold; None if it is missing or damaged."""
        try:
            record = from_text((self.fold_folder(member, fold) / RECORD).read_bytes())
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return record if (record.member, record.fold) == (member, fold) else None

    def predictions(self, record: FoldRecord) -> pa.Table | None:
        """Read a fold's table (name, fold, split, label, pred); None if its file is missing or damaged."""
        try:
            content = (self.fold_folder(record.member, record.fold) / PREDICTIONS).read_bytes()
            if hashlib.sha256(content).hexdigest() != record.predictions_sha256:
                return None
            return parquet.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        except (pa.ArrowException, OSError):
            return None

    def imported(self) -> list[str]:
        """Return the names of the imported members, sorted."""
        return sorted(path.parent.name for path in self.root.glob(f"members/[!.]*/{IMPORTED}"))

    def origin(self, member: str) -> dict[str, Any]:
        """Return facts of an imported member: its files, how its folds were checked, and warnings."""
        try:
            return read_json(self.member_folder(member) / IMPORTED, dict)
        except (OSError, ValueError):
            return {}

    def state(self, member: str, fold: int, provenance: Provenance) -> FoldState:
        """Compare a stored fold with what would be made now."""
        record = self.record(member, fold)
        if record is None:
            exists = self.fold_folder(member, fold).exists()
            return FoldState("stale", (_damage([RECORD]),)) if exists else FoldState("missing")
        if damaged := self.damaged_files(record):
            return FoldState("stale", (_damage(damaged),))
        changes = tuple(f"{change} changed" for change in record.provenance.changes(provenance))
        return FoldState("stale", changes) if changes else FoldState("valid")

    def damaged_files(self, record: FoldRecord) -> list[str]:
        """Return the missing and changed files of a fold, by their name relative to its folder."""
        folder = self.fold_folder(record.member, record.fold)
        return [name for name, sha256 in record.checksums.items() if not _is_as_written(folder / name, sha256)]


def _is_as_written(path: Location, sha256: str) -> bool:
    try:
        return file_sha256(path) == sha256
    except OSError:
        return False


def _damage(files: list[str]) -> str:
    return f"its files are damaged ({', '.join(files)})"


def _table(result: FoldResult, ledger: FoldLedger, sample: SampleTable) -> pd.DataFrame:
    """Build the table of a fold: first the held-out rows, then the test rows."""
    rows = ledger.table.iloc[ledger.heldout(result.fold)]
    heldout = {"name": rows["name"], "split": "oof", "label": rows["label"], "pred": result.heldout}
    test = {"name": sample.names, "split": "test", "label": -1, "pred": result.test}
    table = pd.concat([pd.DataFrame(heldout), pd.DataFrame(test)], ignore_index=True)
    table.insert(1, "fold", result.fold)
    return table


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    # Names are unique: a dictionary of them takes four times as long to write and twice as long to read.
    table.to_parquet(buffer, index=False, use_dictionary=["split"], compression="zstd")
    return buffer.getvalue()
