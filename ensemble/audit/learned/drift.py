"""Whether the members predict the test photographs as they predicted the training photographs out of fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov

from ensemble.audit.learned.linear_probe import FEWEST, Auc, sampled, separability
from ensemble.core.metrics.intervals import proportion_variance
from ensemble.store.checks import Check, Evidence, Verdict, not_run
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions

NAME, TITLE = "drift", "Do the members predict the test photographs as they predicted the training photographs?"
SURE = 0.005  # p, over all members together
LOOK, ALARM = 0.05, 0.10  # KS distances that matter
AUC_LOOK = 0.55
MOST_ROWS = 5_000  # of each set for the model of all members: chance then reaches 0.52
RANKS = np.linspace(0.0, 1.0, 201)
LESS_SURE, SURER = 0.8, 2.0  # of what a mean over fold models may make of a logit's size
SHARES = np.linspace(0.025, 0.975, 39)  # of fakes in the test set


@dataclass(frozen=True)
class _Drift:
    """Distances of one member's test logits from its out-of-fold logits."""

    member: str
    distance: float  # KS of signed ranks
    p: float
    beyond_share: float  # KS, another share of fakes allowed for
    beyond_share_p: float
    share: float  # of fakes in the test set that fits best
    fake: tuple[float, float]  # share predicted fake, out of fold and test
    errors: tuple[float, float]
    size: float  # median size of a test logit over that of one out of fold


def drift_in(store: OofStore, predictions: Predictions) -> Check:
    """Compare the logits of the test photographs that exist: a row without one repeats another's."""
    return drift(replace(predictions, test_logits=predictions.test_logits[store.sample().has_photograph]))


def drift(predictions: Predictions) -> Check:
    """Compare each member's logits out of fold with those on the test set, and all members' together.

    Test logits are means over fold models, and so a little less spread than out-of-fold logits where nothing drifts.
    The distance (Kolmogorov and Smirnov) is therefore taken between signed ranks: a logit's sign, and its size's rank.
    The size itself is looked at only where no mean explains it: that of n models is at least 1 / sqrt(n) as large.

    Errors that balance are not seen: as many fakes predicted real as reals predicted fake, with the same confidence.
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
    return _judge(found, together, int(rows[0].sum()), len(predictions.test_logits), models)


def _together(predictions: Predictions) -> Auc | None:
    """Return the AUC of a linear model that separates test from out-of-fold rows by all members' logits."""
    rng = np.random.default_rng((0, 3))
    rows = np.flatnonzero(np.isfinite(predictions.oof_logits).all(axis=1))
    if len(rows) < FEWEST:
        return None
    test = predictions.test_logits
    mine, theirs = rows[sampled(len(rows), MOST_ROWS, rng)], sampled(len(test), MOST_ROWS, rng)
    return separability(predictions.oof_logits[mine], test[theirs], rng)


def _drift(member: str, oof: NDArray[np.float32], labels: NDArray[np.int64], test: NDArray[np.float32]) -> _Drift:
    surest = _surest_first(oof)
    theirs = _predicted_fake((test >= 0)[_surest_first(test)])
    curves = _predicted_fake_by_share((oof >= 0)[surest], labels[surest])
    distance = float(np.abs(_predicted_fake((oof >= 0)[surest]) - theirs).max())
    by_share = [float(np.abs(curve - theirs).max()) for curve in curves]
    rows = max(round(len(oof) * len(test) / (len(oof) + len(test))), 1)
    fake = oof >= 0, test >= 0
    return _Drift(
        member,
        distance,
        _chance(distance, rows),
        min(by_share),
        _chance(min(by_share), rows),
        float(SHARES[np.argmin(by_share)]),
        (float(fake[0].mean()), float(fake[1].mean())),
        (float(np.sqrt(proportion_variance(fake[0]))), float(np.sqrt(proportion_variance(fake[1])))),
        float(np.median(np.abs(test)) / max(float(np.median(np.abs(oof))), 1e-12)),
    )


def _chance(distance: float, rows: int) -> float:
    """Return the probability of a larger distance by chance: Kolmogorov's limit, a little too large for few rows."""
    return float(kolmogorov(np.sqrt(rows) * distance))


