"""Whether the test photographs come from the same source as the training photographs, by their spectra."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ensemble.audit.learned.linear_probe import (
    CLEAR,
    FEWEST,
    MOST_ROWS,
    Auc,
    Floats,
    cross_validated,
    one_of_each,
    random_folds,
    sampled,
    separability,
)
from ensemble.store.checks import GRAVEST_FIRST, Check, Evidence, Verdict, not_run

NAME, TITLE = "adversarial", "Adversarial validation: do the test photographs look like the training photographs?"
LOOK, ALARM = 0.55, 0.65
COMPARISONS = ("all photographs", "those that look fake", "those that look real")
# Three comparisons have together the chance of a false alarm that one has at CLEAR standard errors.
ERRORS = -NormalDist().inv_cdf(NormalDist().cdf(-CLEAR) / len(COMPARISONS))


@dataclass(frozen=True)
class _Comparison:
    what: str
    auc: Auc

    @property
    def verdict(self) -> Verdict:
        if not self.auc.above_chance(ERRORS) or self.auc.value <= LOOK:
            return "fine"
        return "alarm" if self.auc.value > ALARM else "look"


def adversarial(
    train: Floats, test: Floats, labels: NDArray[np.int64], seed: int, groups: NDArray[np.intp] | None = None
) -> Check:
    """Adversarial validation: whether a model can separate test from training photographs.

    A fault in one class only (another generator made the fakes of the test set) moves half of the test rows, and is
    hard to see in the whole. A model of the labels therefore first splits both sets, in the same way, into
    photographs that look fake and those that look real, and each part is compared too.

    Of copies (frames of a film, one picture saved twice) one is drawn: a model that had seen the copy of a photograph
    would recognise it, and separate the sets where nothing differs.

    Parameters
    ----------
    train, test : float32 (n, columns), (m, columns)
    labels : int64 (n,)
        1 is fake.
    groups : intp (n + m,), optional
        Rows of one number are copies of each other; default none.
    """
    rng = np.random.default_rng((seed, 1))
    of_train, of_test = np.split(np.arange(len(train) + len(test)) if groups is None else groups, [len(train)])
    mine, theirs = one_of_each(of_train, rng), one_of_each(of_test, rng)
    if min(len(mine), len(theirs)) < FEWEST:
        return not_run(
            NAME, TITLE, f"Fewer than {FEWEST} photographs of a set, copies left out, are too few to compare."
        )
    mine = mine[sampled(len(mine), MOST_ROWS // 2, rng)]
    theirs = theirs[sampled(len(theirs), MOST_ROWS // 2, rng)]
    train, test, labels, of_train, of_test = train[mine], test[theirs], labels[mine], of_train[mine], of_test[theirs]
    looks_fake = _looks_fake(train, test, labels, np.concatenate([of_train, of_test]), rng)
    parts = [(np.ones(len(train), bool), np.ones(len(test), bool)), looks_fake, (~looks_fake[0], ~looks_fake[1])]
    found = [
        _Comparison(what, separability(train[here], test[there], rng, np.concatenate([of_train[here], of_test[there]])))
        for what, (here, there) in zip(COMPARISONS, parts, strict=True)
        if min(here.sum(), there.sum()) >= FEWEST
    ]
    return _judge(found, (float(looks_fake[0].mean()), float(looks_fake[1].mean())), (len(train), len(test)))


def _looks_fake(
    train: Floats, test: Floats, labels: NDArray[np.int64], groups: NDArray[np.intp], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows a model of the labels predicts fake: each row by one of the fold models that never saw it.

    One model a row on both sides: a mean over all models would make test rows look different where nothing is.
    """
    folds = random_folds(np.concatenate([labels, np.full(len(test), 2)]), rng, groups=groups)
    is_train = np.arange(len(folds)) < len(train)
    share = float(np.clip(labels.mean(), 1 / len(labels), 1 - 1 / len(labels)))
    sides = np.where(labels == 1, 1 / share, -1 / (1 - share))  # of equal weight: else few fakes never look fake
    targets = np.concatenate([sides, np.zeros(len(test))])
    scores = cross_validated(np.concatenate([train, test]), targets[:, None], folds, fit=is_train)[:, 0]
    return scores[is_train] > 0, scores[~is_train] > 0


