"""Every benchmark that states goals, one after the other, in one table: `make bench-goals`.

`make bench-goals ARGS="report orchestration"` runs some of them. A benchmark prints its figures as JSON in its last
line; here stand those that have a goal, and whether it is met. The exit code is 1 if one is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

# Not among them: what needs another environment, or hours.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "forensic_features": ("forensic_features",),
    "orchestration": ("orchestration",),
    "report": ("report",),
    "blend": ("blend", "command"),
    "greedy": ("blend", "greedy"),
    "rows": ("blend", "rows"),
    "worker_memory": ("worker_memory",),
    "robustness": ("robustness",),
    "frozen_features": ("frozen_features",),
    "frozen_engines": ("frozen_engines",),
    "whole_story": ("whole_story",),
    "scale": ("scale",),
    "predict": ("predict",),
    "serve": ("serve",),
}


def figures_of(name: str) -> dict[str, Any]:
    """Run one benchmark and return the figures of its last line; empty if it failed."""
    module, *arguments = BENCHMARKS[name]
    found = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments], check=False, capture_output=True, text=True
    )
    try:
        last = json.loads(found.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    figures: dict[str, Any] = last.get("figures", last)
    return figures


def main(names: list[str]) -> bool:
    """Print a line for each goal; return whether all are met."""
    met = True
    for name in names or BENCHMARKS:
        started = time.monotonic()
        figures = figures_of(name)
        goals = {title: figure for title, figure in figures.items() if isinstance(figure, dict) and "goal" in figure}
        print(f"{name} ({time.monotonic() - started:.0f} s)" + ("" if figures else ": FAILED"))  # noqa: T201
        for title, figure in goals.items():
            verdict = "met" if figure["met"] else "MISSED"
            print(f"  {verdict:7} {title:50} {figure['value']:>12.4g}   goal {figure['goal']}")  # noqa: T201
        met &= bool(figures) and all(figure["met"] for figure in goals.values())
    return met


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
