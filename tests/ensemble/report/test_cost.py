"""The cost section: its numbers counted once more from the store's own files, or by hand from a run of seven tasks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Facts, Figure, Section, Table, blocks_of
from ensemble.report.sections.cost import cost
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions

START = 1_000.0


def task(name: str, place: str, started: float, finished: float, outcome: str = "done") -> dict[str, Any]:
    return {"task": name, "place": place, "started": START + started, "finished": START + finished, "outcome": outcome}


TASKS = [
    task("features/X/chunk-0", "node/1", 0, 2),
    task("features/X/chunk-1", "node/1", 2.05, 4),  # follows at once: one bar with the first
    task("linear/fold-0", "node/1", 4.5, 10),
    task("linear/fold-1", "node/2", 1, 3, "failed"),
    task("linear/fold-1", "node/2", 3.01, 6),  # follows at once, but ends otherwise
    task("linear/fold-2", "node/2", 6.5, 7),  # half a second later: a bar of its own
    task("boosted/fold-0", "", 9, 9),  # never started
]
RUN = {"engine": "ray", "slots": 2.0, "started": START, "seconds": 12.0, "folds": ["a", "b"], "timeline": TASKS}
IDLE = RUN | {"timeline": [], "seconds": 1.0}


def of_runs(mixed: OofStore, folder: Path, content: str) -> Section:
    """Of a copy of the store with this log of runs."""
    store = OofStore(Path(shutil.copytree(mixed.root, folder / "mixed")))
    (store.root / "runs.json").write_text(content)
    return cost(Material.of(store, store.experiment(), load_predictions(store)))


@pytest.fixture
def section(mixed: OofStore, tmp_path: Path) -> Section:
    """Of a store whose last run but one did all the work."""
    return of_runs(mixed, tmp_path, json.dumps([RUN | {"seconds": 99.0}, RUN, IDLE]))


def table(section: Section, identifier: str) -> pd.DataFrame:
    return next(each.frame for each in blocks_of([section], Table) if each.id == identifier)


def test_the_last_run_that_did_anything(section: Section) -> None:
    facts = {fact.label: (fact.value, fact.note) for fact in next(blocks_of([section], Facts)).facts}
    assert facts["The last run took"] == ("12 s", "engine ray, 2 CPUs")
    assert facts["Tasks"] == ("7", "2 folds among them")
    busy = (2 + 1.95 + 5.5) + (2 + 2.99 + 0.5)
    assert facts["Work"][0] == f"{busy:.0f} s"
    assert facts["Workers busy"][0] == f"{busy / (2 * 10):.0%}", "two workers, ten seconds"


def test_the_timeline_has_a_bar_for_tasks_of_one_kind_that_follow_each_other(section: Section) -> None:
    bars = table(section, "timeline-numbers").sort_values(["place", "started"]).round(3)
    assert bars.to_numpy().tolist() == [
        ["worker 1", "features/X", "done", 2, 0.0, 4.0],
        ["worker 1", "linear", "done", 1, 4.5, 10.0],
        ["worker 2", "linear", "failed", 1, 1.0, 3.0],
        ["worker 2", "linear", "done", 1, 3.01, 6.0],
        ["worker 2", "linear", "done", 1, 6.5, 7.0],
    ]
    figure = next(figure for figure in blocks_of([section], Figure) if figure.id == "timeline")
    assert sum(len(trace["x"]) for trace in figure.traces) == len(bars)
    assert "2 workers, 2 kinds of work. Most time went into linear: 11 s" in figure.description


def test_what_members_cost_is_what_their_folds_noted(mixed: OofStore, section: Section) -> None:
    costs = table(section, "cost-of-members").set_index("member")
    for member in ("boosted", "pixels"):
        noted = [json.loads(path.read_text()) for path in mixed.member_folder(member).glob("fold-*/fold.json")]
        row = costs.loc[member]
        assert row["fit"] == pytest.approx(sum(fold["seconds_fit"] for fold in noted))
        assert row["predict"] == pytest.approx(sum(fold["seconds_predict"] for fold in noted))
        assert row["memory"] == max(fold["peak_memory_mib"] for fold in noted)
        assert row["threads"] == max(fold["threads"] for fold in noted)
        each = np.mean([fold["seconds_features_per_photograph"] for fold in noted])
        assert row["features_each"] == pytest.approx(each)
        photographs = mixed.facts()["train_rows"] + mixed.facts()["test_rows"]
        assert row["seconds"] == pytest.approx(row["fit"] + row["predict"] + each * photographs)
    assert costs.loc["imported"].isna().all(), "nobody knows what it cost elsewhere"


def test_on_the_frontier_is_whom_no_other_beats_in_both(section: Section) -> None:
    frame = table(section, "frontier-numbers")
    for _, row in frame.iterrows():
        faster = frame[frame["photographs_per_second"] > row["photographs_per_second"]]
        assert row["frontier"] == (not (faster["accuracy"] >= row["accuracy"]).any())
    assert 0 < frame["frontier"].sum() <= len(frame)


@pytest.mark.parametrize("content", ["{", "[1]", json.dumps([IDLE])])
def test_without_a_log_of_runs_the_members_are_left(mixed: OofStore, tmp_path: Path, content: str) -> None:
    section = of_runs(mixed, tmp_path, content)
    assert not list(blocks_of([section], Facts))
    assert len(table(section, "cost-of-members")) == 6
