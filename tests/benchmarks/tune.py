"""A tuned booster beside its defaults, on folds that the search has not seen; and the search's overhead.

`make bench NAME=tune ARGS="--data DATA [--budget 30min] [--member boosted_forensics] [--autogluon PYTHON]"`. With a
Python that has AutoGluon-Tabular (in an environment of its own) that gets the same feature table, folds and minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.config.reading import load_experiment
from ensemble.core.console.durations import parse_duration
from ensemble.core.metrics.scores import log_loss, to_logits
from ensemble.engine.recipes.build import build
from ensemble.store.oof import OofStore
from ensemble.store.opening import competition_of
from tests.benchmarks.predict import print_report, run

GOALS = {"overhead": (0.03, "<="), "seconds_over_budget": (10.0, "<="), "gain_on_ledger": (0.0, ">=")}
_SCRIPT = Path(__file__).with_name("tune_autogluon.py")


def searched(config: Path, data: Path, oof: Path, member: str, budget: str) -> dict[str, Any]:
    """Run the search, and return its figures."""
    started = time.monotonic()
    run("tune", config, "--data", data, "--oof", oof, "--member", member, "--budget", budget)
    seconds = time.monotonic() - started
    own = OofStore(oof / load_experiment(config).name / "tune" / member)
    result = json.loads((own.root / "result.json").read_text())
    records = [json.loads(path.read_text()) for path in own.root.glob("members/*/fold-*/fold.json")]
    overhead = _idle([(record["member"], record["started"], record["finished"]) for record in records])
    return {
        "trials": sum(result["trials"].values()),
        "inner_configured": result["inner"]["configured"],
        "inner_best": result["inner"]["best"],
        "ledger_configured": result["ledger"].get("configured", float("nan")),
        "ledger_best": result["ledger"].get("best", float("nan")),
        "gain_on_ledger": result["ledger"].get("configured", 0.0) - result["ledger"].get("best", 0.0),
        "overhead": overhead,
        "seconds_over_budget": seconds - parse_duration(budget, "--budget"),
        "seconds": seconds,
    }


def _idle(folds: list[tuple[str, float, float]]) -> float:
    """Return the share of the cores' time in which no fold ran, until the last trial began: then cores run dry."""
    cores, begin = os.cpu_count() or 1, min(start for _, start, _ in folds)
    end = max(
        min(start for member, start, _ in folds if member == trial) for trial in {member for member, _, _ in folds}
    )
    busy = sum(max(min(stop, end) - start, 0.0) for _, start, stop in folds)
    return 1 - busy / ((end - begin) * cores)


def autogluon(python: str, config: Path, data: Path, oof: Path, member: str, seconds: float) -> dict[str, float]:
    """Return the log loss of AutoGluon on the ledger's folds, with the same features and as much time."""
    experiment = load_experiment(config)
    store = OofStore(oof / experiment.name)
    ledger, competition = store.ledger(), competition_of(store, experiment.data, data)
    features = next(each.features for each in experiment.members if each.name == member)
    assert features is not None
    X = build(features).transform(np.asarray(competition.decode()[: len(ledger.labels)]))
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/data.npz", X=X, labels=ledger.labels, folds=ledger.folds)
        command = [python, str(_SCRIPT), folder, str(seconds / ledger.n_folds)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        probabilities = np.load(f"{folder}/oof.npy")
    return {"autogluon_on_ledger": float(log_loss(to_logits(probabilities), ledger.labels).mean())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/cpu.yaml"))
    parser.add_argument("--member", default="boosted_forensics")
    parser.add_argument("--budget", default="30min")
    parser.add_argument("--autogluon")
    given = parser.parse_args(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        oof = Path(folder)
        figures = searched(given.config, given.data, oof, given.member, given.budget)
        if given.autogluon:
            seconds = parse_duration(given.budget, "--budget")
            figures |= autogluon(given.autogluon, given.config, given.data, oof, given.member, seconds)
    print_report(figures, GOALS)


if __name__ == "__main__":
    main()
