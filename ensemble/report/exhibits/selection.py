"""All that the report shows of photographs: five questions, and the photographs that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

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

LABEL_DOUBTS = "label-doubts"  # told where there are none, too: that they were looked for is news
_NOBODY_AGREES = "They are told where at least two members agree against a label; here no photograph has two members."
_HOW = "Out-of-fold: no model had seen a photograph that it judges here."


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


def choose(material: Material) -> list[Choice]:
    """The photographs of the report, by question; a question that none answers is left out, but that of the labels."""
    train, test = opinions_of_training(material), opinions_of_test(material)
    who = "the mean of the members (there is no blend of them yet)" if train.lead_title == MEAN else "the blend"
    doubts = likely_label_errors(train)
    of_train = partial(Choice, opinions=train)
    choices = [
        of_train(
            id="confident-errors",
            title="The most confident errors",
            caption=f"Where {who} is surest and wrong, in both directions. {_HOW}",
            chosen=confident_errors(train),
        ),
        of_train(
            id="disagreements",
            title="The strongest disagreements",
            caption=f"Where members contradict each other most: what one is blind to, another sees. {_HOW}",
            chosen=disagreements(train),
        ),
        of_train(
            id=LABEL_DOUBTS,
            title="Likely label errors",
            caption=_of_doubts(doubts, train) if doubts else _NOBODY_AGREES,
            chosen=doubts.chosen if doubts else [],
        ),
        of_train(
            id="only-one",
            title="Photographs that only one member gets right",
            caption=f"What each member adds: the others, all of them, are wrong. {_HOW}",
            chosen=only_one_right(train),
        ),
        Choice(
            id="least-sure",
            title="Test photographs about which nobody can be sure",
            caption=f"The test photographs that {who} puts nearest to 0.5. Nobody here knows the truth. A member's "
            "probability is the mean over its fold models.",
            opinions=test,
            chosen=least_sure(test),
        ),
    ]
    return [choice for choice in choices if choice.chosen or choice.id == LABEL_DOUBTS]


def photographs_of(choices: list[Choice]) -> list[str]:
    """`split/name` of all photographs that are shown, each once; bounded, since every choice is."""
    return list(dict.fromkeys(name for choice in choices for name in choice.identities))


def _of_doubts(doubts: LabelDoubts, train: Opinions) -> str:
    real, fake = doubts.thresholds
    if not doubts.found:
        return (
            f"None: there is no photograph that every member decides against its label, the {train.lead_title} with "
            "confidence. That does not make all labels right: one member that sides with a wrong label hides it."
        )
    shown = f", the {len(doubts.chosen)} surest are shown" if doubts.found > len(doubts.chosen) else ""
    return (
        "Likely, not certain: a person should look. Every member decides against the label, and the "
        f"{train.lead_title} is as sure of that as it is on average of photographs with that label (real {real:.2f}, "
        f"fake {fake:.2f}: the rule of confident learning). {doubts.found} of {len(train.names):,} photographs meet "
        f"this{shown}. All members are wrong about {doubts.all_wrong}; if they erred independently of one another, "
        f"{doubts.by_chance:.1f} would be expected by chance. But they err together on what is hard for all, so a "
        f"photograph here may well be labelled rightly; and one member that sides with a wrong label hides it. {_HOW}"
    )
