"""All blenders on one problem: their scores, the choice, the decision, and what they tell of the members."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.average import AverageOfBlenders
from ensemble.blend.blenders.base import blended
from ensemble.blend.blenders.greedy import GreedySelection
from ensemble.blend.blenders.roster import Maker, blenders
from ensemble.blend.blenders.simple import MeanOfLogits, SingleBest
from ensemble.blend.blenders.studies import Studies
from ensemble.blend.evaluation.choice import Choice, choose
from ensemble.blend.evaluation.nested import Evaluation, Problem, evaluate, evaluate_average
from ensemble.blend.evaluation.outlook import Outlook, outlook
from ensemble.blend.evaluation.prior import PriorShift, estimate_prior
from ensemble.blend.evaluation.threshold import CALIBRATION, Rule, as_it_is, place_decision
from ensemble.blend.evaluation.worth import Worth, worth
from ensemble.blend.inputs import Inputs
from ensemble.config import BlendSettings
from ensemble.core.arrays import Array, Logits
from ensemble.core.metrics.decisions import right_count, right_decisions
from ensemble.store.predictions import member_cost

Log = Callable[[str], None]


@dataclass(frozen=True)
class Blend:
    """What came out of comparing all blenders.

    Attributes
    ----------
    evaluations : list of Evaluation
        From simple to complex.
    rule, rules : Rule
        How the decision is put at 0.5, and all that was tried.
    added_logit : float
        What is added to every test logit for another share of fakes; 0 unless it was asked for.
    prior, worth, outlook
        None as long as all rows are of one fold: then nothing can be held out.
    rivals : dict
        What others must beat, with its right decisions (rows,): the plain mean, and the best member by its name.
    seconds : dict
        What each blender took.
    """

    evaluations: list[Evaluation]
    choice: Choice
    rule: Rule
    rules: list[Rule]
    prior: PriorShift | None
    added_logit: float
    worth: Worth | None
    outlook: Outlook | None
    rivals: dict[str, NDArray[np.bool_]]
    seconds: dict[str, float]

    def final_logits(self, test: Logits, problem: Problem) -> Array:
        """Logits (test rows,) that are handed in, of all columns of the test rows."""
        blender = self.choice.chosen.blender
        seen = blender.columns_of(test, problem.members)
        return self.rule.decision(blender.decision_function(seen)) + self.added_logit


def compare_blenders(inputs: Inputs, settings: BlendSettings, studies: Studies | None, log: Log) -> Blend:
    """Fit and score every blender, choose, place the decision, and weigh the members.

    As long as all rows are of one fold nothing can be held out: then the plain mean, which learns nothing, is taken.
    """
    problem, rivals = inputs.problem, _rivals(inputs)
    if not problem.held_out:
        evaluation = evaluate(MeanOfLogits, MeanOfLogits, problem)
        choice = Choice(evaluation, "all rows are of one fold, so only the plain mean can be told", evaluation)
        rule = as_it_is(evaluation, problem)
        return Blend([evaluation], choice, rule, [rule], None, 0.0, None, None, rivals, {evaluation.title: 0.0})
    makers = blenders(settings, problem.members, studies)
    evaluations, seconds = _evaluated(makers or [(MeanOfLogits, MeanOfLogits)], settings, problem, log)
    log("choosing")
    choice = choose(evaluations, problem)
    rule, rules = place_decision(choice.choosing, problem)
    prior, added = _prior(choice.chosen, rule, rules, inputs)
    log("weighing the members")
    found = _worth(choice.chosen, inputs, settings.rounds)
    return Blend(
        evaluations,
        choice,
        rule,
        rules,
        prior,
        added if settings.correct_prior else 0.0,
        found,
        outlook(problem, found, _recipes(inputs), settings.rounds),
        rivals,
        seconds,
    )


def _evaluated(
    makers: list[tuple[Maker, Maker]], settings: BlendSettings, problem: Problem, log: Log
) -> tuple[list[Evaluation], dict[str, float]]:
    """Every blender scored, and the seconds that it took; the average of all but the best member comes last."""
    evaluations: list[Evaluation] = []
    seconds: dict[str, float] = {}
    for place, (make_final, make) in enumerate(makers, start=1):
        begun = time.perf_counter()
        log(f"blender {place} of {len(makers)}: {make().title}")
        evaluations.append(evaluate(make_final, make, problem))
        seconds[evaluations[-1].title] = time.perf_counter() - begun
    averaged = [evaluation for evaluation in evaluations if evaluation.title != SingleBest.title]
    if AverageOfBlenders.title in settings.methods and len(averaged) > 1:
        begun = time.perf_counter()
        evaluations.append(evaluate_average(averaged, problem))
        seconds[AverageOfBlenders.title] = time.perf_counter() - begun
    return evaluations, seconds


def _rivals(inputs: Inputs) -> dict[str, NDArray[np.bool_]]:
    problem = inputs.problem
    logits = problem.logits[:, : problem.members]
    best = int(np.argmax([right_count(column, problem.labels) for column in logits.T]))
    mean = blended(logits, np.full(problem.members, 1 / problem.members), 0.0)
    return {
        "the plain mean": right_decisions(mean, problem.labels),
        inputs.members[best]: right_decisions(logits[:, best], problem.labels),
    }


def _prior(chosen: Evaluation, rule: Rule, rules: list[Rule], inputs: Inputs) -> tuple[PriorShift, float]:
    """Estimated from calibrated logits, since EM takes probabilities at their word; and what a correction would add.

    The correction is that of calibrated logits, brought to the scale of those that are handed in.
    """
    calibrated = next(rule for rule in rules if rule.title == CALIBRATION)
    problem = inputs.problem
    seen = chosen.blender.columns_of(inputs.test, problem.members)
    test = calibrated.decision(chosen.blender.decision_function(seen))
    prior = estimate_prior(calibrated.nested, problem.labels, test)
    return prior, prior.correction * calibrated.decision.temperature / rule.decision.temperature


def _worth(chosen: Evaluation, inputs: Inputs, rounds: int) -> Worth:
    members = inputs.members
    by = MeanOfLogits.title if chosen.title == MeanOfLogits.title else GreedySelection.title
    seconds = [member_cost(member, inputs.predictions)["seconds"] for member in members]
    return worth(inputs.problem, by, rounds, members, seconds)


def _recipes(inputs: Inputs) -> list[dict[str, Any] | None]:
    """Of each member; None for those that were trained elsewhere."""
    records = inputs.predictions.records
    found = [next(r for f, r in records.items() if f.startswith(f"{member}/")) for member in inputs.members]
    return [None if record.trained_elsewhere else record.provenance.recipe for record in found]
