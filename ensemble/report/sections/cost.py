"""What it cost: when what ran where, seconds and memory of each member, and accuracy against speed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.console.durations import format_duration
from ensemble.core.errors import UserError
from ensemble.engine.recipes.code import feature_group, features_key
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Fact, Facts, Figure, Section, Table

_MOST_BARS = 400
_TOLD = 0.05  # of all work: kinds below it are told when pointed at
_GAP = 0.02  # of the run: what is closer together is drawn as one bar


def cost(material: Material) -> Section:
    """Members' cost, the last run that did any work, and who is on the frontier of accuracy and speed."""
    blocks: list[Block] = []
    run = _last_run(material)
    if run is not None:
        blocks += [_of_run(run), *_timeline(run, _called(material))]
    blocks.append(_members(material))
    frontier = _frontier(material)
    blocks += [frontier] if frontier else []
    lead = (
        "Seconds are of one thread; photographs a second, of one fold's model on new photographs with their features."
    )
    return Section("cost", "Cost", lead, tuple(blocks))


def _last_run(material: Material) -> dict[str, Any] | None:
    """The last run of the driver in which a task was done, if its notes can be read."""
    try:
        runs = json.loads((material.store.root / "runs.json").read_text(encoding="utf-8"))
        worked = [run for run in runs if run.get("timeline")]
    except (OSError, ValueError, AttributeError):
        return None
    return worked[-1] if worked else None


def _of_run(run: dict[str, Any]) -> Facts:
    return Facts(
        (
            Fact(
                "The last run took", format_duration(run["seconds"]), f"engine {run['engine']}, {run['slots']:g} CPUs"
            ),
            Fact("Tasks in it", f"{len(run['timeline']):,}", f"{len(run['folds'])} folds among them"),
            Fact("Work in it", format_duration(_busy(run)), "seconds of all its tasks, features and folds"),
            Fact("Workers at work", f"{_share_busy(run):.0%}", "of the time between its first and its last task"),
        )
    )


def _busy(run: dict[str, Any]) -> float:
    return float(sum(entry["finished"] - entry["started"] for entry in run["timeline"]))


def _share_busy(run: dict[str, Any]) -> float:
    """Of the seconds of all workers that took part, those in which they had a task."""
    entries = [entry for entry in run["timeline"] if entry["place"]]
    if not entries:
        return 0.0
    span = max(entry["finished"] for entry in entries) - min(entry["started"] for entry in entries)
    return min(_busy(run) / (span * len({entry["place"] for entry in entries})), 1.0) if span else 0.0


def _called(material: Material) -> dict[str, str]:
    """Feature tables by the group of their tasks: for which members they were computed."""
    called: dict[str, list[str]] = {}
    for member in material.experiment.members:
        if member.features is not None:
            try:
                group = feature_group(member.features, features_key(member.features))
            except UserError:  # what the recipe names is not installed here
                continue
            called.setdefault(group, []).append(member.name)
    return {
        group: f"features of {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for group, names in called.items()
    }


def _timeline(run: dict[str, Any], called: dict[str, str]) -> list[Figure]:
    """A bar for each task on each worker; neighbours of one group are drawn as one."""
    bars = _bars(run)
    if bars.empty:
        return []
    bars["group"] = [called.get(group, group) for group in bars["group"]]
    work = (bars["finished"] - bars["started"]).groupby(bars["group"]).sum()
    groups = list(dict.fromkeys(bars["group"]))
    workers = {place: f"worker {number}" for number, place in enumerate(sorted(set(bars["place"])), start=1)}
    traces = []
    for number, group in enumerate(groups):
        here = bars[bars["group"] == group]
        said = [
            f"{row.group}: {row.tasks} tasks, {format_duration(row.finished - row.started)}"
            for row in here.itertuples()
        ]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": group,
                "showlegend": bool(work[group] >= _TOLD * work.sum()),
                "base": here["started"],
                "x": here["finished"] - here["started"],
                "y": [workers[place] for place in here["place"]],
                "marker": {"color": f"${number % 8 + 1}"},
                "customdata": said,
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    return [
        Figure(
            "timeline",
            "What ran when",
            f"Timeline of the last run: {len(workers)} workers, {len(groups)} kinds of work. Most time went into "
            f"{work.idxmax()}: {format_duration(float(work.max()))} of work. What took less than {_TOLD:.0%} has no "
            "entry in the legend.",
            traces,
            {
                "barmode": "overlay",
                "xaxis": {"title": {"text": "seconds since the run began"}},
                "yaxis": {"autorange": "reversed", "type": "category"},
            },
            Table(
                "timeline-numbers",
                "Tasks of the last run; neighbours of one kind on one worker are one row",
                bars.assign(place=[workers[place] for place in bars["place"]]),
                (
                    Column("place", "Worker"),
                    Column("group", "Work"),
                    Column("tasks", "Tasks", "count"),
                    Column("started", "From, s", "seconds"),
                    Column("finished", "to, s", "seconds"),
                    Column("outcome", "Outcome"),
                ),
            ),
            height=110 + 34 * min(len(workers), 24) + 22 * 2,
        )
    ]


