"""Bringing the photographs that a report shows into the store, before the report is made from it."""

from __future__ import annotations

from collections import Counter

from ensemble.competition.dataset import Competition
from ensemble.report.exhibits.kept import EXHIBITS, keep_exhibits
from ensemble.report.exhibits.selection import choose, wanted
from ensemble.report.facts.material import Material


def bring_photographs(material: Material, competition: Competition | None = None) -> str:
    """Keep what the report shows in the store. Returns a sentence where something could not be had; raises nothing.

    `competition` is where the photographs are taken from, if it is open already.
    """
    try:
        store, settings = material.store, material.experiment.data
        found = keep_exhibits(store, wanted(choose(material)), settings, competition)
    except (Exception, SystemExit) as error:  # a run of hours must not end in a picture's fault
        return f"{EXHIBITS} could not be made, so the report shows fewer ({type(error).__name__}: {error})"
    count = len(found.contents) + len(found.why_not)
    return why_not(list(found.why_not.values()), count, f"ensemble report {material.store.root} --data PATH")


def why_not(reasons: list[str], count: int, command: str) -> str:
    """One sentence about those of `count` photographs that are not at hand, and how to get them; empty for none."""
    if not reasons:
        return ""
    why = "; ".join(reason for reason, _ in Counter(reasons).most_common())
    return (
        f"{len(reasons)} of {count} photographs are not shown ({why}): {command} shows them, PATH being the competition"
    )
