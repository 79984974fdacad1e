"""The report of a large store: seconds to write it, bytes of the page, seconds until it can be read in a browser.

`make bench NAME=report`; two minutes. The store is simulated: 12 members of 5 folds, 8,000 training and 12,000 test
photographs, blended. The page is opened with the system's Chromium, at 390 px too with a processor four times slower.
A page is open when its load event is over, and answers when a table has been sorted and the first figure is drawn.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.benchmarks.blend.worlds import write_store

MEMBERS, ROWS, TEST_ROWS = 12, 8_000, 12_000
TIMES = 5
GOALS = {"whole command, s": 20.0, "page, MB": 12.0, "page open, s": 2.0, "first figure drawn, s": 2.0}
_OPEN = {"page open, s": "opened", "first figure drawn, s": "drawn"}
_FIRST_FIGURE = """async () => {
    const plot = [...document.querySelectorAll('.plot')].find((each) => each.offsetParent);
    if (!plot) return null;
    plot.scrollIntoView({ behavior: 'instant' });
    while (!plot.querySelector('svg.main-svg')) await new Promise(requestAnimationFrame);
    return performance.now() / 1000;
}"""
_ANSWERS = """() => {
    const button = document.querySelector('thead button');
    button.click();
    if (!button.parentElement.hasAttribute('aria-sort')) throw new Error('the table is not sorted');
}"""
_OPENED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"


def seconds(*arguments: object) -> float:
    """Of a command, as a whole process."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def open_once(browser: Browser, page_file: Path, width: int, slower: int) -> dict[str, float | None]:
    """Seconds from the beginning of navigation until the page is open, and until its first figure is drawn."""
    context = browser.new_context(viewport={"width": width, "height": 844}, offline=True)
    page = context.new_page()
    if slower > 1:
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.goto(page_file.as_uri())
    page.evaluate(_ANSWERS)
    drawn = page.evaluate(_FIRST_FIGURE)
    found = {"opened": page.evaluate(_OPENED), "drawn": drawn}
    context.close()
    return found


def open_often(page_file: Path) -> dict[str, float]:
    """Medians, at a desk and on something like a phone."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        return {}
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    medians = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        for where, width, slower in (("", 1440, 1), (", phone, processor 4 times slower", 390, 4)):
            tries = [open_once(browser, page_file, width, slower) for _ in range(TIMES)]
            for title, key in _OPEN.items():
                values = [each[key] for each in tries]
                known = [value for value in values if value is not None]
                if known:
                    medians[title + where] = statistics.median(known)
        browser.close()
    return medians


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder) / "oof" / "simulated", MEMBERS, ROWS, TEST_ROWS)
        seconds("ensemble.blend", store.root, "--quick")
        for written in (*store.root.rglob("report.md"), store.root / "report.html"):
            written.unlink()
        page = store.root / "report.html"
        values = {
            "whole command, s": seconds("ensemble.report", store.root),
            "again, nothing changed, s": seconds("ensemble.report", store.root),
            "page, MB": page.stat().st_size / 1e6,
            **open_often(page),
        }
    figures: dict[str, dict[str, Any]] = {}
    for title, value in values.items():
        goal = GOALS.get(title)
        figures[title] = {"value": value, **({} if goal is None else {"goal": goal, "met": value < goal})}
        print(f"{title:55} {value:7.2f}   goal {'-' if goal is None else goal}")  # noqa: T201
    absent = sorted(set(GOALS) - set(values))
    print(json.dumps({"benchmark": "report", "figures": figures, "absent": absent}))  # noqa: T201


if __name__ == "__main__":
    main()
