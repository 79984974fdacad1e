"""Sections of the report, in the order in which a reader needs them."""

from __future__ import annotations

from collections.abc import Callable

from ensemble.report.card.card import card
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Section
from ensemble.report.sections.answer import answer
from ensemble.report.sections.cost import cost
from ensemble.report.sections.decision import decision
from ensemble.report.sections.diversity import diversity
from ensemble.report.sections.growth import growth
from ensemble.report.sections.leaderboard import leaderboard_section
from ensemble.report.sections.members import members
from ensemble.report.sections.photographs import photographs
from ensemble.report.sections.repeats import repeats
from ensemble.report.sections.stress.audits import audits
from ensemble.report.sections.stress.generators import generators
from ensemble.report.sections.stress.robustness import robustness
from ensemble.report.sections.tuning import tuning

SectionMaker = Callable[[Material], Section | None]
SECTIONS: dict[str, SectionMaker] = {
    "The answer": answer,
    "Leaderboard": leaderboard_section,
    "Diversity": diversity,
    "Repeated folds": repeats,
    "The decision": decision,
    "Photographs": photographs,
    "Robustness": robustness,
    "Unseen generators": generators,
    "Audits": audits,
    "Growth": growth,
    "Tuning": tuning,
    "Cost": cost,
    "Members, one by one": members,
    "Model card": card,
}
