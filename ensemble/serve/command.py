"""The command `ensemble serve`: a bundle as an API and as pages, on this machine or on Ray Serve."""

from __future__ import annotations

import math
import os
import resource
import socket
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer

from ensemble.core.console.console import make_console
from ensemble.core.console.options import BundleArgument
from ensemble.core.errors import UserError
from ensemble.core.storage.files import location
from ensemble.predict.bundle.files import BundleFiles
from ensemble.serve.access import ANY, LOOPBACK, host_names
from ensemble.serve.game.pictures import pictures_of
from ensemble.serve.limits import MEBIBYTE, Limits
from ensemble.serve.settings import Settings

_FILES = 65_536  # connections and files that may be open; systems begin with 1,024


def main(
    bundle: BundleArgument,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for any that is free.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, help="Worker processes, each with a copy of the models; on Ray, the most replicas.")
    ] = 1,
    engine: Annotated[
        str, typer.Option(help="inline (processes of this machine), or ray (Ray Serve, on RAY_ADDRESS if it is set).")
    ] = "inline",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Compute threads of each worker; default: all cores, divided among them; on Ray one."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="ENSEMBLE_API_KEY", help="Key that requests must send; safer as the variable. Default: none."
        ),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Host name that clients may use, such as check.example.org; repeatable.")
    ] = None,
    play: Annotated[
        str | None,
        typer.Option(help="Pictures of the game: a store, or a folder of photographs with a table. Default: no game."),
    ] = None,
    max_photos: Annotated[int, typer.Option(min=1, help="Most photographs in one request.")] = Limits.photographs,
    max_mib: Annotated[int, typer.Option(min=1, help="Largest request, in MiB.")] = Limits.request_bytes // MEBIBYTE,
    max_per_minute: Annotated[
        int, typer.Option(min=1, help="Most photographs a minute from one client, for each worker.")
    ] = Limits.per_minute,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Most photographs that wait, for each worker.")
    ] = Limits.waiting,
    max_seconds: Annotated[
        float, typer.Option(min=0.1, help="Longest time for a request, in seconds.")
    ] = Limits.seconds,
) -> None:
    """Serve a bundle as an HTTP API and a web page, by default at http://127.0.0.1:8000."""
    if engine not in ("inline", "ray"):
        raise UserError(f"--engine takes inline or ray, not {engine!r}")
    if not math.isfinite(max_seconds):
        raise UserError(f"--max-seconds takes a number of seconds, not {max_seconds}")
    limits = Limits(
        photographs=max_photos,
        request_bytes=max_mib * MEBIBYTE,
        waiting=max_waiting,
        seconds=max_seconds,
        per_minute=max_per_minute,
    )
    cores = threads or (1 if engine == "ray" else max((os.cpu_count() or 1) // workers, 1))
    if api_key is None:
        api_key = os.environ.get("ENSEMBLE_API_KEY")  # an empty one is a mistake, which typer takes for none
    names, found = host_names(host, tuple(name or ())), _everywhere(str(bundle))
    settings = Settings(found, cores, api_key, names, limits, play and _everywhere(play))
    manifest = BundleFiles(bundle).manifest  # a mistake is better noticed here than by every worker
    if play:
        pictures_of(location(play))
    console = make_console(stderr=True)
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    called = name[0] if name else _reachable(host)
    address = f"http://{called if ':' not in called else f'[{called}]'}:{port}"
    ready = f"{manifest.name} answers at {address} (Ctrl-C ends it)"
    if host not in LOOPBACK and api_key is None:
        ready += "\nAnyone who can reach this machine can send photographs: set ENSEMBLE_API_KEY to require a key."
    say_ready = partial(console.print, ready, markup=False)
    with suppress(KeyboardInterrupt):  # as SIGTERM and Ctrl-C end it: then all that had begun is answered
        if engine == "ray":
            from ensemble.serve.on_ray import run  # a small installation has no Ray

            listening.close()  # Ray listens itself
            run(settings, host, port, workers, say_ready)
        else:
            say_ready()  # who asks from now on waits for the workers
            _run(settings, listening, workers)


def _reachable(host: str) -> str:
    """Return what others call this machine by: its own address where it listens on all."""
    if host not in ANY:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # an address for documentation; nothing is sent
        except OSError:  # no network
            return socket.gethostname()
        return str(asking.getsockname()[0])


def _everywhere(place: str) -> str:
    """Return a path as it is found from any folder; an address as it is."""
    return place if "://" in place else os.path.abspath(place)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.socket(family)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except (OSError, TypeError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not a host name").lower()
        raise UserError(f"cannot listen on {host}:{port} ({reason}); give another --host or --port") from None
    found.listen(1024)
    found.set_inheritable(True)
    return found


def _run(settings: Settings, listening: socket.socket, workers: int) -> None:
    """Serve until a signal ends it; what has begun is finished first."""
    import uvicorn

    from ensemble.serve.protocol import BoundedProtocol
    from ensemble.serve.supervisor import Supervisor
    from ensemble.serve.worker import SETTINGS

    os.environ[SETTINGS] = settings.to_json()
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _FILES) if hard > 0 else _FILES, hard))
    config = uvicorn.Config(
        "ensemble.serve.worker:app",
        factory=True,
        http=BoundedProtocol,
        ws="none",
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(settings.limits.upload_seconds + settings.limits.seconds) + 5,
        timeout_worker_healthcheck=30,
    )
    supervisor = Supervisor(config, sockets=[listening])
    supervisor.run()
    if supervisor.has_failed:
        raise UserError(
            "no worker of the server could start; the reason is above, or else memory may be short: lower --workers"
        )
