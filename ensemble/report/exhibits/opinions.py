"""Predictions of photographs by the blend, or by the mean of the members if there is none, and by each member."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.submission import read_submission
from ensemble.core.arrays import Array
from ensemble.core.metrics.scores import THRESHOLD, correct_probabilities, to_logits, to_probabilities
from ensemble.report.facts.material import Material
from ensemble.store.oof import SUBMISSION
from ensemble.store.results import BLEND

UNKNOWN = -1
MEAN = "mean of the members"


@dataclass(frozen=True)
class Opinions:
    """Probabilities of fake for some photographs, by models that had not seen them.

    Attributes
    ----------
    split : str
        train or test.
    names : list of str
        The photographs (n,).
    labels : int64 (n,)
        0 real, 1 fake; -1 where it is not known.
    lead_title : str
        What leads: the blend, or the mean of the members' logits.
    lead : float64 (n,)
        Its probabilities; NaN where it has none.
    who : list of str
        The members.
    members : float64 (n, members)
        Their probabilities; NaN where a fold is missing.
    """

    split: str
    names: list[str]
    labels: NDArray[np.int64]
    lead_title: str
    lead: Array
    who: list[str]
    members: Array

    def identity(self, row: int) -> str:
        """Return `split/name`: the same name may be in train and in test."""
        return f"{self.split}/{self.names[row]}"

    def votes(self, row: int) -> tuple[tuple[str, float], ...]:
        """Return the known probabilities of a photograph with their models, the leading one first."""
        pairs = [(self.lead_title, float(self.lead[row])), *zip(self.who, self.members[row].tolist(), strict=True)]
        return tuple((who, probability) for who, probability in pairs if not np.isnan(probability))

    @property
    def says_fake(self) -> Array:
        """1 where a member predicts fake, 0 where real, NaN where it has no prediction: (n, members)."""
        return np.where(np.isnan(self.members), np.nan, self.members >= THRESHOLD)

    @property
    def voters(self) -> NDArray[np.int64]:
        """Number of members with a prediction of a photograph (n,)."""
        voters: NDArray[np.int64] = (~np.isnan(self.members)).sum(axis=1)
        return voters

    @property
    def right(self) -> Array:
        """1 where a member is right, 0 where it is wrong, NaN where it has no prediction: (n, members)."""
        right = correct_probabilities(self.members, self.labels[:, None])
        return np.where(np.isnan(self.members), np.nan, right)


def opinions_of_training(material: Material) -> Opinions:
    """Return out-of-fold predictions of the training photographs; the blend's are nested."""
    blend, members = material.blend, material.member_probabilities
    title, lead = MEAN, _mean(material.predictions.oof_logits)
    if blend is not None:
        title, lead = BLEND, np.full(len(material.names), np.nan)
        lead[blend.rows] = blend.probabilities
    return Opinions("train", material.names, material.labels, title, lead, material.predictions.members, members)


def opinions_of_test(material: Material) -> Opinions:
    """Return predictions of the test photographs: the submission, and the means over each member's fold models."""
    logits, sample = material.predictions.test_logits, material.store.sample()
    title, lead = MEAN, _mean(logits)
    if material.manifest is not None:
        submitted = read_submission(material.store.blend_folder / SUBMISSION, sample)
        title, lead = BLEND, np.array([submitted[name] for name in sample.names])
    members = to_probabilities(logits.astype(np.float64))
    labels = np.full(len(sample.names), UNKNOWN)
    return Opinions("test", list(sample.names), labels, title, lead, material.predictions.members, members)


def _mean(logits: NDArray[np.float32]) -> Array:
    """Return the probability of the mean of the known logits (n,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rows without any prediction stay NaN
        return to_probabilities(np.nanmean(logits.astype(np.float64), axis=1))


def certainty(probabilities: Array) -> Array:
    """Return how far probabilities lie from 0.5: the size of their logits; NaN where there is none."""
    return np.abs(to_logits(probabilities))
