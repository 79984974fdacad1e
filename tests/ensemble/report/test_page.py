"""What a reader meets: every part, and in each table the numbers of its CSV file."""

from __future__ import annotations

import json
from pathlib import Path

from ensemble.report.render.blocks import Column, Table, blocks_of
from ensemble.report.render.formats import format_cell
from tests.ensemble.report.conftest import BOTH, Opener
from tests.ensemble.report.csv_files import shown_of_csv, tables_of_page
from tests.ensemble.report.every_block import every_block


@BOTH
def test_each_part_is_there_and_the_contents_lead_to_it(report: Path, open_report: Opener) -> None:
    page = open_report(report).page
    ids = page.locator("main > section").evaluate_all("sections => sections.map((section) => section.id)")
    assert ids
    assert page.locator(".menu a").evaluate_all("links => links.map((link) => link.hash.slice(1))") == ids
    titles = page.locator("main > section > h2").all_inner_texts()
    assert page.locator(".menu a").all_inner_texts() == titles
    for name in ids:
        page.locator(f".menu a[href='#{name}']").click()
        page.wait_for_function(f"document.querySelector('.menu a[aria-current]')?.hash === '#{name}'")
        assert page.locator(f"#{name}").evaluate("part => part.getBoundingClientRect().top < innerHeight")


@BOTH
def test_every_id_is_there_once(report: Path, open_report: Opener) -> None:
    page = open_report(report).page
    ids = page.locator("[id]").evaluate_all("elements => elements.map((element) => element.id)")
    assert len(ids) == len(set(ids))


@BOTH
def test_every_table_shows_the_numbers_of_its_csv(report: Path, open_report: Opener) -> None:
    page = open_report(report).page
    tables = tables_of_page(page)
    assert tables
    for name, (columns, rows) in tables.items():
        assert rows, f"{name} is empty"
        assert rows == shown_of_csv(report / "report" / f"{name}.csv", columns), name


@BOTH
def test_every_csv_is_a_table_of_the_page(report: Path, open_report: Opener) -> None:
    """But those without rows."""
    there = set(tables_of_page(open_report(report).page))
    for path in (report / "report").glob("*.csv"):
        if path.name != "index.csv" and len(path.read_text().splitlines()) > 1:
            assert path.stem in there


def test_the_answer_is_that_of_the_manifest(real_report: Path, open_report: Opener) -> None:
    manifest = json.loads((real_report / "blend" / "blend.json").read_text())
    page = open_report(real_report).page
    assert page.locator(".answer .value").first.inner_text() == f"{manifest['nested']['accuracy']:.2%}"


def test_the_report_has_what_its_blocks_hold(gallery_of_blocks: Path, open_report: Opener) -> None:
    page = open_report(gallery_of_blocks).page
    assert page.locator("main table").count() == len(list(blocks_of(every_block(), Table)))
    assert page.locator("figure").count() == 7
    assert page.locator(".verdict").all_inner_texts() == ["fine", "look", "alarm", "not run"]
    assert page.locator("#table-board tbody tr.strong th").inner_text().startswith("a_member_whose_name")
    assert page.locator("#table-board .dotted").first.locator("circle").count() == 5


def test_an_error_stands_only_behind_a_value() -> None:
    column = Column("a", "A", "score", error="e")
    assert format_cell({"a": 0.5, "e": 0.1}, column) == "0.5000 ± 0.1000"
    assert format_cell({"a": 0.5, "e": float("nan")}, column) == "0.5000"
    assert format_cell({"a": float("nan"), "e": 0.1}, column) == ""
