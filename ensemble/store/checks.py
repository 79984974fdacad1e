"""What an audit tells: a question, a plain verdict, what was found, what to do; all of it plain JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["fine", "look", "alarm", "not run"]
GRAVEST_FIRST: tuple[Verdict, ...] = ("alarm", "look", "fine", "not run")


@dataclass(frozen=True)
class Evidence:
    """A small table behind a verdict: values are texts, numbers or None."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Check:
    """One audit.

    Attributes
    ----------
    id : str
        Such as `formats`.
    title : str
        The question, as a person would ask it: Does the file format give the answer away?
    sentence : str
        What was found, with its numbers, their standard errors and what they were measured on.
    remedy : str
        What to do about it; empty where all is fine.
    figures : dict
        Numbers from which the verdict can be given anew, with what is known later; most have none.
    """

    id: str
    title: str
    verdict: Verdict
    sentence: str
    remedy: str = ""
    tables: tuple[Evidence, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def not_run(name: str, title: str, why: str) -> Check:
    """An audit that could not be made."""
    return Check(name, title, "not run", why)
