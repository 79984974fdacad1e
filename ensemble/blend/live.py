"""Leaderboard and blend during training: from the folds finished so far, by blenders that are fast."""

from __future__ import annotations

import time
from typing import Any

from ensemble.blend.run import blend
from ensemble.config.experiment import Experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import plural
from ensemble.core.errors import reason
from ensemble.core.storage.lock import only_writer
from ensemble.report.facts.material import Material
from ensemble.report.publish import write_leaderboard
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions

_QUICK = ("mean", "single_best", "greedy", "forward")
_SHARE = 0.05  # of a run's time that refreshing may take


class LiveBlend:
    """Leaderboard and blend that are refreshed after a stored fold, in at most a twentieth of the run's time."""

    def __init__(self, store: OofStore, experiment: Experiment, board: ProgressBoard) -> None:
        quick = tuple(method for method in _QUICK if method in experiment.blend.methods) or _QUICK[:1]
        settings = experiment.blend.model_copy(update={"methods": quick, "columns": None})
        self.experiment = experiment.model_copy(update={"blend": settings})
        self.store, self.board = store, board
        self._ended, self._took = float("-inf"), 0.0
        self._pending = False

    def fold_stored(self) -> None:
        """Note a new fold, and refresh if it is time."""
        self._pending = True
        if time.monotonic() - self._ended >= self._took * (1 / _SHARE - 1):
            self.refresh()

    def refresh(self) -> None:
        """Blend and write, if there is a new fold since the last time. After any error training continues."""
        if not self._pending:
            return
        started, self._pending = time.monotonic(), False
        try:
            predictions = load_predictions(self.store, self.experiment)
            with only_writer(self.store.root, "blend"):
                content = blend(self.store, self.experiment, predictions=predictions, live=True)
            write_leaderboard(Material.of(self.store, self.experiment, predictions))
            self._show(content)
        except Exception as error:  # a blend of any kind of members must not end their training
            self.board.log(f"the blend was not refreshed: {reason(error)}")
            self._pending = True
        self._ended = time.monotonic()
        self._took = self._ended - started

    def _show(self, content: dict[str, Any]) -> None:
        nested = content["nested"]
        self.board.standing = (
            f"blend so far: {nested['accuracy']:.4f} ± {nested['standard_error']:.4f}, "
            f"{content['chosen']} of {plural(len(content['members']), 'member')} on {nested['n']} photographs"
        )
