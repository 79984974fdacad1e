"""OofStore: out-of-fold and test predictions, a folder a fold, written atomically, signed with what made them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from io import BytesIO
from typing import Any

import pandas as pd
import pyarrow as pa

from ensemble.competition.tables import SampleTable
from ensemble.config import Experiment, MemberSettings, load_experiment
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_folder, remove_unfinished, write_text
from ensemble.core.storage.hashing import file_sha256
from ensemble.core.storage.version import FORMAT, refuse_newer
from ensemble.engine.tasks.fold import FoldResult
from ensemble.folds.ledger import FoldLedger
from ensemble.store.parquet import PredictionsFile
from ensemble.store.record import IMPORTED_RECIPE, PREDICTIONS, FoldRecord, Provenance, from_text, record_of, to_text

__all__ = ["IMPORTED_RECIPE", "PREDICTIONS", "FoldRecord", "FoldResult", "OofStore", "Provenance", "provenance_of"]

IMPORTED = "imported.json"  # beside the folds of a member that was trained elsewhere
STORE_MARKERS = ("data.json", "folds.json")  # by which a folder is known to be a store
RECORD = "fold.json"  # written last: a fold without it is not there
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
        """Whether a run has begun here; a store that a newer version wrote is a `UserError`."""
        refuse_newer(self.root)
        return (self.root / "folds.json").exists()

    def begin(self, experiment: Experiment, ledger: FoldLedger, sample: SampleTable, facts: dict[str, Any]) -> None:
        """Write what every fold of the store rests on; leave finished folds alone."""
        self.root.mkdir(parents=True, exist_ok=True)
        # Only what training writes: a blend at work in the same store is left alone.
        remove_unfinished(self.root, "fold-*", "*.json", "*.yaml", "folds.parquet")
        write_text(self.root / "experiment.yaml", experiment.to_yaml())
        content = {"format": FORMAT, **facts, "sample": asdict(sample)}
        write_text(self.root / "data.json", json.dumps(content, indent=1) + "\n")
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
            _ = [facts[key] for key in ("sha256", "synthetic", "train_rows", "test_rows")]
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
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
        """Store a fold's work; it is either there whole or not at all.

        Raises
        ------
        OSError
            It could not be stored: the disk is full, say, or the object store was away for minutes.
        """
        files = {PREDICTIONS: _parquet(_table(result, ledger, sample))}
        files |= {f"model/{name}": content for name, content in result.model.items()}
        record = record_of(result, provenance, features_seconds, files)
        try:
            with new_folder(self.fold_folder(result.member, result.fold), RECORD) as folder:
                for name, content in files.items():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(content)
                (folder / RECORD).write_text(to_text(record), encoding="utf-8")
            self.log_file(result.member, result.fold).unlink(missing_ok=True)
        except UserError as error:  # of one fold: what is finished later may be stored again
            raise OSError(str(error)) from None

    def record(self, member: str, fold: int) -> FoldRecord | None:
        """The record of a finished fold; None where there is none that can be read."""
        try:
            record = from_text((self.fold_folder(member, fold) / RECORD).read_bytes())
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
        record = self.record(member, fold)
        if record is None:
            return [_damage([RECORD])] if self.fold_folder(member, fold).exists() else None
        damaged = self.damaged_files(record)
        return [_damage(damaged)] if damaged else [f"{c} changed" for c in record.provenance.changes(provenance)]

    def damaged_files(self, record: FoldRecord) -> list[str]:
        """Files of a fold that are missing or not as they were written, by their name relative to its folder."""
        folder = self.fold_folder(record.member, record.fold)
        return [name for name, sha256 in record.checksums.items() if not _is_as_written(folder / name, sha256)]


def _is_as_written(path: Location, sha256: str) -> bool:
    try:
        return file_sha256(path) == sha256
    except OSError:
        return False


def _damage(files: list[str]) -> str:
    return f"its files are damaged ({', '.join(files)})"


def provenance_of(member: MemberSettings, code: str, ledger: FoldLedger, data: str) -> Provenance:
    """What would make this member's predictions now."""
    return Provenance(member.recipe, ledger.sha256, data, code)


def _table(result: FoldResult, ledger: FoldLedger, sample: SampleTable) -> pd.DataFrame:
    """What a fold predicted: first the rows that it held out, then the test rows."""
    rows = ledger.table.iloc[ledger.heldout(result.fold)]
    heldout = {"name": rows["name"], "split": "oof", "label": rows["label"], "pred": result.heldout}
    test = {"name": sample.names, "split": "test", "label": -1, "pred": result.test}
    table = pd.concat([pd.DataFrame(heldout), pd.DataFrame(test)], ignore_index=True)
    table.insert(1, "fold", result.fold)
    return table


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    # Names are all different: a dictionary of them is written in four times the time, and read in twice the time.
    table.to_parquet(buffer, index=False, use_dictionary=["split"], compression="zstd")
    return buffer.getvalue()
