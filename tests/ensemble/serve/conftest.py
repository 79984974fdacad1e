"""Servers of the golden bundle, in processes of their own."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2 as httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.ensemble.predict.golden import GOLDEN

BUNDLE = GOLDEN / "schema-1.zip"
Serve = Callable[..., "Server"]


class Server:
    """A server that is up."""

    def __init__(self, process: subprocess.Popen[str], address: str, errors: Path) -> None:
        self.process, self.address, self.errors = process, address, errors
        self.client = httpx.Client(base_url=address, timeout=60)

    def wait(self) -> None:
        """Wait until it answers: Ray listens only once its replicas are up."""
        while True:
            with suppress(httpx.TransportError):
                if self.client.get("/v1/health").status_code == 200:
                    return
            assert self.process.poll() is None, self.errors.read_text()
            time.sleep(0.2)

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        running = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
        return [child for child in running if "spawn_main" in " ".join(child.cmdline())]

    def check(self, content: bytes, **options: object) -> httpx.Response:
        return self.client.post("/v1/check", content=content, **options)  # type: ignore[arg-type]


@contextmanager
def serving(
    folder: Path,
    *options: object,
    bundle: Path = BUNDLE,
    before: Callable[[], None] | None = None,
    **environment: str,
) -> Iterator[Server]:
    """Start `ensemble serve` in a folder, and end it by SIGTERM; `before` is called in its process first."""
    errors = folder / "serve.err"
    command = [sys.executable, "-m", "ensemble", "serve", bundle, "--port", 0, *options]
    with errors.open("w") as file:
        process = subprocess.Popen(
            list(map(str, command)),
            stderr=file,
            stdout=file,
            text=True,
            cwd=folder,
            env={**os.environ, **environment},
            preexec_fn=before,
        )
    try:
        while not (found := re.search(r"http://[\w.:\[\]]+:\d+", errors.read_text())):
            assert process.poll() is None, errors.read_text()
        server = Server(process, found[0], errors)
        with server.client:
            server.wait()
            yield server
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with the limits as they are by themselves, but for the rate."""
    with serving(tmp_path_factory.mktemp("serve"), "--max-per-minute", 1_000_000) as running:
        yield running


def photograph(seed: int = 0, size: int = 32, kind: str = "PNG", **options: object) -> bytes:
    """A photograph of noise."""
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()
