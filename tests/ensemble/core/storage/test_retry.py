"""A server that is gone for a while loses nothing, and is never taken for an empty one; a refusal is told at once."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ensemble.core.errors import UserError
from ensemble.core.storage import retry
from ensemble.core.storage.files import location
from ensemble.core.storage.retry import with_retries
from ensemble.store.oof import OofStore
from tests.competitions import BOOSTED, LINEAR, write_config
from tests.ensemble.store.test_oof_on_object_stores import provenance, result_of
from tests.storage import Gate, content, fill, make_bucket, new_place, s3_at

WHERE = "s3://bucket/oof/x"
AWAY = [
    ConnectionResetError("reset"),
    TimeoutError("too slow"),
    OSError(errno.EBUSY, "slow down"),
    botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"),
    botocore.exceptions.ReadTimeoutError(endpoint_url="http://x"),
]
REFUSED = [
    (PermissionError("no rights"), "access denied"),
    (OSError(errno.EINVAL, "bad name"), "check the address"),
    (botocore.exceptions.NoCredentialsError(), "check the address and the credentials"),
]


def failing(error: Exception, times: int) -> Callable[[], int]:
    """Raises so many times, then gives how often it was called."""
    calls = [0]

    def do() -> int:
        calls[0] += 1
        if calls[0] <= times:
            raise error
        return calls[0]

    return do


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made."""
    pauses: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", pauses.append)
    return pauses


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_what_is_away_is_asked_again_and_told_once(
    error: Exception, no_pause: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert with_retries(failing(error, 7), WHERE) == 8
    assert no_pause == [0.5, 1, 2, 4, 8, 15, 15]
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert told[0].startswith("s3://bucket cannot be reached (")
    assert told[0].endswith("; trying again for up to 5 min")
    assert told[1].startswith("s3://bucket is reached again, after ")


@pytest.mark.parametrize(("error", "expected"), REFUSED, ids=lambda value: type(value).__name__)
def test_a_refusal_is_told_at_once(error: Exception, expected: str, no_pause: list[float]) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        with_retries(failing(error, 9), WHERE)
    assert no_pause == []
    assert str(caught.value).startswith(WHERE)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_not_asked_for_again(no_pause: list[float]) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        with_retries(failing(FileNotFoundError("gone"), 9), WHERE)
    assert (caught.value.filename, no_pause) == (WHERE, [])


def test_a_bug_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        with_retries(lambda: 1 // 0, WHERE)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match=r'pip install "who-took-this-photo\[gcs\]"'):
        OofStore(location("gs://bucket/oof")).exists()


@pytest.fixture
def gate(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A way to the server; a request that fails is not tried again by the driver, so the outage is ours to bear."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    found = Gate(s3_url)
    with s3_at(found.url):
        make_bucket()
        yield found
    if not found.is_shut:
        found.shut()


def test_a_missing_bucket_is_told(gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such bucket"):
        location("s3://no-such-bucket/x").write_bytes(b"x")
    assert not OofStore(location("s3://no-such-bucket/x")).exists()


@pytest.fixture
def store(trained: OofStore, gate: Gate, tmp_path: Path) -> OofStore:
    assert isinstance(trained.root, Path)
    return OofStore(fill(new_place("s3", tmp_path) / "small", trained.root))


@pytest.mark.training
def test_a_store_that_is_away_is_not_an_empty_one(store: OofStore, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be trained again, or set aside, since nobody answered."""
    made, record = provenance(store, "linear", 0), store.record("linear", 0)
    assert record is not None
    monkeypatch.setattr(retry, "GIVE_UP_AFTER", 0.0)
    gate.shut()
    questions: list[Callable[[], Any]] = [
        store.exists, store.imported, lambda: store.record("linear", 0), store.facts, store.ledger,
        lambda: store.state("linear", 0, made), lambda: store.predictions(record), lambda: store.origin("x"),
        lambda: store.root.is_dir(), lambda: list(store.root.glob("members/*/fold-*")), lambda: content(store.root),
    ]  # fmt: skip
    for ask in questions:
        with pytest.raises(UserError, match="could not be reached"):
            ask()
    gate.open()
    assert store.state("linear", 0, made).is_valid


@pytest.mark.parametrize("ask", ["exists", "is_file", "is_dir", "iterdir", "files_below", "read_bytes", "stat"])
def test_a_broken_connection_is_no_answer(ask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsspec itself takes any error for "not there" when it is asked whether something exists."""

    def broken(*_: object, **__: object) -> None:
        raise ConnectionResetError("reset")

    monkeypatch.setattr(retry, "GIVE_UP_AFTER", 0.0)
    for name in ("info", "ls", "find", "cat_file"):
        monkeypatch.setattr(MemoryFileSystem, name, broken)
    with pytest.raises(UserError, match="could not be reached"):
        getattr(location("memory://bucket/x"), ask)()


@pytest.mark.training
def test_a_fold_that_cannot_be_stored_is_one_that_failed(
    store: OofStore, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a full disk: the run goes on, and stores what is finished later."""
    result, made = result_of(store, "linear", 1), provenance(store, "linear", 1)
    ledger, sample = store.ledger(), store.sample()
    monkeypatch.setattr(retry, "GIVE_UP_AFTER", 0.0)
    gate.shut()
    with pytest.raises(OSError, match="could not be reached"):
        store.write(result, made, ledger, sample, 0.5)
    gate.open()
    store.write(result, made, ledger, sample, 0.5)
    assert store.state("linear", 1, made).is_valid


@pytest.mark.training
@pytest.mark.fault("the S3 server is gone for a moment")
def test_a_short_outage_in_the_middle_of_an_upload(
    store: OofStore, gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    made = provenance(store, "linear", 1)
    big = {f"part-{number}": bytes([number]) * 1_000_000 for number in range(20)}
    timer = threading.Timer(0.1, gate.shut)
    back = threading.Timer(2.5, gate.open)
    timer.start(), back.start()
    begun = time.monotonic()
    store.write(result_of(store, "linear", 1, model=big), made, store.ledger(), store.sample(), 0.5)
    assert time.monotonic() - begun > 2
    back.join()
    assert store.state("linear", 1, made).is_valid
    assert capsys.readouterr().err.count("cannot be reached") == 1


@pytest.mark.process
@pytest.mark.fault("the S3 server is gone for 20 s")
@pytest.mark.slow
def test_the_server_is_gone_for_twenty_seconds_of_a_run(
    trained: OofStore, competition_folder: Path, s3_url: str, tmp_path: Path
) -> None:
    """With the driver's own settings; the run ends well, with the bytes of a run that nothing happened to."""
    gate = Gate(s3_url)
    config = write_config(tmp_path / "small.yaml", LINEAR, BOOSTED)
    with s3_at(gate.url):
        make_bucket()
        root = new_place("s3", tmp_path)
        command = [sys.executable, "-m", "ensemble.train", config, "--data", competition_folder, "--oof", root]
        run = subprocess.Popen(
            [*map(str, command), "--engine", "inline"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        store = OofStore(root / "small")
        while run.poll() is None and store.record("linear", 0) is None:
            time.sleep(0.05)
        gate.shut()
        time.sleep(20)
        gate.open()
        said, told = run.communicate(timeout=300)
        assert run.returncode == 0, said + told
        assert "s3://bucket cannot be reached" in told
        assert "s3://bucket is reached again" in told
        for member in ("linear", "boosted"):
            for fold in range(3):
                path, local = (s.fold_folder(member, fold) / "predictions.parquet" for s in (store, trained))
                assert path.read_bytes() == local.read_bytes()
