"""Sorting a table by its heads, with the mouse and with the keyboard."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from tests.ensemble.report.conftest import Opener
from tests.ensemble.report.every_block import LONG

READ = """() => [...document.querySelectorAll('main table')].flatMap((table) =>
    [...table.querySelectorAll('thead th')].flatMap((head, column) => {
        const values = () => [...table.tBodies[0].rows].map((row) => row.cells[column].dataset.sort);
        const before = values();
        return [1, 2].map((click) => {
            head.querySelector('button').click();
            const marked = table.querySelectorAll('[aria-sort]').length;
            return { table: table.id, head: head.textContent, click, before, marked,
                     direction: head.getAttribute('aria-sort'), after: values() };
        });
    }))"""


def values(page: Page, table: str, column: int) -> list[str]:
    cells = page.locator(f"#table-{table} tbody tr > :nth-child({column})")
    found = cells.evaluate_all("cells => cells.map((cell) => cell.dataset.sort)")
    assert isinstance(found, list)
    return found


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_every_column_of_every_table_sorts_both_ways(report: Path, open_report: Opener) -> None:
    """Numbers by size, largest first; texts from A; what is missing last, both times."""
    for seen in open_report(report).page.evaluate(READ):
        there = [value for value in seen["before"] if value]
        after = seen["after"]
        numbers = all(map(is_number, there))
        assert seen["marked"] == 1
        assert seen["direction"] == ("descending" if numbers == (seen["click"] == 1) else "ascending"), seen
        assert sorted(after) == sorted(seen["before"])
        assert after[len(there) :] == [""] * (len(after) - len(there)), seen
        if numbers:
            ordered = sorted(map(float, there), reverse=seen["direction"] == "descending")
            assert list(map(float, after[: len(there)])) == ordered, seen


def test_sorting_is_stable_and_counts_numbers_in_names(gallery_of_blocks: Path, open_report: Opener) -> None:
    page = open_report(gallery_of_blocks).page
    by_name = [LONG, "boosted_2", "boosted_10", "linear", "NA", "tiny-cnn"]
    for expected in (by_name, by_name[::-1], by_name):
        page.locator("#table-board thead button").first.click()
        assert values(page, "board", 1) == expected
    page.locator("#table-board thead button", has_text="Accuracy").click()
    members, accuracies = values(page, "board", 1), values(page, "board", 3)
    equal = [member for member, value in zip(members, accuracies, strict=True) if value == "0.95"]
    assert equal == ["boosted_2", "boosted_10"]
    assert members[-1] == "NA"


def test_the_keyboard_sorts(report: Path, open_report: Opener) -> None:
    page = open_report(report).page
    button = page.locator("table.sortable thead button").first
    button.focus()
    page.keyboard.press("Enter")
    first = button.locator("..").get_attribute("aria-sort")
    page.keyboard.press("Space")
    assert {first, button.locator("..").get_attribute("aria-sort")} == {"ascending", "descending"}
