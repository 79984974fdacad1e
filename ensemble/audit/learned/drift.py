"""Whether the members answer the test photographs as they answered the training photographs out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstwo, norm

from ensemble.audit.learned.linear_probe import MOST_ROWS, Auc, sampled, told_apart
from ensemble.core.metrics.intervals import proportion_variance
from ensemble.store.checks import Check, Evidence, Verdict, not_run
from ensemble.store.predictions import Predictions

NAME, TITLE = "drift", "Do the members answer the test photographs as they answered the training photographs?"
FEWEST = 30
SURE = 0.005  # p, over all members together
LOOK, ALARM = 0.05, 0.10  # KS distances that matter
AUC_LOOK = 0.55
RANKS = np.linspace(0.0, 1.0, 201)
LESS_SURE, SURER = 0.8, 2.0  # of what a mean over fold models may make of a logit's size
SHARES = np.linspace(0.025, 0.975, 39)  # of fakes in the test set


@dataclass(frozen=True)
class _Drift:
    """One member: distances of its test logits from its out-of-fold logits."""

    member: str
    distance: float  # KS of signed ranks
    p: float
    beyond_share: float  # KS, another share of fakes allowed for, too
    beyond_share_p: float
    share: float  # of fakes in the test set that fits best
    fake: tuple[float, float]  # share called fake, out of fold and test
    errors: tuple[float, float]
    size: float  # median size of a test logit over that of one out of fold


def drift(predictions: Predictions) -> Check:
    """Compare each member's logits out of fold with those on the test set, and all members' together.

    Test logits are means over fold models, and so a little less spread than out-of-fold logits where nothing drifts.
    The distance (Kolmogorov and Smirnov) is therefore taken between signed ranks: a logit's sign, and its size's rank.
    The size itself is looked at only where no mean explains it: that of n models is at least 1 / sqrt(n) as large.

    Nothing here sees errors that balance: as many fakes called real as reals called fake, and as surely as ever.
    """
    rows = [np.isfinite(predictions.oof_logits[:, i]) for i in range(len(predictions.members))]
    if min([len(predictions.test_logits), *(int(found.sum()) for found in rows)]) < FEWEST:
        return not_run(NAME, TITLE, f"Fewer than {FEWEST} photographs of a set are too few to compare.")
    labels = predictions.ledger.labels
    found = [
        _drift(member, predictions.oof_logits[rows[i], i], labels[rows[i]], predictions.test_logits[:, i])
        for i, member in enumerate(predictions.members)
    ]
    together, models = _together(predictions), predictions.ledger.n_folds
    return _told(found, together, int(rows[0].sum()), len(predictions.test_logits), models)


def _together(predictions: Predictions) -> Auc | None:
    """AUC of a linear model that tells test from out-of-fold rows by all members' logits: blind to their spread."""
    rng = np.random.default_rng((0, 3))
    oof = predictions.oof_logits[np.isfinite(predictions.oof_logits).all(axis=1)]
    if len(oof) < FEWEST:
        return None
    test = predictions.test_logits
    mine, theirs = sampled(len(oof), MOST_ROWS, rng), sampled(len(test), MOST_ROWS, rng)
    return told_apart(oof[mine], test[theirs], rng)[0]


def _drift(member: str, oof: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32]) -> _Drift:
    fakes, theirs = float(labels.mean()), _called_fake(test, np.ones(len(test)))
    distance = float(np.abs(_called_fake(oof, np.ones(len(oof))) - theirs).max())
    weights = [np.where(labels == 1, share / fakes, (1 - share) / (1 - fakes)) for share in SHARES]
    by_share = [float(np.abs(_called_fake(oof, weight) - theirs).max()) for weight in weights]
    rows = max(round(len(oof) * len(test) / (len(oof) + len(test))), 1)
    called = oof >= 0, test >= 0
    return _Drift(
        member,
        distance,
        float(kstwo.sf(distance, rows)),
        min(by_share),
        float(kstwo.sf(min(by_share), rows)),
        float(SHARES[np.argmin(by_share)]),
        (float(called[0].mean()), float(called[1].mean())),
        (float(np.sqrt(proportion_variance(called[0]))), float(np.sqrt(proportion_variance(called[1])))),
        float(np.median(np.abs(test)) / max(float(np.median(np.abs(oof))), 1e-12)),
    )


