"""Searches for better settings: what was tried, what mattered, and what is left of the gain on the store's folds."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from ensemble.core.console.text import plural
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Details, Fact, Facts, Figure, Section, Table
from ensemble.store.grown import read_search, searches

_LEAD = (
    "Settings were searched by log loss on folds of their own, cut from the training photographs by another seed. What "
    "is left of the gain is measured on the store's folds, which the search has not seen. The photographs are the "
    "same, so it is still a little optimistic."
)
_WIDE = 50.0  # times the smallest value: then an axis is logarithmic
_MOST_OFF = 2.0  # times the least loss, of trials that are drawn: others would hide the rest


def tuning(material: Material) -> Section | None:
    """Show every search of the store; None without any."""
    found = {member: read_search(folder) for member, folder in searches(material.store).items()}
    blocks = tuple(_search(member, *searched) for member, searched in found.items() if searched)
    return Section("tuning", "Tuning", _LEAD, blocks) if blocks else None


def _search(member: str, result: dict[str, Any], trials: list[dict[str, Any]]) -> Details:
    settings = list(result["values"]["best"])
    values = pd.DataFrame([trial["values"] for trial in trials], columns=settings)
    table = pd.concat([pd.DataFrame(trials).drop(columns=["losses", "values"]), values], axis=1)
    finished = table[table["state"] == "finished"]  # at least the best one
    blocks: list[Block] = [_facts(result)]
    if result["importances"]:
        blocks.append(_importances(member, result["importances"]))
    near = finished[finished["loss"] <= _MOST_OFF * finished["loss"].min()]
    blocks += [_slice(member, setting, near, number) for number, setting in enumerate(settings)]
    blocks.append(_trials(member, table, settings, result["best"]))
    best = ", ".join(f"{setting} {_shown(value)}" for setting, value in result["values"]["best"].items())
    return Details(f"tuning-{member}", member, f"best: {best}", tuple(blocks))


def _facts(result: dict[str, Any]) -> Facts:
    inner, ledger, trials = result["inner"], result["ledger"], result["trials"]
    facts = [
        Fact("Log loss, folds of the search", f"{inner['best']:.4f}", f"{inner['configured']:.4f} as configured"),
        Fact("Trials", f"{sum(trials.values()):,}", f"{trials['pruned']:,} pruned, {trials['failed']:,} failed"),
    ]
    if ledger:
        gain, left = inner["configured"] - inner["best"], ledger["configured"] - ledger["best"]
        facts[1:1] = [
            Fact("Log loss, the store's folds", f"{ledger['best']:.4f}", f"{ledger['configured']:.4f} as configured"),
            Fact("Gain in the search", f"{gain:.4f}", f"of which {left:.4f} is left on the store's folds"),
        ]
    return Facts(tuple(facts))


def _importances(member: str, importances: dict[str, float]) -> Figure:
    frame = pd.DataFrame({"setting": list(importances), "importance": list(importances.values())})
    first = frame.iloc[0]
    return Figure(
        f"tuning-importance-{member}",
        "Which settings matter?",
        f"Share of the variance of log loss that each setting explains (fANOVA): {first['setting']} "
        f"{first['importance']:.0%}.",
        [{"type": "bar", "orientation": "h", "y": frame["setting"], "x": frame["importance"], "hoverinfo": "skip",
          "marker": {"color": "$accent"}}],
        {"showlegend": False, "yaxis": {"autorange": "reversed", "automargin": True},
         "xaxis": {"title": {"text": "share of the variance"}, "rangemode": "tozero"}},
        Table(f"tuning-importance-{member}-numbers", f"Importance of the settings of {member}", frame,
              (Column("setting", "Setting"), Column("importance", "Share of the variance", "score"))),
        height=120 + 32 * len(frame),
    )  # fmt: skip


def _slice(member: str, setting: str, trials: pd.DataFrame, number: int) -> Figure:
    """Draw the loss of the finished trials over one setting."""
    values, losses = [_shown(value) for value in trials[setting]], trials["loss"].tolist()
    axis: dict[str, Any] = {"title": {"text": setting}}
    if not all(isinstance(value, int | float) for value in values):
        axis["type"] = "category"
    elif min(values) > 0 and max(values) > _WIDE * min(values):
        axis["type"] = "log"
    least = min(zip(losses, map(str, values), strict=True))
    frame = pd.DataFrame({"value": values, "loss": losses})
    return Figure(
        f"tuning-slice-{member}-{number}",
        f"Log loss by {setting}",
        f"{plural(len(values), 'finished trial')} of at most {_MOST_OFF:g} times the least loss, which is "
        f"{least[0]:.4f}, at {least[1]}.",
        [{"type": "scatter", "mode": "markers", "x": values, "y": losses, "hoverinfo": "x+y",
          "marker": {"color": "$accent", "size": 8, "opacity": 0.7}}],
        {"showlegend": False, "xaxis": axis, "yaxis": {"title": {"text": "log loss"}}},
        Table(f"tuning-slice-{member}-{number}-numbers", f"Log loss of the trials of {member} by {setting}", frame,
              (Column("value", setting), Column("loss", "Log loss", "score"))),
        height=260,
    )  # fmt: skip


def _trials(member: str, table: pd.DataFrame, settings: list[str], best: int) -> Table:
    frame = table.sort_values("loss", ignore_index=True)
    for setting in settings:
        frame[setting] = frame[setting].map(_shown)
    columns = [Column("trial", "Trial", "count"), Column("state", "State"), Column("loss", "Log loss", "score")]
    columns += [Column(setting, setting) for setting in settings]
    strong = tuple(int(row) for row in frame.index[frame["trial"] == best])
    return Table(f"tuning-trials-{member}", f"Trials of {member}", frame, tuple(columns), strong)


def _shown(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if isinstance(value, int) else json.dumps(value)
