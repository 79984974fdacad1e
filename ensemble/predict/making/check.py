"""Whether a bundle answers as the store did: the logits of its members against the stored predictions."""

from __future__ import annotations

from typing import Final

import numpy as np

from ensemble.core.arrays import Array, Logits
from ensemble.core.errors import UserError
from ensemble.predict.bundled_ensemble import BundledEnsemble
from ensemble.predict.making.held_out import HeldOutAnswers
from ensemble.predict.making.inputs import StoreInputs

PHOTOGRAPHS: Final = 24
TOLERANCE: Final = 0.01  # of a logit: processors and libraries differ by less


def check_against_store(ensemble: BundledEnsemble, inputs: StoreInputs) -> float:
    """Return the largest difference of a member's logit from the stored one, of some test photographs.

    Raises
    ------
    UserError
        A member answers differently, since its code or a library has changed since it was trained.
    """
    training, tests = len(inputs.predictions.ledger.labels), len(inputs.predictions.test_logits)
    rows = np.linspace(0, tests - 1, min(PHOTOGRAPHS, tests)).astype(int)
    pixels = np.asarray(inputs.pixels[rows + training])
    found = ensemble.members(pixels, ensemble.tables(pixels))
    return _compare(found, inputs.predictions.test_logits[rows], inputs)


def check_held_out(answers: HeldOutAnswers, inputs: StoreInputs) -> None:
    """Raise a `UserError` if answers about photographs as they are differ from the out-of-fold predictions."""
    _compare(answers.members, inputs.predictions.oof_logits[answers.rows], inputs)


def _compare(found: Array, stored: Logits, inputs: StoreInputs) -> float:
    names = list(inputs.members)
    columns = [inputs.predictions.members.index(name) for name in names]
    differences = np.abs(found - stored[:, columns]).max(axis=0)
    worst = int(differences.argmax())  # of NaN the first
    if not differences[worst] <= TOLERANCE:
        raise UserError(
            f"{names[worst]} predicts photographs differently than when it was trained (its logits by up to "
            f"{differences[worst]:.2g}): its code or a library has changed; train it again, then blend and bundle"
        )
    return float(differences[worst])
