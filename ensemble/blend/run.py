"""One blend from start to end: read the store, compare blenders, write the submission and the manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ensemble.blend.blenders.studies import write_studies
from ensemble.blend.compare import Blend, Log, compare_blenders
from ensemble.blend.guard import guard, was_live
from ensemble.blend.inputs import Inputs, load_inputs
from ensemble.blend.manifest import manifest
from ensemble.blend.page import blend_page
from ensemble.competition.submission import write_submission
from ensemble.config.experiment import Experiment
from ensemble.core.metrics.scores import to_probabilities
from ensemble.core.storage.files import Location, new_folder, remove_unfinished, write_text
from ensemble.core.storage.hashing import file_sha256
from ensemble.core.threads import threads
from ensemble.store.oof import BLEND_OOF, MANIFEST, SUBMISSION, OofStore
from ensemble.store.predictions import Predictions, load_predictions

STUDIES, PAGE = "study.db", "report.md"


def blend(
    store: OofStore,
    experiment: Experiment | None = None,
    submission: Location | None = None,
    log: Log = lambda _: None,
    predictions: Predictions | None = None,
    *,
    live: bool = False,
) -> dict[str, Any]:
    """Blend the members' predictions; replace the store's `blend/` as a whole, and write a copy of the submission.

    `predictions` are those of the experiment, if they are loaded already; `live` marks the blend of a run that trains,
    which is no submission of the user's to compare with. Returns the manifest, which is `blend.json`.
    """
    experiment = experiment or store.experiment()
    inputs = load_inputs(store, experiment, predictions or load_predictions(store, experiment))
    with threads(1):  # with matrices this small, threads only wait for each other
        result = compare_blenders(inputs, experiment.blend, log)
        probabilities = to_probabilities(result.test)
    log("writing")
    last = None if was_live(store.blend_folder / MANIFEST) else store.blend_folder / SUBMISSION
    checks = guard(store.sample(), probabilities, result.rule.nested, last)
    content = {**manifest(result, inputs, store, checks, experiment.blend), "live": live}
    remove_unfinished(store.root, store.blend_folder.name)
    with new_folder(store.blend_folder, MANIFEST) as folder:
        content["submission_sha256"] = write_submission(folder / SUBMISSION, store.sample(), probabilities)
        content["oof_sha256"] = _write_oof(folder / BLEND_OOF, result, inputs)
        if studies := [e.blender.study_ for e in result.evaluations if e.blender.study_ is not None]:
            write_studies(folder / STUDIES, studies)
        write_text(folder / PAGE, blend_page(store, content))
        write_text(folder / MANIFEST, json.dumps(content, indent=1) + "\n")
    if submission is not None:
        write_submission(submission, store.sample(), probabilities)
    return content


def _write_oof(path: Path, result: Blend, inputs: Inputs) -> str:
    """Write the blend's out-of-fold predictions (`pred` is nested, `pred_in_sample` is not honest); return the hash."""
    table = inputs.predictions.ledger.table[["name", "fold", "label"]]
    if len(inputs.rows) < len(table):
        table = table.iloc[inputs.rows].reset_index(drop=True)
    in_sample = result.choice.chosen.in_sample(inputs.problem)
    table["pred"] = to_probabilities(result.rule.nested)
    table["pred_in_sample"] = to_probabilities(result.rule.decision(in_sample))
    table.to_parquet(path, index=False, row_group_size=65_536)  # a row group is in memory while it is written
    return file_sha256(path)
