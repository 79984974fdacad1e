"""Optuna studies: searched in memory, kept in one SQLite file, taken up again where they ended."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.core.storage.files import Location, local_copy

if TYPE_CHECKING:
    import optuna

_FINGERPRINT = "fingerprint"


class Studies:
    """The studies of one blend, by name.

    Parameters
    ----------
    path : Location
        The SQLite file of an earlier blend, if there is one.
    fingerprint : str
        Of everything that a search sees: trials of other predictions or settings are never taken up.
    """

    def __init__(self, path: Location, fingerprint: str) -> None:
        self.path = path
        self.fingerprint = fingerprint

    def earlier(self, name: str) -> list[optuna.trial.FrozenTrial]:
        """The trials that an earlier blend of the same things made; none when the file cannot be read."""
        if not self.path.exists():
            return []
        import optuna

        with quietly(), local_copy(self.path) as file:
            try:
                study = optuna.load_study(study_name=name, storage=f"sqlite:///{file}")
                if study.user_attrs.get(_FINGERPRINT) != self.fingerprint:
                    return []
                over = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
                return [_plain(trial) for trial in study.get_trials(states=over)]
            except Exception:  # damaged, of another version, or no such study: it is searched anew
                return []

    def keep(self, path: Path, studies: Sequence[optuna.Study]) -> None:
        """Write studies to a new file, which optuna-dashboard opens."""
        import optuna

        with quietly():
            storage = optuna.storages.RDBStorage(f"sqlite:///{path}")  # once: to open one takes a fifth of a second
            for study in studies:
                kept = optuna.create_study(storage=storage, study_name=study.study_name)
                for name, value in {**study.user_attrs, _FINGERPRINT: self.fingerprint}.items():
                    kept.set_user_attr(name, value)
                kept.add_trials([_plain(trial) for trial in study.get_trials()])


def new_study(
    name: str,
    sampler: optuna.samplers.BaseSampler,
    earlier: Sequence[optuna.trial.FrozenTrial] = (),
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    """A study in memory that minimises, with the trials that were made before."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name=name, sampler=sampler, pruner=pruner, direction="minimize")
    study.add_trials(earlier)
    return study


@contextmanager
def quietly() -> Iterator[None]:
    """Without Optuna's notes and its warnings of what is experimental."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _plain(trial: optuna.trial.FrozenTrial) -> optuna.trial.FrozenTrial:
    """A trial without what its sampler noted: that of CMA-ES keeps a pickle there, and nothing stored is a pickle."""
    import optuna

    return optuna.trial.create_trial(
        state=trial.state,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        intermediate_values=trial.intermediate_values,
        value=trial.value,
    )