def _judge(found: list[_Comparison], shares: tuple[float, float], rows: tuple[int, int]) -> Check:
    worst = min(found, key=lambda one: (GRAVEST_FIRST.index(one.verdict), -one.auc.value))
    verdict = worst.verdict
    if verdict == "fine":
        sentence, remedy = _quiet(found), ""
    elif worst.what == COMPARISONS[0] and _parts_are_fine(found) and _shifted(shares, rows):
        verdict = "look"
        sentence, remedy = _another_share(worst.auc, shares), SHARE
    else:
        sentence, remedy = _different(worst, found[0].auc, rows), REMEDY
    table = Evidence(
        "Training against test: AUC of a linear model on the spectra, cross-validated (0.5: no difference)",
        ("compared", "training photographs", "test photographs", "AUC", "standard error", "verdict"),
        tuple(
            (
                one.what,
                one.auc.first,
                one.auc.second,
                round(one.auc.value, 4),
                round(one.auc.standard_error, 4),
                one.verdict,
            )
            for one in found
        ),
    )
    return Check(NAME, TITLE, verdict, sentence, remedy, (table,))


def _parts_are_fine(found: list[_Comparison]) -> bool:
    """Return whether both parts were compared, and nothing was found."""
    return len(found) == len(COMPARISONS) and all(one.verdict == "fine" for one in found[1:])


REMEDY = (
    "Look at test photographs beside training photographs, and at their spectra: another size, JPEG quality, camera or "
    "generator. Make the training photographs like the test ones where you can (the same saving and scaling, as "
    "augmentation), prefer members that lose little by it, and trust the out-of-fold accuracy less: "
    "it was measured on training photographs."
)
SHARE = (
    "Another share of fakes is legitimate, but the decision at 0.5 suffers from it: see the blend's estimate of the "
    "share of fakes in the test set."
)


def _quiet(found: list[_Comparison]) -> str:
    auc = found[0].auc
    least = [f"{max(LOOK, one.auc.smallest_found(ERRORS)):.2f} among {one.what}" for one in found]
    few = [what for what in COMPARISONS if what not in [one.what for one in found]]
    parts = f"There are too few of {' and '.join(few)} to compare." if few else PARTS
    return (
        f"A model trained to separate {auc.second:,} test from {auc.first:,} training photographs by their spectra "
        f"reaches an AUC of {auc}; 0.5 is expected. {parts} The smallest AUC that would have shown is "
        f"{', '.join(least)}."
    )


PARTS = "Neither do those that look fake or those that look real differ."


def _different(worst: _Comparison, whole: Auc, rows: tuple[int, int]) -> str:
    start = (
        f"By their spectra a model separates test from training photographs with an AUC of {worst.auc} among "
        f"{worst.what} ({worst.auc.second:,} test, {worst.auc.first:,} training); 0.5 is expected."
    )
    if worst.what == COMPARISONS[0]:
        return start
    return f"{start} Among all {rows[1]:,} and {rows[0]:,} it is {whole}: the difference is in one class."


def _another_share(auc: Auc, shares: tuple[float, float]) -> str:
    return (
        f"By their spectra a model separates test from training photographs with an AUC of {auc}; 0.5 is expected. "
        f"Neither those that look fake nor those that look real differ, but another share looks fake: {shares[1]:.1%} "
        f"of {auc.second:,} test and {shares[0]:.1%} of {auc.first:,} training photographs."
    )


def _shifted(shares: tuple[float, float], rows: tuple[int, int]) -> bool:
    """Whether the shares that look fake differ by more than chance."""
    pooled = float(np.average(shares, weights=rows))
    error = float(np.sqrt(pooled * (1 - pooled) * (1 / rows[0] + 1 / rows[1])))
    return abs(shares[0] - shares[1]) > CLEAR * error
