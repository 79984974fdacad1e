"""FoldLedger: the fold of every training row. Cut once for all members, grouped by near-duplicates, with a hash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.config.experiment import FoldSettings
from ensemble.core.console.text import first_few, plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_file, write_text
from ensemble.core.storage.hashing import digest_of_chunks
from ensemble.core.storage.json_file import read_json
from ensemble.core.storage.parquet import read_parquet

ALGORITHM = "StratifiedGroupKFold over dHash-256 components, 1"
_CHUNK = 65_536  # rows that are hashed at a time


@dataclass(frozen=True)
class FoldLedger:
    """The folds of all training rows.

    Attributes
    ----------
    table : DataFrame
        Columns `name` (sorted), `label` (0/1), `group` (rows of one group are never split), `fold` (0 .. n_folds - 1).
    n_folds, seed, distance : int
        Settings of the cut; `distance` in bits of the perceptual hash.
    algorithm : str
        Name and version of the method.
    """

    table: pd.DataFrame
    n_folds: int
    seed: int
    distance: int
    algorithm: str = ALGORITHM

    @classmethod
    def cut(
        cls, names: Sequence[str], labels: NDArray[np.int64], groups: Sequence[str], settings: FoldSettings
    ) -> FoldLedger:
        """Cut stratified folds that do not split groups; the same for any order of the rows.

        Raises
        ------
        UserError
            There are fewer groups of a class than folds.
        """
        table = pd.DataFrame({"name": list(names), "label": labels, "group": list(groups)})
        table = table.sort_values("name", ignore_index=True)
        _check_groups(table, settings)
        from sklearn.model_selection import StratifiedGroupKFold  # takes 1 s; only new folds need it

        splitter = StratifiedGroupKFold(settings.n_folds, shuffle=True, random_state=settings.seed)
        table["fold"] = -1
        splits = splitter.split(table, table["label"], table["group"].astype("category").cat.codes)
        for fold, (_, heldout) in enumerate(splits):
            table.loc[heldout, "fold"] = fold
        ledger = cls(table, settings.n_folds, settings.seed, settings.near_duplicate_distance)
        ledger.check()
        return ledger

    def cut_again(self, seed: int) -> FoldLedger:
        """Return a cut of the same rows and groups by another seed."""
        settings = FoldSettings(n_folds=self.n_folds, seed=seed % 2**31, near_duplicate_distance=self.distance)
        return FoldLedger.cut(list(self.table["name"]), self.labels, list(self.table["group"]), settings)

    def with_folds(self, folds: NDArray[np.int64], algorithm: str) -> FoldLedger:
        """Return a ledger of the same rows with other folds (rows,), in the order of the table, named by `algorithm`.

        Raises
        ------
        UserError
            A fold would contain one class only.
        """
        table = self.table.assign(fold=folds)
        ledger = FoldLedger(table, int(folds.max()) + 1, self.seed, self.distance, algorithm)
        ledger.check()
        return ledger

    def check(self) -> None:
        """Check that each row is in one fold, no group is in two, and each fold has both classes."""
        folds = self.table["fold"]
        if not folds.between(0, self.n_folds - 1).all() or self.table["name"].duplicated().any():
            raise AssertionError("a row is in no fold or in two")
        split = self.table.groupby("group")["fold"].nunique()
        if (split > 1).any():
            raise AssertionError(f"group {split.idxmax()!r} is split over folds")
        if (self.table.groupby("fold")["label"].nunique() < 2).any() or folds.nunique() < self.n_folds:
            raise UserError("a fold would contain one class only; lower folds.n_folds or change folds.seed")

    @cached_property
    def sha256(self) -> str:
        """Hash of ids, labels, groups, folds, settings and algorithm."""
        table = self.table[["name", "label", "group", "fold"]]
        chunks = (table.iloc[start : start + _CHUNK] for start in range(0, len(table), _CHUNK))
        rows = (list(zip(*(chunk[column].tolist() for column in chunk), strict=True)) for chunk in chunks)
        return digest_of_chunks(rows, self.n_folds, self.seed, self.distance, self.algorithm)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the rows, in the order of the table."""
        return self.table["label"].to_numpy(np.int64)

    @property
    def folds(self) -> NDArray[np.int64]:
        """Fold of each row, in the order of the table."""
        return self.table["fold"].to_numpy(np.int64)

    def heldout(self, fold: int) -> NDArray[np.intp]:
        """Return the rows that this fold predicts."""
        return np.flatnonzero(self.folds == fold)

    def training(self, fold: int) -> NDArray[np.intp]:
        """Return the rows that this fold is trained on."""
        return np.flatnonzero(self.folds != fold)

    def difference(self, other: FoldLedger) -> str:
        """Describe how two ledgers differ, with the names of rows; empty if they are equal."""
        if self.sha256 == other.sha256:
            return ""
        mine, theirs = (ledger.table.set_index("name") for ledger in (self, other))
        found = [
            _named("rows only in the first", sorted(set(mine.index) - set(theirs.index))),
            _named("rows only in the second", sorted(set(theirs.index) - set(mine.index))),
        ]
        both = mine.index.intersection(theirs.index)
        for column in ("label", "group", "fold"):
            changed = mine.loc[both, column] != theirs.loc[both, column]
            found.append(_named(f"another {column}", sorted(both[changed])))
        settings = [f"{name} {mine} and {theirs}" for name, mine, theirs in self._settings(other) if mine != theirs]
        return "; ".join([text for text in found if text] + settings)

    def _settings(self, other: FoldLedger) -> list[tuple[str, Any, Any]]:
        names = ("n_folds", "seed", "distance", "algorithm")
        return [(name, getattr(self, name), getattr(other, name)) for name in names]

    def save(self, folder: Location) -> None:
        """Write `folds.parquet` and `folds.json`: the same bytes for the same ledger and the same pyarrow."""
        with new_file(folder / "folds.parquet") as temporary:
            self.table.to_parquet(temporary, index=False)
        settings = {"n_folds": self.n_folds, "seed": self.seed, "near_duplicate_distance": self.distance}
        summary = {
            "sha256": self.sha256,
            "algorithm": self.algorithm,
            **settings,
            "rows": len(self.table),
            "groups": int(self.table["group"].nunique()),
            "rows_in_shared_groups": int((self.table["group"].value_counts().loc[lambda n: n > 1]).sum()),
        }
        write_text(folder / "folds.json", json.dumps(summary, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Location) -> FoldLedger:
        """Read a ledger and verify its hash.

        Raises
        ------
        UserError
            The files are missing or were changed since they were written.
        """
        try:
            summary = read_json(folder / "folds.json", dict)
            table = read_parquet(folder / "folds.parquet")
            n_folds, seed, distance = (summary[name] for name in ("n_folds", "seed", "near_duplicate_distance"))
            ledger = cls(table, n_folds, seed, distance, summary.get("algorithm", ALGORITHM))
            same = ledger.sha256 == summary["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder} has no fold ledger that can be read; train first") from error
        if not same:
            raise UserError(
                f"{folder}/folds.parquet was changed after it was written: its hash differs from that in folds.json; "
                "restore it, or move the store away and train again"
            )
        return ledger


def _check_groups(table: pd.DataFrame, settings: FoldSettings) -> None:
    """Raise a `UserError` if a class has fewer groups than there are folds."""
    groups = {label: int(table.loc[table["label"] == label, "group"].nunique()) for label in (0, 1)}
    label = min(groups, key=groups.__getitem__)
    count = groups[label]
    if count >= settings.n_folds:
        return
    rows = int((table["label"] == label).sum())
    kind = ("real", "fake")[label]
    if rows == count:
        raise UserError(
            f"there are {plural(rows, f'{kind} training photograph')}, fewer than folds.n_folds ({settings.n_folds})"
        )
    fewer = f"lower folds.n_folds to {count}, or " if count > 1 else "no folds are possible as it is; "
    raise UserError(
        f"the {rows:,} {kind} photographs form {plural(count, 'group')} of near-duplicates (at most "
        f"{settings.near_duplicate_distance} bits apart) or of one value of data.group_column, but each of "
        f"{settings.n_folds} folds needs a group of its own; {fewer}lower folds.near_duplicate_distance, or leave "
        "data.group_column out"
    )


def _named(what: str, names: list[str]) -> str:
    return f"{what}: {first_few(names)}" if names else ""
