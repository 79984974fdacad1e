"""The kinds of work: one fold of one member, the features of a chunk of photographs, a pilot, a model asked again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.config import MemberSettings, Recipe, Resources

PHOTOGRAPHS, LABELS, FOLDS = "photographs", "labels", "folds"  # keys of shared arrays, beside those of features


@dataclass(frozen=True)
class FoldTask:
    """One fold of one member.

    Attributes
    ----------
    code : str
        Hash of the member's code as the driver knows it.
    table : str
        Key of the shared array that the member reads: the photographs, or its features. Training rows come first.
    timeout : float
        Seconds that it may run; a longer one is ended and told as failed.
    """

    member: MemberSettings
    fold: int
    code: str
    table: str = PHOTOGRAPHS
    timeout: float = math.inf

    @property
    def title(self) -> str:
        """How the task is called wherever it is shown."""
        return f"{self.member.name}/fold-{self.fold}"

    @property
    def group(self) -> str:
        """Tasks of a group take about the same time."""
        return self.member.name

    @property
    def resources(self) -> Resources:
        """What it occupies."""
        return self.member.resources


def feature_group(recipe: Recipe, key: str) -> str:
    """What the tasks of one feature table are called, `key` being that of the recipe and its code."""
    return f"features/{recipe.use.rpartition('.')[2]}-{key[:8]}"


@dataclass(frozen=True)
class FeatureTask:
    """The features of one chunk of the photographs. `key` identifies the recipe and its code; `rows` is the chunk.

    `photographs` is the key of the shared array that holds them.
    """

    recipe: Recipe
    key: str
    index: int
    rows: slice
    resources: Resources
    photographs: str = PHOTOGRAPHS

    @property
    def title(self) -> str:
        """How the task is called wherever it is shown."""
        return f"{self.group}/chunk-{self.index}"

    @property
    def group(self) -> str:
        """Tasks of a group take about the same time."""
        others = "" if self.photographs == PHOTOGRAPHS else f"/{self.photographs}"
        return f"{feature_group(self.recipe, self.key)}{others}"


@dataclass(frozen=True)
class PilotTask:
    """A member tried on a few training photographs, to guess how long a fold takes. Nothing else is learned from it."""

    member: MemberSettings
    rows: NDArray[np.intp]
    timeout: float

    @property
    def title(self) -> str:
        """How the task is called wherever it is shown."""
        return self.group

    @property
    def group(self) -> str:
        """Tasks of a group take about the same time."""
        return f"pilot/{self.member.name}"

    @property
    def resources(self) -> Resources:
        """What it occupies."""
        return self.member.resources


@dataclass(frozen=True)
class AskTask:
    """The stored model of one fold, asked about rows that it never saw.

    Attributes
    ----------
    code : str
        Hash of the member's code as the driver knows it.
    table : str
        Key of the shared array that holds the rows: photographs, or the features that the member reads.
    model : str
        The folder of the model's files. The driver reads them when the task begins: a worker need not reach it.
    about : str
        What the rows are, for titles; tasks about the same thing are a group.
    """

    member: MemberSettings
    fold: int
    code: str
    table: str
    rows: NDArray[np.intp]
    model: str
    about: str
    index: int = 0
    timeout: float = math.inf

    @property
    def title(self) -> str:
        """How the task is called wherever it is shown."""
        return f"{self.group}/fold-{self.fold}/chunk-{self.index}"

    @property
    def group(self) -> str:
        """Tasks of a group take about the same time."""
        return f"ask/{self.about}/{self.member.name}"

    @property
    def resources(self) -> Resources:
        """What it occupies."""
        return self.member.resources


Task = FoldTask | FeatureTask | PilotTask | AskTask


@dataclass(frozen=True)
class Features:
    """What a feature task brings home: float32 (photographs, columns), and the seconds they took."""

    values: NDArray[np.float32]
    seconds: float


@dataclass(frozen=True)
class Answers:
    """What a model says that was asked: the probability of fake, float64 (rows,)."""

    fake: NDArray[np.float64]


@dataclass(frozen=True)
class Pilot:
    """What a pilot has measured, in seconds: of a fit whatever the rows are, and for each row of it and of others."""

    fixed: float
    fit: float
    predict: float
    features: float

    def fold(self, training: int, predicted: int) -> float:
        """Seconds of a fold with so many rows, whose features are there."""
        return self.fixed + self.fit * training + self.predict * predicted
