"""What many tests start from: a small competition, and a store that two cheap members have filled."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ensemble.config.reading import load_experiment
from ensemble.core.storage.files import Location
from ensemble.store.oof import OofStore
from ensemble.train import train
from tests.competitions import BOOSTED, LINEAR, write_competition, write_config
from tests.scheduling import ByFile
from tests.shared import begin_session, built_once, end_session, session_ray
from tests.storage import KINDS, make_bucket, new_place, s3_at, s3_server

settings.register_profile("busy", deadline=None)  # no test depends on the clock of a busy machine
settings.load_profile("busy")
gc.disable()  # while torch and all that stands on it are imported: that takes a quarter longer with it


def pytest_configure(config: pytest.Config) -> None:
    """Begin the session in the process that controls it."""
    if not hasattr(config, "workerinput"):
        begin_session()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End it there."""
    if not hasattr(config, "workerinput"):
        end_session()


_NEEDS = {  # fixture -> marker of those who use it
    "browser": "browser",
    "s3_url": "s3",
    "ray_address": "ray",
    "real_report": "training",
    "told": "training",
    "demo": "training",
    "trained": "training",
    "trained_planted": "training",
}
_LONG = ("slow", "ray", "process")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark tests by the fixtures that they use, and let the long ones come first, so that no worker ends much later.

    Their faults are written down where the reports of workers carry them.
    """
    for item in items:
        for fixture in _NEEDS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(_NEEDS[fixture])
        if mark := item.get_closest_marker("fault"):
            item.user_properties.append(("fault", [mark.args[0], mark.kwargs.get("tries", 1)]))
    yield
    items.sort(key=lambda item: not any(map(item.get_closest_marker, _LONG)))
    gc.freeze()
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Use ours for `--dist loadfile`."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def competition_folder() -> Path:
    """40 training and 12 test photographs in folders. Read only."""
    return built_once("competition", write_competition)


def train_inline(config: Path, data: Path, oof: Path) -> OofStore:
    """Train a config in this process."""
    experiment = load_experiment(config)
    store = OofStore(oof / experiment.name)
    assert train(experiment, list(experiment.members), data, store, "inline")
    return store


@pytest.fixture(scope="session")
def trained(competition_folder: Path) -> OofStore:
    """A store in which two members are finished. Read only: copy it before changing it."""

    def build(folder: Path) -> None:
        train_inline(write_config(folder / "small.yaml", LINEAR, BOOSTED), competition_folder, folder / "oof")

    return OofStore(built_once("trained", build) / "oof" / "small")


@pytest.fixture(scope="session")
def ray_address() -> str:
    """The Ray of the session. What kills it, or tests how a Ray starts, has one of its own."""
    return session_ray()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium."""
    from tests.browser import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def on_ray(ray_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `--engine ray` lead to the Ray of the session."""
    monkeypatch.setenv("RAY_ADDRESS", ray_address)


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A server that speaks S3, for the whole session."""
    with s3_server() as url:
        yield url


@pytest.fixture
def s3(s3_url: str) -> Iterator[str]:
    """The same, in the environment, with an empty bucket."""
    with s3_at(s3_url):
        make_bucket()
        yield s3_url


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """An empty folder, in turn here, in memory and on a server that speaks S3."""
    if request.param == "s3":
        request.getfixturevalue("s3")
    return new_place(request.param, tmp_path)


_SHOTS: dict[str, list[int]] = {}  # fault -> tries, survived
_FUZZED: dict[str, int] = {}  # parser -> inputs


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count the shots of a test that is over, and the inputs of a fuzzer, in whichever process it ran."""
    fault, fuzzed = (dict(report.user_properties).get(name) for name in ("fault", "fuzzed"))
    if fuzzed is not None and report.when == "call":
        name, inputs = fuzzed  # type: ignore[misc]
        _FUZZED[name] = inputs
    if fault is not None and report.when == "call" and not report.skipped:
        name, tries = fault  # type: ignore[misc]
        shots = _SHOTS.setdefault(name, [0, 0])
        shots[0] += tries
        shots[1] += tries if report.passed else 0


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The tables of faults and of fuzzed parsers."""
    if _FUZZED:
        terminalreporter.write_sep("=", f"fuzzed: {sum(_FUZZED.values()):,} inputs")
        for parser, inputs in sorted(_FUZZED.items()):
            terminalreporter.write_line(f"{parser}: {inputs:,}")
    if _SHOTS:
        width = max(map(len, _SHOTS))
        terminalreporter.write_sep("=", "under fire")
        terminalreporter.write_line(f"{'fault':{width}}  tries  survived  lost")
        for fault, (tries, survived) in sorted(_SHOTS.items()):
            terminalreporter.write_line(f"{fault:{width}}  {tries:5}  {survived:8}  {tries - survived:4}")
