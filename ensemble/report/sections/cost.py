"""What it cost: which task ran when and where, seconds and memory of each member, and accuracy against speed.

Each table and figure is measured first, as a frame, and then drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.console.durations import format_duration
from ensemble.core.console.text import plural
from ensemble.core.errors import UserError
from ensemble.core.storage.json_file import read_json
from ensemble.engine.tasks.base import PHOTOGRAPHS
from ensemble.engine.tasks.features import TableRequest
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Fact, Facts, Figure, Section, Table

_MOST_BARS = 400
_IN_LEGEND = 0.05  # of all work: kinds below it have no entry
_GAP = 0.02  # of the run: tasks closer together are drawn as one bar
_SPEEDS = [mantissa * 10.0**power for power in range(-2, 5) for mantissa in (1, 2, 5)]  # that an axis names
_BAR = ["place", "group", "outcome", "tasks", "started", "finished"]


def cost(material: Material) -> Section:
    """Return the last run that did any work, the members' cost, and the frontier of accuracy and speed."""
    blocks: list[Block] = []
    run = _last_run(material)
    if run is not None:
        blocks += [_of_run(run), *_draw_timeline(_timeline(run, _feature_names(material)))]
    blocks.append(_members_table(_members(material)))
    frontier = _frontier(material)
    blocks += [_draw_frontier(frontier)] if len(frontier) >= 2 else []
    lead = (
        "Seconds are of one thread; photographs a second are of one fold's model on new photographs, features included."
    )
    return Section("cost", "Cost", lead, tuple(blocks))


def _last_run(material: Material) -> dict[str, Any] | None:
    """Read the last run in which a task was done; None where there is none that can be read."""
    try:
        runs = read_json(material.store.root / "runs.json", list)
        worked = [run for run in runs if run.get("timeline")]
    except (OSError, ValueError, AttributeError):
        return None
    return worked[-1] if worked else None


def _of_run(run: dict[str, Any]) -> Facts:
    engine = f"engine {run['engine']}, {run['slots']:g} CPU{'' if run['slots'] == 1 else 's'}"
    return Facts(
        (
            Fact("The last run took", format_duration(run["seconds"]), engine),
            Fact("Tasks", f"{len(run['timeline']):,}", f"{plural(len(run['folds']), 'fold')} among them"),
            Fact("Work", format_duration(_busy(run)), "summed over all tasks, features and folds"),
            Fact("Workers busy", f"{_share_busy(run):.0%}", "of the time between the first and the last task"),
        )
    )


def _busy(run: dict[str, Any]) -> float:
    return float(sum(entry["finished"] - entry["started"] for entry in run["timeline"]))


def _share_busy(run: dict[str, Any]) -> float:
    """Return the share of all workers' seconds in which they had a task."""
    entries = [entry for entry in run["timeline"] if entry["place"]]
    if not entries:
        return 0.0
    span = max(entry["finished"] for entry in entries) - min(entry["started"] for entry in entries)
    return min(_busy(run) / (span * len({entry["place"] for entry in entries})), 1.0) if span else 0.0


def _feature_names(material: Material) -> dict[str, str]:
    """Return for each group of feature tasks the members whose features they computed."""
    users: dict[str, list[str]] = {}
    for member in material.experiment.members:
        if member.features is not None:
            try:
                group = TableRequest(member.features).group(PHOTOGRAPHS)
            except UserError:  # what the recipe names is not installed here
                continue
            users.setdefault(group, []).append(member.name)
    return {
        group: f"features of {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for group, names in users.items()
    }


def _timeline(run: dict[str, Any], names: dict[str, str]) -> pd.DataFrame:
    """Return spans of work in seconds of the run (`_BAR`): tasks of one kind that follow each other are one span."""
    apart = max(run["seconds"] * _GAP, 0.1) if len(run["timeline"]) > _MOST_BARS else 0.1
    entries = [entry for entry in run["timeline"] if entry["place"]]
    workers = {place: f"worker {n}" for n, place in enumerate(sorted({entry["place"] for entry in entries}), start=1)}
    rows: list[dict[str, Any]] = []
    latest: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: entry["started"]):
        place, group = workers[entry["place"]], entry["task"].rpartition("/")[0]
        started, finished = entry["started"] - run["started"], entry["finished"] - run["started"]
        last = latest.get(place)
        same = last is not None and (last["group"], last["outcome"]) == (group, entry["outcome"])
        if last is not None and same and started - last["finished"] <= apart:
            last["finished"], last["tasks"] = max(last["finished"], finished), last["tasks"] + 1
            continue
        latest[place] = dict(zip(_BAR, (place, group, entry["outcome"], 1, started, finished), strict=True))
        rows.append(latest[place])
    frame = pd.DataFrame(rows, columns=_BAR)
    return frame.assign(group=[names.get(group, group) for group in frame["group"]])


