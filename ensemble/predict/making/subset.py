"""The best subset of a blend's members that answers about a photograph within a given time, and its blend."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np

from ensemble.blend.compare import compare_blenders
from ensemble.blend.guard import guard
from ensemble.blend.inputs import load_inputs
from ensemble.blend.manifest import manifest
from ensemble.competition.submission import submission_text
from ensemble.config.experiment import Experiment
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import log_loss, to_probabilities
from ensemble.core.storage.hashing import text_sha256
from ensemble.core.threads import threads
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.stored_members import StoredMember

MOST_MEMBERS: Final = 12  # whose subsets are all looked at; of more, members are added one by one

Log = Callable[[str], None]


def milliseconds(members: Sequence[StoredMember]) -> float:
    """Return what a photograph costs on one thread, as it did in training; features that members share count once."""
    features = {each.request.key: each.seconds_features for each in members if each.request is not None}
    return 1000 * (sum(features.values()) + sum(len(each.checksums) * each.seconds_predict for each in members))


def best_within(
    limit: float, predictions: Predictions, names: Sequence[str], members: Mapping[str, StoredMember]
) -> list[str]:
    """Return the members whose plain mean has the smallest out-of-fold log loss, of subsets that are fast enough.

    The plain mean learns nothing, so that its score is as honest as the members' own; the choice among subsets is by
    that score, and what the subset's blend gets is scored again by nested folds.

    Raises
    ------
    UserError
        No member is fast enough.
    """
    columns = [predictions.members.index(name) for name in names]
    logits, labels = predictions.oof_logits[:, columns].astype(np.float64), predictions.ledger.labels
    numbers = range(len(names))

    def loss(subset: list[int]) -> float:
        if milliseconds([members[names[number]] for number in subset]) > limit:
            return math.inf
        return float(log_loss(logits[:, subset].mean(axis=1), labels).mean())

    if len(names) <= MOST_MEMBERS:
        every = [list(subset) for size in range(1, len(names) + 1) for subset in combinations(numbers, size)]
        best = min(every, key=loss, default=[])
    else:
        best = _forward(numbers, loss)
    if not best or math.isinf(loss(best)):
        costs = [milliseconds([members[name]]) for name in names]
        fastest = f"; the fastest takes {min(costs):.0f} ms" if costs else ""
        raise UserError(f"no member answers within {limit:g} ms a photograph{fastest}; raise --max-ms-per-photo")
    return [names[number] for number in best]


def _forward(numbers: Sequence[int], loss: Callable[[list[int]], float]) -> list[int]:
    """Add one member after the other, the one with the smallest loss, as long as the loss falls."""
    best: list[int] = []
    while rest := [number for number in numbers if number not in best]:
        added = [*best, min(rest, key=lambda number: loss([*best, number]))]
        if best and loss(added) >= loss(best):
            break
        best = added
    return best


def blend_of(
    store: OofStore, experiment: Experiment, predictions: Predictions, names: Sequence[str], log: Log
) -> dict[str, Any]:
    """Return what blend.json would say of some members; nothing is written."""
    others = [name for name in predictions.members if name not in names]
    inputs = load_inputs(store, experiment, predictions.without(others))
    with threads(1):
        result = compare_blenders(inputs, experiment.blend, log)
    probabilities, sample = to_probabilities(result.test), store.sample()
    checks = guard(sample, probabilities, result.rule.nested, last=None)
    content = manifest(result, inputs, store, checks, experiment.blend)
    return {**content, "submission_sha256": text_sha256(submission_text(sample, probabilities))}