def _bars(run: dict[str, Any]) -> pd.DataFrame:
    """Spans of work: `place`, `group`, `outcome`, `tasks`, `started` and `finished` in seconds of the run."""
    apart = max(run["seconds"] * _GAP, 0.1) if len(run["timeline"]) > _MOST_BARS else 0.1
    entries = [entry for entry in run["timeline"] if entry["place"]]
    rows: list[dict[str, Any]] = []
    open_bar: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: entry["started"]):
        group = entry["task"].rpartition("/")[0]
        started, finished = entry["started"] - run["started"], entry["finished"] - run["started"]
        last = open_bar.get(entry["place"])
        same = last is not None and (last["group"], last["outcome"]) == (group, entry["outcome"])
        if last is not None and same and started - last["finished"] <= apart:
            last["finished"], last["tasks"] = max(last["finished"], finished), last["tasks"] + 1
            continue
        row = {"place": entry["place"], "group": group, "outcome": entry["outcome"], "tasks": 1, "started": started,
               "finished": finished}  # fmt: skip
        open_bar[entry["place"]] = row
        rows.append(row)
    return pd.DataFrame(rows, columns=["place", "group", "outcome", "tasks", "started", "finished"])


def _members(material: Material) -> Table:
    predictions = material.predictions
    rows = []
    for member in predictions.members:
        records = [r for fold in range(predictions.ledger.n_folds) if (r := predictions.record(member, fold))]
        own = [record for record in records if not record.trained_elsewhere]
        board = material.board[material.board["member"] == member].iloc[0]
        rows.append(
            {
                "member": member,
                "seconds": board["seconds"],
                "fit": float(np.sum([r.seconds_fit for r in own])) if own else np.nan,
                "predict": float(np.sum([r.seconds_predict for r in own])) if own else np.nan,
                "features_each": float(np.mean([r.seconds_features_per_photograph for r in own])) if own else np.nan,
                "memory": float(max(r.peak_memory_mib for r in own)) if own else np.nan,
                "threads": max(r.threads for r in own) if own else np.nan,
                "speed": board["photographs_per_second"],
            }
        )
    return Table(
        "cost-of-members",
        "What each member cost, all folds together",
        pd.DataFrame(rows),
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


def _frontier(material: Material) -> Figure | None:
    """Accuracy over speed; on the frontier is whom nobody beats in both."""
    board = material.board[np.isfinite(material.board["photographs_per_second"])]
    if len(board) < 2:
        return None
    board = board.sort_values("photographs_per_second", ascending=False, ignore_index=True)
    best = board["accuracy"].cummax()
    on = board["accuracy"] >= best
    on &= ~board["accuracy"].duplicated()
    frame = board[["member", "photographs_per_second", "accuracy", "standard_error"]].assign(frontier=on)
    edge = frame[on]
    place = on.cumsum()
    sides = ["top center" if number % 2 else "bottom center" for number in place]  # names of neighbours part
    traces = [
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
        f"Accuracy over photographs a second, on a logarithmic scale. Nobody is both faster and better than "
        f"{', '.join(edge['member'])}. Vertical lines are one standard error.",
        traces,
        {"showlegend": False, "xaxis": {"title": {"text": "photographs a second (log scale)"}, "type": "log"},
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
