"""The blenders that a config can ask for, from simple to complex."""

from __future__ import annotations

from ensemble.blend.blenders.base import Blender
from ensemble.blend.blenders.boosted import BoostedStacking
from ensemble.blend.blenders.forward import ForwardSelection
from ensemble.blend.blenders.greedy import BaggedGreedy, GreedyLogLoss, GreedySelection
from ensemble.blend.blenders.logistic import LogisticStacking, NonNegativeLogistic
from ensemble.blend.blenders.search import CmaWeights
from ensemble.blend.blenders.simple import MeanOfLogits, SingleBest
from ensemble.config.experiment import BlendSettings

SEARCHING = (CmaWeights.title, LogisticStacking.title, BoostedStacking.title)  # with Optuna


def blenders(settings: BlendSettings, members: int) -> list[Blender]:
    """Return the blenders of `settings.methods`, from simple to complex.

    `average` is not among them, since it is made of the others; alone it is that of the plain mean.
    """
    known: list[Blender] = [
        MeanOfLogits(),
        SingleBest(),
        GreedySelection(settings.rounds),
        GreedyLogLoss(settings.rounds),
        BaggedGreedy(settings.rounds, seed=settings.seed),
        NonNegativeLogistic(),
        ForwardSelection(),
        CmaWeights(settings.trials, settings.seed),
        LogisticStacking(max(settings.trials // 5, 1), settings.seed),  # one parameter is found sooner
        BoostedStacking(members, max(settings.trials // 10, 1), settings.seed),  # a trial costs more
    ]
    return [blender for blender in known if blender.title in settings.methods] or [MeanOfLogits()]
