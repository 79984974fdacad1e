"""The application of a worker process, with the settings that the command has left in the environment."""

from __future__ import annotations

import os
from typing import Final

from fastapi import FastAPI

from ensemble.core.console.console import make_console
from ensemble.core.console.text import sentence
from ensemble.core.errors import UserError
from ensemble.serve.app import make_app
from ensemble.serve.protocol import BoundedProtocol
from ensemble.serve.settings import Settings
from ensemble.serve.supervisor import end_as_failed, end_with_parent

SETTINGS: Final = "ENSEMBLE_SERVE"  # name of the variable: processes that uvicorn starts get no arguments


def app() -> FastAPI:
    """Return the application."""
    end_with_parent()
    settings = Settings.from_json(os.environ[SETTINGS])
    BoundedProtocol.most_connections = settings.limits.connections
    try:
        return make_app(settings)
    except Exception as error:  # of any library, or a lack of memory
        said = str(error) if isinstance(error, UserError) else f"the bundle cannot be loaded: {sentence(str(error))}"
        make_console(stderr=True).print(said, markup=False)
        end_as_failed()
        raise
