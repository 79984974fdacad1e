"""What a store's models say about held-out photographs, as they are and altered, by the way of every later request.

Each photograph is encoded to a file, decoded and prepared as a user's would be, answered by the models of the folds
that it was held out of, and blended by a blender that was not fitted on it; the gate did not see it either.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.predict.bundled_ensemble import BundledEnsemble
from ensemble.predict.making.gate import Gates
from ensemble.predict.making.variants import Variant
from ensemble.predict.photographs.decoding import decode
from ensemble.predict.photographs.preparing import Preparation, Prepared
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.repeats import store_of_cut
from ensemble.stress.robustness.honest_blend import HonestBlend

AT_ONCE = 32  # photographs


@dataclass(frozen=True)
class HeldOutAnswers:
    """Answers about one variant of the sample.

    Attributes
    ----------
    rows : intp (photographs,)
        Of the ledger.
    logits : float64 (photographs,)
        Blended; NaN where the models could not be asked.
    members : float64 (photographs, members)
        Logits of the members.
    doubts : float64 (photographs,)
        Distances from the training photographs in units of the threshold; zero where there is no gate.
    prepared : bool (photographs,)
        Whether nothing in the file itself forbids a verdict.
    """

    variant: Variant
    rows: NDArray[np.intp]
    labels: Labels
    folds: NDArray[np.int64]
    logits: Array
    members: Array
    doubts: Array
    prepared: NDArray[np.bool_]


def held_out_models(store: OofStore, predictions: Predictions, member: str) -> NDArray[np.int64]:
    """Return the indices of a member's models that each row of the ledger was held out of (rows, cuts)."""
    folds = [store_of_cut(store, cut).ledger().folds for cut in predictions.cuts_of(member)]
    return np.stack([predictions.ledger.n_folds * cut + of_cut for cut, of_cut in enumerate(folds)], axis=1)


@dataclass(frozen=True)
class HeldOut:
    """A sample of training photographs, and all that answers about it honestly.

    Attributes
    ----------
    rows : intp (photographs,)
        Of the ledger.
    models : list of int64 (photographs, cuts of the folds)
        Of each member, the indices of the models that a photograph was held out of.
    pixels : uint8 (photographs, height, width, 3)
    names : list of str
        Members of the ensemble, in its order.
    gate_features, blender_features : int or None
        Indices of the features that gates and blenders read.
    """

    ensemble: BundledEnsemble
    prepare: Preparation
    blend: HonestBlend
    names: Sequence[str]
    rows: NDArray[np.intp]
    labels: Labels
    folds: NDArray[np.int64]
    models: Sequence[NDArray[np.int64]]
    pixels: NDArray[np.uint8]
    gates: Gates | None
    gate_features: int | None
    blender_features: int | None

    def answers(self, variant: Variant, on_progress: Callable[[float], None]) -> HeldOutAnswers:
        """Return what is answered about one variant; `on_progress` is called with the share that is done."""
        count = len(self.rows)
        found = HeldOutAnswers(
            variant,
            self.rows,
            self.labels,
            self.folds,
            np.full(count, np.nan),
            np.full((count, len(self.names)), np.nan),
            np.zeros(count),
            np.zeros(count, bool),
        )
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, count, AT_ONCE):
                rows = np.arange(start, min(start + AT_ONCE, count))
                self._fill(
                    found, rows, list(pool.map(lambda row: self._prepared(variant.encode(self.pixels[row])), rows))
                )
                on_progress((int(rows[-1]) + 1) / count)
        return found

    def warning_of_files(self, encoded: Sequence[bytes]) -> str:
        """Return how many photographs of the sample get no verdict as the files that they are; empty of none."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            prepared = pool.map(lambda row: self._prepared(bytes(encoded[row])), self.rows)
            reasons = Counter(each.reason for each in prepared if each.reason)
        if not reasons:
            return ""
        most, count = reasons.most_common(1)[0]
        return (
            f"WARNING: of {len(self.rows):,} training photographs {reasons.total():,} would get no verdict as the "
            f"files that they are, {count:,} of them because: {most}; the rates below are of their pixels"
        )

    def _prepared(self, content: bytes) -> Prepared:
        photograph = decode(content)
        return Prepared(None, photograph) if isinstance(photograph, str) else self.prepare(photograph)

    def _fill(self, found: HeldOutAnswers, rows: NDArray[np.intp], prepared: list[Prepared]) -> None:
        """Write the answers about some photographs."""
        here = [(row, each) for row, each in zip(rows, prepared, strict=True) if each.pixels is not None]
        if not here:
            return
        asked = np.array([row for row, _ in here])
        pixels = np.stack([each.pixels for _, each in here if each.pixels is not None])
        tables = self.ensemble.tables(pixels)
        members = self.ensemble.held_out(pixels, tables, [models[asked] for models in self.models])
        logits = dict(zip(self.names, members.T, strict=True))
        columns = None if self.blender_features is None else tables[self.blender_features]
        found.members[asked] = members
        found.logits[asked] = self.blend(self.rows[asked], logits, columns)
        found.prepared[asked] = [not each.reason for _, each in here]
        if self.gates is not None and self.gate_features is not None:
            found.doubts[asked] = self.gates.doubts(tables[self.gate_features], self.folds[asked])
