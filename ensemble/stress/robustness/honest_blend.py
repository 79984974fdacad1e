"""The blend of altered photographs, as honest as the blend's own score: no row is decided by what was fitted on it.

The blenders that the last blend elected for each part of the rows are fitted again on the clean out-of-fold logits of
the other parts, and so is the decision. Altered photographs never take part in a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.average import AverageOfBlenders
from ensemble.blend.blenders.base import Blender
from ensemble.blend.blenders.roster import blenders
from ensemble.blend.blenders.simple import MeanOfLogits, SingleBest
from ensemble.blend.evaluation.nested import Part, Problem, fitted
from ensemble.blend.evaluation.threshold import Decision, decision_of
from ensemble.blend.inputs import Inputs, load_inputs
from ensemble.config import BlendSettings, Experiment
from ensemble.core.arrays import Array
from ensemble.core.threads import threads
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions

Log = Callable[[str], None]


@dataclass(frozen=True)
class HonestBlend:
    """Blenders and decisions, one for each part of the rows, fitted on the others.

    Attributes
    ----------
    members : list of str
        The columns of the logits that the blenders read.
    needed : list of str
        Members without which it cannot be told: those with weight in any part.
    reads_columns : bool
        Whether feature columns of the photographs are needed too.
    part_of : int64 (ledger rows,)
        The part that each row is held out of; -1 where no fold of some member has predicted it.
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
        """Logits (rows,) of rows of the ledger, of those of the members that are needed (rows,) each."""
        nothing = np.zeros(len(rows))  # of members without weight
        matrix = [logits.get(member, nothing) for member in self.members]
        matrix += [] if columns is None else list(columns.T)
        seen = np.stack(matrix).astype(np.float32).T
        blended = np.empty(len(rows))
        for number, (part, decision) in enumerate(zip(self.parts, self.decisions, strict=True)):
            here = np.flatnonzero(self.part_of[rows] == number)
            if len(here):
                read = part.blender.columns_of(seen[here], len(self.members))
                blended[here] = decision(part.blender.decision_function(read))
        return blended


def fit_honest_blend(
    store: OofStore, experiment: Experiment, predictions: Predictions, manifest: dict[str, Any] | None, log: Log
) -> HonestBlend | str:
    """Fit what the manifest tells of the last blend; or a sentence that says why that cannot be done."""
    if manifest is None:
        return "there is no blend of these predictions; run ensemble blend first"
    inputs = load_inputs(store, experiment, predictions)
    if inputs.members != manifest["members"] or inputs.columns_sha256 != manifest["columns_sha256"]:
        return "the last blend read other members or columns than the experiment names; blend again"
    if not inputs.problem.held_out:
        return "all rows are of one fold: nothing could be held out of the blend"
    log("fitting the blend again, without the rows that it is to decide")
    with threads(1):  # as when it was made
        return _fitted(inputs, manifest, experiment.blend)


def _fitted(inputs: Inputs, manifest: dict[str, Any], settings: BlendSettings) -> HonestBlend:
    problem = inputs.problem
    titles = manifest.get("elected") or [manifest["chosen"]] * len(problem.held_out)  # older ones name the chosen only
    make = _makers(settings, tuple(manifest["blenders"]), problem)
    parts = [make[title](rows) for title, rows in zip(titles, problem.held_out, strict=True)]
    weights = np.array([part.blender.member_weights(problem.members) for part in parts])
    part_of = np.full(len(inputs.predictions.ledger.labels), -1)
    for number, part in enumerate(parts):
        part_of[inputs.rows[part.held_out]] = number
    return HonestBlend(
        parts,
        [decision_of(part, manifest["decision_rule"], problem) for part in parts],
        inputs.members,
        [name for name, column in zip(inputs.members, weights.T, strict=True) if (column != 0).any()],
        inputs.columns_sha256 is not None and any(part.blender.reads_columns for part in parts),
        part_of,
    )


def _makers(
    settings: BlendSettings, titles: tuple[str, ...], problem: Problem
) -> dict[str, Callable[[NDArray[np.intp]], Part]]:
    """What fits a blender of each title without some rows."""
    competing = settings.model_copy(update={"methods": titles})
    makers: list[Callable[[], Blender]] = [make for _, make in blenders(competing, problem.members)]
    found = {make().title: partial(_part, make, problem) for make in makers or [MeanOfLogits]}
    averaged = [part for title, part in found.items() if title != SingleBest.title]

    def average(rows: NDArray[np.intp]) -> Part:
        return Part(AverageOfBlenders([part(rows).blender for part in averaged], problem.members), rows)

    return {**found, AverageOfBlenders.title: average}


def _part(make: Callable[[], Blender], problem: Problem, rows: NDArray[np.intp]) -> Part:
    return fitted(make(), problem, rows)
