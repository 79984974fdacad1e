"""The blend of altered photographs, as honest as the blend's own score: no row is decided by a blender fitted on it.

The blenders that the last blend chose for each part of the rows are fitted again on the clean out-of-fold logits of
the other parts, and so is the decision. Altered photographs never take part in a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import Blender
from ensemble.blend.blenders.roster import blenders
from ensemble.blend.blenders.simple import AverageOfBlenders, SingleBest
from ensemble.blend.evaluation.decision import Decision
from ensemble.blend.evaluation.nested import Part, Problem, fit_part
from ensemble.blend.evaluation.threshold import decision_of
from ensemble.blend.inputs import Inputs, load_inputs
from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Array
from ensemble.core.threads import threads
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.results import without_left_out

Log = Callable[[str], None]


@dataclass(frozen=True)
class HonestBlend:
    """Blenders and decisions, one for each part of the rows, fitted on the others.

    Attributes
    ----------
    members : list of str
        Columns of the logits that the blenders read.
    needed : list of str
        Members whose predictions are needed: those with weight in any part.
    reads_columns : bool
        Whether feature columns of the photographs are needed too.
    part_of : int64 (ledger rows,)
        The part that each row is held out of; -1 if some member has not predicted it.
    """

    parts: list[Part]
    decisions: list[Decision]
    members: list[str]
    needed: list[str]
    reads_columns: bool
    part_of: NDArray[np.int64]

    def __call__(
        self, rows: NDArray[np.intp], logits: Mapping[str, Array], columns: NDArray[np.floating] | None
    ) -> Array:
        """Return blended logits (rows,) of rows of the ledger, from logits (rows,) of the members that are needed.

        NaN where a row is in no part.
        """
        zeros = np.zeros(len(rows))  # for members without weight
        matrix = [logits.get(member, zeros) for member in self.members]
        matrix += [] if columns is None else list(columns.T)
        seen = np.stack(matrix).astype(np.float32).T
        blended = np.full(len(rows), np.nan)
        for number, (part, decision) in enumerate(zip(self.parts, self.decisions, strict=True)):
            here = np.flatnonzero(self.part_of[rows] == number)
            if len(here):
                read = part.blender.columns_of(seen[here], len(self.members))
                blended[here] = decision(part.blender.decision_function(read))
        return blended


def fit_honest_blend(
    store: OofStore, experiment: Experiment, predictions: Predictions, manifest: dict[str, Any] | None, log: Log
) -> HonestBlend | str:
    """Fit the blenders of the last blend's manifest again; or return a sentence that says why that is not possible."""
    if manifest is None:
        return "there is no blend of these predictions; run ensemble blend first"
    inputs = load_inputs(store, experiment, without_left_out(predictions, manifest))
    if inputs.members != manifest["members"] or inputs.columns_sha256 != manifest["columns_sha256"]:
        return "the last blend read other members or columns than the experiment names; blend again"
    problem = inputs.problem
    if not problem.held_out:
        return "all rows are of one fold: nothing could be held out of the blend"
    titles = manifest.get("elected") or [manifest["chosen"]] * len(problem.held_out)  # older manifests: the chosen only
    settings = experiment.blend.model_copy(update={"methods": tuple(manifest["blenders"])})
    known = {blender.title: blender for blender in blenders(settings, problem.members)}
    needed = {*titles} if AverageOfBlenders.title not in titles else {*titles, *manifest["blenders"]}
    if unknown := sorted(needed - {*known, AverageOfBlenders.title}):
        return f"the last blend used {', '.join(unknown)}, which is no longer offered; blend again"
    log("fitting the blend again, without the rows that it is to decide")
    with threads(1):  # as in the blend itself
        parts = [_fit(title, known, problem, rows) for title, rows in zip(titles, problem.held_out, strict=True)]
        rules = manifest.get("elected_rules") or [manifest["decision_rule"]] * len(parts)  # older manifests: the one
        decisions = [decision_of(part, rule, problem) for part, rule in zip(parts, rules, strict=True)]
    return _honest_blend(parts, decisions, inputs)


def _fit(title: str, known: Mapping[str, Blender], problem: Problem, rows: NDArray[np.intp]) -> Part:
    """Fit a blender without some rows; those of the average each on as many others as they need."""
    if title != AverageOfBlenders.title:
        return fit_part(known[title], problem, rows)
    averaged = [blender for blender in known.values() if blender.title != SingleBest.title]
    fitted = [fit_part(blender, problem, rows).blender for blender in averaged]
    return Part(AverageOfBlenders.of_fitted(fitted, problem.members), rows)


def _honest_blend(parts: list[Part], decisions: list[Decision], inputs: Inputs) -> HonestBlend:
    weights = np.array([part.blender.member_weights(inputs.problem.members) for part in parts])
    part_of = np.full(len(inputs.predictions.ledger.labels), -1)
    for number, part in enumerate(parts):
        part_of[inputs.rows[part.held_out]] = number
    return HonestBlend(
        parts,
        decisions,
        inputs.members,
        [name for name, column in zip(inputs.members, weights.T, strict=True) if (column != 0).any()],
        inputs.columns_sha256 is not None and any(part.blender.reads_columns for part in parts),
        part_of,
    )
