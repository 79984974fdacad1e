"""Under fire: processes that die, disks that fill, members that misbehave. Nothing that was finished is ever lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from ensemble.core.console.text import plural
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from tests.competitions import LINEAR, write_config
from tests.conftest import train_inline
from tests.ensemble.training.test_train import foreign
from tests.fire import DRIVER_KILLED, Run, alive, finished, traces, until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mark")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, mark: Path) -> Path:
    """Two members that take their time, and one on features."""
    slow = foreign("slow", "HighPass", mark=mark, seconds=1.5)
    return write_config(
        tmp_path_factory.mktemp("fire") / "c.yaml", slow, foreign("other", "HighPass", seconds=0.5), LINEAR
    )


@pytest.fixture(scope="module")
def quiet(config: Path, competition_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run makes that nobody disturbs."""
    found = finished(train_inline(config, competition_folder, tmp_path_factory.mktemp("quiet")))
    assert len(found) == 9
    return found


@pytest.fixture(autouse=True)
def no_marks(mark: Path) -> None:
    for path in mark.iterdir():
        path.unlink()


def store_in(oof: Path) -> OofStore:
    return OofStore(oof / "small")


@pytest.mark.slow
@pytest.mark.fault("a worker is killed in mid-fold")
@pytest.mark.usefixtures("on_ray")
def test_a_worker_is_killed(
    config: Path, quiet: dict[str, bytes], competition_folder: Path, tmp_path: Path, mark: Path
) -> None:
    run = Run(config, competition_folder, tmp_path)
    until(lambda: traces(mark, 1), run)
    os.kill(traces(mark, 1)[0], signal.SIGKILL)
    code, said = run.end()
    assert code == 0, said
    assert "slow/fold-1: its worker died; it is tried again" in said
    assert len(traces(mark, 1)) == 2
    assert finished(store_in(tmp_path)) == quiet


@pytest.mark.fault("Ctrl-C or SIGTERM")
@pytest.mark.parametrize(
    "engine", [pytest.param("inline", marks=pytest.mark.slow), pytest.param("ray", marks=pytest.mark.ray)]
)
@pytest.mark.parametrize("ask", ["Ctrl-C", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_a_run_is_interrupted(
    engine: str, ask: str, config: Path, quiet: dict[str, bytes], competition_folder: Path, tmp_path: Path, mark: Path
) -> None:
    run = Run(config, competition_folder, tmp_path, engine)
    until(lambda: finished(store_in(tmp_path)) and traces(mark, 1), run)
    begun = time.monotonic()
    run.interrupt() if ask == "Ctrl-C" else run.kill(signal.SIGTERM)
    code, said = run.end()
    assert time.monotonic() - begun < 20
    assert code == {"Ctrl-C": 130, "SIGTERM": 143}[ask]
    assert "finished work is stored, run the same command to continue" in said
    assert "Traceback" not in said
    until(lambda: engine == "inline" or not any(map(alive, traces(mark, 1))))
    kept = finished(store_in(tmp_path))
    assert kept
    assert kept.items() <= quiet.items()
    code, said = Run(config, competition_folder, tmp_path, "inline").end()
    assert code == 0, said
    assert f"{plural(9 - len(kept), 'fold')} to train, {len(kept)} finished already" in said
    assert finished(store_in(tmp_path)) == quiet


def shoot(config: Path, data: Path, oof: Path, engine: str, quiet: dict[str, bytes], kills: int) -> None:
    """Kill drivers at random moments, time and again, and see after each that all is kept; then let one finish."""
    rng, store, hits = np.random.default_rng(0), store_in(oof), 0
    while hits < kills:
        before = finished(store)
        if len(before) == len(quiet):
            shutil.rmtree(store.root)
            continue
        run = Run(config, data, oof, engine)
        with suppress(subprocess.TimeoutExpired):
            run.process.wait(rng.uniform(1, {"inline": 8, "ray": 20}[engine]))
        hits += run.process.poll() is None
        run.kill()
        run.end()
        after = finished(store)
        assert before.items() <= after.items() <= quiet.items()
    code, said = Run(config, data, oof, engine).end()
    assert code == 0, said
    assert finished(store) == quiet


@pytest.mark.parametrize(
    ("engine", "kills"),
    [
        pytest.param("inline", 20, marks=pytest.mark.fault(DRIVER_KILLED, tries=20)),
        pytest.param("ray", 20, marks=[pytest.mark.ray, pytest.mark.fault(DRIVER_KILLED, tries=20)]),
    ],
)
@pytest.mark.slow
def test_the_driver_is_killed_at_random_moments(
    engine: str, kills: int, config: Path, quiet: dict[str, bytes], competition_folder: Path, tmp_path: Path
) -> None:
    shoot(config, competition_folder, tmp_path, engine, quiet, kills)


@pytest.mark.slow
@pytest.mark.fault("two drivers at once")
def test_two_drivers_at_once(
    config: Path, quiet: dict[str, bytes], competition_folder: Path, tmp_path: Path, mark: Path
) -> None:
    first = Run(config, competition_folder, tmp_path, "inline")
    until(lambda: traces(mark, 0), first)
    code, said = Run(config, competition_folder, tmp_path, "inline").end()
    assert code == 2
    assert (
        said.strip() == f"another process is writing to {tmp_path / 'small'} (train); wait for it, or write elsewhere"
    )
    assert first.end()[0] == 0
    assert finished(store_in(tmp_path)) == quiet


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(disk)], check=False).returncode:
        pytest.skip("mounting a small disk takes rights that we have not")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.fault("the disk is full")
