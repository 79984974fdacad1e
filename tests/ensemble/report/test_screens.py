"""From a phone to a desk: nothing runs out of the page, and the contents are at hand."""

from __future__ import annotations

from pathlib import Path

from tests.ensemble.report.conftest import BOTH, DESK, PHONE, SIZES, Opener


@BOTH
@SIZES
def test_the_page_never_scrolls_sideways(report: Path, open_report: Opener, size: tuple[int, int]) -> None:
    opened = open_report(report, size)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert opened.page.evaluate(wide) <= 0
    opened.draw_everything()
    assert opened.page.evaluate(wide) <= 0
    if size == PHONE:
        opened.page.locator(".menu summary").click()
        assert opened.page.evaluate(wide) <= 0


def test_the_first_column_stays_on_a_phone(gallery_of_blocks: Path, open_report: Opener) -> None:
    page = open_report(gallery_of_blocks, PHONE).page
    region = page.locator(".table:has(#table-board)")
    region.evaluate("region => { region.scrollLeft = 400; }")
    lefts = page.locator("#table-board tbody th").evaluate_all(
        "heads => heads.map((h) => h.getBoundingClientRect().left)"
    )
    left = region.evaluate("region => region.getBoundingClientRect().left")
    assert all(abs(each - left) < 1 for each in lefts)


def test_the_contents_are_a_menu_on_a_phone_and_a_rail_at_a_desk(report: Path, open_report: Opener) -> None:
    phone, desk = open_report(report, PHONE).page, open_report(report, DESK).page
    link = ".menu a >> nth=0"
    assert desk.locator(link).is_visible()
    assert not phone.locator(link).is_visible()
    phone.locator(".menu summary").click()
    assert phone.locator(link).is_visible()
    phone.keyboard.press("Escape")
    assert not phone.locator(link).is_visible()
    phone.locator(".menu summary").click()
    phone.locator(link).click()
    assert not phone.locator(link).is_visible()
