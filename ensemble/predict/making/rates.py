"""Limits of verdicts that hold stated false-positive rates, and the rates that they were then measured to have.

The limits in the bundle are set on all held-out photographs. The rates stated beside them come from limits that were
set by the answers about photographs of other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ensemble.core.errors import UserError
from ensemble.predict.bundle.manifest import Rate, Verdicts
from ensemble.predict.making.held_out import HeldOutAnswers
from ensemble.predict.verdicts import limits_for

STRONG_RATE: Final = 0.005
SOME_RATE: Final = 0.02


@dataclass(frozen=True)
class Thresholds:
    """Logits from which on there is strong evidence, and some."""

    strong: float
    some: float


def verdicts_of(answers: Sequence[HeldOutAnswers]) -> Verdicts:
    """Return limits and rates.

    Raises
    ------
    UserError
        There is no real photograph about which something could be said.
    """
    found = [decided(each) for each in answers]
    limits, nested = _limits(answers, found), nested_limits(answers)
    rates = tuple(_rate(each, here, nested) for each, here in zip(answers, found, strict=True))
    least = min(filter(None, (rate.real - rate.undecided_real for rate in rates if rate.guaranteed)))
    strong, some = (max(rate, 1 / (least + 1)) for rate in (STRONG_RATE, SOME_RATE))  # of fewer no limit holds less
    return Verdicts(strong=limits.strong, some=limits.some, strong_rate=strong, some_rate=some, rates=rates)


def nested_limits(answers: Sequence[HeldOutAnswers]) -> dict[int, Thresholds]:
    """Return for each fold the limits that the photographs of the others set."""
    found = [decided(each) for each in answers]
    return {int(fold): _limits(answers, found, without=int(fold)) for fold in np.unique(answers[0].folds)}


def decided(answers: HeldOutAnswers) -> NDArray[np.bool_]:
    """Return about which photographs something is said."""
    return answers.prepared & np.isfinite(answers.logits) & (answers.doubts <= 1)


def _limits(
    answers: Sequence[HeldOutAnswers], found: Sequence[NDArray[np.bool_]], without: int | None = None
) -> Thresholds:
    """Return the limits by real photographs, of all folds but one."""
    groups = []
    for each, here in zip(answers, found, strict=True):
        real = (each.labels == 0) & (each.folds != without)
        if each.variant.guaranteed and (here & real).any():
            groups.append(each.logits[here & real].tolist())
    if not groups:
        raise UserError(
            "nothing can be said about any real photograph of the sample, so no limit can be set; raise --photographs"
        )
    some = limits_for(groups, SOME_RATE)
    return Thresholds(max(limits_for(groups, STRONG_RATE), some), some)


def _rate(answers: HeldOutAnswers, here: NDArray[np.bool_], nested: dict[int, Thresholds]) -> Rate:
    strong = np.array([nested[fold].strong for fold in answers.folds])
    some = np.array([nested[fold].some for fold in answers.folds])
    above_strong, above_some = here & (answers.logits >= strong), here & (answers.logits >= some)
    real, fake = answers.labels == 0, answers.labels == 1
    return Rate(
        variant=answers.variant.name,
        title=answers.variant.title,
        guaranteed=answers.variant.guaranteed,
        real=int(real.sum()),
        fake=int(fake.sum()),
        strong_false=int((above_strong & real).sum()),
        some_false=int((above_some & real).sum()),
        strong_found=int((above_strong & fake).sum()),
        some_found=int((above_some & fake).sum()),
        undecided_real=int((~here & real).sum()),
        undecided_fake=int((~here & fake).sum()),
    )