def test_a_disk_is_full(competition_folder: Path, tmp_path: Path, small_disk: Path) -> None:
    """The folds of one member find no room, and are named; those of others do. With more room the rest is done."""
    config = write_config(tmp_path / "c.yaml", foreign("large", "Large"), foreign("other", "HighPass"), LINEAR)
    code, said = Run(config, competition_folder, small_disk, "inline").end()
    assert code == 1, said
    assert "large/fold-0 FAILED: it could not be stored: No space left on device" in said
    assert "features members.forensics.LogDCT cannot be cached for other runs" in said
    store = store_in(small_disk)
    kept = finished(store)
    assert {f"other/fold-{fold}" for fold in range(3)} <= set(kept)
    assert not list(store.root.rglob(".unfinished-*"))
    subprocess.run(["mount", "-o", "remount,size=20M", str(small_disk)], check=True)
    code, said = Run(config, competition_folder, small_disk, "inline").end()
    assert code == 0, said
    assert f"{plural(9 - len(kept), 'fold')} to train, {len(kept)} finished already" in said
    assert len(finished(store)) == 9
    assert kept.items() <= finished(store).items()


def test_a_cache_that_cannot_be_written_costs_nothing(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".features").touch()  # a file where the folder should be
    train_inline(write_config(tmp_path / "c.yaml", LINEAR), competition_folder, tmp_path)
    assert capsys.readouterr().out.count("features members.forensics.LogDCT cannot be cached for other runs") == 1
    assert len(finished(store_in(tmp_path))) == 3


@pytest.mark.fault("a member raises, leaves, hangs, or predicts nonsense", tries=7)
@pytest.mark.usefixtures("on_ray")
def test_members_that_misbehave_cost_only_themselves(
    config: Path, quiet: dict[str, bytes], competition_folder: Path, tmp_path: Path, mark: Path
) -> None:
    kinds = ["Raises", "Shape", "Rows", "NotANumber", "OutOfRange", "Leaves"]
    bad = [foreign(kind.lower(), kind) for kind in kinds]
    bad.append(foreign("hangsinonefold", "HangsInOneFold", mark=mark))
    mixed = write_config(tmp_path / "mixed.yaml", *bad, foreign("other", "HighPass", seconds=0.5), LINEAR)
    code, said = Run(mixed, competition_folder, tmp_path, "ray", "--timeout", "15s").end()
    assert code == 1
    expected = {
        "raises/fold-1": "RuntimeError: this fold cannot be learned",
        "shape/fold-2": "ValueError: predict_proba gave shape",
        "rows/fold-0": "ValueError: predict_proba gave shape",
        "notanumber/fold-1": "NaN or outside [0, 1]",
        "outofrange/fold-1": "NaN or outside [0, 1]",
        "leaves/fold-0": "SystemExit: 3",
        "hangsinonefold/fold-1": "it ran longer than --timeout allows (15 s)",
    }
    lines = said.splitlines()
    for title, cause in expected.items():
        (line,) = [line for line in lines if line.strip().startswith(f"{title} FAILED")]
        assert cause in line
        assert "traceback in " in line
    store = store_in(tmp_path)
    found = finished(store)
    assert {title: found[title] for title in quiet if not title.startswith("slow")}.items() <= quiet.items()
    assert load_predictions(store).members == ["raises", "hangsinonefold", "other", "linear"]
    (hung,) = traces(mark, 1)  # a fold that hangs is not tried again
    assert not alive(hung)
