"""Learning curves: what a history records is drawn, and what it leaves out costs nothing."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ensemble.report.facts.histories import Line, lines_of, panels_of
from ensemble.report.publish import publish
from ensemble.report.render.blocks import Figure
from ensemble.report.sections.member_figures import curves_figure
from ensemble.store.oof import OofStore
from tests.records import change_record

TITLES = ["Loss", "Accuracy on training batches", "Learning rate", "Speed"]
KEYS = ("loss", "accuracy", "learning_rate", "photographs_per_second")


def epochs(fold: int = 0, n: int = 3, **more: Any) -> list[dict[str, Any]]:
    """A history as the CNN records it."""
    return [
        {
            "epoch": epoch,
            "loss": 0.7 / epoch + 0.01 * fold,
            "accuracy": 1 - 0.4 / epoch,
            "learning_rate": 1e-3 / epoch,
            "photographs_per_second": 40.0 + fold,
            "seconds": 2.0,
        }
        | more
        for epoch in range(1, n + 1)
    ]


def without(key: str, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in entry.items() if name != key} for entry in history]


def drawn(histories: dict[int, list[dict[str, Any]]]) -> dict[tuple[str, int, int], Line]:
    return {(line.key, line.fold, line.network): line for line in lines_of(histories)}


def figure_of(histories: dict[int, list[dict[str, Any]]]) -> Figure:
    figure = curves_figure("cnn", histories)
    assert figure is not None
    return figure


def test_every_panel_has_a_line_for_each_fold() -> None:
    histories = {fold: epochs(fold) for fold in range(3)}
    assert list(drawn(histories)) == [(key, fold, 0) for key in KEYS for fold in range(3)]
    figure = figure_of(histories)
    assert [each["text"].partition(",")[0] for each in figure.layout["annotations"]] == TITLES
    assert [trace["name"] for trace in figure.traces if trace["showlegend"]] == ["fold 0", "fold 1", "fold 2"]
    assert figure.layout["yaxis4"]["rangemode"] == "tozero", "a speed of 40 to 42 is shown above zero"
    assert {trace["line"]["dash"] for trace in figure.traces} == {"solid"}


def test_validation_loss_is_dashed_and_once_in_the_legend() -> None:
    traces = figure_of({0: epochs(validation_loss=0.5), 1: epochs(validation_loss=0.4)}).traces
    dashed = [trace for trace in traces if trace["line"]["dash"] == "dash"]
    assert [trace["y"] for trace in dashed] == [(0.5,) * 3, (0.4,) * 3]
    assert {trace["yaxis"] for trace in dashed} == {"y"}, "beside the training loss"
    assert [trace["name"] for trace in dashed if trace["showlegend"]] == ["own validation rows"]


def test_every_network_of_a_fold_is_a_line() -> None:
    """Not one line that runs back to the first epoch."""
    lines = drawn({0: epochs(seed=0) + epochs(seed=1), 1: epochs(seed=0)})
    assert [place for place in lines if place[0] == "loss"] == [("loss", 0, 0), ("loss", 0, 1), ("loss", 1, 0)]
    assert lines["loss", 0, 1].epochs == (1, 2, 3)


@pytest.mark.parametrize("left_out", range(4))
def test_what_no_fold_records_has_no_panel(left_out: int) -> None:
    histories = {fold: without(KEYS[left_out], epochs(fold)) for fold in range(2)}
    left = [title for title in TITLES if title != TITLES[left_out]]
    assert [panel.title for panel in panels_of(lines_of(histories))] == left
    assert [panel.title for panel in panels_of(lines_of({**histories, 2: epochs()}))] == TITLES, "one fold is enough"


@pytest.mark.parametrize("value", [None, "0.5", True, [1], {}, float("nan"), float("inf"), -1e300, 10**400])
def test_what_is_no_number_is_left_out(value: object) -> None:
    history = epochs(n=4)
    history[1]["loss"] = history[2]["epoch"] = value
    lines = drawn({0: history, 1: without("epoch", epochs(n=4)), 2: epochs(n=4, seed=value)})
    assert lines["loss", 0, 0].epochs == (1, 3, 4)
    assert [len(lines[place].epochs) for place in (("accuracy", 0, 0), ("loss", 1, 0), ("loss", 2, 0))] == [4, 4, 4]


def test_the_place_in_the_list_stands_for_an_epoch_that_is_not_recorded() -> None:
    history = epochs(seed=0) + epochs(seed=1)
    assert lines_of({0: without("epoch", history)}) == lines_of({0: history})


def test_long_lines_are_thinned_from_the_first_epoch_to_the_last() -> None:
    trace = figure_of({0: epochs(n=1000)}).traces[0]
    assert len(trace["x"]) == 100
    assert (trace["x"][0], trace["x"][-1]) == (1, 1000)


@pytest.mark.parametrize("histories", [{}, {0: [], 1: []}, {0: [{"epoch": 1, "score": 0.5}]}, {0: [{"loss": "low"}]}])
def test_nothing_to_draw_is_no_figure(histories: dict[int, list[dict[str, Any]]]) -> None:
    assert curves_figure("cnn", histories) is None


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    """Of the two members, `linear` records a history."""
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    for fold in range(3):
        change_record(store.fold_folder("linear", fold), history=epochs(fold))
    return store


def published(store: OofStore, member: str = "linear") -> str:
    publish(store, Console(file=io.StringIO()))
    return (store.member_folder(member) / "report.md").read_text()


def test_the_member_s_page_has_the_numbers_of_the_first_fold_and_no_picture(store: OofStore) -> None:
    page = published(store)
    assert page.index("## Training of fold 0") < page.index("| epoch | loss |")
    assert "](" not in page
    assert "Training" not in published(store, "boosted")


def test_the_member_s_page_is_written_again_when_a_history_changes_or_the_file_is_damaged(store: OofStore) -> None:
    first, path = published(store), store.member_folder("linear") / "report.md"
    change_record(store.fold_folder("linear", 0), history=[])
    second = published(store)
    assert second != first
    assert "Training of fold 0" not in second
    path.write_bytes(b"\xff\xfe")
    assert published(store) == second
    before = path.stat().st_mtime_ns
    published(store)
    assert path.stat().st_mtime_ns == before
