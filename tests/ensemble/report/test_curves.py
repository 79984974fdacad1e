"""Learning curves: what a history tells is drawn, what it does not tell costs nothing."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from ensemble.report import curves
from ensemble.report.curves import is_drawn, learning_curves, panel_titles
from ensemble.report.facts.histories import lines_of
from ensemble.report.publish import publish
from ensemble.store.oof import OofStore
from tests.records import change_record

TITLES = ["Loss", "Accuracy on training batches", "Learning rate", "Speed"]
SVG = "{http://www.w3.org/2000/svg}"


def epochs(fold: int = 0, n: int = 3, **more: Any) -> list[dict[str, Any]]:
    """A history as the CNN tells it."""
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


def drawn(svg: str) -> list[str]:
    """The ids of the lines in the picture."""
    ids = [group.get("id", "") for group in ElementTree.fromstring(svg).iter(f"{SVG}g")]  # noqa: S314
    return sorted(name for name in ids if "-of-fold-" in name)


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def the_line(svg: str, name: str) -> ElementTree.Element:
    groups = ElementTree.fromstring(svg).iter(f"{SVG}g")  # noqa: S314
    return next(group for group in groups if group.get("id") == name)


def marks(svg: str, name: str) -> int:
    """How many points of a line are marked."""
    return len(list(the_line(svg, name).iter(f"{SVG}use")))


def is_dashed(svg: str, name: str) -> bool:
    return any("stroke-dasharray" in path.get("style", "") for path in the_line(svg, name).iter(f"{SVG}path"))


def test_every_panel_has_a_line_for_each_fold() -> None:
    svg = learning_curves({fold: epochs(fold) for fold in range(3)})
    keys = ("accuracy", "learning_rate", "loss", "photographs_per_second")
    assert drawn(svg) == [f"{key}-of-fold-{fold}-0" for key in keys for fold in range(3)]
    said = texts(svg)
    assert [text for text in said if text in TITLES] == TITLES
    assert [text for text in said if text.startswith("fold ")] == ["fold 0", "fold 1", "fold 2"], "one legend"
    assert said.count("epoch") == 4
    assert "0" in said, "a speed of 40 to 42 is shown above zero"
    assert marks(svg, "loss-of-fold-1-0") == 3
    assert "stroke-dasharray" not in svg


def test_equal_histories_are_equal_bytes() -> None:
    histories = {fold: epochs(fold) for fold in range(3)}
    assert learning_curves(histories) == learning_curves(dict(reversed(histories.items())))
    assert learning_curves(histories) != learning_curves({**histories, 2: epochs(7)})


def test_validation_loss_is_dashed_and_in_the_legend() -> None:
    svg = learning_curves({0: epochs(validation_loss=0.5), 1: epochs()})
    assert [name for name in drawn(svg) if "loss" in name] == [
        "loss-of-fold-0-0",
        "loss-of-fold-1-0",
        "validation_loss-of-fold-0-0",
    ]
    assert is_dashed(svg, "validation_loss-of-fold-0-0")
    assert not is_dashed(svg, "loss-of-fold-0-0")
    assert "own validation rows" in texts(svg)


def test_every_network_of_a_fold_is_a_line() -> None:
    """Not one line that runs back to the first epoch."""
    svg = learning_curves({0: epochs(seed=0) + epochs(seed=1), 1: epochs(seed=0)})
    assert [name for name in drawn(svg) if name.startswith("loss")] == [
        "loss-of-fold-0-0",
        "loss-of-fold-0-1",
        "loss-of-fold-1-0",
    ]
    assert marks(svg, "loss-of-fold-0-1") == 3


@pytest.mark.parametrize("left_out", range(4))
def test_what_no_fold_tells_has_no_panel(left_out: int) -> None:
    key = ("loss", "accuracy", "learning_rate", "photographs_per_second")[left_out]
    histories = {fold: without(key, epochs(fold)) for fold in range(2)}
    left = [title for title in TITLES if title != TITLES[left_out]]
    assert [text for text in texts(learning_curves(histories)) if text in TITLES] == left == panel_titles(histories)
    assert panel_titles({**histories, 2: epochs()}) == TITLES, "one fold that tells it is enough"


@pytest.mark.parametrize("value", [None, "0.5", True, [1], {}, float("nan"), float("inf"), -1e300, 10**400])
def test_what_is_no_number_is_left_out(value: object) -> None:
    history = epochs(n=4)
    history[1]["loss"] = history[2]["epoch"] = value
    svg = learning_curves({0: history, 1: without("epoch", epochs(n=4)), 2: epochs(n=4, seed=value)})
    assert marks(svg, "loss-of-fold-0-0") == 3
    assert marks(svg, "accuracy-of-fold-0-0") == marks(svg, "loss-of-fold-1-0") == marks(svg, "loss-of-fold-2-0") == 4


def test_the_place_in_the_list_stands_for_an_epoch_that_is_not_told() -> None:
    told = epochs(seed=0) + epochs(seed=1)
    assert learning_curves({0: without("epoch", told)}) == learning_curves({0: told})


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_ticks_are_whole_epochs(n: int) -> None:
    history = [{"epoch": epoch, "loss": 0.5} for epoch in range(1, n + 1)]
    svg = learning_curves({0: history})
    ticks = [text for name, text in _axis_texts(svg) if name == "matplotlib.axis_1" and text != "epoch"]
    assert ticks
    assert all(re.fullmatch(r"\d+", tick) and 0 <= int(tick) <= n for tick in ticks), ticks


def _axis_texts(svg: str) -> list[tuple[str, str]]:
    groups = ElementTree.fromstring(svg).iter(f"{SVG}g")  # noqa: S314
    axes = [group for group in groups if group.get("id", "").startswith("matplotlib.axis_")]
    return [(group.get("id", ""), text.text or "") for group in axes for text in group.iter(f"{SVG}text")]


@pytest.mark.parametrize("histories", [{}, {0: [], 1: []}, {0: [{"epoch": 1, "score": 0.5}]}, {0: [{"loss": "low"}]}])
def test_nothing_to_draw_is_no_picture(histories: dict[int, list[dict[str, Any]]]) -> None:
    assert learning_curves(histories) == ""
    assert panel_titles(histories) == []


def test_a_user_s_own_style_changes_nothing() -> None:
    from matplotlib import rc_context

    svg = learning_curves({0: epochs()})
    with rc_context({"svg.fonttype": "path", "lines.linewidth": 7, "figure.facecolor": "black", "font.size": 30}):
        assert learning_curves({0: epochs()}) == svg


def test_many_folds_all_have_their_own_colour() -> None:
    lines = lines_of({fold: epochs(fold) for fold in range(30)})
    assert len(set(curves._colours(lines).values())) == 30


@pytest.mark.parametrize("n_folds", [1, 5, 12, 100])
@pytest.mark.parametrize("more", [{}, {"accuracy": 0.9}])
def test_the_legend_has_room(n_folds: int, more: dict[str, float]) -> None:
    lines = lines_of({fold: [{"loss": 0.5, "validation_loss": 0.6, **more}] for fold in range(n_folds)})
    figure = curves._figure(lines)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box, room = legend.get_window_extent(), figure.bbox
    assert room.x0 <= box.x0 < box.x1 <= room.x1
    assert room.y0 <= box.y0 < box.y1 < figure.axes[0].get_window_extent().y0


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    """Of the two members, `linear` tells a history."""
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    for fold in range(3):
        tell(store, fold, epochs(fold))
    return store


def tell(store: OofStore, fold: int, history: list[dict[str, Any]]) -> None:
    change_record(store.fold_folder("linear", fold), history=history)


def published(store: OofStore, member: str = "linear") -> str:
    publish(store, Console(file=io.StringIO()))
    return (store.member_folder(member) / "report.md").read_text()


def test_the_page_shows_the_curves_and_says_what_they_are(store: OofStore) -> None:
    page = published(store)
    (link,) = re.findall(r"!\[[^\]]+: ([^\]]+)\]\((.+?)\)", page)
    assert link[0] == ", ".join(TITLES)
    svg = (store.member_folder("linear") / link[1]).read_text()
    assert len(drawn(svg)) == 4 * 3
    assert "measured on training batches as they were seen, in training mode" in " ".join(page.split())
    assert page.index(link[1]) < page.index("### Training of fold 0") < page.index("| epoch | loss |")
    assert not [path.name for path in store.member_folder("linear").iterdir() if "unfinished" in path.name]


def test_a_member_without_a_history_has_no_curves(store: OofStore) -> None:
    assert "Training" not in published(store, "boosted")
    assert not (store.member_folder("boosted") / "learning_curves.svg").exists()


def test_a_fold_without_a_history_does_not_hide_the_others(store: OofStore) -> None:
    tell(store, 0, [])
    page = published(store)
    assert "](learning_curves.svg)" in page
    assert "Training of fold 0" not in page


def test_curves_of_a_history_that_is_gone_are_removed(store: OofStore) -> None:
    published(store)
    path = store.member_folder("linear") / "learning_curves.svg"
    assert path.exists()
    for fold in range(3):
        tell(store, fold, [])
    assert "learning_curves.svg" not in published(store)
    assert not path.exists()


def test_curves_are_drawn_again_when_a_history_changed_or_the_file_is_damaged(store: OofStore) -> None:
    published(store)
    path = store.member_folder("linear") / "learning_curves.svg"
    first = path.read_bytes()
    tell(store, 1, epochs(5))
    published(store)
    second = path.read_bytes()
    assert second != first
    path.write_bytes(b"\xff\xfe")
    published(store)
    assert path.read_bytes() == second
    assert is_drawn(path, {0: epochs(0), 1: epochs(5), 2: epochs(2)})


@pytest.mark.process
def test_curves_that_stand_cost_no_import(store: OofStore) -> None:
    """Importing matplotlib takes most of a second: a run with nothing to do must not wait for it."""
    report = (
        "import io, pathlib, sys; from rich.console import Console; from ensemble.store.oof import OofStore\n"
        "from ensemble.report import publish\n"
        "publish(OofStore(pathlib.Path(sys.argv[1])), Console(file=io.StringIO()))\n"
        "print('matplotlib' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", report, store.root], env=os.environ, capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]
