"""Reports in a real browser: one of hand-made sections, one of a store that was really trained."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request

from ensemble.blend.run import blend
from ensemble.core.console.console import make_console
from ensemble.report.publish import publish
from ensemble.report.write import write_sections
from ensemble.store.oof import OofStore
from ensemble.stress.generators.run import leave_clusters_out
from ensemble.stress.robustness.run import RobustnessRequest, robustness
from tests.browser import DESK, PHONE, SIZES, THEMES  # noqa: F401  of all tests here
from tests.ensemble.report.every_block import every_block
from tests.ensemble.report.mixed import material, mixed  # noqa: F401  fixtures
from tests.shared import built_once

GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="session")
def pages(browser: Browser) -> Pages:
    """Pages of that browser, for one test after the other."""
    return Pages(browser)


@pytest.fixture(scope="session")
def gallery_of_blocks() -> Path:
    """The folder of a report that uses every kind of block."""
    title, source = "Who took these photos? blocks", "synthetic data"
    return built_once("blocks", lambda folder: write_sections(folder, title, source, every_block(), "signature"))


@pytest.fixture(scope="session")
def real_report(trained: OofStore) -> Path:
    """The folder of a small store that was trained and blended, and asked all that can be asked. Read only."""

    def build(folder: Path) -> None:
        store = OofStore(Path(shutil.copytree(trained.root.parent, folder / "oof")) / trained.name)
        blend(store)
        robustness(store, store.experiment(), None, "inline", RobustnessRequest(("jpeg_50_420", "flip"), photographs=0))
        leave_clusters_out(store, store.experiment(), engine_name="inline", n_clusters=2)
        publish(store, make_console())

    return built_once("real_report", build) / "oof" / trained.name


BOTH = pytest.mark.parametrize("report", ["gallery_of_blocks", "real_report"], indirect=True)


@pytest.fixture(params=["gallery_of_blocks", pytest.param("real_report", marks=pytest.mark.slow)])
def report(request: pytest.FixtureRequest) -> Path:
    """A page with every kind of block; and a real one, which tests of its content (`BOTH`) always see."""
    folder = request.getfixturevalue(request.param)
    assert isinstance(folder, Path)
    return folder


@dataclass
class Opened:
    """A report in a browser that reaches nothing else, and what went wrong there."""

    page: Page
    folder: Path
    troubles: list[str]

    @property
    def address(self) -> str:
        return (self.folder / "report.html").as_uri()

    def listen(self, on: bool = True) -> None:
        """Begin, or cease, to write down what goes wrong."""
        for event, happened in (
            ("console", self._said),
            ("pageerror", self._raised),
            ("dialog", self._asked),
            ("request", self._requested),
        ):
            (self.page.on if on else self.page.remove_listener)(event, happened)  # type: ignore[operator]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in _BAD:
            self.troubles.append(message.text)

    def _raised(self, error: Error) -> None:
        self.troubles.append(str(error))

    def _asked(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _requested(self, request: Request) -> None:
        if request.url.partition("#")[0] != self.address and not request.url.startswith(("data:", "blob:")):
            self.troubles.append(request.url)

    def open_everything(self) -> None:
        """All parts that are closed, and all figures drawn."""
        self.page.evaluate("for (const part of document.querySelectorAll('main details')) part.open = true")

    def draw_everything(self) -> None:
        """Open everything and scroll to each figure."""
        self.open_everything()
        for plot in self.page.locator(".plot").all():
            plot.scroll_into_view_if_needed()
        self.page.wait_for_function(
            "[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('svg.main-svg'))"
        )


@pytest.fixture
def open_report(pages: Pages) -> Iterator[Opener]:
    """A function that opens a report; the test fails if the page complains or asks the network for anything."""
    opener = Opener(pages)
    yield opener
    opener.close()
    assert [trouble for opened in opener.opened for trouble in opened.troubles] == []


class Pages:
    """Pages that nobody looks at: another report in an old page costs half of what it costs in a new one."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.free: dict[bool, list[Page]] = {True: [], False: []}  # with and without JavaScript

    def take(self, javascript: bool) -> Page:
        if self.free[javascript]:
            return self.free[javascript].pop()
        return self.browser.new_context(java_script_enabled=javascript, offline=True).new_page()

    def give_back(self, page: Page, javascript: bool) -> None:
        page.goto("about:blank")
        self.free[javascript].append(page)


class Opener:
    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.taken: list[tuple[Page, bool]] = []
        self.opened: list[Opened] = []

    def __call__(
        self,
        folder: Path,
        size: tuple[int, int] = DESK,
        *,
        dark: bool = False,
        javascript: bool = True,
    ) -> Opened:
        page = self.pages.take(javascript)
        self.taken.append((page, javascript))
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(media="screen", color_scheme="dark" if dark else "light")
        opened = Opened(page, folder, [])
        opened.listen()
        page.goto(opened.address)
        self.opened.append(opened)
        return opened

    def close(self) -> None:
        for opened in self.opened:
            opened.listen(False)
        for page, javascript in self.taken:
            self.pages.give_back(page, javascript)


_BAD = {"error", "warning"}


def luminance(page: Page, colour: str) -> float:
    """From 0, black, to 1, white, of what an expression gives as rgb()."""
    found = page.evaluate(f"{colour}.match(/[\\d.]+/g).slice(0, 3).map(Number)")
    return float(sum(found)) / 765
