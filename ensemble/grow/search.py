"""The study of a search: which settings are tried next, which trials are pruned, and what became of each.

Optuna keeps it, in SQLite or in any storage that several drivers reach. Its sampler is seeded for each trial, so
that a search that was interrupted goes on as it would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import optuna
from optuna.exceptions import OptunaError
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ensemble.blend.blenders.studies import quiet_optuna
from ensemble.config.members import MemberSettings
from ensemble.core.errors import UserError
from ensemble.grow.space import Values, current_values, distributions, from_optuna, to_optuna

_RANDOM: Final = 8  # trials before the sampler learns from them
_FIRST: Final = 5  # finished trials before others are pruned
_OWNER, _CAUSE = "owner", "cause"  # attributes of a trial
_FIXED: Final = "fixed_params"  # where Optuna keeps the values of a trial that was queued
_WORDS: Final = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "interrupted",
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
_ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class Search:
    """A study of one member.

    Parameters
    ----------
    storage : str
        Address of an Optuna storage, such as sqlite:///study.db.
    name : str
        Of the study.
    owner : str
        Identifier of this driver's folds: interrupted trials of an owner are finished by it alone.
    shared : bool
        Whether other drivers may be at work on the study.

    Raises
    ------
    UserError
        The storage cannot be opened.
    """

    def __init__(self, member: MemberSettings, storage: str, name: str, owner: str, seed: int, shared: bool) -> None:
        self.member = member
        self._owner, self._seed, self._shared, self._storage = owner, seed, shared, storage
        self._configured = to_optuna(member, current_values(member))
        with quiet_optuna():
            try:
                self._study = optuna.create_study(
                    storage=storage,
                    study_name=name,
                    load_if_exists=True,
                    direction="minimize",
                    pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST),
                )
            except Exception as error:  # of Optuna, SQLAlchemy or a driver of a database
                remedy = (
                    "is the address right, such as sqlite:///study.db, and the driver of its database installed?"
                    if shared
                    else "is the disk full, or the file damaged? Without the file the search starts again"
                )
                raise UserError(
                    f"the storage of the search, {_without_password(storage)}, cannot be opened; {remedy}"
                ) from error
            self._check_read()
            self._interrupted = [trial for trial in self._trials(TrialState.RUNNING) if self._is_own(trial)]
            if not any(self._will_do(trial) for trial in self._trials() if self._is_configured(trial)):
                self._study.enqueue_trial(self._configured)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Yield; that the storage cannot be reached any more is then an error of the user."""
        try:
            yield
        except (OptunaError, SQLAlchemyError) as error:
            where = _without_password(self._storage)
            raise UserError(
                f"the storage of the search, {where}, can no longer be used; when it can, run the same command again"
            ) from error

    def __len__(self) -> int:
        """Return how many trials have ended, by any driver."""
        return len(self._trials(*_ENDED))

    @property
    def has_queued(self) -> bool:
        """Whether the trial of the config waits, or trials that were interrupted: these are run in any case."""
        return bool(self._interrupted or self._trials(TrialState.WAITING))

    def counts(self) -> dict[str, int]:
        """Return how many trials were finished, pruned, and failed."""
        states = [trial.state for trial in self._trials()]
        return {_WORDS[state]: states.count(state) for state in _ENDED}

    def next(self) -> optuna.Trial:
        """Return the next trial: one that was interrupted, or one with new settings."""
        space = distributions(self.member)
        with quiet_optuna():
            if self._interrupted:
                found = self._interrupted.pop(0)
                self._study.sampler = self._sampler(found.number)
                trial = optuna.Trial(self._study, found._trial_id)  # the number is no identifier
                for path, values in space.items():
                    trial._suggest(path, values)  # what it has, and what it had not when it was interrupted
            else:
                self._study.sampler = self._sampler(len(self._trials()))
                trial = self._study.ask(fixed_distributions=space)
        trial.set_user_attr(_OWNER, self._owner)
        return trial

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Return the sampler of a trial, which draws the same again."""
        return optuna.samplers.TPESampler(
            seed=self._seed + number, n_startup_trials=_RANDOM, multivariate=True, constant_liar=True
        )

    def equal(self, trial: optuna.Trial) -> optuna.trial.FrozenTrial | None:
        """Return an earlier trial with the same settings that was finished or pruned; None if there is none."""
        others = self._trials(TrialState.COMPLETE, TrialState.PRUNED)
        return next((other for other in others if other.params == trial.params), None)

    def values(self, trial: optuna.Trial | optuna.trial.FrozenTrial) -> Values:
        """Return the settings of a trial."""
        return from_optuna(self.member, trial.params)

    @quiet_optuna()
    def should_prune(self, trial: optuna.Trial, fold: int, loss: float) -> bool:
        """Note the loss of a trial up to a fold, and return whether the trial is worse than most others were there."""
        trial.report(loss, fold)
        return trial.params != self._configured and trial.should_prune()  # all are compared with the config's

    @quiet_optuna()
    def finish(self, trial: optuna.Trial, loss: float) -> None:
        """Note the loss of a trial on all folds."""
        self._study.tell(trial, loss)

    def end_as(self, trial: optuna.Trial, equal: optuna.trial.FrozenTrial) -> None:
        """Note that a trial with the settings of an earlier one has ended as that one did."""
        if equal.state is TrialState.PRUNED or equal.value is None:
            self.prune(trial)
        else:
            self.finish(trial, equal.value)

    @quiet_optuna()
    def prune(self, trial: optuna.Trial) -> None:
        """Note that a trial was pruned."""
        self._study.tell(trial, state=TrialState.PRUNED)

    @quiet_optuna()
    def fail(self, trial: optuna.Trial, cause: str) -> None:
        """Note that a trial failed, and why."""
        trial.set_user_attr(_CAUSE, cause)
        self._study.tell(trial, state=TrialState.FAIL)

    def best(self) -> optuna.trial.FrozenTrial | None:
        """Return the finished trial of least loss, the first of equal ones; None if none is finished."""
        return min(self._trials(TrialState.COMPLETE), key=lambda trial: (trial.value, trial.number), default=None)

    def configured(self) -> optuna.trial.FrozenTrial | None:
        """Return the trial of the member as it is in the config; None if it is not finished."""
        return next((trial for trial in self._trials(TrialState.COMPLETE) if self._is_configured(trial)), None)

    def table(self) -> list[dict[str, Any]]:
        """Return all trials as plain data: number, state, loss, values, losses up to each fold, cause of a failure."""
        return [
            {
                "trial": trial.number,
                "state": _WORDS[trial.state],
                "loss": trial.value,
                "values": self.values(trial),
                "losses": list(trial.intermediate_values.values()),
                "cause": trial.user_attrs.get(_CAUSE, ""),
            }
            for trial in self._trials()
        ]

    def importances(self) -> dict[str, float]:
        """Return the share of the variance of the losses that each setting explains (fANOVA, Hutter et al., 2014)."""
        losses = {trial.value for trial in self._trials(TrialState.COMPLETE)}
        if len(losses) < 2:  # there is no variance to explain
            return {}
        with quiet_optuna(), suppress(RuntimeError, ValueError):
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            return dict(optuna.importance.get_param_importances(self._study, evaluator=evaluator))
        return {}

    def _check_read(self) -> None:
        try:
            for trial in self._trials():
                self.values(trial)
        except Exception as error:  # what Optuna raises on an edited database is no closed list
            raise UserError(
                f"the study in {_without_password(self._storage)} was edited and cannot be read; remove it: the search "
                "then starts again"
            ) from error

    def _trials(self, *states: TrialState) -> list[optuna.trial.FrozenTrial]:
        """Return the trials of some states, or all."""
        return self._study.get_trials(deepcopy=False, states=states or None)

    def _is_configured(self, trial: optuna.trial.FrozenTrial) -> bool:
        return self._configured in (trial.params, trial.system_attrs.get(_FIXED))

    def _is_own(self, trial: optuna.trial.FrozenTrial) -> bool:
        """Return whether this driver began a trial; without an owner it was killed as it began."""
        owner = trial.user_attrs.get(_OWNER)
        return owner == self._owner or (owner is None and not self._shared)

    def _will_do(self, trial: optuna.trial.FrozenTrial) -> bool:
        """Return whether a trial has a loss, or will have one: another driver may never come back to its own."""
        return trial.state in (TrialState.COMPLETE, TrialState.WAITING) or trial in self._interrupted


def _without_password(storage: str) -> str:
    try:
        return make_url(storage).render_as_string()
    except (SQLAlchemyError, ValueError):
        return storage.partition("://")[0] + "://..."
