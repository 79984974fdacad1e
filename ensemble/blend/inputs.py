"""Inputs of a blend: the logits of members on rows that all have predicted, and feature columns if requested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.evaluation.nested import Problem
from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Logits
from ensemble.core.errors import UserError
from ensemble.core.storage.hashing import file_sha256
from ensemble.store.altered import AlteredLogits, read_altered
from ensemble.store.columns import read_columns
from ensemble.store.oof import COLUMNS, OofStore
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.results import current_manifest, without_left_out

_FEWEST_ALTERED = 10  # photographs, for a mean with a standard error
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True)
class Inputs:
    """Data read from a store.

    Attributes
    ----------
    predictions : Predictions
        Predictions of all members, including those that do not take part yet.
    members : list of str
        Members that take part: the first columns of `problem` and `test`.
    rows : intp (n,)
        Rows of the ledger that all of them have predicted: the rows of `problem`.
    test : float32 (test rows, members + columns)
    has_photograph : bool (test rows,)
        Which test rows have a photograph of their own.
    columns_sha256 : str or None
        Hash of the file of feature columns, if it is read.
    altered : AlteredLogits or None
        Rows are those of the problem. None where the members have not been applied to altered photographs, or a blender
        reads columns of these.
    """

    predictions: Predictions
    members: list[str]
    problem: Problem
    rows: NDArray[np.intp]
    test: Logits
    has_photograph: NDArray[np.bool_]
    columns_sha256: str | None
    altered: AlteredLogits | None

    @property
    def waiting(self) -> list[str]:
        """Members that have predicted too few folds to take part."""
        return [member for member in self.predictions.members if member not in self.members]


def load_inputs(store: OofStore, experiment: Experiment, predictions: Predictions) -> Inputs:
    """Read the rows that every member of the blend has predicted, and columns if requested and stored."""
    ledger = predictions.ledger
    used, rows = select_members(~np.isnan(predictions.oof_logits[_first_rows(predictions)]), ledger.folds)
    names = [predictions.members[column] for column in used]
    oof, test = _rows(_columns(predictions.oof_logits, used), rows), _columns(predictions.test_logits, used)
    recipe = experiment.blend.columns
    columns = None if recipe is None else read_columns(store, ledger, recipe)
    if columns is not None:
        oof, test = _append(oof, columns[0][rows]), _append(test, columns[1])
    problem = Problem(oof, len(used), _rows(ledger.labels, rows), _rows(ledger.folds, rows))
    altered = None if columns is not None else _altered(store, predictions, names, problem, rows)
    sha256 = None if columns is None else _columns_sha256(store)
    return Inputs(predictions, names, problem, rows, test, store.sample().has_photograph, sha256, altered)


def has_unseen_answers(store: OofStore, experiment: Experiment) -> bool:
    """Return whether the last blend chose its blender without answers about altered photographs that exist now."""
    predictions = load_predictions(store, experiment)
    manifest = current_manifest(store, predictions)
    if manifest is None or manifest.get("worth") is None:  # nothing was chosen
        return False
    altered = load_inputs(store, experiment, without_left_out(predictions, manifest)).altered
    return altered is not None and altered.sha256 != manifest.get("altered_sha256")


def test_logits_of(store: OofStore, predictions: Predictions, members: list[str], columns_sha256: str | None) -> Logits:
    """Return the test logits (test rows, members + columns) that a blend of these members read.

    Raises
    ------
    UserError
        The feature columns are no longer those of the blend.
    """
    test = _columns(predictions.test_logits, np.array([predictions.members.index(member) for member in members]))
    if columns_sha256 is None:
        return test
    columns = read_columns(store, predictions.ledger)
    if columns is None or _columns_sha256(store) != columns_sha256:
        raise UserError(f"{store.root / COLUMNS} is not the one that the blend was made with; blend again")
    return _append(test, columns[1])


def select_members(done: NDArray[np.bool_], folds: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which members are blended (columns), and the rows (of `folds`) that all of them have predicted.

    A row without a member's prediction shows nothing about its predictions of the test rows, so such rows are neither
    fitted on nor scored. Members with few folds would leave few rows: of all sets "members with at least n folds" the
    one with most predictions is selected, on two folds or more if possible; where no fold is of all of such a set, the
    members of the fold that most have predicted.

    Parameters
    ----------
    done : bool (folds, members)
        Which folds each member has predicted.
    """
    counts = done.sum(axis=0)
    best: tuple[bool, int, int] = (False, 0, 0)
    used, shared = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    for least in np.unique(counts[counts > 0]):
        members = np.flatnonzero(counts >= least)
        common = np.flatnonzero(done[:, members].all(axis=1))
        rank = (len(common) > 1, len(members) * len(common), int(least))
        if rank > best:
            best, used, shared = rank, members, common
    if not len(shared):  # early in a run: the fold that most have predicted
        shared = np.array([done.sum(axis=1).argmax()])
        used = np.flatnonzero(done[shared[0]])
    return used, np.flatnonzero(np.isin(folds, shared))


def _altered(
    store: OofStore, predictions: Predictions, names: list[str], problem: Problem, rows: NDArray[np.intp]
) -> AlteredLogits | None:
    """Return the logits of altered photographs that are among some rows of the ledger; None if they are too few."""
    stored = read_altered(store, predictions, names)
    if stored is None:
        return None
    found = stored.renumbered(rows)
    enough = all(int((~found.among(part)).sum()) >= _FEWEST_ALTERED for part in problem.held_out)
    return found if enough and problem.held_out else None


def _first_rows(predictions: Predictions) -> NDArray[np.intp]:
    """Return a row of each fold: a member has predicted a fold as a whole or not at all."""
    return np.unique(predictions.ledger.folds, return_index=True)[1]


def _columns(logits: Logits, columns: NDArray[np.intp]) -> Logits:
    """Return some columns, without a copy if they are all."""
    if np.array_equal(columns, np.arange(logits.shape[1])):
        return logits
    chosen: Logits = logits.T[columns].T
    return chosen


def _rows(values: NDArray[_Kind], rows: NDArray[np.intp]) -> NDArray[_Kind]:
    """Return some rows (of logits, or of one value a row), without a copy if they are all."""
    return values if len(rows) == len(values) else values.T[..., rows].T


def _append(logits: Logits, columns: NDArray[np.float32]) -> Logits:
    return np.concatenate([logits.T, columns.T]).T


def _columns_sha256(store: OofStore) -> str:
    return file_sha256(store.root / COLUMNS)
