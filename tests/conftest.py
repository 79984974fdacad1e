"""What many tests start from: a small competition, and a store that two cheap members have filled."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ensemble.config import load_experiment
from ensemble.core.storage.files import Location
from ensemble.store.oof import OofStore
from ensemble.train import train
from tests.competitions import BOOSTED, LINEAR, write_competition, write_config
from tests.storage import KINDS, make_bucket, new_place, s3_at, s3_server

settings.register_profile("busy", deadline=None)  # no test depends on the clock of a busy machine
settings.load_profile("busy")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="session")
def competition_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 training and 12 test photographs in folders. Read only."""
    return write_competition(tmp_path_factory.mktemp("competition"))


def train_inline(config: Path, data: Path, oof: Path) -> OofStore:
    """Train a config in this process."""
    experiment = load_experiment(config)
    store = OofStore(oof / experiment.name)
    assert train(experiment, list(experiment.members), data, store, "inline")
    return store


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, competition_folder: Path) -> OofStore:
    """A store in which two members are finished. Read only: copy it before changing it."""
    folder = tmp_path_factory.mktemp("trained")
    return train_inline(write_config(folder / "small.yaml", LINEAR, BOOSTED), competition_folder, folder / "oof")


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count the shots of a test that is over, if it shot at a run."""
    report = yield
    mark = item.get_closest_marker("fault")
    if mark is not None and report.when == "call" and not report.skipped:
        tries = mark.kwargs.get("tries", 1)
        shots = _SHOTS.setdefault(mark.args[0], [0, 0])
        shots[0] += tries
        shots[1] += tries if report.passed else 0
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of faults."""
    if _SHOTS:
        width = max(map(len, _SHOTS))
        terminalreporter.write_sep("=", "under fire")
        terminalreporter.write_line(f"{'fault':{width}}  tries  survived  lost")
        for fault, (tries, survived) in sorted(_SHOTS.items()):
            terminalreporter.write_line(f"{fault:{width}}  {tries:5}  {survived:8}  {tries - survived:4}")
