"""Predictions of photographs by the blend, or by the mean of the members if there is none, and by each member."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.submission import read_submission
from ensemble.core.arrays import Array, Logits
from ensemble.core.metrics.scores import to_logits, to_probabilities
from ensemble.report.facts.material import UNKNOWN, Material
from ensemble.store.oof import SUBMISSION
from ensemble.store.results import BLEND

MEAN = "mean of the members"


@dataclass(frozen=True)
class Opinions:
    """Probabilities of fake for some photographs, by models that had not seen them.

    Attributes
    ----------
    split : str
        train or test.
    names : sequence of str
        The photographs (n,).
    labels : int64 (n,)
        0 real, 1 fake; -1 where it is not known.
    lead_title : str
        What leads: the blend, or the mean of the members' logits.
    lead : float64 (n,)
        Its probabilities; NaN where it has none.
    who : list of str
        The members.
    logits : float32 (n, members)
        Their logits; NaN where a fold is missing.
    """

    split: str
    names: Sequence[str]
    labels: NDArray[np.int64]
    lead_title: str
    lead: Array
    who: list[str]
    logits: Logits

    def identity(self, row: int) -> str:
        """Return `split/name`: the same name may be in train and in test."""
        return f"{self.split}/{self.names[row]}"

    def votes(self, row: int) -> tuple[tuple[str, float], ...]:
        """Return the known probabilities of a photograph with their models, the leading one first."""
        pairs = [
            (self.lead_title, float(self.lead[row])),
            *zip(self.who, self.probabilities(row).tolist(), strict=True),
        ]
        return tuple((who, probability) for who, probability in pairs if not np.isnan(probability))

    def probabilities(self, rows: int | NDArray[np.intp]) -> Array:
        """Return the members' probabilities of some rows; NaN where a fold is missing."""
        return to_probabilities(self.logits[rows].astype(np.float64))

    @cached_property
    def voters(self) -> NDArray[np.int64]:
        """Number of members with a prediction of a photograph (n,)."""
        voters: NDArray[np.int64] = np.count_nonzero(~np.isnan(self.logits), axis=1)
        return voters

    @cached_property
    def fakes(self) -> NDArray[np.int64]:
        """Number of members that predict fake (n,)."""
        fakes: NDArray[np.int64] = np.count_nonzero(self.logits >= 0, axis=1)
        return fakes

    @cached_property
    def right(self) -> NDArray[np.int64]:
        """Number of members that are right (n,)."""
        return np.where(self.labels == 1, self.fakes, self.voters - self.fakes)


def opinions_of_training(material: Material) -> Opinions:
    """Return out-of-fold predictions of the training photographs; the blend's are nested."""
    logits, members = material.predictions.oof_logits, material.predictions.members
    title, lead = (MEAN, _mean(logits)) if material.blend is None else (BLEND, material.blend_by_row)
    return Opinions("train", material.names, material.labels, title, lead, members, logits)


def opinions_of_test(material: Material) -> Opinions:
    """Return predictions of the test photographs: the submission, and the means over each member's fold models."""
    logits, sample = material.predictions.test_logits, material.store.sample()
    if material.manifest is None:
        title, lead = MEAN, _mean(logits)
    else:
        submitted = read_submission(material.store.blend_folder / SUBMISSION, sample)
        title, lead = BLEND, np.array([submitted[name] for name in sample.names])
    known = sample.has_photograph
    lead, logits = np.where(known, lead, np.nan), np.where(known[:, None], logits, np.float32(np.nan))
    labels = np.full(len(sample.names), UNKNOWN)
    return Opinions("test", list(sample.names), labels, title, lead, material.predictions.members, logits)


def _mean(logits: NDArray[np.float32]) -> Array:
    """Return the probability of the mean of the known logits (n,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows without any prediction stay NaN
        return to_probabilities(np.nanmean(logits, axis=1, dtype=np.float64))


def certainty(probabilities: Array) -> Array:
    """Return how far probabilities lie from 0.5: the size of their logits; NaN where there is none."""
    return np.abs(to_logits(probabilities))
