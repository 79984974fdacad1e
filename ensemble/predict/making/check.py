"""Whether a bundle answers as the store did: its logits of test photographs against the stored predictions."""

from __future__ import annotations

from typing import Final

import numpy as np

from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import to_probabilities
from ensemble.predict.bundled_ensemble import BundledEnsemble
from ensemble.predict.making.inputs import StoreInputs

PHOTOGRAPHS: Final = 24
TOLERANCE: Final = 1e-3  # of a probability: processors and libraries differ by less


def check_against_store(ensemble: BundledEnsemble, inputs: StoreInputs) -> float:
    """Return the largest difference of a member's probability from the stored one, of some test photographs.

    Raises
    ------
    UserError
        A member answers differently, since its code or a library has changed since it was trained.
    """
    training, tests = len(inputs.predictions.ledger.labels), len(inputs.predictions.test_logits)
    rows = np.linspace(0, tests - 1, min(PHOTOGRAPHS, tests)).astype(int)
    pixels = np.asarray(inputs.pixels[rows + training])
    found = to_probabilities(ensemble.members(pixels, ensemble.tables(pixels)))
    columns = [inputs.predictions.members.index(name) for name in inputs.names]
    stored = to_probabilities(inputs.predictions.test_logits[rows][:, columns].astype(np.float64))
    differences = np.abs(found - stored).max(axis=0)
    worst = int(differences.argmax())
    if differences[worst] > TOLERANCE:
        raise UserError(
            f"{inputs.names[worst]} predicts test photographs differently than when it was trained (by up to "
            f"{differences[worst]:.2g}): its code or a library has changed; train it again, then blend and bundle"
        )
    return float(differences[worst])
