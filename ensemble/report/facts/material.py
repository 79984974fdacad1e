"""Material of a report: everything that its sections need from a store, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Array
from ensemble.core.metrics.decisions import correct_logits
from ensemble.core.parallel import blocks
from ensemble.core.storage.parquet import read_arrays
from ensemble.report.facts.leaderboard import leaderboard
from ensemble.store.doubts import doubts_of
from ensemble.store.oof import BLEND_OOF, OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.results import current_manifest

UNKNOWN = -1  # where a member has no prediction
ROWS_AT_ONCE = 16_384
_ROUNDING = 1e-12  # of sums of squares


@dataclass(frozen=True)
class BlendRows:
    """The blend's out-of-fold predictions.

    Attributes
    ----------
    rows : intp (n,)
        Rows of the ledger: those that all of its members have predicted.
    probabilities : float64 (n,)
        Nested: nothing that made one saw its row.
    """

    rows: NDArray[np.intp]
    probabilities: Array


@dataclass(frozen=True)
class Likeness:
    """Two members compared, each float (members, members).

    Attributes
    ----------
    common : photographs that both have predicted
    both_wrong : of these, those that both got wrong
    wrong : of these, those that the first got wrong
    correlation : of their logits; NaN where one is constant
    """

    common: Array
    both_wrong: Array
    wrong: Array
    correlation: Array


@dataclass(frozen=True, eq=False)  # hashed by identity: what is derived from it is derived once
class Material:
    """What a report needs from one store.

    Attributes
    ----------
    manifest : dict or None
        That of the last blend, if it was made from these predictions.
    """

    store: OofStore
    experiment: Experiment
    predictions: Predictions
    manifest: dict[str, Any] | None

    @classmethod
    def of(cls, store: OofStore, experiment: Experiment, predictions: Predictions) -> Material:
        """Read the manifest of the blend of these predictions."""
        return cls(store, experiment, predictions, current_manifest(store, predictions))

    @cached_property
    def board(self) -> pd.DataFrame:
        """The leaderboard."""
        return leaderboard(self.store, self.predictions)

    @cached_property
    def doubts(self) -> list[str]:
        """What speaks against members, a sentence each."""
        return doubts_of(self.store, self.predictions)

    @cached_property
    def as_said(self) -> str:
        """Limit of a claim about what models had not seen; empty where no member of the blend was trained elsewhere."""
        return self.said_of(self.predictions.members if self.manifest is None else self.manifest["members"])

    def said_of(self, members: Sequence[str]) -> str:
        """Return the limit of a claim about some members."""
        imported = not set(self.store.imported()).isdisjoint(members)
        return ", of imported members as far as their authors say" if imported else ""

    def scores_of(self, member: str) -> pd.Series[Any]:
        """Return a member's row of the leaderboard."""
        return self.board[self.board["member"] == member].iloc[0]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Facts about the data, from data.json."""
        return self.store.facts()

    @property
    def names(self) -> Sequence[str]:
        """Names of the training photographs, in the order of the ledger."""
        names: Sequence[str] = self.predictions.ledger.table["name"].array
        return names

    @property
    def labels(self) -> NDArray[np.int64]:
        """Their labels."""
        return self.predictions.ledger.labels

    @cached_property
    def member_right(self) -> NDArray[np.int8]:
        """1 where a member is right, 0 where it is wrong, -1 where it has no prediction: (training rows, members)."""
        logits = self.predictions.oof_logits
        right = correct_logits(logits, self.labels[:, None]).astype(np.int8)
        right[np.isnan(logits)] = UNKNOWN
        return right

    @cached_property
    def blend_by_row(self) -> Array:
        """The blend's probabilities (training rows,); NaN where it has none."""
        probabilities = np.full(len(self.labels), np.nan)
        if self.blend is not None:
            probabilities[self.blend.rows] = self.blend.probabilities
        return probabilities

    @cached_property
    def likeness(self) -> Likeness:
        """How alike the members are, two by two, on photographs that both have predicted."""
        logits = self.predictions.oof_logits
        middle = np.nan_to_num([np.nanmean(column, dtype=np.float64) for column in logits.T])
        sums = np.zeros((6, logits.shape[1], logits.shape[1]))
        for rows in blocks(len(logits), ROWS_AT_ONCE):
            known = (self.member_right[rows] != UNKNOWN).astype(np.float64)
            wrong = (self.member_right[rows] == 0).astype(np.float64)
            sizes = np.nan_to_num(logits[rows] - middle)
            pairs = (known, known), (wrong, wrong), (wrong, known), (sizes, known), (sizes**2, known), (sizes, sizes)
            sums += [one.T @ other for one, other in pairs]
        common, both_wrong, of_wrong, total, squares, products = sums
        with np.errstate(invalid="ignore", divide="ignore"):  # a constant member has no correlation
            spread = squares - total**2 / common
            spread[spread <= _ROUNDING * squares] = np.nan
            correlation = (products - total * total.T / common) / np.sqrt(spread * spread.T)
        return Likeness(common, both_wrong, of_wrong, np.clip(correlation, -1, 1))

    @cached_property
    def blend(self) -> BlendRows | None:
        """The blend's predictions of training rows; None where there is no blend of these predictions."""
        if self.manifest is None:
            return None
        found = read_arrays(self.store.blend_folder / BLEND_OOF, ["fold", "pred"])
        rows = np.flatnonzero(np.isin(self.predictions.ledger.folds, np.unique(found["fold"])))
        return BlendRows(rows, found["pred"].astype(np.float64))
