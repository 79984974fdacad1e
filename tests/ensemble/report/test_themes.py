"""Light and dark: as the system says, unless the button says otherwise."""

from __future__ import annotations

from pathlib import Path

from tests.ensemble.report.conftest import GROUND, Opener, luminance


def test_colours_follow_the_system_and_the_button_overrules_it(report: Path, open_report: Opener) -> None:
    light, dark = open_report(report).page, open_report(report, dark=True).page
    assert luminance(light, GROUND) > 0.8
    assert luminance(dark, GROUND) < 0.2
    dark.locator("#theme").click()
    assert dark.evaluate(GROUND) == light.evaluate(GROUND)
    light.emulate_media(color_scheme="dark")
    assert luminance(light, GROUND) < 0.2
    light.locator("#theme").click()
    light.emulate_media(color_scheme="light")
    light.emulate_media(color_scheme="dark")
    assert luminance(light, GROUND) > 0.8


def test_figures_are_drawn_anew_in_the_colours_of_the_theme(gallery_of_blocks: Path, open_report: Opener) -> None:
    page = open_report(gallery_of_blocks).page
    page.locator("#curves .plot").scroll_into_view_if_needed()
    line = page.locator("#curves .js-line").first
    line.wait_for()
    real = "getComputedStyle(document.querySelector('#curves .js-line')).stroke"
    assert page.evaluate(real) == "rgb(11, 102, 168)"
    page.locator("#theme").click()
    page.wait_for_function(f"{real} === 'rgb(108, 184, 240)'")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(real) == "rgb(108, 184, 240)"
