"""All blenders on one problem: their scores, the choice, the decision rule, and the worth of the members."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import blended
from ensemble.blend.blenders.greedy import GreedySelection
from ensemble.blend.blenders.roster import blenders
from ensemble.blend.blenders.simple import AverageOfBlenders, MeanOfLogits, SingleBest
from ensemble.blend.evaluation.choice import Choice, choose
from ensemble.blend.evaluation.nested import Evaluation, Problem, evaluate, evaluate_average
from ensemble.blend.evaluation.outlook import Outlook, outlook
from ensemble.blend.evaluation.prior import PriorShift, estimate_prior
from ensemble.blend.evaluation.threshold import CALIBRATION, Rule, as_it_is, place_decision
from ensemble.blend.evaluation.worth import Worth, worth
from ensemble.blend.inputs import Inputs
from ensemble.config.experiment import BlendSettings
from ensemble.core.arrays import Array
from ensemble.core.metrics.decisions import correct_count, correct_logits
from ensemble.store.predictions import member_cost

Log = Callable[[str], None]


@dataclass(frozen=True)
class Blend:
    """Result of the comparison of all blenders.

    Attributes
    ----------
    test : float64 (test rows,)
        Logits to submit: those of the chosen blender after the decision rule and the correction of the prior.
    evaluations : list of Evaluation
        From simple to complex.
    rule, rules : Rule
        The decision rule, and all that were tried.
    added_logit : float
        Correction of every test logit for a different share of fakes; 0 unless requested.
    prior, worth, outlook
        None if all rows are of one fold: then nothing can be held out.
    rivals : dict
        Correct decisions (rows,) of what the blenders should beat: the plain mean, and the best member by its name.
    seconds : dict
        Seconds that each blender took.
    """

    test: Array
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


def compare_blenders(inputs: Inputs, settings: BlendSettings, log: Log) -> Blend:
    """Fit and score every blender, choose one, place its decision, and measure the worth of the members."""
    problem = inputs.problem
    if not problem.held_out:
        return _plain_mean(inputs)
    evaluations, seconds = _evaluate_all(settings, problem, log)
    log("choosing a blender")
    choice = choose(evaluations, problem, inputs.altered)
    rule, rules = place_decision(choice.choosing, problem)
    test = _test_logits(choice, inputs)
    prior, correction = _prior(test[inputs.has_photograph], rule, rules, problem)
    added = correction if settings.correct_prior else 0.0
    log("measuring the worth of each member")
    members_worth = _worth(choice.chosen, inputs, settings.rounds)
    return Blend(
        test=rule.decision(test) + added,
        evaluations=evaluations,
        choice=choice,
        rule=rule,
        rules=rules,
        prior=prior,
        added_logit=added,
        worth=members_worth,
        outlook=outlook(problem, members_worth, _recipes(inputs), settings.rounds),
        rivals=_rivals(inputs),
        seconds=seconds,
    )


def _plain_mean(inputs: Inputs) -> Blend:
    """Take the plain mean, which learns nothing, if all rows are of one fold: nothing can be held out of others."""
    evaluation = evaluate(MeanOfLogits(), inputs.problem)
    choice = Choice(evaluation, "all rows are of one fold, so only the plain mean can be used", evaluation)
    rule = as_it_is(evaluation, inputs.problem)
    return Blend(
        test=rule.decision(_test_logits(choice, inputs)),
        evaluations=[evaluation],
        choice=choice,
        rule=rule,
        rules=[rule],
        prior=None,
        added_logit=0.0,
        worth=None,
        outlook=None,
        rivals=_rivals(inputs),
        seconds={evaluation.title: 0.0},
    )


def _evaluate_all(settings: BlendSettings, problem: Problem, log: Log) -> tuple[list[Evaluation], dict[str, float]]:
    """Score every blender, and time it; the average of all but the best member comes last."""
    candidates = blenders(settings, problem.members)
    evaluations: list[Evaluation] = []
    seconds: dict[str, float] = {}
    for number, blender in enumerate(candidates, start=1):
        started = time.perf_counter()
        log(f"blender {number} of {len(candidates)}: {blender.title}")
        evaluations.append(evaluate(blender, problem))
        seconds[blender.title] = time.perf_counter() - started
    averaged = [evaluation for evaluation in evaluations if evaluation.title != SingleBest.title]
    if AverageOfBlenders.title in settings.methods and len(averaged) > 1:
        started = time.perf_counter()
        evaluations.append(evaluate_average(averaged, problem))
        seconds[AverageOfBlenders.title] = time.perf_counter() - started
    return evaluations, seconds


def _rivals(inputs: Inputs) -> dict[str, NDArray[np.bool_]]:
    problem = inputs.problem
    logits = problem.logits[:, : problem.members]
    best = int(np.argmax([correct_count(column, problem.labels) for column in logits.T]))
    mean = blended(logits, np.full(problem.members, 1 / problem.members), 0.0)
    return {
        "the plain mean": correct_logits(mean, problem.labels),
        inputs.members[best]: correct_logits(logits[:, best], problem.labels),
    }


def _test_logits(choice: Choice, inputs: Inputs) -> Array:
    blender = choice.chosen.blender
    return blender.decision_function(blender.columns_of(inputs.test, inputs.problem.members))


def _prior(test: Array, rule: Rule, rules: list[Rule], problem: Problem) -> tuple[PriorShift, float]:
    """Estimate the prior shift from calibrated logits, which EM assumes; return it with the correction for `rule`."""
    calibrated = next(each for each in rules if each.title == CALIBRATION)
    prior = estimate_prior(calibrated.nested, problem.labels, calibrated.decision(test))
    return prior, prior.correction * calibrated.decision.temperature / rule.decision.temperature


def _worth(chosen: Evaluation, inputs: Inputs, rounds: int) -> Worth:
    members = inputs.members
    by = MeanOfLogits.title if chosen.title == MeanOfLogits.title else GreedySelection.title
    seconds = [member_cost(member, inputs.predictions)["seconds"] for member in members]
    return worth(inputs.problem, by, rounds, members, seconds)


def _recipes(inputs: Inputs) -> list[dict[str, Any] | None]:
    """Return the recipe of each member; None for external ones."""
    records = inputs.predictions.records
    first = [next(r for f, r in records.items() if f.startswith(f"{member}/")) for member in inputs.members]
    return [None if record.trained_elsewhere else record.provenance.recipe for record in first]
