"""The photographs in a browser: opened, gone through and closed by keyboard; nothing asked of a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from ensemble.report.exhibits.pictures import picture_of, spectrum_picture
from ensemble.report.render.blocks import Exhibit, Gallery, Section
from ensemble.report.render.html import render
from tests.competitions import photograph

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FREQUENCIES = tuple(np.linspace(0, 0.5, 33).tolist())
MEANS = {"real": tuple(-6 * f for f in FREQUENCIES), "fake": tuple(-7 * f for f in FREQUENCIES)}


def exhibit(folder: Path, number: int, fake: bool, probability: float, name: str, split: str = "train") -> Exhibit:
    pixels = photograph(number, fake)
    Image.fromarray(pixels).save(folder / "one.png")
    picture = picture_of((folder / "one.png").read_bytes())
    assert picture is not None
    truth = "not known" if split == "test" else "fake" if fake else "real"
    votes = (("blend (mean)", probability), ("a_member_with_a_very_long_name", 0.25), ("linear", 0.9996))
    curve = tuple(-6.5 * f for f in FREQUENCIES)
    spectrum = spectrum_picture(np.random.default_rng(number).normal(size=(32, 32)).astype(np.float32), -3, 3)
    return Exhibit(name, truth, picture.uri, spectrum, curve, votes, f"why {number}", split, 32, 32)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with two galleries that share a photograph; one of the test photographs is called like a training one."""
    folder = tmp_path_factory.mktemp("page")
    bands = {word: (tuple(m - 1 for m in mean), tuple(m + 1 for m in mean)) for word, mean in MEANS.items()}
    shared = exhibit(folder, 1, True, 0.02, "a photo & more.png")
    train = (shared, exhibit(folder, 2, False, 0.93, "2.png"), exhibit(folder, 3, True, 0.4, "3.png"))
    test = (exhibit(folder, 4, True, 0.5, "2.png", "test"), shared)
    absent = Exhibit("absent.png", "real", "", "", (), (("blend (mean)", 0.7),), "it is gone")
    galleries = (
        Gallery("errors", "Errors", "The surest.", train, FREQUENCIES, MEANS, bands),
        Gallery("unsure", "Unsure", "Nearest to 0.5.", (*test, absent), FREQUENCIES, MEANS, bands),
        Gallery("none", "None", "There are none.", ()),
    )
    section = Section("photographs", "Photographs", "Look.", galleries)
    (folder / "report.html").write_text(render("A report", "", [section], "signature"), encoding="utf-8")
    return (folder / "report.html").as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page at the width of a telephone; it must say nothing in the console, and ask for nothing."""
    page = browser.new_page(viewport={"width": 390, "height": 800}, reduced_motion="reduce")
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.extend([request.url] * (not request.url.startswith(("file:", "data:")))))
    page.goto(address)
    yield page
    page.close()
    assert not faults


def title(page: Page) -> str:
    return page.locator("#dialog h2").inner_text()


def closed_at(page: Page, name: str) -> None:
    """Wait until the dialog is closed and the focus is on a photograph: a browser tells of closing a little later."""
    page.wait_for_function(f"!dialog.open && document.activeElement.dataset.photograph === '{name}'", timeout=5000)


def test_by_keyboard_alone(page: Page) -> None:
    page.locator("#errors .exhibit").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#dialog").is_visible()
    assert title(page) == "a photo & more.png: fake; blend predicts real (0.02)"
    page.keyboard.press("ArrowRight")
    assert title(page) == "2.png: real; blend predicts fake (0.93)"
    assert page.locator("#dialog .place").inner_text() == "2 of 3"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert title(page).startswith("3.png"), "before the first comes the last"
    page.keyboard.press("Escape")
    closed_at(page, "3.png")  # where one was looking
    page.keyboard.press("Enter")
    assert page.locator("#dialog").is_visible()


def test_by_mouse(page: Page) -> None:
    page.locator("#unsure .exhibit").nth(1).click()
    page.get_by_role("button", name="Previous").click()
    assert title(page) == "2.png: truth not known; blend predicts fake (0.5000)"
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Close").click()
    closed_at(page, "a photo & more.png")


def test_every_probability_stands_in_a_table(page: Page) -> None:
    page.locator("#errors .exhibit").first.click()
    rows = [" ".join(row.split()) for row in page.locator("#dialog .votes tr").all_inner_texts()]
    assert [row.replace("\u200b", "") for row in rows] == [
        "blend (mean) 0.0200 real, wrong",
        "a_member_with_a_very_long_name 0.2500 real, wrong",
        "linear 0.9996 fake, right",
    ]
    assert page.locator("#dialog .why").inner_text() == "why 1"
    page.locator("#dialog .plot .main-svg").first.wait_for()
    drawn = page.evaluate("figures['exhibit-shown'].traces.map((trace) => trace.name)")
    assert drawn == ["middle 90% of real", "middle 90% of fake", "mean real", "mean fake", "this photograph"]
    assert "\u22122.84" in page.locator("#dialog .curves .note").inner_text()
    assert page.locator("#dialog .views img").count() == 2


def test_a_link_opens_a_photograph_and_closing_forgets_it(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}#photograph-test/2.png")
    assert title(page).startswith("2.png: truth not known")
    page.evaluate("location.hash = '#photograph-2.png'")
    page.wait_for_function("document.querySelector('#dialog h2').textContent.startsWith('2.png: real')")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("location.hash") == "#photograph-a%20photo%20%26%20more.png"
    page.reload()
    assert title(page).startswith("a photo & more.png")
    page.keyboard.press("Escape")
    closed_at(page, "a photo & more.png")
    assert page.evaluate("location.hash") == ""
    page.close()


def test_a_picture_stands_once_and_shows_twice(page: Page) -> None:
    sources = [image.get_attribute("src") for image in page.locator(".exhibit img").all()]
    assert len(sources) == 5
    assert all(source and source.startswith("data:image/png") for source in sources)
    assert sources[0] == sources[4]
    assert page.locator(".exhibit img[data-same]").count() == 1
    alternatives = [image.get_attribute("alt") for image in page.locator("#errors img").all()]
    assert alternatives[1] == "photograph 2.png, real, blend (mean) predicts fake (0.93)"


def test_without_a_picture_the_rest_stands(page: Page) -> None:
    page.locator("#unsure .exhibit").nth(2).click()
    assert "not in the store" in page.locator("#dialog .views").inner_text()
    assert page.locator("#dialog .votes tr").count() == 1
    assert not page.locator("#dialog .plot").count()


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#errors .exhibit").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("dialog.scrollWidth <= dialog.clientWidth")


def test_without_scripts_the_numbers_stand_in_the_page(browser: Browser, address: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(address)
    assert page.locator(".exhibit img[src]").count() == 4
    page.locator("#errors summary").click()
    assert "0.9996" in page.locator("#table-errors-votes").inner_text()
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_machines_find_of_barriers(page: Page, scheme: str) -> None:
    from axe_core_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for opened in (False, True):
        if opened:
            page.locator("#errors .exhibit").first.click()
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})["violations"]
        assert [(each["id"], [node["html"][:90] for node in each["nodes"]][:3]) for each in found] == []
