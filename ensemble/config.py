"""An experiment: the YAML file as a typed object, validated whole before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from ensemble.core.console.text import did_you_mean
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.yaml import dump_yaml, load_yaml

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


def check_name(name: Any) -> str:
    """Return the name of a member or experiment; raise a `ValueError` if it cannot be one."""
    if isinstance(name, int | float):
        raise ValueError(f'{name} is a number; write it in quotes, "{name}"')
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name; use letters, digits, _ . and -, at most 80")
    return name


Name = Annotated[str, BeforeValidator(check_name)]
Seed = Annotated[int, Field(ge=0, le=2**31)]  # libraries take 32 bits, and a fold's number is added
BlendMethod = Literal[
    "mean", "single_best", "greedy", "greedy_log_loss", "bagged_greedy", "nonnegative_logistic", "cma",
    "logistic", "boosted", "average",
]  # fmt: skip
_REFUSED_METHODS = {
    "rank_mean": "ranks force half of the test rows to be fake at a fixed 0.5, whatever their share is; use mean, "
    "which averages logits",
    "slsqp": "accuracy is a step function with zero gradient, so SLSQP returns its initial weights; use cma, which "
    "needs no gradient",
}
_FORMER_METHODS = {"weights": "cma", "tpe": "cma", "stacking": "logistic"}  # names in older stores


class Settings(BaseModel):
    """Section of the YAML. Unknown keys are errors, so that a misspelt setting is never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Recipe(BaseModel):
    """Object to build: `use` is its import path, every other key a parameter (which may be a recipe itself)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    use: str

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters, without `use`."""
        return dict(self.model_extra or {})


class DataSettings(Settings):
    """Settings for reading the competition's files."""

    name_column: str | None = None
    """Column of the file names in train.csv, and in submit.csv where it has a column of that name. By default the
    column whose values name the photographs."""
    label_column: str | None = None
    """Column of the labels in train.csv. By default the only one of 0 and 1, True and False, or words such as real and
    fake."""
    fake_label: bool | int | str | None = None
    """Value of the label column that means fake; the other value means real. By default 1, True, or the word for it."""
    prediction_column: str | None = None
    """Column of the sample submission that predictions are written to. By default the only one besides the names, or
    the one with a usual title, such as pred; the others are written back as they stand."""
    group_column: str | None = None
    """Column of train.csv whose equal values stay in one fold, such as the photographer."""
    train_folder: str | None = None
    """Folder of the training photographs, where it is not found by itself: its path, or the end of it."""
    test_folder: str | None = None
    """Folder of the test photographs."""
    train_table: str | None = None
    """Table of the labels, where train.csv is called otherwise: its path, or the end of it."""
    sample_table: str | None = None
    """The sample submission, where submit.csv is called otherwise."""
    on_bad_photograph: Literal["error", "skip"] = "error"
    """How to treat rows whose photograph is missing or unreadable: stop with an error, or go on and list them. A
    training row is left out; a test row gets the share of fakes in the training rows as its prediction."""
    convert_cmyk: bool = False
    """Convert CMYK photographs to RGB, as Pillow does, without their colour profile. By default they are errors."""
    on_size_mismatch: Literal["error", "crop"] = "error"
    """How to treat photographs of different sizes: stop with an error, or crop all to the smallest size, on the 8 x 8
    grid of JPEG. Nothing is ever resized."""


class FoldSettings(Settings):
    """Settings of the folds."""

    n_folds: int = Field(5, ge=2, le=100)
    """Number of folds."""
    seed: Seed = 0
    """Seed of the split. Another seed gives other folds: all members are trained again."""
    near_duplicate_distance: int = Field(30, ge=0, le=64)
    """Photographs that differ by at most this many bits of a 256-bit perceptual hash stay in one fold."""