def _draw_timeline(bars: pd.DataFrame) -> list[Figure]:
    if bars.empty:
        return []
    work = (bars["finished"] - bars["started"]).groupby(bars["group"]).sum()
    groups = list(dict.fromkeys(bars["group"]))
    workers = sorted(set(bars["place"]), key=lambda name: int(name.split()[1]))
    figure = Figure(
        "timeline",
        "What ran when",
        f"Timeline of the last run: {plural(len(workers), 'worker')}, {plural(len(groups), 'kind')} of work. Most time "
        f"went into {work.idxmax()}: {format_duration(float(work.max()))} of work. Kinds that took less than "
        f"{_IN_LEGEND:.0%} have no entry in the legend.",
        [
            _bars(bars[bars["group"] == group], f"${number % 8 + 1}", bool(work[group] >= _IN_LEGEND * work.sum()))
            for number, group in enumerate(groups)
        ],
        {"barmode": "overlay", "xaxis": {"title": {"text": "seconds since the run started"}},
         "yaxis": {"autorange": "reversed", "type": "category", "categoryorder": "array", "categoryarray": workers}},
        Table(
            "timeline-numbers",
            "Tasks of the last run; tasks of one kind that follow each other on one worker are one row",
            bars,
            (Column("place", "Worker"), Column("group", "Work"), Column("tasks", "Tasks", "count"),
             Column("started", "From, s", "seconds"), Column("finished", "to, s", "seconds"),
             Column("outcome", "Outcome")),
        ),
        height=110 + 34 * min(len(workers), 24) + 22 * 2,
    )  # fmt: skip
    return [figure]


def _bars(here: pd.DataFrame, colour: str, in_legend: bool) -> dict[str, Any]:
    """Return a bar for each span of one kind of work."""
    seconds = here["finished"] - here["started"]
    return {
        "type": "bar",
        "orientation": "h",
        "name": here["group"].iloc[0],
        "showlegend": in_legend,
        "base": here["started"],
        "x": seconds,
        "y": here["place"],
        "marker": {"color": colour},
        "customdata": [
            f"{group}: {plural(tasks, 'task')}, {format_duration(taken)}"
            for group, tasks, taken in zip(here["group"], here["tasks"], seconds, strict=True)
        ],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _members(material: Material) -> pd.DataFrame:
    """Return what each member cost; NaN for what is not known of one that was trained elsewhere."""
    rows = []
    for member in material.predictions.members:
        own = [record for record in material.predictions.every_record_of(member) if not record.trained_elsewhere]
        scores = material.scores_of(member)
        row = {"member": member, "seconds": scores["seconds"], "speed": scores["photographs_per_second"]}
        if own:
            row |= {
                "fit": sum(record.seconds_fit for record in own),
                "predict": sum(record.seconds_predict for record in own),
                "features_each": np.mean([record.seconds_features_per_photograph for record in own]),
                "memory": max(record.peak_memory_mib for record in own),
                "threads": max(record.threads for record in own),
            }
        rows.append(row)
    columns = ["member", "seconds", "fit", "predict", "features_each", "memory", "threads", "speed"]
    return pd.DataFrame(rows, columns=columns)


def _members_table(frame: pd.DataFrame) -> Table:
    return Table(
        "cost-of-members",
        "What each member cost, all folds together",
        frame,
        (
            Column("member", "Member"),
            Column("seconds", "Seconds in all", "seconds"),
            Column("fit", "Fit, s", "seconds"),
            Column("predict", "Predict, s", "seconds"),
            Column("features_each", "Features, s a photograph", "number"),
            Column("memory", "Peak memory, MiB", "bytes"),
            Column("threads", "Threads", "count"),
            Column("speed", "Photographs/s", "number"),
        ),
    )


def _frontier(material: Material) -> pd.DataFrame:
    """Return accuracy and speed, the fastest first; on the `frontier` are those that no other beats in both."""
    columns = ["member", "photographs_per_second", "accuracy", "standard_error"]
    board = material.board[np.isfinite(material.board["photographs_per_second"])]
    board = board.sort_values("photographs_per_second", ascending=False, ignore_index=True)
    on = (board["accuracy"] >= board["accuracy"].cummax()) & ~board["accuracy"].duplicated()
    frame: pd.DataFrame = board[columns].assign(frontier=on)
    return frame


def _draw_frontier(frame: pd.DataFrame) -> Figure:
    on = frame["frontier"]
    edge = frame[on]
    sides = ["top center" if number % 2 else "bottom center" for number in on.cumsum()]  # names of neighbours part
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines", "x": edge["photographs_per_second"], "y": edge["accuracy"],
         "line": {"color": "$muted", "dash": "dot", "shape": "hv"}, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "markers+text", "x": frame["photographs_per_second"], "y": frame["accuracy"],
         "error_y": {"type": "data", "array": frame["standard_error"], "color": "$muted", "thickness": 1},
         "text": frame["member"].where(on, ""), "textposition": sides, "cliponaxis": False,
         "customdata": frame["member"],
         "marker": {"color": ["$accent" if is_on else "$muted" for is_on in on], "size": 9},
         "hovertemplate": "%{customdata}: %{y:.4f} at %{x:.3g} photographs/s<extra></extra>"},
    ]  # fmt: skip
    return Figure(
        "frontier",
        "Accuracy against speed",
        f"Accuracy over photographs a second, on a logarithmic scale. No other is both faster and better than "
        f"{', '.join(edge['member'])}. Vertical lines are one standard error.",
        traces,
        {"showlegend": False,
         "xaxis": {"title": {"text": "photographs a second (log scale)"}, "type": "log", "tickvals": _SPEEDS},
         "yaxis": {"title": {"text": "accuracy"}, "tickformat": ".3f"}},
        Table(
            "frontier-numbers",
            "Accuracy and speed",
            frame,
            (Column("member", "Member"), Column("photographs_per_second", "Photographs/s", "number"),
             Column("accuracy", "Accuracy", "score", error="standard_error"), Column("frontier", "On the frontier")),
        ),
        height=380,
    )  # fmt: skip
