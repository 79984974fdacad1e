"""Reports in a real browser: one of hand-made sections, one of a store that was really trained."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ensemble.blend.run import blend
from ensemble.core.console.console import make_console
from ensemble.report.publish import publish
from ensemble.report.write import write_sections
from ensemble.store.oof import OofStore
from ensemble.stress.generators.run import leave_clusters_out
from ensemble.stress.robustness.run import Request, robustness
from tests.competitions import BOOSTED, LINEAR, write_config
from tests.conftest import train_inline
from tests.ensemble.report.every_block import every_block
from tests.ensemble.report.mixed import material, mixed  # noqa: F401  fixtures

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE, DESK = (390, 844), (1440, 900)
SIZES = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        why = f"no browser to look at pages with: install one of {', '.join(_NAMES)}"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield running
        running.close()


@pytest.fixture(scope="session")
def gallery_of_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report that uses every kind of block."""
    folder = tmp_path_factory.mktemp("blocks")
    write_sections(folder, "Who took these photos? blocks", "synthetic data", every_block(), "signature")
    return folder


@pytest.fixture(scope="session")
def real_report(tmp_path_factory: pytest.TempPathFactory, competition_folder: Path) -> Path:
    """The folder of a small store that was trained and blended, and asked all that can be asked. Read only."""
    folder = tmp_path_factory.mktemp("real")
    store = train_inline(write_config(folder / "small.yaml", LINEAR, BOOSTED), competition_folder, folder / "oof")
    blend(store)
    robustness(store, store.experiment(), None, "inline", Request(("jpeg_50_420", "flip"), photographs=0))
    leave_clusters_out(store, store.experiment(), engine_name="inline", asked=2)
    publish(store, make_console())
    return Path(str(OofStore(store.root).root))


@pytest.fixture(params=["gallery_of_blocks", "real_report"])
def report(request: pytest.FixtureRequest) -> Path:
    """Each of the two in turn."""
    folder = request.getfixturevalue(request.param)
    assert isinstance(folder, Path)
    return folder


@dataclass
class Opened:
    """A report in a browser that reaches nothing else, and what went wrong there."""

    page: Page
    folder: Path
    troubles: list[str]

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
def open_report(browser: Browser) -> Iterator[Opener]:
    """A function that opens a report; the test fails if the page complains or asks the network for anything."""
    opener = Opener(browser)
    yield opener
    opener.close()
    assert [trouble for opened in opener.opened for trouble in opened.troubles] == []


class Opener:
    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.contexts: list[BrowserContext] = []
        self.opened: list[Opened] = []

    def __call__(
        self,
        folder: Path,
        size: tuple[int, int] = DESK,
        *,
        dark: bool = False,
        javascript: bool = True,
    ) -> Opened:
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            offline=True,
        )
        self.contexts.append(context)
        address, troubles = (folder / "report.html").as_uri(), []
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type in _BAD else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: None if _is_own(request.url, address) else troubles.append(request.url))
        page.goto(address)
        opened = Opened(page, folder, troubles)
        self.opened.append(opened)
        return opened

    def close(self) -> None:
        for context in self.contexts:
            context.close()


_BAD = {"error", "warning"}


def _is_own(url: str, address: str) -> bool:
    return url.partition("#")[0] == address or url.startswith(("data:", "blob:"))


def luminance(page: Page, colour: str) -> float:
    """From 0, black, to 1, white, of what an expression gives as rgb()."""
    found = page.evaluate(f"{colour}.match(/[\\d.]+/g).slice(0, 3).map(Number)")
    return float(sum(found)) / 765
