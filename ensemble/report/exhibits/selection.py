"""Photographs that the report shows: five questions, and the photographs that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ensemble.report.exhibits.criteria import (
    Chosen,
    LabelDoubts,
    confident_errors,
    disagreements,
    least_sure,
    likely_label_errors,
    only_one_right,
)
from ensemble.report.exhibits.opinions import MEAN, Opinions, opinions_of_test, opinions_of_training
from ensemble.report.facts.material import Material

LABEL_DOUBTS = "label-doubts"  # shown where there are none too: readers should know that they were looked for
_TOO_FEW = "They are found where at least two members agree against a label; here no photograph has two members."
_HOW = "Out-of-fold: no model had seen a photograph that it predicts here."


@dataclass(frozen=True)
class Choice:
    """One question, and the photographs that answer it."""

    id: str
    title: str
    caption: str
    opinions: Opinions
    chosen: list[Chosen]

    @property
    def identities(self) -> list[str]:
        """`split/name` of the photographs."""
        return [self.opinions.identity(each.row) for each in self.chosen]


@lru_cache(maxsize=1)
def choose(material: Material) -> list[Choice]:
    """Choose the photographs of the report, by question; one that none answers is left out, except label errors."""
    train, test = opinions_of_training(material), opinions_of_test(material)
    who = "the mean of the members (there is no blend of them yet)" if train.lead_title == MEAN else "the blend"
    doubts = likely_label_errors(train)
    label_errors = _of_doubts(doubts, train) if doubts else _TOO_FEW
    errors = f"Errors of {who} with the highest confidence, in both directions. {_HOW}"
    differences = f"Where the members' predictions differ most. {_HOW}"
    alone = f"What each member adds: all others are wrong. {_HOW}"
    uncertain = (
        f"The test photographs whose probability by {who} is nearest to 0.5. Their true class is not known here. A "
        "member's probability is the mean over its fold models."
    )
    choices = [
        Choice("confident-errors", "The most confident errors", errors, train, confident_errors(train)),
        Choice("disagreements", "The strongest disagreements", differences, train, disagreements(train)),
        Choice(LABEL_DOUBTS, "Likely label errors", label_errors, train, doubts.chosen if doubts else []),
        Choice("only-one", "Photographs that only one member gets right", alone, train, only_one_right(train)),
        Choice("least-sure", "The most uncertain test photographs", uncertain, test, least_sure(test)),
    ]
    return [choice for choice in choices if choice.chosen or choice.id == LABEL_DOUBTS]


def photographs_of(choices: list[Choice]) -> list[str]:
    """Return `split/name` of all photographs that are shown, each once."""
    return list(dict.fromkeys(name for choice in choices for name in choice.identities))


def _of_doubts(doubts: LabelDoubts, train: Opinions) -> str:
    real, fake = doubts.thresholds
    if not doubts.found:
        return (
            f"None: there is no photograph whose label every member contradicts, the {train.lead_title} with "
            "confidence. That does not make all labels right: one member that agrees with a wrong label hides it."
        )
    shown = f", the {len(doubts.chosen)} most confident are shown" if doubts.found > len(doubts.chosen) else ""
    return (
        "Likely, not certain: a person should look. Every member contradicts the label, and the "
        f"{train.lead_title} is as confident of that as it is on average on photographs of that class (real "
        f"{real:.2f}, fake {fake:.2f}: the rule of confident learning). {doubts.found} of {len(train.names):,} "
        f"photographs meet this{shown}. All members are wrong about {doubts.all_wrong}; if their errors were "
        f"independent, {doubts.by_chance:.1f} would be expected. But all members fail on hard photographs, so a label "
        f"here may well be right; and one member that agrees with a wrong label hides it. {_HOW}"
    )
