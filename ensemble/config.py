"""An experiment: the YAML file as a typed object, validated whole before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
Seed = Annotated[int, Field(ge=0, le=2**31)]  # libraries take 32 bits, and a fold's number is added
BlendMethod = Literal[
    "mean", "single_best", "greedy", "greedy_log_loss", "bagged_greedy", "nonnegative_logistic", "cma",
    "logistic", "boosted", "average",
]  # fmt: skip
_REFUSED_METHODS = {
    "rank_mean": "ranks force half of the test rows to be fake at a fixed 0.5, whatever their share is; mean averages "
    "logits instead",
    "slsqp": "accuracy is a staircase, its gradient is zero, so SLSQP returns the weights that it started from; cma "
    "searches the staircase itself",
}
_FORMER_METHODS = {"weights": "cma", "tpe": "cma", "stacking": "logistic"}  # as older stores call them


class Settings(BaseModel):
    """A part of the YAML. Unknown keys are errors: a misspelt setting must never be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Recipe(BaseModel):
    """An object to build: `use` is its import path, every other key a parameter (which may be a recipe itself)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    use: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, without `use`."""
        return dict(self.model_extra or {})


class DataSettings(Settings):
    """How to read the competition's files."""

    name_column: str | None = None
    label_column: str | None = None
    group_column: str | None = None
    on_size_mismatch: Literal["error", "crop"] = "error"


class FoldSettings(Settings):
    """How to cut the training rows. `near_duplicate_distance` is in bits of a 256-bit perceptual hash."""

    n_folds: int = Field(5, ge=2, le=100)
    seed: Seed = 0
    near_duplicate_distance: int = Field(30, ge=0, le=64)


class Resources(Settings):
    """What one task of a member occupies. It computes with exactly `num_cpus` threads.

    `custom` are resources that the owner of a Ray cluster has named. `without_gpu: wait` waits for a
    machine that could hold the task, be it for its GPU or for its size, as a cluster that grows on demand brings one.
    """

    num_cpus: int = Field(1, ge=1)
    num_gpus: float = Field(0, ge=0, allow_inf_nan=False)
    memory_gib: float | None = Field(None, gt=0, allow_inf_nan=False)
    custom: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    without_gpu: Literal["use_cpu", "fail", "wait"] = "use_cpu"

    @field_validator("num_gpus")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("several GPUs must be a whole number; only below one a fraction is possible")
        return value


class MemberSettings(Settings):
    """A base learner: a classifier, with or without stateless features in front of it.

    `resources` are those of a fold, `features_resources` those of a chunk of photographs whose features are computed.
    `value` is what you expect the member to be worth beside one of value 1: `train --budget` takes the most valuable
    ones that fit.
    """

    name: Name
    features: Recipe | None = None
    model: Recipe
    seed: Seed = 0
    resources: Resources = Resources()
    features_resources: Resources = Resources()
    value: float = Field(1, gt=0, allow_inf_nan=False)

    @property
    def recipe(self) -> dict[str, Any]:
        """What decides the predictions: everything but the name, the resources and the expectations."""
        return self.model_dump(mode="json", exclude={"name", "resources", "features_resources", "value"})


class BlendSettings(Settings):
    """Which blenders compete, and how long they search.

    `trials` are those of cma; logistic takes a fifth of them, boosted a tenth. `columns` are a few
    stateless features that boosted reads beside the members' logits. `correct_prior` applies the estimated share of
    fakes among the test rows.
    """

    methods: tuple[BlendMethod, ...] = Field(get_args(BlendMethod), min_length=1)
    rounds: int = Field(25, ge=1, le=200)
    trials: int = Field(40, ge=1)
    seed: Seed = 0
    columns: Recipe | None = None
    correct_prior: bool = False

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
    """What audits and the report look at.

    `spectra` turns photographs into the curves of their spectra (see `member.Spectra`): audits learn from them, fakes
    are clustered by them, and the report shows them. The framework itself knows no Fourier transform.
    """

    spectra: Recipe = Recipe(use="members.forensics.Spectra")


class Experiment(Settings):
    """The whole YAML file."""

    name: Name
    data: DataSettings = DataSettings()
    folds: FoldSettings = FoldSettings()
    members: tuple[MemberSettings, ...] = Field(min_length=1)
    blend: BlendSettings = BlendSettings()
    report: ReportSettings = ReportSettings()

    @model_validator(mode="after")
    def _own_names(self) -> Experiment:
        names = [member.name.lower() for member in self.members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two members are called {', '.join(twice)}; give each a name of its own")
        if "blend" in names:
            raise ValueError("no member may be called blend, as tables call what all of them decide together")
        return self

    def to_yaml(self) -> str:
        """The experiment with every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_experiment(path: Location) -> Experiment:
    """Read and validate a YAML file.

    Raises
    ------
    UserError
        The file is missing, is no YAML, or says something that is not possible; every fault is named with its place.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(str(p) for p in sorted(Path("configs").glob("*.yaml")))
        reason = error.strerror if isinstance(error, OSError) else "is no text"
        raise UserError(f"config {path}: {reason}; known configs: {known or 'none in configs/'}") from None
    except yaml.YAMLError as error:
        raise UserError(f"config {path} is no valid YAML: {' '.join(str(error).split())}") from None
    try:
        return Experiment.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"config {path}: " + "; ".join(_fault(fault) for fault in error.errors())) from None


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the whole file"
    if fault["type"] == "extra_forbidden":
        return f"{place}: there is no such setting, check its spelling"
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