class Resources(Settings):
    """Resources of one task of a member."""

    num_cpus: int = Field(1, ge=1)
    """CPU cores. The task computes with exactly this many threads."""
    num_gpus: float = Field(0, ge=0, allow_inf_nan=False)
    """GPUs: below one a fraction is possible (0.5 puts two tasks on one GPU), above one a whole number."""
    memory_gib: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Memory in GiB that a machine must have free for the task."""
    custom: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    """Resources that the owner of a Ray cluster has named, such as `{fast_disk: 1}`."""
    without_gpu: Literal["use_cpu", "fail", "wait"] = "use_cpu"
    """What to do where no GPU is available: run on the CPU, stop with an error, or wait for a machine that could run
    the task (for its GPU or for its size), as a cluster that grows on demand brings one."""

    @field_validator("num_gpus")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("num_gpus above 1 must be a whole number; fractions must be below 1")
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


class MemberSettings(Settings):
    """Base learner: a classifier, with or without stateless features in front of it."""

    name: Name
    """Name of the member: letters, digits, `_`, `.` and `-`. No two may be equal, and none may be `blend`."""
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
    tune: dict[str, Interval | Choices] = {}
    """What `ensemble tune` searches: settings by their path, such as `model.alpha`, with an interval or choices."""

    @property
    def recipe(self) -> dict[str, Any]:
        """Settings that determine the predictions: all but the name, the resources, the value and the search."""
        return self.model_dump(mode="json", exclude={"name", "resources", "features_resources", "value", "tune"})


class BlendSettings(Settings):
    """Settings of the blend: which blenders compete and how long they search."""

    methods: tuple[BlendMethod, ...] = Field(get_args(BlendMethod), min_length=1)
    """Blenders that compete; by default all of them."""
    rounds: int = Field(25, ge=1, le=200)
    """Rounds of greedy selection."""
    trials: int = Field(40, ge=1)
    """Optuna trials of cma; logistic takes a fifth as many, boosted a tenth."""
    seed: Seed = 0
    """Seed of the searches."""
    columns: Recipe | None = None
    """Stateless features, a few columns, that boosted reads beside the members' logits."""
    correct_prior: bool = False
    """Whether to apply the estimated share of fakes among the test photographs."""

    @field_validator("methods", mode="before")
    @classmethod
    def _possible(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        for method in value:
            if method in _REFUSED_METHODS:
                raise ValueError(f"{method} is not offered: {_REFUSED_METHODS[method]}")
        return list(dict.fromkeys(_FORMER_METHODS.get(method, method) for method in value))


class ReportSettings(Settings):
    """Settings of audits and the report."""

    spectra: Recipe = Recipe(use="members.forensics.Spectra")
    """Transformer of photographs into the curves of their spectra: audits learn from them, fakes are clustered by
    them, and the report shows them."""


class Experiment(Settings):
    """The whole YAML file."""

    name: Name
    """Name of the experiment, and of its store: letters, digits, `_`, `.` and `-`."""
    data: DataSettings = DataSettings()
    """How to read the competition's files."""
    folds: FoldSettings = FoldSettings()
    """How to split the training rows into folds."""
    members: tuple[MemberSettings, ...] = ()
    """The base learners. Without any the blend is of imported predictions."""
    blend: BlendSettings = BlendSettings()
    """Which blenders compete, and how long they search."""
    report: ReportSettings = ReportSettings()
    """What audits and the report look at."""

    @model_validator(mode="after")
    def _own_names(self) -> Experiment:
        names = [member.name.lower() for member in self.members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two members are called {', '.join(twice)}; give each a different name")
        if "blend" in names:
            raise ValueError("no member may be called blend, which is the name of the blend in tables")
        return self

    def to_yaml(self) -> str:
        """Format the experiment as YAML, with every default."""
        return dump_yaml(self.model_dump())  # not as JSON, in which keys such as 0 become texts


def load_experiment(path: Location) -> Experiment:
    """Read and validate a YAML file.

    Raises
    ------
    UserError
        The file is missing, is not YAML, or has invalid settings; every error is listed with its place.
    """
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(str(p) for p in sorted(Path("configs").glob("*.yaml")))
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise UserError(f"config {path}: {reason}; known configs: {known or 'none in configs/'}") from None
    except yaml.YAMLError as error:
        raise UserError(f"config {path} is not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"config {path}: " + "; ".join(_faults(error.errors()))) from None


def _faults(faults: Sequence[Any]) -> list[str]:
    """Describe faults; that a list is too short is none where its entries are faulty, which are then left out."""
    places = [fault["loc"] for fault in faults]
    inside = {place[:depth] for place in places for depth in range(len(place))}
    return [_fault(fault) for fault in faults if fault["type"] != "too_short" or fault["loc"] not in inside]


def _settings(place: Sequence[int | str]) -> list[str]:
    """Return the names of the settings among which one was given that does not exist."""
    section = next((str(part) for part in reversed(place[:-1]) if isinstance(part, str)), "")
    return list(_SECTIONS.get(section, Experiment).model_fields)


_SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataSettings,
    "folds": FoldSettings,
    "members": MemberSettings,
    "resources": Resources,
    "features_resources": Resources,
    "blend": BlendSettings,
    "report": ReportSettings,
}


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the whole file"
    if fault["type"] == "extra_forbidden":
        return f"{place}: there is no such setting; {did_you_mean(str(fault['loc'][-1]), _settings(fault['loc']))}"
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
