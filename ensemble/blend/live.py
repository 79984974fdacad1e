"""Leaderboard and blend while members are still being trained: from the folds that there are, by what is quick."""

from __future__ import annotations

import time
from typing import Any

from ensemble.blend.run import blend
from ensemble.config import Experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.storage.lock import only_writer
from ensemble.report.publish import write_leaderboard
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions

_QUICK = ("mean", "single_best", "greedy")
_SHARE = 0.05  # of a run's time that may go into telling how it stands


class LiveBlend:
    """Called after each stored fold; refreshes unless that would take more than a twentieth of the run's time."""

    def __init__(self, store: OofStore, experiment: Experiment, board: ProgressBoard) -> None:
        wanted = tuple(method for method in _QUICK if method in experiment.blend.methods) or _QUICK[:1]
        settings = experiment.blend.model_copy(update={"methods": wanted, "columns": None})
        self.experiment = experiment.model_copy(update={"blend": settings})
        self.store, self.board = store, board
        self._ended, self._took = float("-inf"), 0.0
        self._pending = False

    def fold_stored(self) -> None:
        """A fold came home."""
        self._pending = True
        if time.monotonic() - self._ended >= self._took * (1 / _SHARE - 1):
            self.refresh()

    def refresh(self) -> None:
        """Blend and write, if a fold came home since the last time. Whatever goes wrong, training goes on."""
        if not self._pending:
            return
        begun, self._pending = time.monotonic(), False
        try:
            predictions = load_predictions(self.store, self.experiment)
            with only_writer(self.store.root, "blend"):
                content = blend(self.store, self.experiment, predictions=predictions)
            write_leaderboard(self.store, predictions)
            self._tell(content)
        except Exception as error:  # members of any kind are worth more than the news of them
            self.board.log(f"the blend was not refreshed: {error}")
        self._ended = time.monotonic()
        self._took = self._ended - begun

    def _tell(self, content: dict[str, Any]) -> None:
        nested = content["nested"]
        self.board.standing = (
            f"blend so far: {nested['accuracy']:.4f} ± {nested['standard_error']:.4f}, "
            f"{content['chosen']} of {len(content['members'])} members on {nested['n']} photographs"
        )
