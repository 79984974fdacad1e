"""Decision rules: a temperature and a shift of the blended logits, applied only if the gain is proven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ensemble.blend.blenders.rows import at_most, take_rows, targets
from ensemble.blend.evaluation.decision import Decision
from ensemble.blend.evaluation.nested import Evaluation, Part, Problem
from ensemble.core.arrays import Array, Labels
from ensemble.core.metrics.decisions import correct_logits
from ensemble.core.metrics.paired import Comparison, compare
from ensemble.core.metrics.scores import PLATEAU, log_loss, to_probabilities

_NEWTON_STEPS = 25
_MOST_ROWS = 20_000  # give the temperature to a hundredth
_TEMPERATURES = (0.05, 20.0)
_PROVEN_ERRORS = 2.0  # standard errors by which the log loss must fall


@dataclass(frozen=True)
class Rule:
    """A decision rule, and its nested gain over unchanged logits.

    Attributes
    ----------
    decision : Decision
        Fitted on all rows.
    nested : float64 (rows,)
        Logits of rows that neither the blender nor the rule saw.
    decisions : Comparison
        Its nested decisions against those of the unchanged logits.
    log_loss_gain, log_loss_error : float
        Decrease of the nested log loss, and its standard error.
    elected : tuple of str
        Title of the rule that made the nested logits of each part, if that was not always this one.
    """

    title: str
    decision: Decision
    nested: Array
    decisions: Comparison
    log_loss_gain: float
    log_loss_error: float
    elected: tuple[str, ...] = ()

    @property
    def calibrates(self) -> bool:
        """Whether the log loss falls by more than chance."""
        return self.log_loss_gain > _PROVEN_ERRORS * self.log_loss_error


def place_decision(evaluation: Evaluation, problem: Problem) -> tuple[Rule, list[Rule]]:
    """Return the rule to apply, and all that were tried.

    A shift is applied only if its nested decisions are better (McNemar, 5%), a temperature, which changes no decision,
    only if the nested log loss falls by more than two standard errors. The nested logits of the rule to apply are those
    of the rule that the scores of the other folds elect for each fold, so that its score includes this choice.
    """
    fitted_on = [_fitted_on(part, problem) for part in (*evaluation.parts, evaluation.whole)]
    before, labels = evaluation.nested.astype(np.float64), problem.labels
    after = [_nested(fit, evaluation, fitted_on) for fit in RULES.values()]
    rules = [
        _rule(title, fit(*fitted_on[-1]), nested, before, labels)
        for (title, fit), nested in zip(RULES.items(), after, strict=True)
    ]
    nested, elected = before.copy(), []
    for part in evaluation.parts:
        others = np.delete(np.arange(len(labels)), part.held_out)
        winner = _elect([_rule("", Decision(), each[others], before[others], labels[others]) for each in after])
        nested[part.held_out] = after[winner][part.held_out]
        elected.append(rules[winner].title)
    chosen = rules[_elect(rules)]
    return replace(_rule(chosen.title, chosen.decision, nested, before, labels), elected=tuple(elected)), rules


def _elect(rules: list[Rule]) -> int:
    """Return the position of the rule whose gain is proven; that of the unchanged logits where none is."""
    unchanged, temperature, *shifts = range(len(rules))  # in the order of RULES
    better = [number for number in shifts if rules[number].decisions.proven]
    if better:
        return max(better, key=lambda number: rules[number].decisions.net)
    return temperature if rules[temperature].calibrates else unchanged


def fit_temperature(logits: Array, labels: Labels) -> Decision:
    """Fit the temperature with the smallest log loss (Guo et al., 2017)."""
    return Decision(_scaling(logits, labels, shifted=False)[0])


def fit_temperature_and_bias(logits: Array, labels: Labels) -> Decision:
    """Fit temperature and shift with the smallest log loss (Platt, 1999)."""
    return Decision(*_scaling(logits, labels, shifted=True))


def fit_plateau(logits: Array, labels: Labels) -> Decision:
    """Shift by the centre of the plateau of best thresholds; if 0 is on it, by nothing."""
    low, high = plateau(logits, labels)
    shift = 0.0 if low <= 0 <= high else (low + high) / 2
    return Decision(_scaling(logits - shift, labels, shifted=False)[0], shift)


def plateau(logits: Array, labels: Labels) -> tuple[float, float]:
    """Return the contiguous range of thresholds around the best one, within 0.4 points of the best accuracy.

    Contiguous, since the centre between two separate maxima could be a minimum.
    """
    order = np.argsort(logits, kind="stable")
    ordered, fake = logits[order], labels[order] == 1
    cuts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > 0)  # thresholds: each distinct logit, fake from it on
    reals_below = np.concatenate([[0], np.cumsum(~fake)])[cuts]
    fakes_above = fake.sum() - np.concatenate([[0], np.cumsum(fake)])[cuts]
    accuracy = (reals_below + fakes_above) / len(labels)
    far, best = np.flatnonzero(accuracy < accuracy.max() - PLATEAU), int(accuracy.argmax())
    first = int(far[far < best].max(initial=-1)) + 1
    last = int(far[far > best].min(initial=len(cuts))) - 1
    lowest = ordered[cuts[first]]
    below = ordered[cuts[first] - 1] if first > 0 else lowest
    return float((below + lowest) / 2), float(ordered[cuts[last]])


AS_IT_IS = "as it is"
CALIBRATION = "temperature and bias"
Fit = Callable[[Array, Labels], Decision]
_Sample = tuple[Array, Labels]
RULES: dict[str, Fit] = {
    AS_IT_IS: lambda logits, labels: Decision(),  # noqa: ARG005
    "temperature": fit_temperature,
    CALIBRATION: fit_temperature_and_bias,
    "plateau": fit_plateau,
}


def as_it_is(evaluation: Evaluation, problem: Problem) -> Rule:
    """Return the rule that changes nothing."""
    correct = correct_logits(evaluation.nested, problem.labels)
    return Rule(AS_IT_IS, Decision(), evaluation.nested.astype(np.float64), compare(correct, correct), 0.0, 0.0)


def decision_of(part: Part, title: str, problem: Problem) -> Decision:
    """Fit a rule by its title on the rows that a part was fitted on."""
    return RULES[title](*_fitted_on(part, problem))


def _nested(fit: Fit, evaluation: Evaluation, fitted_on: list[_Sample]) -> Array:
    """Return the nested logits after a rule that was fitted, for each part, on the rows that its blender saw."""
    after = evaluation.nested.astype(np.float64)
    for part, sample in zip(evaluation.parts, fitted_on[:-1], strict=True):
        after[part.held_out] = fit(*sample)(after[part.held_out])
    return after


def _rule(title: str, decision: Decision, after: Array, before: Array, labels: Labels) -> Rule:
    flips = compare(correct_logits(after, labels), correct_logits(before, labels))
    gains = log_loss(before, labels) - log_loss(after, labels)
    return Rule(title, decision, after, flips, float(gains.mean()), float(gains.std() / np.sqrt(len(gains))))


def _fitted_on(part: Part, problem: Problem) -> _Sample:
    """Return blended logits and labels of the rows that the blender was fitted on: rules are fitted on no others."""
    rows = part.fitted_on(problem)
    logits, labels = take_rows(problem.seen_by(part.blender), rows), problem.labels[rows]
    return part.blender.logits_of_fit(logits, labels, problem.folds[rows]), labels


def _scaling(logits: Array, labels: Labels, *, shifted: bool) -> tuple[float, float]:
    """Fit temperature and shift by Newton's method on slope and intercept: convex, with two parameters."""
    rows = at_most(len(logits), _MOST_ROWS)
    logits, aims = logits[rows], targets(labels[rows])
    parameters = np.array([1.0, 0.0])
    X = np.stack([logits, np.full(len(logits), float(shifted))])
    for _ in range(_NEWTON_STEPS):
        p = to_probabilities(parameters @ X)
        gradient = X @ (p - aims) + 1e-6 * (parameters - [1.0, 0.0])
        hessian = (X * (p * (1 - p))) @ X.T + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        parameters -= step / max(
            1.0, float(np.abs(step).max())
        )  # at most one: far from the minimum, curvature misleads
        if np.abs(step).max() < 1e-9:
            break
    low, high = (1 / bound for bound in reversed(_TEMPERATURES))
    slope = float(np.clip(parameters[0], low, high))
    return 1 / slope, float(-parameters[1] / slope) if shifted else 0.0
