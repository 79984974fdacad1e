"""Names that people choose stay names: in the page, in its scripts and figures, in Markdown, in CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from ensemble.core.console.markdown import markdown_table, without_html
from tests.ensemble.report.conftest import Opener
from tests.ensemble.report.every_block import SPITEFUL


def test_names_are_shown_as_they_are_and_run_nothing(gallery_of_blocks: Path, open_report: Opener) -> None:
    """A dialog, a request or an element that a name brought along would be a trouble of the page."""
    opened = open_report(gallery_of_blocks)
    opened.draw_everything()
    shown = opened.page.locator("#table-names tbody th").all_text_contents()
    assert shown == list(SPITEFUL)
    assert opened.page.locator("a[href*='invalid'], img[src='x']").count() == 0
    drawn = opened.page.locator("#crowd .textpoint").all_text_contents()
    assert drawn == [name.replace("\n", " ") for name in SPITEFUL]
    assert opened.page.locator("#crowd a[*|href]").count() == 0


def test_names_stay_in_their_cell_of_a_markdown_table(gallery_of_blocks: Path) -> None:
    text = (gallery_of_blocks / "report.md").read_text()
    assert "<script>" not in text
    assert "<img" not in text
    table = markdown_table(pd.DataFrame({"name": SPITEFUL, "fake": "0.5"})).splitlines()
    assert len(table) == 2 + len(SPITEFUL)
    assert all(line.replace("\\|", "").count("|") == 3 for line in table)
    assert r"\[a link\](javascript" in table[2 + 6]
    assert text.count("two lines \\| a pipe.jpg |") >= 3


def test_a_lone_less_than_is_left_alone() -> None:
    assert without_html("p < 0.05, <b>, </b>, <!-- a -->, 1<2") == "p < 0.05, &lt;b>, &lt;/b>, &lt;!-- a -->, 1<2"


def test_a_spreadsheet_runs_nothing_of_a_csv(gallery_of_blocks: Path) -> None:
    """Texts that begin like a formula get an apostrophe; numbers stay numbers."""
    with (gallery_of_blocks / "report" / "names.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["name"] for row in rows]
    assert names == [f"'{name}" if name.startswith("=") else name for name in SPITEFUL]
    gains = pd.read_csv(gallery_of_blocks / "report" / "board.csv")["gain"]
    assert gains.min() == -0.25
    assert gains.dtype == float
