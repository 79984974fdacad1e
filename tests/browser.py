"""The system's Chromium, for tests that look at pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE, DESK = (390, 844), (1440, 900)
SIZES = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run it; where there is none, tests are skipped, and fail on CI."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        why = f"no browser to look at pages with: install one of {', '.join(_NAMES)}"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield running
        running.close()
