"""`python -m ensemble.folds export`: a door to `ensemble folds`, which stands above the store."""

from __future__ import annotations

from ensemble.core.console.console import start
from ensemble.store.folds_command import app

if __name__ == "__main__":
    start(app)
