"""An experiment: the YAML file as a typed object, validated whole before anything runs."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from ensemble.config.members import MemberSettings
from ensemble.config.settings import Name, Recipe, Seed, Settings, check_member_name
from ensemble.core.yaml import dump_yaml

BlendMethod = Literal[
    "mean", "single_best", "greedy", "greedy_log_loss", "bagged_greedy", "nonnegative_logistic", "forward", "cma",
    "logistic", "boosted", "average",
]  # fmt: skip
_ONLY_IF_NAMED = "forward"  # for many candidates, which `ensemble grow` has
_REFUSED_METHODS = {
    "rank_mean": "ranks force half of the test rows to be fake at a fixed 0.5, whatever their share is; use mean, "
    "which averages logits",
    "slsqp": "accuracy is a step function with zero gradient, so SLSQP returns its initial weights; use cma, which "
    "needs no gradient",
}
_FORMER_METHODS = {"weights": "cma", "tpe": "cma", "stacking": "logistic"}  # names in older stores


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
    repeats: int = Field(1, ge=1, le=50)
    """How many times the folds are cut and the members trained on them, by the seeds that follow. A row's prediction is
    the mean over the cuts, in logits; each is by models that have not seen the row."""
    near_duplicate_distance: int = Field(30, ge=0, le=64)
    """Photographs that differ by at most this many bits of a 256-bit perceptual hash stay in one fold."""


class BlendSettings(Settings):
    """Settings of the blend: which blenders compete and how long they search."""

    methods: tuple[BlendMethod, ...] = Field(
        tuple(method for method in get_args(BlendMethod) if method != _ONLY_IF_NAMED), min_length=1
    )
    """Blenders that compete; by default all but forward, which is for many members of which few may help."""
    rounds: int = Field(25, ge=1, le=200)
    """Rounds of greedy selection."""
    trials: int = Field(40, ge=1, le=100_000)
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
        for name in names:
            check_member_name(name)
        return self

    def on_first_cut(self) -> Experiment:
        """Return the same experiment without further cuts of the folds."""
        return self.model_copy(update={"folds": self.folds.model_copy(update={"repeats": 1})})

    def to_yaml(self) -> str:
        """Format the experiment as YAML, with every default."""
        return dump_yaml(self.model_dump())  # not as JSON, in which keys such as 0 become texts
