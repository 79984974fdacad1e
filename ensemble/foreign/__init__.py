"""Members that were trained elsewhere: their predictions are checked like a competition's files, and kept as folds."""

from ensemble.foreign.importing import import_predictions

__all__ = ["import_predictions"]
