"""Picking an engine by its name on the command line."""

from __future__ import annotations

from ensemble.engine.base import Engine
from ensemble.errors import UserError


def make_engine(name: str) -> Engine:
    """Build the engine `ray` or `inline`. Ray is imported only when it is asked for."""
    if name == "inline":
        from ensemble.engine.inline import InlineEngine

        return InlineEngine()
    if name == "ray":
        from ensemble.engine.on_ray import RayEngine

        return RayEngine()
    raise UserError(f"--engine takes ray or inline, not {name!r}")
