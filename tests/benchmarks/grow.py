"""Growing ensembles beside the fixed config, also on as many cuts of the folds: nested scores, curves, and the ends.

`make bench NAME=grow ARGS="--data DATA [--budgets 30min 60min] [--config configs/cpu.yaml] [--seeds 0 1 2]"`. The seeds
are those of the folds. Every run begins with nothing: features are computed in each. A budget that is given twice
shows whether the same members come out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ensemble.core.console.durations import parse_duration
from tests.benchmarks.predict import print_report, run

GOALS = {
    "gain_of_log_loss": (0.0, ">="),  # beside the fixed config
    "accuracy_gained": (0.0, ">="),
    "longer_in_standard_errors": (-1.0, ">="),  # accuracy of the longest budget less that of the shortest
    "seconds_over_budget": (10.0, "<="),
    "share_outside_steps": (0.03, "<="),
}


@dataclass(frozen=True)
class Scores:
    """What a run has come to."""

    accuracy: float
    standard_error: float
    log_loss: float
    seconds: float

    @classmethod
    def read(cls, store: Path, started: float) -> Scores:
        """Read the nested scores of a store."""
        found = json.loads((store / "blend" / "blend.json").read_text())["nested"]
        return cls(found["accuracy"], found["standard_error"], found["log_loss"], time.monotonic() - started)

    def line(self) -> str:
        """Return the scores in words."""
        accuracy = f"accuracy {self.accuracy:.4f} ± {self.standard_error:.4f}"
        return f"{accuracy}, log loss {self.log_loss:.4f}, {self.seconds:.0f} s"


def written(config: Path, folder: Path, seed: int, repeats: int = 1) -> Path:
    """Write the config with other folds."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / config.name
    path.write_text(f"{config.read_text()}\nfolds: {{seed: {seed}, repeats: {repeats}}}\n")
    return path


def grown(config: Path, data: Path, folder: Path, budget: str) -> tuple[Scores, list[dict[str, float | str]]]:
    """Grow an ensemble; return its scores and the steps."""
    started = time.monotonic()
    run("grow", config, "--data", data, "--oof", folder, "--budget", budget)
    store = next(folder.glob("*/grow.json")).parent
    scores, growth = Scores.read(store, started), json.loads((store / "grow.json").read_text())
    print(f"grown in {budget}: {scores.line()}; {growth['why']}", flush=True)  # noqa: T201
    for step in growth["steps"]:
        curve = f"{step['after']:7.0f} s  {step['log_loss']:.4f}  {step['accuracy']:.4f}"
        print(f"  {curve}  {step['outcome']:8} {step['member']}", flush=True)  # noqa: T201
    return scores, growth["steps"]


def fixed(config: Path, data: Path, folder: Path) -> Scores:
    """Train and blend a config."""
    started = time.monotonic()
    run("train", config, "--data", data, "--oof", folder)
    run("blend", config, "--oof", folder)
    scores = Scores.read(next(folder.glob("*/blend")).parent, started)
    print(f"{config.read_text().splitlines()[-1]}: {scores.line()}", flush=True)  # noqa: T201
    return scores


def compared(config: Path, data: Path, folder: Path, budgets: list[str], seed: int) -> dict[str, float]:
    """Grow in each budget, then train the config as it is, and again on as many cuts of the folds."""
    once = written(config, folder, seed)
    runs = [grown(once, data, folder / f"grown-{number}", budget) for number, budget in enumerate(budgets)]
    scores = [each for each, _ in runs]
    kept = [[str(step["member"]) for step in steps if step["outcome"] == "kept"] for _, steps in runs]
    plain = fixed(once, data, folder / "fixed")
    cuts = 1 + sum(name.startswith("cut ") for name in kept[-1])
    again = fixed(written(config, folder / "again", seed, cuts), data, folder / "fixed")
    last, steps = scores[-1], runs[-1][1]
    over = [each.seconds - parse_duration(text, "--budgets") for each, text in zip(scores, budgets, strict=True)]
    return {
        "grown_accuracy": last.accuracy,
        "grown_log_loss": last.log_loss,
        "fixed_accuracy": plain.accuracy,
        "fixed_log_loss": plain.log_loss,
        "fixed_on_cuts_accuracy": again.accuracy,
        "fixed_on_cuts_log_loss": again.log_loss,
        "standard_error": last.standard_error,
        "accuracy_gained": last.accuracy - plain.accuracy,
        "gain_of_log_loss": plain.log_loss - last.log_loss,
        "longer_in_standard_errors": (last.accuracy - scores[0].accuracy) / last.standard_error,
        "the_same_members": float(all(names == kept[0] for names in kept)),
        "steps": len(steps),
        "kept": len(kept[-1]),
        "seconds": last.seconds,
        "share_outside_steps": 1 - sum(float(step["seconds"]) for step in steps) / last.seconds,
        "seconds_over_budget": max(over),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/cpu.yaml"))
    parser.add_argument("--budgets", nargs="+", default=["30min", "60min"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args(sys.argv[1:])
    figures: dict[str, float] = {}
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            found = compared(given.config, given.data, Path(folder), given.budgets, seed)
        figures |= {f"{name}_{seed}": value for name, value in found.items()}
    print_report(figures, {f"{name}_{seed}": goal for seed in given.seeds for name, goal in GOALS.items()})


if __name__ == "__main__":
    main()
