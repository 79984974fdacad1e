"""Simulated members: logits are the label plus shared noise, noise of their own, and a bias."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble.competition.rows import SampleTable
from ensemble.config.experiment import Experiment
from ensemble.config.reading import load_experiment
from ensemble.core.metrics.scores import to_probabilities
from ensemble.engine.tasks.fold import FoldResult
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from ensemble.store.record import Provenance

N_FOLDS = 5


class World:
    """Members of one quality, shared noise, bias and scale each; rows can be drawn repeatedly.

    If they are `similar`, no weights are much better than equal ones.
    """

    def __init__(self, members: int, seed: int, *, similar: bool = False) -> None:
        rng = np.random.default_rng([seed, members])
        apart = 0.1 if similar else 1.0
        self.quality = 0.95 + apart * rng.uniform(-0.35, 0.35, members)
        self.shared = 0.6 + apart * rng.uniform(-0.3, 0.3, (members, 3))
        self.scale = np.exp(apart * rng.uniform(-0.7, 0.7, members))
        self.bias = apart * rng.normal(0, 0.3, members)

    def draw(self, rows: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Draw logits (rows, members), each column contiguous, and labels (rows,)."""
        rng = np.random.default_rng([seed, rows])
        labels = rng.integers(0, 2, rows)
        factors = rng.normal(size=(3, rows))
        logits = np.empty((len(self.quality), rows), dtype=np.float32)
        for member, column in enumerate(logits):
            column[:] = (2 * labels - 1) * self.quality[member] + self.shared[member] @ factors
            column += rng.normal(size=rows) + self.bias[member]
            column *= self.scale[member]
        return logits.T, labels


def folds_of(rows: int) -> NDArray[np.int64]:
    return np.random.default_rng(rows).permutation(np.arange(rows) % N_FOLDS)


def write_store(root: Path, members: int, rows: int, test_rows: int, blend: str = "{}", seed: int = 0) -> OofStore:
    """Write a store as a run does, filled with one world's predictions."""
    config = root.with_suffix(".yaml")
    models = "\n".join(f"  - {{name: member_{m:03d}, model: {{use: a.B, number: {m}}}}}" for m in range(members))
    root.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"name: {root.name}\nblend: {blend}\nmembers:\n{models}\n")
    experiment: Experiment = load_experiment(config)
    world = World(members, seed)
    (logits, labels), (test, _) = world.draw(rows, 1), world.draw(test_rows, 2)
    ledger = _ledger(labels)
    sample = SampleTable([f"{n:07d}.jpg" for n in range(test_rows)], [], "name", "pred", ["name", "pred"])
    store = OofStore(root)
    facts = {"sha256": "0" * 64, "source": "simulated", "synthetic": True, "train_rows": rows, "test_rows": test_rows}
    store.begin(experiment, ledger, sample, facts)
    for number, member in enumerate(experiment.members):
        provenance = Provenance(member.recipe, ledger.sha256, "0" * 64, "simulated")
        probabilities = to_probabilities(logits[:, number].astype(float))
        test_probabilities = to_probabilities(test[:, number].astype(float))
        for fold in range(N_FOLDS):
            heldout = probabilities[ledger.heldout(fold)]
            result = FoldResult(member.name, fold, heldout, test_probabilities, 60.0, 5.0, 0.0, 65.0, 500.0, 1, {})
            store.write(result, provenance, ledger, sample, 0.01)
    return store


def _ledger(labels: NDArray[np.int64]) -> FoldLedger:
    import pandas as pd

    names = [f"{number:07d}.jpg" for number in range(len(labels))]
    table = pd.DataFrame({"name": names, "label": labels, "group": names, "fold": folds_of(len(labels))})
    return FoldLedger(table, N_FOLDS, 0, 30)


def report(benchmark: str, figures: dict[str, dict[str, object]], absent: list[str], **more: object) -> None:
    """Print the last line: every figure with its goal and whether it is met."""
    print(json.dumps({"benchmark": benchmark, "figures": figures, **more, "absent": absent}))  # noqa: T201
