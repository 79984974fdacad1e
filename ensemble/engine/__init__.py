"""Running the work of an experiment: in this process, or on Ray. Both run the very same tasks."""

from ensemble.engine.base import Ended, Engine, Failure, Finished
from ensemble.engine.choose import engine_maker

__all__ = ["Ended", "Engine", "Failure", "Finished", "engine_maker"]