def _surest_first(logits: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argsort(-np.abs(logits), kind="stable")


def _predicted_fake(fake: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of all rows that are among the most confident and predicted fake, for all shares (RANKS).

    The cumulative distribution of signed ranks: a change of confidence alone leaves it as it is. Rows come sorted,
    the most confident first.
    """
    return _at_ranks(np.arange(len(fake) + 1.0), _count(fake))


def _predicted_fake_by_share(fake: NDArray[np.bool_], labels: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Return the same as if a share of the rows were fakes, for all SHARES: rows of a class weigh more or less."""
    (of_fakes, fakes), (of_reals, reals) = ((_count(labels == k), _count(fake & (labels == k))) for k in (1, 0))
    weights = [(share / of_fakes[-1], (1 - share) / of_reals[-1]) for share in SHARES]
    return [_at_ranks(one * of_fakes + other * of_reals, one * fakes + other * reals) for one, other in weights]


def _count(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the rows among the first 0, 1, 2, ..."""
    return np.cumsum(np.r_[0.0, rows])


def _at_ranks(surest: NDArray[np.float64], fake: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.interp(RANKS, surest / surest[-1], fake / surest[-1])
    return found


def _holm(values: list[float]) -> list[float]:
    """Adjust p values (Holm, 1979)."""
    order = np.argsort(values)
    steps = np.array(values)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def _judge(found: list[_Drift], together: Auc | None, oof_rows: int, test_rows: int, models: int) -> Check:
    adjusted, beyond = _holm([one.p for one in found]), _holm([one.beyond_share_p for one in found])
    moved = [one for one, p in zip(found, adjusted, strict=True) if p < SURE and one.distance > LOOK]
    strange = [one for one, p in zip(found, beyond, strict=True) if p < SURE / 5 and one.beyond_share > ALARM]
    apart = together is not None and together.value > AUC_LOOK and together.above_chance(NormalDist().inv_cdf(1 - SURE))
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
    if strange:
        verdict: Verdict = "alarm"
        sentence, remedy = _strange(max(strange, key=lambda one: one.beyond_share), len(strange), len(found)), STRANGE
    elif moved:
        verdict = "look"
        sentence, remedy = _moved(max(moved, key=lambda one: one.distance), len(moved), len(found)), MOVED
    elif resized:
        verdict, sentence, remedy = "look", _resized(resized, len(found)), RESIZED
    elif apart:
        verdict, sentence, remedy = "look", "No member alone predicts differently, but all together do.", STRANGE
    else:
        verdict, sentence, remedy = "fine", _quiet(found, oof_rows, test_rows), ""
    return Check(NAME, TITLE, verdict, f"{sentence} {_joint(together)}".strip(), remedy, (table,))


MOVED = (
    "Another share of fakes in the test set is legitimate; see the blend's estimate of that share. If you know that "
    "the shares are equal, then fakes of an unknown kind look real to the members (or reals fake): see whether "
    "training and test photographs differ by their spectra."
)
STRANGE = (
    "Look at the test photographs of which the members are least certain: another size, JPEG quality, camera or "
    "generator. The out-of-fold accuracy was measured on photographs that the test set does not resemble; trust it "
    "less."
)
RESIZED = (
    "Look at the test photographs of which the members are least certain. If nothing is odd about them, see how such a "
    "member makes its test predictions: temperature, averaging, another step before it."
)


def _joint(together: Auc | None) -> str:
    if together is None:
        return ""
    return (
        f"By all members' predictions a model separates test from training photographs with an AUC of {together} (0.5: "
        "no difference)."
    )


def _quiet(found: list[_Drift], oof_rows: int, test_rows: int) -> str:
    most = max(found, key=lambda one: one.distance)
    return (
        f"{test_rows:,} test photographs are predicted like {oof_rows:,} training photographs out of fold: the largest "
        f"distance between their logits is {most.distance:.3f} ({most.member}), within chance. "
        "Errors that balance, as many fakes predicted real as reals predicted fake, would not show."
    )


def _resized(resized: list[_Drift], members: int) -> str:
    most = max(resized, key=lambda one: abs(np.log(max(one.size, 1e-12))))
    return (
        f"{len(resized)} of {members} members are less or more confident on the test photographs than a mean over "
        f"folds explains, most of all {most.member}: its logits there have {most.size:.2f} of the size out of fold."
    )


def _shares(one: _Drift) -> str:
    return (
        f"it predicts {one.fake[1]:.1%} ± {one.errors[1]:.1%} of the test photographs to be fake, and "
        f"{one.fake[0]:.1%} ± {one.errors[0]:.1%} of the training photographs out of fold"
    )


def _moved(one: _Drift, moved: int, members: int) -> str:
    return (
        f"{moved} of {members} members predict the test photographs differently, most of all {one.member} (distance "
        f"{one.distance:.3f}): {_shares(one)}. A share of {one.share:.0%} fakes in the test set would explain it."
    )


def _strange(one: _Drift, strange: int, members: int) -> str:
    return (
        f"{strange} of {members} members predict the test photographs in a way that no share of fakes explains, most "
        f"of all {one.member} (distance {one.beyond_share:.3f} beyond it): {_shares(one)}."
    )
