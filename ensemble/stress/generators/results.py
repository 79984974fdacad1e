"""Scores on unseen clusters beside those in random folds: computed when an input changed, and stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Logits
from ensemble.core.storage.hashing import digest
from ensemble.engine.recipes.code import framework_code, versions
from ensemble.report.render.markdown import to_markdown
from ensemble.report.sections.stress.generators import section_of
from ensemble.report.text import heading
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.results import GENERATORS, current_manifest, made_from, read, write
from ensemble.stress.generators.blended import blend_method, blend_name, nested_logits
from ensemble.stress.generators.clusters import separation
from ensemble.stress.generators.scores import score_table
from ensemble.stress.generators.stored import Found
from ensemble.stress.generators.summary import verdict

MEASURED_ON = (
    "Out-of-fold on both sides, each of one cut of the folds, and on the same photographs, with a threshold of 0.5. "
    "Random folds hold out some fakes of every cluster; here each fold holds out one whole cluster and its share of "
    "the real photographs. Differences are paired, and their standard errors count photographs, not generators. The "
    "clusters are divided by the spectrum: a member that reads spectra has learned from real photographs alone where "
    "a cluster is, so it loses most. Without a cluster there are also fewer photographs to learn from than in random "
    "folds, which may explain a part of each loss."
)

_OF_BLEND = (
    " The blend is fitted again on both sides, on the folds that it is not scored on: no fake of the cluster is among "
    "its rows, but the members whose predictions of these rows it learned from were trained with the cluster; and the "
    "kind of blender was chosen on all rows."
)

Results = tuple[dict[str, Any], pd.DataFrame]


@dataclass(frozen=True)
class Sides:
    """Predictions of members on clusters that they did not learn from, and in random folds; all rows of both.

    Each of one cut of the folds: a mean over several would be better for that alone.
    """

    unseen: Predictions
    random: Predictions
    members: list[str]

    def logits(self, members: list[str]) -> tuple[Logits, Logits]:
        """Return the logits (rows, members) of both, in the order of the ledgers, which is the same."""
        unseen, random = (
            predictions.oof_logits.T[[predictions.members.index(member) for member in members]].T
            for predictions in (self.unseen, self.random)
        )
        return unseen, random

    def hashes(self) -> list[dict[str, str]]:
        """Return the sha256 of every fold of the members, for both."""
        sides = (self.unseen.hashes, self.random.hashes)
        return [{fold: sha for fold, sha in side.items() if fold.partition("/")[0] in self.members} for side in sides]


def results_of(
    store: OofStore,
    cluster_store: OofStore,
    experiment: Experiment,
    found: Found,
    members: list[str],
    left_out: dict[str, str],
) -> Results:
    """Return the content of `generators.json` and the scores (see `score_table`) of members complete on both sides."""
    only = experiment.model_copy(update={"members": tuple(m for m in experiment.members if m.name in members)})
    predictions = load_predictions(store, experiment)
    random = load_predictions(store, experiment.on_first_cut()) if predictions.spreads else predictions
    sides = Sides(load_predictions(cluster_store, only), random, members)
    manifest = current_manifest(store, predictions)
    blended = members if manifest is None else [member for member in members if member in manifest["members"]]
    method = blend_method(manifest) if len(blended) > 1 else None
    origin = made_from(store, predictions, manifest, members)
    settings = [framework_code(), method, blended, experiment.blend.rounds, experiment.blend.seed]
    made_of = digest([settings, found.facts, members, left_out, sides.hashes(), origin])
    known = read(store, GENERATORS)
    if known is not None and known[1].get("made_of") == made_of:
        return known[1], known[0]
    scores = _scores(sides, method, blended, experiment)
    content = {
        "heading": heading(store),
        "verdict": verdict(scores, found.facts["silhouette"]),
        "measured_on": MEASURED_ON + (_of_blend(members, blended) if method else ""),
        "members": members,
        "blend": None if method is None else blend_name(method),
        "left_out": left_out,
        "synthetic": store.facts()["synthetic"],
        "separation": separation(found.facts["silhouette"]),
        "versions": versions(),
        **found.facts,
        **origin,  # with the folds of the store, not those of the clusters
        "made_of": made_of,
    }
    page = to_markdown(f"Fakes of unseen clusters: {content['heading']}", [section_of(scores, content)])
    write(store, GENERATORS, scores, page, content)
    return content, scores


def _of_blend(members: list[str], blended: list[str]) -> str:
    others = [member for member in members if member not in blended]
    return _OF_BLEND + (
        f" It is of {', '.join(blended)}: the last blend was made without the others." if others else ""
    )


def _scores(sides: Sides, method: str | None, blended: list[str], experiment: Experiment) -> pd.DataFrame:
    ledger, (unseen, random) = sides.unseen.ledger, sides.logits(sides.members)
    if method is None:
        return score_table(sides.members, unseen, random, ledger.labels, ledger.folds)
    unseen, random = (
        np.column_stack([nested_logits(method, experiment.blend, read, folds), logits])
        for read, logits, folds in zip(
            sides.logits(blended), (unseen, random), (ledger, sides.random.ledger), strict=True
        )
    )
    return score_table([blend_name(method), *sides.members], unseen, random, ledger.labels, ledger.folds)
