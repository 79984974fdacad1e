"""Engines by their name on the command line."""

from __future__ import annotations

from collections.abc import Callable

from ensemble.core.errors import UserError
from ensemble.engine.base import Engine


def engine_maker(name: str) -> Callable[[], Engine]:
    """Return what builds the engine `ray` or `inline`. Ray is imported only when its engine is built.

    Raises
    ------
    UserError
        There is no such engine.
    """
    makers: dict[str, Callable[[], Engine]] = {"ray": _ray, "inline": _inline}
    if name not in makers:
        raise UserError(f"--engine takes {' or '.join(makers)}, not {name!r}")
    return makers[name]


def _inline() -> Engine:
    from ensemble.engine.inline import InlineEngine

    return InlineEngine()


def _ray() -> Engine:
    from ensemble.engine.ray_engine import RayEngine

    return RayEngine()
