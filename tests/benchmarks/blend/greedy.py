"""Greedy selection on exact accuracy, beside AutoGluon's `EnsembleSelection` and a loop that calls scikit-learn.

AutoGluon lives in an environment of its own: `make bench NAME=blend ARGS="greedy --autogluon PATH/bin/python"`. It is
given (0.5 + logit / 33) for probabilities, so that its mean is above 0.5 where ours is above zero. Its picks are
followed with our counter: each must be among the best, given those before.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from threadpoolctl import threadpool_limits

from ensemble.blend.blenders.greedy import GreedySelection
from ensemble.core.metrics.decisions import DecisionCounter
from tests.benchmarks.blend.worlds import World, report

SIZES = {"20 x 10,000 x 25": (20, 10_000, 25, 5.0), "100 x 100,000 x 100": (100, 100_000, 100, 800.0)}
FASTER = 60
_RIVAL = """
import json, sys, time
import numpy as np
from autogluon.core.metrics import accuracy
from autogluon.core.models.greedy_ensemble.ensemble_selection import EnsembleSelection
data = np.load(sys.argv[1])
predictions = [np.ascontiguousarray(column) for column in (0.5 + data["logits"].T / 33)]
seconds = []
for _ in range(int(sys.argv[3])):
    selection = EnsembleSelection(ensemble_size=int(sys.argv[2]), problem_type="binary", metric=accuracy)
    begun = time.perf_counter()
    selection.fit(predictions, data["labels"])
    seconds.append(time.perf_counter() - begun)
print(json.dumps({"seconds": float(np.median(seconds)), "picks": [int(i) for i in selection.indices_]}))
"""


def median_seconds(work: Callable[[], object], times: int) -> float:
    work()
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return float(np.median(spent))


def by_scikit_learn(logits: NDArray[np.float32], labels: NDArray[np.int64], rounds: int) -> None:
    """As notebooks have it."""
    total = np.zeros(len(labels))
    for _ in range(rounds):
        scores = [accuracy_score(labels, total + column >= 0) for column in logits.T]
        total += logits[:, int(np.argmax(scores))]


def by_autogluon(
    python: str, logits: NDArray[np.float32], labels: NDArray[np.int64], rounds: int, times: int
) -> tuple[float, list[int]]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        np.savez(data, logits=logits.astype(np.float64), labels=labels)
        command = [python, "-c", _RIVAL, str(data), str(rounds), str(times)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    answer = json.loads(found)
    return answer["seconds"], answer["picks"]


def worst_pick(logits: NDArray[np.float32], labels: NDArray[np.int64], picks: list[int]) -> int:
    """Right decisions by which a pick falls short of the best of its round, at the most."""
    right = DecisionCounter(logits, labels)
    total, short = right.start.copy(), 0
    for pick in picks:
        counts = right.counts(total, np.arange(logits.shape[1]))
        short = max(short, int(counts.max() - counts[pick]))
        total += right.margins[pick]
    return short


def main(autogluon: str | None) -> None:
    figures: dict[str, dict[str, object]] = {}
    for title, (members, rows, rounds, goal) in SIZES.items():
        large = rows > 50_000
        logits, labels = World(members, 0).draw(rows, 1)
        folds = np.zeros(rows, dtype=np.int64)
        with threadpool_limits(1):
            fit = partial(GreedySelection(rounds).fit, logits, labels, folds)
            ours = 1000 * median_seconds(fit, 5 if large else 25)
        figures[f"{title}: ms"] = {"value": ours, "goal": goal, "met": ours < goal}
        if not large:
            loop = 1000 * median_seconds(partial(by_scikit_learn, logits, labels, rounds), 1)
            figures[f"{title}: times faster than scikit-learn in a loop"] = {"value": loop / ours}
        if autogluon:
            seconds, picks = by_autogluon(autogluon, logits, labels, rounds, 1 if large else 5)
            ratio, short = 1000 * seconds / ours, worst_pick(logits, labels, picks)
            figures[f"{title}: times faster than AutoGluon"] = {"value": ratio, "goal": FASTER, "met": ratio >= FASTER}
            figures[f"{title}: AutoGluon's worst pick, rows short of ours"] = {
                "value": short,
                "goal": 0,
                "met": short == 0,
            }
    for title, figure in figures.items():
        print(f"{title:70} {figure['value']:10.2f}   goal {figure.get('goal', '-')}")  # noqa: T201
    report("blend greedy", figures, [] if autogluon else ["AutoGluon: name its python with --autogluon"])
