"""A growing ensemble beside the fixed config, in equal time: nested scores, the curve over time, and the end.

`make bench NAME=grow ARGS="--data DATA [--budget 60min] [--config configs/cpu.yaml] [--seeds 0 1 2]"`. The seeds are
those of the folds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ensemble.core.console.durations import parse_duration
from tests.benchmarks.predict import print_report, run

GOALS = {"gain_of_log_loss": (0.0, ">="), "accuracy_gained": (0.0, ">="), "seconds_over_budget": (10.0, "<=")}


def with_seed(config: Path, seed: int, folder: Path) -> Path:
    """Write the config with another seed of the folds."""
    path = folder / config.name
    path.write_text(f"{config.read_text()}\nfolds: {{seed: {seed}}}\n")
    return path


def nested(store: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((store / "blend" / "blend.json").read_text())["nested"]
    return found


def compared(config: Path, data: Path, folder: Path, budget: str) -> dict[str, Any]:
    """Grow, then train and blend the config alone from the same cached features; return the figures of both."""
    started = time.monotonic()
    run("grow", config, "--data", data, "--oof", folder / "grown", "--budget", budget)
    seconds = time.monotonic() - started
    run("train", config, "--data", data, "--oof", folder / "fixed")
    run("blend", config, "--oof", folder / "fixed")
    name = next((folder / "grown").glob("*/grow.json")).parent.name
    grown, fixed = nested(folder / "grown" / name), nested(folder / "fixed" / name)
    growth = json.loads((folder / "grown" / name / "grow.json").read_text())
    outside = seconds - sum(step["seconds"] for step in growth["steps"])
    for step in growth["steps"]:
        print(f"  {step['after']:7.0f} s  {step['log_loss']:.4f}  {step['outcome']:8} {step['member']}")  # noqa: T201
    return {
        "grown_accuracy": grown["accuracy"],
        "fixed_accuracy": fixed["accuracy"],
        "grown_log_loss": grown["log_loss"],
        "fixed_log_loss": fixed["log_loss"],
        "accuracy_gained": grown["accuracy"] - fixed["accuracy"],
        "gain_of_log_loss": fixed["log_loss"] - grown["log_loss"],
        "standard_error": fixed["standard_error"],
        "steps": len(growth["steps"]),
        "kept": sum(step["outcome"] == "kept" for step in growth["steps"]),
        "seconds": seconds,
        "seconds_outside_steps": outside,
        "seconds_over_budget": seconds - parse_duration(budget, "--budget"),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/cpu.yaml"))
    parser.add_argument("--budget", default="60min")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args(sys.argv[1:])
    figures: dict[str, Any] = {}
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            config = with_seed(given.config, seed, Path(folder))
            found = compared(config, given.data, Path(folder), given.budget)
        figures |= {f"{name}_{seed}": value for name, value in found.items()}
    goals = {f"{name}_{seed}": goal for seed in given.seeds for name, goal in GOALS.items()}
    print_report(figures, goals)


if __name__ == "__main__":
    main()
