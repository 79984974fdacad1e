"""Read with keys alone, with a screen reader, without scripts, on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.ensemble.report.conftest import DESK, GROUND, PHONE, SIZES, THEMES, Opener, luminance


def focused_by_tab(page: Page, steps: int) -> list[str]:
    found = []
    for _ in range(steps):
        page.keyboard.press("Tab")
        found.append(
            page.evaluate(
                """() => { const e = document.activeElement;
                if (e.matches('.skip')) return 'skip';
                if (e.matches('.menu summary, .menu a')) return 'contents';
                if (e.matches('#theme')) return 'theme';
                if (e.matches('thead button')) return 'head';
                return e.tagName; }"""
            )
        )
    return found


@SIZES
def test_tab_reaches_everything_in_order(report: Path, open_report: Opener, size: tuple[int, int]) -> None:
    page = open_report(report, size).page
    steps = page.locator("a, summary, .table").count() + 4
    found = focused_by_tab(page, steps)
    order = list(dict.fromkeys(found))
    assert order[:3] == ["skip", "contents", "theme"]
    assert "head" in order


def test_the_skip_link_leads_to_the_answer(report: Path, open_report: Opener) -> None:
    page = open_report(report).page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@SIZES
def test_what_scrolls_can_be_scrolled_by_keys(report: Path, open_report: Opener, size: tuple[int, int]) -> None:
    opened = open_report(report, size)
    opened.open_everything()
    opened.page.wait_for_function(
        """[...document.querySelectorAll('.table')].every((region) =>
        (region.scrollWidth > region.clientWidth + 1) === (region.tabIndex === 0))"""
    )


def test_every_figure_says_in_words_and_numbers_what_it_shows(report: Path, open_report: Opener) -> None:
    page = open_report(report).page
    for figure in page.locator("figure").all():
        plot = figure.locator(".plot")
        assert plot.get_attribute("role") == "img"
        for attribute in ("aria-labelledby", "aria-describedby"):
            text = page.locator(f"#{plot.get_attribute(attribute)}").text_content()
            assert (text or "").strip(), f"{plot.get_attribute('data-figure')}: {attribute}"
        assert figure.locator("details.numbers table tbody tr").count()


def test_without_scripts_every_number_can_be_read(report: Path, open_report: Opener) -> None:
    page = open_report(report, javascript=False).page
    assert not page.locator("#theme").is_visible()
    for part in page.locator("main details").all():  # the outer come first
        part.locator("> summary").click()
    for table in page.locator("main table").all():
        assert table.is_visible()
    for plot in page.locator(".plot").all():
        assert not plot.is_visible()
    page.locator(".menu summary").click()
    assert page.locator(".menu a").first.is_visible()


@THEMES
def test_paper_shows_every_figure_in_light_colours(report: Path, open_report: Opener, dark: bool) -> None:
    page = open_report(report, dark=dark).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    for plot in page.locator(".plot").all():
        assert plot.locator("svg.main-svg").first.is_visible()
    assert luminance(page, GROUND) > 0.8
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert (luminance(page, GROUND) < 0.2) == dark
    assert page.locator("details.opened[open]").count() == 0


def test_a_link_opens_the_parts_that_hide_its_target(gallery_of_blocks: Path, open_report: Opener) -> None:
    page = open_report(gallery_of_blocks).page
    page.evaluate("location.hash = 'table-inner-lines-numbers'")
    page.locator("#table-inner-lines-numbers").wait_for()
    assert page.locator("details.opened[open]").count() == 2


@pytest.mark.parametrize(
    ("report", "size", "dark"),
    [("real_report", PHONE, True), ("gallery_of_blocks", DESK, False)],
    indirect=["report"],
    ids=["real-phone-dark", "blocks-desk-light"],
)
def test_axe_finds_nothing_serious(report: Path, open_report: Opener, dark: bool, size: tuple[int, int]) -> None:
    """With everything opened. What axe cannot decide, colours behind shaded cells, is decided below."""
    opened = open_report(report, size, dark=dark)
    opened.draw_everything()
    found = Axe().run(opened.page)
    assert len(found["passes"]) > 20
    said = [
        f"{rule['id']} ({rule['impact']}): {node['html']}" for rule in found["violations"] for node in rule["nodes"]
    ]
    assert [line for line in said if "(serious)" in line or "(critical)" in line] == []


@THEMES
def test_text_on_shaded_cells_and_on_figures_can_be_read(report: Path, open_report: Opener, dark: bool) -> None:
    opened = open_report(report, dark=dark)
    opened.draw_everything()
    for kind in ("td[style]", ".xtick text"):
        assert opened.page.locator(kind).count(), f"none of {kind} is looked at"
    for seen in opened.page.evaluate(_CONTRASTS):
        assert seen["contrast"] >= 4.5, seen


_CONTRASTS = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const seen = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (colour) => {
        const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        const [r, g, b] = seen(colour).map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (one, other) => {
        const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const ground = getComputedStyle(document.body).backgroundColor;
    const cells = [...document.querySelectorAll('td[style] , td[style] .error')].map((cell) => [
        cell.textContent, getComputedStyle(cell).color, getComputedStyle(cell.closest('td')).backgroundColor]);
    const ticks = [...document.querySelectorAll('.xtick text, .ytick text, .legendtext, .xtitle, .ytitle')].map(
        (text) => [text.textContent, getComputedStyle(text).fill, ground]);
    return [...cells, ...ticks].map(([text, ink, behind]) => ({ text, ink, behind, contrast: ratio(ink, behind) }));
}"""
