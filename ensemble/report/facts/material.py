"""What the sections of a report are made from: everything that a store tells, read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.config import Experiment
from ensemble.core.arrays import Array
from ensemble.core.metrics.scores import is_right
from ensemble.report.facts.leaderboard import leaderboard
from ensemble.store.oof import BLEND_OOF, OofStore
from ensemble.store.parquet import read_arrays
from ensemble.store.predictions import Predictions
from ensemble.store.results import current_manifest


@dataclass(frozen=True)
class BlendRows:
    """The blend's own out-of-fold predictions.

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
class Material:
    """One store, as far as the report tells of it.

    Attributes
    ----------
    manifest : dict or None
        That of the last blend, if it was made from these very predictions.
    """

    store: OofStore
    experiment: Experiment
    predictions: Predictions
    manifest: dict[str, Any] | None

    @classmethod
    def of(cls, store: OofStore, experiment: Experiment, predictions: Predictions) -> Material:
        """Read what there is beside the predictions."""
        return cls(store, experiment, predictions, current_manifest(store, predictions))

    @cached_property
    def board(self) -> pd.DataFrame:
        """The leaderboard."""
        return leaderboard(self.store, self.predictions)

    def scores_of(self, member: str) -> pd.Series[Any]:
        """Return a member's row of the leaderboard."""
        return self.board[self.board["member"] == member].iloc[0]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the store remembers of its data."""
        return self.store.facts()

    @property
    def names(self) -> list[str]:
        """Names of the training photographs, in the order of the ledger."""
        return list(self.predictions.ledger.table["name"])

    @property
    def labels(self) -> NDArray[np.int64]:
        """Their labels."""
        return self.predictions.ledger.labels

    @cached_property
    def member_probabilities(self) -> Array:
        """Out-of-fold probabilities (training rows, members); NaN where a fold is not there."""
        columns = [self.predictions.probabilities(column) for column in range(len(self.predictions.members))]
        return np.stack(columns, axis=1)

    @cached_property
    def member_right(self) -> Array:
        """1 where a member decides a row rightly, 0 where not, NaN where it is silent: (training rows, members)."""
        right = is_right(self.member_probabilities, self.labels[:, None]).astype(float)
        right[np.isnan(self.member_probabilities)] = np.nan
        return right

    @cached_property
    def blend(self) -> BlendRows | None:
        """What the blend says of the training rows, or None where there is no blend of these predictions."""
        if self.manifest is None:
            return None
        found = read_arrays(self.store.blend_folder / BLEND_OOF, ["fold", "pred"])
        rows = np.flatnonzero(np.isin(self.predictions.ledger.folds, np.unique(found["fold"])))
        return BlendRows(rows, found["pred"].astype(np.float64))

    @property
    def blend_title(self) -> str:
        """The blend as the leaderboard calls it."""
        return f"blend ({self.manifest['chosen']})" if self.manifest else "blend"
