"""Shuffled-label test: labels must be learnable from spectra, shuffled ones not. An audit of labels and of folds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ensemble.audit.learned.linear_probe import (
    CLEAR,
    FEWEST,
    MOST_ROWS,
    TIMES,
    Auc,
    Floats,
    effective,
    learnability,
    sampled,
    within_folds,
)
from ensemble.core.metrics.intervals import expected_auc_standard_error
from ensemble.store.checks import Check, Evidence, Verdict, not_run
from ensemble.store.predictions import Predictions

NAME, TITLE = "permutation", "Shuffled-label test: do the labels belong to the photographs?"
LEARNED = 1.645  # standard errors over chance from which labels count as learned: shuffled ones do once in twenty
USUAL = 0.62  # AUC that spectra give at least where labels are right, as a rule
POWER = 1.28  # standard errors beyond LEARNED that find the usual in nine of ten cases
NO_BETTER = 0.55  # an AUC that is certainly below is as good as chance


def permutation(
    columns: Floats,
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    seed: int,
    best: Auc | None = None,
    groups: NDArray[np.intp] | None = None,
) -> Check:
    """Train a cheap model on the labels, and on the same labels shuffled.

    Shuffled labels cannot be learned: an AUC above 0.5 means that a fold has seen its held-out rows. For that to show,
    photographs that look alike get one label. The true labels must be learned, or they were shuffled too.

    Parameters
    ----------
    columns : float32 (n, columns)
    labels, folds : int64 (n,)
    best : Auc or None
        That of the best member out of fold, on the same n rows.
    groups : intp (n,), optional
        Rows of one number look alike (`copies.look_alikes`); default none.
    """
    if len(labels) < FEWEST or min(np.bincount(labels, minlength=2)) < len(np.unique(folds)):
        return not_run(
            NAME, TITLE, f"Fewer than {FEWEST} photographs, or hardly any of a class, are too few to learn from."
        )
    rng = np.random.default_rng((seed, 2))
    rows = sampled(len(labels), MOST_ROWS, rng)
    look_alikes = np.arange(len(labels))[rows] if groups is None else groups[rows]
    columns, sample, folds = columns[rows], labels[rows], folds[rows]
    tried = np.column_stack([sample, _shuffled(look_alikes, sample, rng)])
    return judge(_figures(learnability(columns, tried, folds), sample, look_alikes), best)


def best_auc(predictions: Predictions) -> Auc | None:
    """Return the highest out-of-fold AUC of a member over all training rows; copies count as one in its error."""
    labels, folds = predictions.ledger.labels, predictions.ledger.folds
    whole = [column for column in predictions.oof_logits.T.astype(np.float64) if np.isfinite(column).all()]
    value = max((within_folds(column, labels, folds) for column in whole), default=math.nan)
    if math.isnan(value):
        return None
    groups = np.unique(predictions.ledger.table["group"].to_numpy(str), return_inverse=True)[1]
    reals, fakes = effective(groups[labels == 0]), effective(groups[labels == 1])
    return Auc(value, expected_auc_standard_error(value, reals, fakes), reals, fakes)


def judge(figures: dict[str, float], best: Auc | None) -> Check:
    """Judge what `permutation` found (`figures` of its check), given the best member's AUC, if any."""
    true, spread = figures["auc"], max(figures["chance_error"], figures["anew_spread"])
    table = _table(figures)
    leak = figures["anew_mean"] > 0.5 + CLEAR * spread / math.sqrt(TIMES)
    if leak:
        sentence = f"{_measured(figures)}, where chance gives 0.5: a fold has seen its held-out rows."
        return Check(NAME, TITLE, "alarm", sentence, LEAK, (table,), figures)
    if true > 0.5 + LEARNED * spread:
        return Check(NAME, TITLE, "fine", f"{_measured(figures)}, as it should be.", "", (table,), figures)
    verdict, why, remedy = _not_learned(0.5 + (LEARNED + POWER) * spread, best)
    return Check(
        NAME,
        TITLE,
        verdict,
        f"{_measured(figures)}: the true labels are no better than chance. {why}",
        remedy,
        (table,),
        figures,
    )


