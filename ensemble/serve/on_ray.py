"""The same application on Ray Serve: replicas on all nodes of a cluster, as many as there is work for."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from ensemble.core.errors import UserError
from ensemble.engine.ray_connection import check_a_node_has, connect
from ensemble.serve.app import make_app
from ensemble.serve.limits import Limits
from ensemble.serve.settings import Settings

_NAME = "who-took-this-photo"
_ONGOING = 4  # requests of a replica, above which another one is started
_MOST_ONGOING = 64  # requests that a replica is handed at a time; its own queue refuses the rest


def application(settings: Settings, replicas: int) -> serve.Application:
    """Return the application for Ray Serve; each replica reads the bundle, from an address that all nodes reach."""

    def make() -> FastAPI:
        return make_app(settings)

    deployment: Any = serve.deployment(
        serve.ingress(make)(),
        name=_NAME,
        ray_actor_options={"num_cpus": settings.threads},
        autoscaling_config={"min_replicas": 1, "max_replicas": replicas, "target_ongoing_requests": _ONGOING},
        max_ongoing_requests=_MOST_ONGOING,
    )
    bound: serve.Application = deployment.bind()
    return bound


def build(arguments: dict[str, Any]) -> serve.Application:
    """Return the application for the arguments of a Serve config: those of `Settings` and `Limits`, and `replicas`.

    The key is that of ENSEMBLE_API_KEY in the replicas' environment, unless it is among the arguments.
    """
    known = {field.name for field in fields(Limits)}
    limits = Limits(**{name: value for name, value in arguments.items() if name in known})
    others = {name: value for name, value in arguments.items() if name not in known and name != "replicas"}
    key = os.environ.get("ENSEMBLE_API_KEY")
    return application(Settings(**{"key": key, **others}, limits=limits), int(arguments.get("replicas", 1)))


def run(settings: Settings, host: str, port: int, replicas: int, say_ready: Callable[[], None]) -> None:
    """Serve until a signal ends it, on the cluster in RAY_ADDRESS or on a private Ray; then call `say_ready`.

    Raises
    ------
    UserError
        Ray does not start or cannot be reached, or the replicas do not start.
    """
    connect()
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    try:
        check_a_node_has(settings.threads)
        serve.start(http_options={"host": host, "port": port})
        serve.run(application(settings, replicas), name=_NAME, route_prefix="/")
        say_ready()
        threading.Event().wait()
    except (RuntimeError, OSError, RayError, RayServeException) as error:
        raise UserError(f"the replicas do not start ({' '.join(str(error).split())[:300]})") from None
    finally:
        with suppress(Exception):  # where Serve did not start there is nothing to delete
            serve.delete(_NAME)
        ray.shutdown()
