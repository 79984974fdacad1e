"""Running the work of an experiment: in this process, or on Ray. Both run the very same tasks."""

from ensemble.engine.base import Engine, Finished
from ensemble.engine.choose import engine_maker
from ensemble.engine.failures import Ended, Failure

__all__ = ["Ended", "Engine", "Failure", "Finished", "engine_maker"]
