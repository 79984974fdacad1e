"""A member of an experiment: its recipe, its resources, and how it may be tuned."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ensemble.config.settings import Name, Recipe, Seed, Settings

_LEAST = 0.0001  # of a resource: Ray knows no less


class Resources(Settings):
    """Resources of one task of a member."""

    num_cpus: int = Field(1, ge=1)
    """CPU cores. The task computes with exactly this many threads."""
    num_gpus: float = Field(0, ge=0, allow_inf_nan=False)
    """GPUs: below one a fraction is possible (0.5 puts two tasks on one GPU), above one a whole number."""
    memory_gib: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Memory in GiB that a machine must have free for the task."""
    custom: dict[str, Annotated[float, Field(ge=_LEAST, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Resources that the owner of a Ray cluster has named, such as `{fast_disk: 1}`."""
    without_gpu: Literal["use_cpu", "fail", "wait"] = "use_cpu"
    """What to do where no GPU is available: run on the CPU, stop with an error, or wait for a machine that could run
    the task (for its GPU or for its size), as a cluster that grows on demand brings one."""

    @field_validator("custom")
    @classmethod
    def _own_names(cls, value: dict[str, float]) -> dict[str, float]:
        for name, setting in {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory_gib"}.items():
            if name in value:
                raise ValueError(f"{name} is no custom resource; set {setting}")
        return value

    @field_validator("num_gpus")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("num_gpus above 1 must be a whole number; fractions must be below 1")
        if 0 < value < _LEAST:
            raise ValueError(f"num_gpus must be 0, or at least {_LEAST}")
        return value


class Interval(Settings):
    """Numbers among which `ensemble tune` searches: whole ones if both ends are."""

    low: int | float = Field(allow_inf_nan=False)
    """Smallest value."""
    high: int | float = Field(allow_inf_nan=False)
    """Largest value."""
    log: bool = False
    """Whether to search evenly over powers of ten, as for a strength of regularisation."""

    @model_validator(mode="after")
    def _ordered(self) -> Interval:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and self.low <= 0:
            raise ValueError("with log: true, low must be above 0")
        return self

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return isinstance(self.low, int) and isinstance(self.high, int)


class Choices(Settings):
    """Values among which `ensemble tune` searches."""

    choices: tuple[Any, ...] = Field(min_length=2)
    """Values of any kind that YAML has."""


class PseudoLabels(Settings):
    """Test photographs that a member learns from a second time, with the labels that it has predicted itself."""

    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Probability of a class from which on a test photograph is taken for one of it."""
    most: float = Field(0.5, gt=0, le=2)
    """Pseudo-labels at most, beside the training photographs of the fold. As many real as fake ones are taken, the
    surest first."""


class MemberSettings(Settings):
    """Base learner: a classifier, with or without stateless features in front of it."""

    name: Name
    """Name of the member: letters, digits, `_`, `.` and `-`. No two may be equal, and none may be `blend` or a
    column of tables (`name`, `fold`, `split`, `label`, `pred`, `member`, `title`, `alteration`)."""
    features: Recipe | None = None
    """Stateless transformer of photographs into a table, which the model gets instead of the photographs. It is
    computed once for all folds, and shared by all members with the same recipe."""
    model: Recipe
    """The classifier."""
    seed: Seed = 0
    """Seed of the model. The number of the fold is added."""
    resources: Resources = Resources()
    """Resources of one fold: fit and predict."""
    features_resources: Resources = Resources()
    """Resources of a chunk of photographs whose features are computed."""
    value: float = Field(1, gt=0, allow_inf_nan=False)
    """Expected worth beside a member of value 1: `train --budget` takes the most valuable members that fit."""
    pseudo_labels: PseudoLabels | None = None
    """Whether each fold is fitted twice: on its training photographs, and then also on test photographs whose label it
    is sure of, never on held-out ones. Refused where an audit alarms. Not every competition allows it."""
    tune: dict[str, Interval | Choices] = Field(default_factory=dict)
    """What `ensemble tune` searches: settings by their path, such as `model.alpha`, with an interval or choices."""

    @property
    def recipe(self) -> dict[str, Any]:
        """Settings that determine the predictions: all but the name, the resources, the value and the search."""
        left_out = {"name", "resources", "features_resources", "value", "tune"}
        if self.pseudo_labels is None:  # recipes of older stores have no such key
            left_out.add("pseudo_labels")
        return self.model_dump(mode="json", exclude=left_out)
