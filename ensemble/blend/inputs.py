"""What a blend starts from: the members' logits without gaps, and feature columns where a blender reads them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.base import Logits
from ensemble.blend.missing import covered, fill_missing
from ensemble.blend.nested import Problem
from ensemble.columns import read_columns
from ensemble.config import Experiment
from ensemble.oof import COLUMNS, OofStore
from ensemble.predictions import Predictions


@dataclass(frozen=True)
class Inputs:
    """Everything that is read of a store.

    Attributes
    ----------
    rows : intp (n,)
        Rows of the ledger for which a member has spoken: those of `problem`.
    test : float32 (test rows, members + columns)
    columns_sha256 : str or None
        Of the file of feature columns, where there are any.
    """

    predictions: Predictions
    problem: Problem
    rows: NDArray[np.intp]
    test: Logits
    columns_sha256: str | None


def load_inputs(store: OofStore, experiment: Experiment, predictions: Predictions) -> Inputs:
    """Fill the matrices; columns come along if the experiment asks for some and the store holds them."""
    ledger, members = predictions.ledger, len(predictions.members)
    there = covered(predictions.oof_logits)
    rows = np.flatnonzero(there)
    oof = predictions.oof_logits if there.all() else predictions.oof_logits.T[:, rows].T
    oof, test, sha256 = fill_missing(oof), predictions.test_logits, None
    columns = read_columns(store, ledger) if experiment.blend.columns else None
    if columns is not None:
        oof = np.concatenate([oof.T, columns[0][rows].T]).T
        test = np.concatenate([test.T, columns[1].T]).T
        sha256 = hashlib.sha256((store.root / COLUMNS).read_bytes()).hexdigest()
    problem = Problem(oof, members, ledger.labels[rows], ledger.folds[rows])
    return Inputs(predictions, problem, rows, test, sha256)
