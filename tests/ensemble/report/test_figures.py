"""Figures in the browser: drawn when they come near, with as many marks as there are numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ensemble.report.render.figures import as_plotly
from tests.ensemble.report.conftest import BOTH, PHONE, Opener

_MARKS = ".points path, .lines path, .js-line, .slice path, .heatmaplayer image, .boxlayer path, .imagelayer image"


@BOTH
def test_every_figure_is_drawn_when_it_comes_near(report: Path, open_report: Opener) -> None:
    opened = open_report(report)
    opened.draw_everything()
    for plot in opened.page.locator(".plot").all():
        name = plot.get_attribute("data-figure")
        drawn = plot.locator(_MARKS).count() or plot.locator("canvas").count()
        assert drawn, f"{name} has no marks"
        assert plot.locator("svg.main-svg").first.bounding_box()["height"] > 100  # type: ignore[index]


def test_points_and_bars_are_as_many_as_their_numbers(report: Path, open_report: Opener) -> None:
    opened = open_report(report)
    opened.draw_everything()
    figures = json.loads(opened.page.locator("#figures").text_content() or "")
    for name, figure in figures.items():
        traces = [trace for trace in figure["traces"] if trace.get("visible", True) is True]
        for kind, marks in (("scatter", ".scatterlayer .points path.point"), ("bar", ".barlayer .point")):
            of_kind = [trace for trace in traces if trace.get("type", "scatter") == kind]
            if kind == "scatter":
                of_kind = [trace for trace in of_kind if "markers" in trace.get("mode", "lines")]
            numbers = sum(_pairs(trace) for trace in of_kind)
            assert opened.page.locator(f"#{name} {marks}").count() == numbers, f"{name}: {kind}"


def _pairs(trace: dict[str, list[object]]) -> int:
    """Points of which both places are known."""
    y = trace["y"]
    x = trace.get("x", y)
    return sum(one is not None and other is not None for one, other in zip(x, y, strict=True))


def test_the_library_is_not_read_before_a_figure_is_near(gallery_of_blocks: Path, open_report: Opener) -> None:
    page = open_report(gallery_of_blocks, (390, 300)).page
    assert page.evaluate("window.Plotly === undefined")
    page.locator("#alike .plot").scroll_into_view_if_needed()
    page.wait_for_function("window.Plotly !== undefined")


def test_long_names_leave_room_for_the_bars(gallery_of_blocks: Path, open_report: Opener) -> None:
    page = open_report(gallery_of_blocks, PHONE).page
    page.locator("#bars .plot").scroll_into_view_if_needed()
    page.locator("#bars .bars").wait_for()
    width = page.locator("#bars .bars path").evaluate_all(
        "bars => Math.max(...bars.map((bar) => bar.getBoundingClientRect().width))"
    )
    assert width > 150
    assert "a_member…ntnet_b0" in page.locator("#bars .ytick").all_text_contents()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.array([1.0, np.nan]), [1.0, None]),
        (np.float32(0.5), 0.5),
        ((1, 2.123456789, float("inf")), [1, 2.12346, None]),
        ({"x": [True, None, "a<br>b"]}, {"x": [True, None, "a<br>b"]}),
        ('<a href="http://x.invalid">b</a>', '&lt;a href="http://x.invalid">b&lt;/a>'),
        ("<b>bold</b><extra></extra>", "<b>bold</b><extra></extra>"),
    ],
)
def test_what_is_kept_of_a_figure(given: object, kept: object) -> None:
    assert as_plotly(given) == kept
