"""Result of an audit: question, verdict, finding and remedy, as plain JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["fine", "look", "alarm", "not run"]
GRAVEST_FIRST: tuple[Verdict, ...] = ("alarm", "look", "fine", "not run")


@dataclass(frozen=True)
class Evidence:
    """Small table that supports a verdict: values are texts, numbers or None."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Check:
    """Result of one audit.

    Attributes
    ----------
    id : str
        Such as `formats`.
    title : str
        The question, such as: Does the file format give the answer away?
    sentence : str
        The finding, with its numbers, their standard errors and what they were measured on.
    remedy : str
        What to do about it; empty if all is fine.
    figures : dict
        Numbers from which the verdict can be computed again later; most have none.
    """

    id: str
    title: str
    verdict: Verdict
    sentence: str
    remedy: str = ""
    tables: tuple[Evidence, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def not_run(name: str, title: str, why: str) -> Check:
    """Build the result of an audit that could not be run."""
    return Check(name, title, "not run", why)
