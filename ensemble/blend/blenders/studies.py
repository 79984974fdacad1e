"""Optuna studies: searched in memory, then written to one SQLite file for optuna-dashboard."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna


def new_study(
    name: str, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner | None = None
) -> optuna.Study:
    """Create a study in memory that minimises."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(study_name=name, sampler=sampler, pruner=pruner, direction="minimize")


def write_studies(path: Path, studies: Sequence[optuna.Study]) -> None:
    """Write studies to a new file."""
    import optuna

    with quiet_optuna():
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")  # opened once: that takes a fifth of a second
        for study in studies:
            copy = optuna.create_study(storage=storage, study_name=study.study_name)
            for name, value in study.user_attrs.items():
                copy.set_user_attr(name, value)
            copy.add_trials([_without_sampler_state(trial) for trial in study.get_trials()])


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's log and its warnings about experimental features."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _without_sampler_state(trial: optuna.trial.FrozenTrial) -> optuna.trial.FrozenTrial:
    """Copy a trial without its system attributes: CMA-ES stores a pickle there, and no file of ours holds a pickle."""
    import optuna

    return optuna.trial.create_trial(
        state=trial.state,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        intermediate_values=trial.intermediate_values,
        value=trial.value,
    )
