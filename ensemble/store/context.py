"""What one run of the driver works with."""

from __future__ import annotations

from dataclasses import dataclass

from ensemble.competition.dataset import Competition
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.base import Engine
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
