"""Nested scores against scores on new rows, in simulated worlds.

`make bench NAME=blend ARGS=honesty`. In each world members share noise and each has a bias; rows are drawn, every
blender is fitted and scored, one is chosen; then all decide 200,000 new rows. In points of accuracy.

A sample of 2,000 rows is itself off by 0.7 points, by any decision, so errors are averaged over worlds. Half of the
worlds have very different members, where weights are worth learning; half have similar ones, where they are not.
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ensemble.blend.blenders.roster import blenders
from ensemble.blend.evaluation.choice import choose
from ensemble.blend.evaluation.nested import Problem, evaluate, evaluate_average
from ensemble.blend.evaluation.threshold import place_decision
from ensemble.config.experiment import BlendSettings
from tests.benchmarks.blend.worlds import World, folds_of, report

SEEDS, FRESH = 12, 200_000
PROMISES = {2_000: 0.3, 10_000: 0.1, 50_000: 0.05}
MEMBERS = (10, 50)
REGRET = 0.1


def right(logits: np.ndarray, labels: np.ndarray) -> float:
    return 100 * float(((logits >= 0) == (labels == 1)).mean())


def one_world(rows: int, members: int, seed: int, *, similar: bool) -> list[dict[str, object]]:
    """A row for each blender, one for the chosen, and one for the submission."""
    world = World(members, seed, similar=similar)
    logits, labels = world.draw(rows, 100 + seed)
    fresh, truth = world.draw(FRESH, 900 + seed)
    settings = BlendSettings()
    problem = Problem(logits, members, labels, folds_of(rows))
    found = [evaluate(blender, problem) for blender in blenders(settings, members)]
    found.append(evaluate_average([e for e in found if e.title != "single_best"], problem))
    choice = choose(found, problem)
    rule, _ = place_decision(choice.choosing, problem)
    table = []
    for evaluation in found:
        test = right(evaluation.blender.decision_function(fresh), truth)
        table.append(
            {
                "blender": evaluation.title,
                "in-sample": 100 * evaluation.in_sample_scores.accuracy,
                "nested": 100 * evaluation.nested_scores.accuracy,
                "fresh": test,
            }
        )
    best = max(row["fresh"] for row in table)
    chosen = next(row for row in table if row["blender"] == choice.chosen.title)
    shipped = rule.decision(choice.chosen.blender.decision_function(fresh))
    table += [
        {**chosen, "blender": "CHOSEN", "regret": best - chosen["fresh"]},
        {**chosen, "blender": "CHOOSING", "nested": right(choice.choosing.nested, labels)},
        {
            "blender": "SHIPPED",
            "in-sample": chosen["in-sample"],
            "nested": right(rule.nested, labels),
            "fresh": right(shipped, truth),
            "regret": best - right(shipped, truth),
        },
    ]
    return [{"rows": rows, "similar": similar, "members": members, "seed": seed, **row} for row in table]


def main(sizes: list[int]) -> None:
    begun, rows = time.perf_counter(), []
    with threadpool_limits(1):
        for n in sizes:
            for similar, members, seed in itertools.product((False, True), MEMBERS, range(SEEDS)):
                rows += one_world(n, members, seed, similar=similar)
                spent = time.perf_counter() - begun
                print(f"{n} x {members}, similar {similar}, world {seed}: {spent:.0f} s", file=sys.stderr)  # noqa: T201
    table = pd.DataFrame(rows)
    table["optimism"] = table["in-sample"] - table["fresh"]
    table["promise"] = table["nested"] - table["fresh"]
    table["off"] = table["promise"].abs()
    means = table.groupby(["rows", "similar", "members", "blender"])[
        ["fresh", "optimism", "promise", "off", "regret"]
    ].mean()
    print(means.round(3).to_string())  # noqa: T201
    figures: dict[str, dict[str, object]] = {}
    of = table.groupby(["blender", "rows"])
    for n, goal in ((n, PROMISES[n]) for n in sizes):
        mean, off = abs(float(of["promise"].mean()["SHIPPED", n])), float(of["off"].mean()["SHIPPED", n])
        chosen = abs(float(of["promise"].mean()["CHOSEN", n]))
        figures[f"{n:,} rows: the reported nested score against fresh rows, mean over worlds"] = {
            "value": mean,
            "goal": goal,
            "met": mean <= goal,
        }
        figures[f"{n:,} rows: the same, absolute in each world, luck included"] = {"value": off}
        figures[f"{n:,} rows: the chosen one's own, mean over worlds"] = {"value": chosen}
        figures[f"{n:,} rows: in-sample of greedy against fresh"] = {"value": float(of["optimism"].mean()["greedy", n])}
    for similar in (False, True):
        here = table[(table["blender"] == "CHOSEN") & (table["similar"] == similar)]["regret"]
        title = f"the chosen below the best of all blenders, members {'similar' if similar else 'different'}, mean"
        figures[title] = {"value": float(here.mean())}
    regret = float(table[table["blender"] == "CHOSEN"]["regret"].mean())
    shipped = float(table[table["blender"] == "SHIPPED"]["regret"].mean())
    figures["the chosen below the best of all blenders, mean"] = {
        "value": regret,
        "goal": REGRET,
        "met": regret <= REGRET,
    }
    figures["the shipped, decision placed, below the best of all blenders, mean"] = {"value": shipped}
    for title, figure in figures.items():
        print(f"{title:75} {figure['value']:7.3f}   goal {figure.get('goal', '-')}")  # noqa: T201
    report("blend honesty", figures, [], seconds=time.perf_counter() - begun)
