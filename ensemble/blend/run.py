"""One blend from beginning to end: read the store, compare blenders, choose, write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ensemble.blend.blenders.studies import Studies
from ensemble.blend.compare import Blend, Log, compare_blenders
from ensemble.blend.guard import guard
from ensemble.blend.inputs import Inputs, load_inputs
from ensemble.blend.manifest import manifest
from ensemble.blend.page import blend_page
from ensemble.competition.submission import write_submission
from ensemble.config import BlendSettings, Experiment
from ensemble.core.metrics.scores import to_probabilities
from ensemble.core.storage.files import Location, new_folder, remove_unfinished, write_text
from ensemble.core.storage.hashing import digest, file_sha256
from ensemble.core.threads import threads
from ensemble.engine.recipes.code import framework_code, versions
from ensemble.store.oof import BLEND_OOF, MANIFEST, SUBMISSION, OofStore
from ensemble.store.predictions import Predictions, load_predictions

STUDIES, PAGE = "study.db", "report.md"


def blend(
    store: OofStore,
    experiment: Experiment | None = None,
    submission: Location | None = None,
    log: Log = lambda _: None,
    predictions: Predictions | None = None,
) -> dict[str, Any]:
    """Blend what the members have predicted; write the store's `blend/` as a whole, and a copy of the submission.

    `predictions` are those of the experiment, if they are at hand. Returns the manifest, which is `blend.json`.
    """
    experiment = experiment or store.experiment()
    predictions = predictions or load_predictions(store, experiment)
    inputs, settings = load_inputs(store, experiment, predictions), experiment.blend
    studies = Studies(store.blend_folder / STUDIES, _fingerprint(inputs, settings))
    with threads(1):  # matrices this small only wait for each other's threads
        found = compare_blenders(inputs, settings, studies, log)
        probabilities = to_probabilities(found.final_logits(inputs.test, inputs.problem))
    log("writing")
    guarded = guard(store.sample(), probabilities, found.rule.nested, store.blend_folder / SUBMISSION)
    content = manifest(found, inputs, store, guarded, settings.seed)
    content["made_of"] = studies.fingerprint
    remove_unfinished(store.root, store.blend_folder.name)
    with new_folder(store.blend_folder, MANIFEST) as folder:
        content["submission_sha256"] = write_submission(folder / SUBMISSION, store.sample(), probabilities)
        content["oof_sha256"] = _write_oof(folder / BLEND_OOF, found, inputs)
        _keep_studies(folder / STUDIES, studies, found)
        write_text(folder / PAGE, blend_page(store, content))
        write_text(folder / MANIFEST, json.dumps(content, indent=1) + "\n")
    if submission is not None:
        write_submission(submission, store.sample(), probabilities)
    return content


def _fingerprint(inputs: Inputs, settings: BlendSettings) -> str:
    """Of all that a search sees. The number of trials is not among it: more of them go on where fewer ended."""
    seen = [
        inputs.members,
        versions(),
        inputs.predictions.hashes,
        inputs.predictions.ledger.sha256,
        inputs.columns_sha256,
    ]
    return digest([seen, settings.seed, settings.rounds, framework_code()])


def _write_oof(path: Path, found: Blend, inputs: Inputs) -> str:
    """The blend's own out-of-fold predictions: `pred` is nested, `pred_in_sample` is not to be scored. Its sha256."""
    table = inputs.predictions.ledger.table[["name", "fold", "label"]]
    if len(inputs.rows) < len(table):
        table = table.iloc[inputs.rows].reset_index(drop=True)
    table["pred"] = to_probabilities(found.rule.nested)
    table["pred_in_sample"] = to_probabilities(found.rule.decision(found.choice.chosen.in_sample(inputs.problem)))
    table.to_parquet(path, index=False, row_group_size=65_536)  # what is being written is held in memory
    return file_sha256(path)


def _keep_studies(path: Path, studies: Studies, found: Blend) -> None:
    """The searches behind the final weights; a blend without any keeps those that were made of the same things."""
    made = [e.blender.study_ for e in found.evaluations if e.blender.study_ is not None]
    if made:
        studies.keep(path, made)
    elif _searched(studies.path.with_name(MANIFEST)) == studies.fingerprint and studies.path.exists():
        path.write_bytes(studies.path.read_bytes())


def _searched(manifest: Location) -> str | None:
    """The fingerprint of what an earlier blend was made of."""
    try:
        found: str = json.loads(manifest.read_text(encoding="utf-8"))["made_of"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
