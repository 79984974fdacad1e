"""Running the work of an experiment: in this process, or on Ray. Both run the very same tasks."""

from ensemble.engine.base import Engine, FoldFailure, Workload
from ensemble.engine.choose import make_engine

__all__ = ["Engine", "FoldFailure", "Workload", "make_engine"]