def _called_fake(logits: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of all rows that are called fake and are among the surest, for all shares of the surest (RANKS).

    The cumulative distribution of signed ranks: whatever only makes a member surer or less sure leaves it as it is.
    """
    order = np.argsort(-np.abs(logits), kind="stable")
    surest = np.cumsum(weights[order]) / weights.sum()
    fake = np.cumsum(np.where(logits[order] >= 0, weights[order], 0.0)) / weights.sum()
    found: NDArray[np.float64] = np.interp(RANKS, np.concatenate([[0.0], surest]), np.concatenate([[0.0], fake]))
    return found


def _holm(values: list[float]) -> list[float]:
    """Adjusted p (Holm, 1979)."""
    order = np.argsort(values)
    steps = np.array(values)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def _told(found: list[_Drift], together: Auc | None, oof_rows: int, test_rows: int, models: int) -> Check:
    adjusted, beyond = _holm([one.p for one in found]), _holm([one.beyond_share_p for one in found])
    moved = [one for one, p in zip(found, adjusted, strict=True) if p < SURE and one.distance > LOOK]
    strange = [one for one, p in zip(found, beyond, strict=True) if p < SURE / 5 and one.beyond_share > ALARM]
    apart = together is not None and together.value > AUC_LOOK and together.above_chance(float(norm.isf(SURE)))
    resized = [one for one in found if not LESS_SURE / np.sqrt(models) <= one.size <= SURER]
    table = Evidence(
        f"Logits of {oof_rows:,} training photographs out of fold against {test_rows:,} test photographs",
        (
            *("member", "KS", "p", "share fake OOF", "share fake test"),
            *("standard error OOF", "standard error test", "size in test / OOF"),
        ),
        tuple(
            (
                one.member,
                round(one.distance, 4),
                float(f"{p:.3g}"),
                *(round(value, 4) for value in (*one.fake, *one.errors, one.size)),
            )
            for one, p in zip(found, adjusted, strict=True)
        ),
    )
    all_told = _all_told(together)
    if strange:
        verdict: Verdict = "alarm"
        sentence, remedy = _strange(max(strange, key=lambda one: one.beyond_share), len(strange), len(found)), STRANGE
    elif moved:
        verdict = "look"
        sentence, remedy = _moved(max(moved, key=lambda one: one.distance), len(moved), len(found)), MOVED
    elif resized:
        verdict, sentence, remedy = "look", _resized(resized, len(found)), RESIZED
    elif apart:
        verdict, sentence, remedy = "look", "No member alone answers differently, but all together do.", STRANGE
    else:
        verdict, sentence, remedy = "fine", _quiet(found, oof_rows, test_rows), ""
    return Check(NAME, TITLE, verdict, f"{sentence} {all_told}".strip(), remedy, (table,))


MOVED = (
    "Another share of fakes in the test set is legitimate; so look at the blend's estimate of that share. If you know "
    "that the shares are equal, then fakes of a kind that the members do not know look real to them (or reals fake): "
    "see whether training and test photographs differ by their spectra."
)
STRANGE = (
    "Look at the test photographs that the members are least sure of: another size, JPEG quality, camera or generator. "
    "The out-of-fold accuracy was measured on photographs that the test set does not resemble; trust it less."
)
RESIZED = (
    "Look at the test photographs that the members are least sure of. If nothing is odd about them, see how such a "
    "member makes its test predictions: temperature, averaging, another step before it."
)


def _all_told(together: Auc | None) -> str:
    if together is None:
        return ""
    return (
        f"By all members' answers a model tells test from training photographs with an AUC of {together} (0.5: alike)."
    )


def _quiet(found: list[_Drift], oof_rows: int, test_rows: int) -> str:
    most = max(found, key=lambda one: one.distance)
    return (
        f"{test_rows:,} test photographs are answered like {oof_rows:,} training photographs out of fold: the largest "
        f"distance between their logits is {most.distance:.3f} ({most.member}), within chance. "
        "Errors that balance, as many fakes called real as reals called fake, would not show."
    )


def _resized(resized: list[_Drift], members: int) -> str:
    most = max(resized, key=lambda one: abs(np.log(max(one.size, 1e-12))))
    return (
        f"{len(resized)} of {members} members are less sure or surer of the test photographs than a mean over folds "
        f"explains, most of all {most.member}: its logits there have {most.size:.2f} of the size out of fold."
    )


def _shares(one: _Drift) -> str:
    return (
        f"it calls {one.fake[1]:.1%} ± {one.errors[1]:.1%} of the test photographs fake, and {one.fake[0]:.1%} ± "
        f"{one.errors[0]:.1%} of the training photographs out of fold"
    )


def _moved(one: _Drift, moved: int, members: int) -> str:
    return (
        f"{moved} of {members} members answer the test photographs differently, most of all {one.member} (distance "
        f"{one.distance:.3f}): {_shares(one)}. A share of {one.share:.0%} fakes in the test set would explain it."
    )


def _strange(one: _Drift, strange: int, members: int) -> str:
    return (
        f"{strange} of {members} members answer the test photographs in a way that no share of fakes explains, most of "
        f"all {one.member} (distance {one.beyond_share:.3f} beyond it): {_shares(one)}."
    )
