"""Places where a store may lie, for tests: a folder, memory, and a server that speaks S3, with a gate before it."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import typer
from typer.testing import CliRunner

from ensemble.core.console.console import guarded
from ensemble.core.storage.files import Location, location

KINDS = ["local", "memory", pytest.param("s3", marks=pytest.mark.s3)]
BUCKET = "bucket"


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """A server on this machine; gives its URL."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextlib.contextmanager
def s3_at(url: str) -> Iterator[None]:
    """Addresses that begin with s3:// lead to this server, in this process and in those that it starts."""
    import s3fs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        yield
        s3fs.S3FileSystem.clear_instance_cache()


def new_place(kind: str, folder: Path) -> Location:
    """An empty folder of a kind; for s3 a server must be at hand."""
    if kind == "local":
        return folder / "place"
    return location(f"{kind}://{BUCKET}/{uuid.uuid4().hex}")


def make_bucket() -> None:
    with contextlib.suppress(FileExistsError):
        fsspec.filesystem("s3").mkdir(BUCKET)


def fill(place: Location, folder: Path) -> Location:
    """Copy a folder into a place, byte by byte."""
    for file in folder.rglob("*"):
        if file.is_file():
            target = place / file.relative_to(folder).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return place


def content(place: Location) -> dict[str, bytes]:
    """All that lies in a place, by relative name."""
    if isinstance(place, Path):
        return {p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob("*") if p.is_file()}
    return dict(place.read_files(place.files_below()))


def invoke(command: Callable[..., Any], *args: object) -> Any:
    """A command as a person gives it, in this process."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(guarded(command))
    return CliRunner().invoke(app, [str(arg) for arg in args])


class Gate:
    """A way to a server that can be shut: then connections are refused, as by a machine that is gone."""

    def __init__(self, url: str) -> None:
        self.server = ("127.0.0.1", int(url.rpartition(":")[2]))
        self.port = 0
        self.open()
        self.url = f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.port = self.listener.getsockname()[1]
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.is_shut = False
        threading.Thread(target=self._accept, args=(self.listener, self.pairs), daemon=True).start()

    def shut(self) -> None:
        """Refuse what comes, and cut what is under way."""
        self.is_shut = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            pair = (client, socket.create_connection(self.server))
            pairs.append(pair)
            threading.Thread(target=_forward, args=pair, daemon=True).start()


def _forward(client: socket.socket, server: socket.socket) -> None:
    with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)
