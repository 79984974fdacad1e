"""Putting the decision at exactly 0.5: a temperature and a shift of the blended logits, applied only if they pay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ensemble.blend.blenders.base import at_most, take_rows
from ensemble.blend.evaluation.nested import Evaluation, Part, Problem
from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.decisions import right_decisions
from ensemble.core.metrics.paired import Comparison, compare
from ensemble.core.metrics.scores import PLATEAU, log_loss, to_probabilities

_NEWTON_STEPS = 25
_MOST_ROWS = 20_000  # fix a temperature to a hundredth
_TEMPERATURES = (0.05, 20.0)  # where all rows are told apart the best temperature is zero
_PROVEN_ERRORS = 2.0  # standard errors by which the log loss must fall


@dataclass(frozen=True)
class Decision:
    """Blended logits become (z - shift) / temperature, so that 0 (probability 0.5) is where the decision falls."""

    temperature: float = 1.0
    shift: float = 0.0

    def __call__(self, logits: Array) -> Array:
        """Decided logits (rows,)."""
        return (logits - self.shift) / self.temperature


@dataclass(frozen=True)
class Rule:
    """A way to place the decision, with what it gains, nested, over leaving the logits as they are.

    Attributes
    ----------
    decision : Decision
        Fitted on all rows.
    nested : float64 (rows,)
        Logits of rows that neither the blender nor the rule saw.
    decisions : Comparison
        Of its nested decisions with those of the logits as they are.
    log_loss_gain, log_loss_error : float
        By how much the nested log loss falls, and the standard error of that.
    """

    title: str
    decision: Decision
    nested: Array
    decisions: Comparison
    log_loss_gain: float
    log_loss_error: float

    @property
    def calibrates(self) -> bool:
        """Whether the log loss really falls."""
        return self.log_loss_gain > _PROVEN_ERRORS * self.log_loss_error


def place_decision(evaluation: Evaluation, problem: Problem) -> tuple[Rule, list[Rule]]:
    """The rule that is applied, and all that were tried.

    A shift is applied only if its nested decisions are better (McNemar, 5%), a temperature, which moves no decision,
    only if the nested log loss falls by more than two standard errors.
    """
    fitted_on = [_fitted_on(part, problem) for part in (*evaluation.parts, evaluation.whole)]
    rules = [_tried(title, fit, evaluation, fitted_on, problem.labels) for title, fit in RULES.items()]
    as_it_is, temperature, *shifts = rules
    better = [rule for rule in shifts if rule.decisions.proven]
    if better:
        return max(better, key=lambda rule: rule.decisions.net), rules
    return (temperature if temperature.calibrates else as_it_is), rules


def fit_temperature(logits: Array, labels: Labels) -> Decision:
    """The temperature with the smallest log loss (Guo et al., 2017)."""
    return Decision(_scaling(logits, labels, shifted=False)[0])


def fit_temperature_and_bias(logits: Array, labels: Labels) -> Decision:
    """Temperature and shift with the smallest log loss (Platt, 1999)."""
    return Decision(*_scaling(logits, labels, shifted=True))


def fit_plateau(logits: Array, labels: Labels) -> Decision:
    """The centre of the plateau of best thresholds; where 0 is on it, 0 stays."""
    low, high = plateau(logits, labels)
    shift = 0.0 if low <= 0 <= high else (low + high) / 2
    return Decision(_scaling(logits - shift, labels, shifted=False)[0], shift)


def plateau(logits: Array, labels: Labels) -> tuple[float, float]:
    """The unbroken range of thresholds, around the best one, within 0.4 points of the best accuracy.

    A range is broken where a threshold between is further off: the centre of two hills is a valley.
    """
    order = np.argsort(logits, kind="stable")
    ordered, fake = logits[order], labels[order] == 1
    cuts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > 0)  # a threshold at each distinct logit: it is fake there
    reals_below = np.concatenate([[0], np.cumsum(~fake)])[cuts]
    fakes_above = fake.sum() - np.concatenate([[0], np.cumsum(fake)])[cuts]
    accuracy = (reals_below + fakes_above) / len(labels)
    far, best = np.flatnonzero(accuracy < accuracy.max() - PLATEAU), int(accuracy.argmax())
    first = int(far[far < best].max(initial=-1)) + 1
    last = int(far[far > best].min(initial=len(cuts))) - 1
    lowest = ordered[cuts[first]]
    below = ordered[cuts[first] - 1] if first > 0 else lowest
    return float((below + lowest) / 2), float(ordered[cuts[last]])


CALIBRATION = "temperature and bias"
Fit = Callable[[Array, Labels], Decision]
_Sample = tuple[Array, Labels]
RULES: dict[str, Fit] = {
    "as it is": lambda logits, labels: Decision(),  # noqa: ARG005
    "temperature": fit_temperature,
    CALIBRATION: fit_temperature_and_bias,
    "plateau": fit_plateau,
}


def as_it_is(evaluation: Evaluation, problem: Problem) -> Rule:
    """The rule that changes nothing."""
    right = right_decisions(evaluation.nested, problem.labels)
    return Rule("as it is", Decision(), evaluation.nested.astype(np.float64), compare(right, right), 0.0, 0.0)


def decision_of(part: Part, title: str, problem: Problem) -> Decision:
    """The decision that a rule places on the rows that a part was fitted on."""
    return RULES[title](*_fitted_on(part, problem))


def _tried(title: str, fit: Fit, evaluation: Evaluation, fitted_on: list[_Sample], labels: Labels) -> Rule:
    before, decisions = evaluation.nested.astype(np.float64), [fit(*sample) for sample in fitted_on]
    after = before.copy()
    for part, decision in zip(evaluation.parts, decisions, strict=False):  # the last one is of all rows
        after[part.held_out] = decision(before[part.held_out])
    flips = compare(right_decisions(after, labels), right_decisions(before, labels))
    gains = log_loss(before, labels) - log_loss(after, labels)
    return Rule(title, decisions[-1], after, flips, float(gains.mean()), float(gains.std() / np.sqrt(len(gains))))


def _fitted_on(part: Part, problem: Problem) -> _Sample:
    """Blended logits and labels of the rows that the blender was fitted on: a rule is fitted on these, no others."""
    rows = part.fitted_on(problem)
    return part.blender.logits_of_fit(take_rows(problem.seen_by(part.blender), rows)), problem.labels[rows]


def _scaling(logits: Array, labels: Labels, *, shifted: bool) -> tuple[float, float]:
    """Temperature and shift by Newton's method on slope and intercept; it is convex and has two numbers."""
    rows = at_most(len(logits), _MOST_ROWS)
    logits, labels = logits[rows], labels[rows]
    parameters = np.array([1.0, 0.0])
    X = np.stack([logits, np.full(len(logits), float(shifted))])
    for _ in range(_NEWTON_STEPS):
        p = to_probabilities(parameters @ X)
        gradient = X @ (p - labels) + 1e-6 * (parameters - [1.0, 0.0])
        hessian = (X * (p * (1 - p))) @ X.T + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        parameters -= step / max(1.0, float(np.abs(step).max()))  # a step of one at most: far off, curvature misleads
        if np.abs(step).max() < 1e-9:
            break
    low, high = (1 / bound for bound in reversed(_TEMPERATURES))
    slope = float(np.clip(parameters[0], low, high))
    return 1 / slope, float(-parameters[1] / slope) if shifted else 0.0
