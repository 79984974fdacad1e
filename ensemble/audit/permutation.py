"""Whether labels can be learned from spectra, and shuffled labels cannot: an audit of labels and of folds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ensemble.audit.check import Check, Evidence, Verdict, not_run
from ensemble.audit.probe import CLEAR, MOST_ROWS, Floats, cross_validated, sampled

NAME, TITLE = "permutation", "Do the labels belong to the photographs?"
TIMES = 20
FEWEST = 30
_DECIMALS = 4  # spectra that agree to so many decades are the same photograph


def permutation(
    columns: Floats, labels: NDArray[np.int64], folds: NDArray[np.int64], seed: int, best_oof: float | None
) -> Check:
    """Train a cheap model on the labels, and on the same labels dealt to the photographs anew.

    Dealt anew they cannot be learned: more than the majority's share says that a fold knows its held-out rows.
    The true ones must be learned better than that, or they were dealt by chance, too.

    Parameters
    ----------
    columns : float32 (n, columns)
    labels, folds : int64 (n,)
    best_oof : float or None
        Accuracy out of fold of the best member, on the same n rows.
    """
    if len(labels) < FEWEST or min(np.bincount(labels, minlength=2)) < len(np.unique(folds)):
        return not_run(
            NAME, TITLE, f"Fewer than {FEWEST} photographs, or hardly any of a class, are too few to learn from."
        )
    rng = np.random.default_rng((seed, 2))
    rows = sampled(len(labels), MOST_ROWS, rng)
    columns, sample, folds = columns[rows], labels[rows], folds[rows]
    dealt_anew = _dealt_anew(columns, sample, rng)
    tried = np.column_stack([sample, dealt_anew])
    scores = cross_validated(columns, np.where(tried == 1, 1.0, -1.0), folds)
    accuracies = ((scores > 0) == (tried == 1)).mean(axis=0)
    chance = np.maximum(tried.mean(axis=0), 1 - tried.mean(axis=0))
    return _told(accuracies, chance, len(sample), best_oof, len(labels))


def _dealt_anew(columns: Floats, labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The labels dealt by chance (n, TIMES); equal photographs get one label, so that a fold that splits them tells."""
    _, first, photograph = np.unique(_keys(columns), return_index=True, return_inverse=True)
    return np.column_stack([rng.permutation(labels[first])[photograph] for _ in range(TIMES)])


def _keys(columns: Floats) -> NDArray[np.void]:
    rounded = np.ascontiguousarray(columns.round(_DECIMALS) + np.float32(0))  # no -0
    return rounded.view(np.dtype((np.void, rounded.itemsize * rounded.shape[1])))[:, 0]


def _told(
    accuracies: NDArray[np.float64], chance: NDArray[np.float64], n: int, best_oof: float | None, all_rows: int
) -> Check:
    true, anew, majority = float(accuracies[0]), accuracies[1:], float(chance[0])
    error = math.sqrt(majority * (1 - majority) / n)
    spread = max(error, float(anew.std(ddof=1)))
    table = Evidence(
        f"Accuracy of a linear model on the spectra of {n:,} photographs, out of fold",
        ("labels", "accuracy", "standard error"),
        (
            ("as given", round(true, 4), round(math.sqrt(true * (1 - true) / n), 4)),
            (f"dealt anew, mean of {TIMES}", round(float(anew.mean()), 4), round(spread / math.sqrt(TIMES), 4)),
            (f"dealt anew, best of {TIMES}", round(float(anew.max()), 4), None),
            ("always the larger class", round(majority, 4), None),
        ),
    )
    told = f"On {n:,} photographs a cheap model on the spectra is right in {true:.1%} ± {error:.1%} out of fold"
    against = f"on labels dealt anew ({TIMES} times) it is right in {anew.mean():.1%}, at best in {anew.max():.1%}"
    if float((anew - chance[1:]).mean()) > CLEAR * spread / math.sqrt(TIMES):
        verdict: Verdict = "alarm"
        sentence = (
            f"{told}, but {against}, where {majority:.1%} is all that chance allows: a fold knows its held-out rows."
        )
        return Check(NAME, TITLE, verdict, sentence, LEAK, (table,))
    if true > anew.max() and true > majority + CLEAR * spread:
        return Check(NAME, TITLE, "fine", f"{told}; {against}, as it should be.", "", (table,))
    sentence = f"{told}, which is no better than chance: {against}."
    if best_oof is None:
        return Check(NAME, TITLE, "look", f"{sentence} {NOBODY_KNOWS}", SHUFFLED, (table,))
    certain = math.sqrt(majority * (1 - majority) / all_rows)
    best = f"The best member is right in {best_oof:.1%} ± {certain:.1%} of {all_rows:,}"
    if best_oof <= majority + CLEAR * certain:
        return Check(NAME, TITLE, "alarm", f"{sentence} {best}: chance, too.", SHUFFLED, (table,))
    return Check(
        NAME, TITLE, "look", f"{sentence} {best}: the labels can be learned, though not from spectra.", WEAK, (table,)
    )


NOBODY_KNOWS = "Either the labels are shuffled, or spectra do not tell; a trained member will."
LEAK = (
    "Look for photographs (or copies of them) on both sides of a fold: cut the folds anew with a larger "
    "folds.near_duplicate_distance. Until then no out-of-fold accuracy can be trusted."
)
SHUFFLED = (
    "Compare some photographs with their row in train.csv: the names must be those of the archive, and the rows must "
    "not have been sorted on one side only. Train nothing costly before a cheap member beats chance."
)
WEAK = "Look at what the best member sees: where spectra tell nothing it may go by content, such as the background."
