"""The application of a worker process, with the settings that the command has left in the environment."""

from __future__ import annotations

import os
import sys
from typing import Final

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from ensemble.core.console.console import make_console
from ensemble.core.errors import UserError
from ensemble.serve.app import make_app
from ensemble.serve.protocol import BoundedProtocol
from ensemble.serve.settings import Settings

SETTINGS: Final = "ENSEMBLE_SERVE"  # name of the variable: processes that uvicorn starts get no arguments


def app() -> FastAPI:
    """Return the application."""
    settings = Settings.from_json(os.environ[SETTINGS])
    BoundedProtocol.most_connections = settings.limits.connections
    try:
        return make_app(settings)
    except UserError as error:
        make_console(stderr=True).print(str(error), markup=False)
        sys.exit(STARTUP_FAILURE)  # or it would be started again, and fail again
