"""One writer at a time on an object store: a second is refused, an expired lease is taken over, its holder notices."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ensemble.core.errors import UserError
from ensemble.core.storage import lease as leases
from ensemble.core.storage.files import Location
from ensemble.core.storage.lock import only_writer, taking_turns
from ensemble.core.storage.remote import RemotePath
from ensemble.store.oof import OofStore
from tests.storage import new_place

HOLDER = """
import sys, time
from ensemble.core.storage import lease as leases
from ensemble.core.storage.files import location
from ensemble.core.storage.lock import only_writer
from ensemble.store.oof import OofStore
leases.HEARTBEAT = 0.1
with only_writer(OofStore(location(sys.argv[1])).root, "train"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT", 0.1)
    monkeypatch.setattr(leases, "EXPIRY", 3.0)  # a busy machine may stand still for a second


def lock_folder(store: OofStore) -> RemotePath:
    folder = store.root.with_name(f".{store.name}.train.lock")
    assert isinstance(folder, RemotePath)
    return folder


def held(store: OofStore) -> bool:
    return bool(leases._read_leases(lock_folder(store)))


def test_the_second_writer_is_refused(place: Location) -> None:
    store = OofStore(place)
    for _ in range(2):  # a lock that was released can be held again
        with only_writer(store.root, "train"), only_writer(store.root, "blend"):
            with pytest.raises(UserError, match=r"another process is writing to .* \(train.*\); wait for it"):
                only_writer(store.root, "train").__enter__()
            with only_writer(OofStore(place.with_name("other")).root, "train"):
                pass


def test_an_error_releases_it(place: Location) -> None:
    store = OofStore(place)
    with contextlib.suppress(RuntimeError), only_writer(store.root, "train"):
        raise RuntimeError("no")
    with only_writer(store.root, "train"):
        pass


@pytest.fixture
def store(s3: str, tmp_path: Path) -> OofStore:
    return OofStore(new_place("s3", tmp_path))


@pytest.mark.process
@pytest.mark.fault("a driver dies that holds the lock of an object store")
def test_the_lock_of_a_killed_driver_is_taken_over(store: OofStore, capsys: pytest.CaptureFixture[str]) -> None:
    """Two processes on one server."""
    other = subprocess.Popen([sys.executable, "-c", HOLDER, str(store.root)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"another process is writing to .* \(train, process {other.pid} on "):
            only_writer(store.root, "train").__enter__()
    finally:
        other.kill()
        other.communicate()
    assert f"locked by process {other.pid} on " in capsys.readouterr().err
    begun = time.monotonic()
    with only_writer(store.root, "train"):
        assert time.monotonic() - begun > 2
        (lease,) = leases._read_leases(lock_folder(store)).values()
        assert len(lease.instead_of) == 1
    assert not held(store)


def lose(store: OofStore, happens: Callable[[str], None]) -> str:
    """Hold the lock while something happens to its lease, check that this is noticed, and return the lease's token."""
    mine: list[str] = []

    def hold() -> None:
        with only_writer(store.root, "train"):
            mine.extend(leases._read_leases(lock_folder(store)))
            happens(mine[0])
            time.sleep(10)

    begun = time.monotonic()
    with pytest.raises(UserError, match="took over"):
        hold()
    assert time.monotonic() - begun < 5
    return mine[0]


def test_a_writer_that_lost_its_place_stops(store: OofStore) -> None:
    """As on a laptop that slept: another driver replaced its lease."""
    mine = lose(store, lambda token: leases._write(lock_folder(store), leases._Lease(instead_of=(token,))))
    (left,) = leases._read_leases(lock_folder(store)).values()
    assert left.instead_of == (mine,)  # only its own lease was deleted


def test_a_writer_that_missed_the_first_interrupt_heeds_the_next(store: OofStore) -> None:
    """Python ignores an exception that is raised in a destructor or in a callback."""

    def miss(token: str) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            (lock_folder(store) / token).unlink()
            time.sleep(10)

    lose(store, miss)


def test_a_writer_in_another_thread_learns_of_it_at_the_end(store: OofStore) -> None:
    said: list[str] = []

    def hold() -> None:
        try:
            with only_writer(store.root, "train"):
                for token in leases._read_leases(lock_folder(store)):
                    (lock_folder(store) / token).unlink()
                time.sleep(0.5)
        except UserError as error:
            said.append(str(error))

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert "took over" in said[0]


def test_a_deleted_lease_stops_its_writer(store: OofStore) -> None:
    lose(store, lambda token: (lock_folder(store) / token).unlink())
    assert not held(store)


@pytest.mark.training
def test_a_damaged_lease_expires_like_any_other(store: OofStore, capsys: pytest.CaptureFixture[str]) -> None:
    (lock_folder(store) / "x").write_bytes(b"{half")
    with only_writer(store.root, "train"):
        pass
    assert "watching for up to" in capsys.readouterr().err
    assert not held(store)


@pytest.mark.training
def test_the_time_of_an_outage_does_not_count(store: OofStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is unreachable no lease expires: the holder cannot renew it either."""
    leases._write(lock_folder(store), leases._Lease())
    real, looks = leases._read_leases, []

    def slow(folder: RemotePath) -> dict[str, leases._Lease]:
        looks.append(time.monotonic())
        if len(looks) == 3:
            time.sleep(2)
        return real(folder)

    monkeypatch.setattr(leases, "_read_leases", slow)
    begun = time.monotonic()
    with only_writer(store.root, "train"):
        assert time.monotonic() - begun > 4.5


def test_renewals_are_written(store: OofStore) -> None:
    with only_writer(store.root, "train"):
        time.sleep(1)
        (path,) = lock_folder(store).iterdir()
        assert json.loads(path.read_text())["renewal"] >= 2


@pytest.mark.training
def test_of_many_at_the_same_moment_one_at_most_is_inside(tmp_path: Path) -> None:
    store = OofStore(new_place("memory", tmp_path))
    inside, most, entered = [0], [0], [0]
    begin = threading.Barrier(6)

    def work() -> None:
        for _ in range(5):
            begin.wait()
            with contextlib.suppress(UserError), only_writer(store.root, "train"):
                inside[0] += 1
                most[0], entered[0] = max(most[0], inside[0]), entered[0] + 1
                time.sleep(0.05)
                inside[0] -= 1

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == [1]
    assert entered[0] >= 1
    assert not held(store)


def test_writers_of_the_same_part_take_turns(tmp_path: Path) -> None:
    seen: list[int] = []

    def write(number: int) -> None:
        with taking_turns(tmp_path / "store", "report"):
            seen.append(number)
            time.sleep(0.02)
            seen.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[::2] == seen[1::2], "nobody enters before the one inside has left"
    assert sorted(seen[::2]) == [0, 1, 2, 3, 4]