def _not_learned(least: float, best: Auc | None) -> tuple[Verdict, str, str]:
    """Return verdict, reason and remedy where the cheap model learns nothing and would have shown an AUC of `least`."""
    few = f"They are too few to decide: a cheap model would have to reach {least:.2f}, where {USUAL:.2f} is usual."
    reached = "" if best is None else f"The best member reaches an AUC of {best} out of fold"
    if least > USUAL:
        return "fine", f"{few} {reached}{'.' if reached else ''}".strip(), ""
    if best is not None and best.above_chance():
        return "look", f"{reached}: the labels can be learned, though not from spectra.", WEAK
    if best is not None and best.value + 1.96 * best.standard_error < NO_BETTER:
        return "alarm", f"{reached}: chance, too.", SHUFFLED
    unknown = NOT_KNOWN if best is None else f"{reached}, which is not clear of chance either."
    return "look", f"An AUC of {USUAL:.2f}, which is usual, would have shown. {unknown}", SHUFFLED


def _shuffled(look_alikes: NDArray[np.intp], labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Shuffle the labels (n, TIMES); look-alikes get one label, so that a fold that splits them shows."""
    _, first, photograph = np.unique(look_alikes, return_index=True, return_inverse=True)
    return np.column_stack([rng.permutation(labels[first])[photograph] for _ in range(TIMES)])


def _figures(areas: list[float], labels: NDArray[np.int64], look_alikes: NDArray[np.intp]) -> dict[str, float]:
    shuffled = np.array(areas[1:])
    reals, fakes = effective(look_alikes[labels == 0]), effective(look_alikes[labels == 1])
    return {
        "photographs": float(len(labels)),
        "auc": areas[0],
        "error": expected_auc_standard_error(areas[0], reals, fakes),
        "chance_error": expected_auc_standard_error(0.5, reals, fakes),
        "anew_mean": float(np.nanmean(shuffled)),
        "anew_most": float(np.nanmax(shuffled)),
        "anew_spread": float(np.nanstd(shuffled, ddof=1)),
    }


def _table(figures: dict[str, float]) -> Evidence:
    error = max(figures["chance_error"], figures["anew_spread"]) / math.sqrt(TIMES)
    return Evidence(
        f"AUC of a linear model on the spectra of {figures['photographs']:,.0f} photographs, out of fold (0.5: chance)",
        ("labels", "AUC", "standard error"),
        (
            ("as they are", round(figures["auc"], 4), round(figures["error"], 4)),
            (f"shuffled, mean of {TIMES}", round(figures["anew_mean"], 4), round(error, 4)),
            (f"shuffled, best of {TIMES}", round(figures["anew_most"], 4), None),
        ),
    )


def _measured(figures: dict[str, float]) -> str:
    return (
        f"On {figures['photographs']:,.0f} photographs a cheap model on the spectra reaches an AUC of "
        f"{figures['auc']:.3f} ± {figures['error']:.3f} out of fold, and on shuffled labels ({TIMES} times) "
        f"{figures['anew_mean']:.3f}, at best {figures['anew_most']:.3f}"
    )


NOT_KNOWN = "Either the labels are shuffled, or spectra do not show the classes; a trained member will decide."
LEAK = (
    "Look for photographs (or copies of them) on both sides of a fold: cut new folds with a larger "
    "folds.near_duplicate_distance. Until then no out-of-fold accuracy can be trusted."
)
SHUFFLED = (
    "Compare some photographs with their row in train.csv: the names must be those of the archive, and the rows must "
    "not have been sorted on one side only. Train nothing expensive before a cheap member beats chance."
)
WEAK = "Look at what the best member uses: where spectra show nothing it may go by content, such as the background."
