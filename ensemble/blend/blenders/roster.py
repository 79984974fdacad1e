"""The blenders that can be asked for, from simple to complex, and those that are refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ensemble.blend.blenders.average import AverageOfBlenders
from ensemble.blend.blenders.base import Blender, FixedWeights
from ensemble.blend.blenders.boosted import BoostedStacking
from ensemble.blend.blenders.greedy import BaggedGreedy, GreedyLogLoss, GreedySelection
from ensemble.blend.blenders.logistic import LogisticStacking, NonNegativeLogistic
from ensemble.blend.blenders.search import CmaWeights, TpeWeights
from ensemble.blend.blenders.simple import MeanOfLogits, SingleBest
from ensemble.blend.blenders.studies import Studies
from ensemble.config import BlendSettings

Maker = Callable[[], Blender]
SEARCHING = (CmaWeights.title, TpeWeights.title, LogisticStacking.title, BoostedStacking.title)  # by Optuna


def blenders(settings: BlendSettings, members: int, studies: Studies | None = None) -> list[tuple[Maker, Maker]]:
    """Makers of the blenders that a config asks for, from simple to complex; `average` is made of the others.

    The first of each pair makes the blender that is fitted on all rows, which takes up the trials of an earlier blend;
    the second those that are scored, which must find everything anew.
    """
    known: dict[str, Callable[[Any], Blender]] = {
        "mean": lambda _: MeanOfLogits(),
        "single_best": lambda _: SingleBest(),
        "greedy": lambda _: GreedySelection(settings.rounds),
        "greedy_log_loss": lambda _: GreedyLogLoss(settings.rounds),
        "bagged_greedy": lambda _: BaggedGreedy(settings.rounds, seed=settings.seed),
        "nonnegative_logistic": lambda _: NonNegativeLogistic(),
        "cma": lambda earlier: CmaWeights(settings.trials, settings.seed, earlier),
        "tpe": lambda earlier: TpeWeights(_fewer(settings.trials, 2), settings.seed, earlier),
        "logistic": lambda earlier: LogisticStacking(_fewer(settings.trials, 5), settings.seed, earlier),
        "boosted": lambda earlier: BoostedStacking(members, _fewer(settings.trials, 10), settings.seed, earlier),
    }
    return [
        (partial(_taken_up, make, title, studies), partial(make, ()))
        for title, make in known.items()
        if title in settings.methods
    ]


def restored(state: dict[str, Any]) -> Blender:
    """The fitted blender that told this state.

    Raises
    ------
    KeyError
        It is none.
    """
    if state["kind"] == "average":
        return AverageOfBlenders([restored(part) for part in state["blenders"]], state["members"])
    if state["kind"] == "boosted":
        return BoostedStacking.of_text(state["model"], state["model_sha256"], state["members"])
    return FixedWeights(state["weights"], state["intercept"])


def _taken_up(make: Callable[[Any], Blender], title: str, studies: Studies | None) -> Blender:
    """The blender, with the trials that an earlier blend of the same things made."""
    return make(studies.earlier(title) if studies and title in SEARCHING else ())


def _fewer(trials: int, times: int) -> int:
    """Some searches have less to find, or pay more for a trial."""
    return max(trials // times, 1)
