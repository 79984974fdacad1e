"""What one run of the driver works with."""

from __future__ import annotations

from dataclasses import dataclass

from ensemble.competition.dataset import Competition
from ensemble.core.arrays import Pixels
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine
from ensemble.engine.tasks.base import FOLDS, LABELS, PHOTOGRAPHS
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore


@dataclass(frozen=True)
class RunContext:
    """The competition and its folds, the store, the engine that runs tasks, and the board that shows progress."""

    competition: Competition
    ledger: FoldLedger
    store: OofStore
    engine: Engine
    board: ProgressBoard

    def share(self, pixels: Pixels) -> None:
        """Share with the tasks what all of them read: the photographs, the labels and the folds."""
        for key, array in ((PHOTOGRAPHS, pixels), (LABELS, self.ledger.labels), (FOLDS, self.ledger.folds)):
            self.engine.share(key, array)
