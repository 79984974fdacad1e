"""From answers to files: the blend of altered photographs, the table, the checks, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.arrays import Array
from ensemble.core.metrics.scores import to_probabilities
from ensemble.core.storage.files import local_copy, new_file, write_text
from ensemble.engine.recipes.code import versions
from ensemble.engine.tasks.features import TableRequest
from ensemble.report.render.markdown import to_markdown
from ensemble.report.sections.stress.robustness import section_of
from ensemble.report.text import heading
from ensemble.store.oof import BLEND_OOF, OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.results import AS_THEY_ARE, BLEND, ROBUSTNESS, file_of, made_from
from ensemble.stress.robustness.alterations import ALTERATIONS
from ensemble.stress.robustness.answers import Answers, InferenceFailure
from ensemble.stress.robustness.honest_blend import HonestBlend
from ensemble.stress.robustness.inference import COLUMNS
from ensemble.stress.robustness.stored_members import StoredMember
from ensemble.stress.robustness.table import robustness_table

SAME_LOGIT = 0.01  # rounding may depend on how many rows are computed together, and on the processor
SAME_PROBABILITY = 1e-3


@dataclass(frozen=True)
class RobustnessRun:
    """What a run has found, and what it was about.

    Attributes
    ----------
    blend : HonestBlend or str
        Or why there is none.
    columns : TableRequest or None
        The feature columns that the blend reads.
    """

    store: OofStore
    predictions: Predictions
    members: Mapping[str, StoredMember]
    left_out: dict[str, str]
    blend: HonestBlend | str
    columns: TableRequest | None
    answers: Answers

    def answered(self) -> dict[str, dict[str, Array]]:
        """All logits that are kept and still stand, by alteration and member; the blend comes first."""
        found: dict[str, dict[str, Array]] = {}
        for name in ALTERATIONS:
            asked = {m: self.answers.read(name, m, subject.signature) for m, subject in self.members.items()}
            logits = {member: values for member, values in asked.items() if values is not None}
            blended = self._blended(name, logits)
            if logits:
                found[name] = ({} if blended is None else {BLEND: blended}) | logits
        return found

    def troubles(self) -> list[InferenceFailure]:
        """What could not be asked, in this run or an earlier one."""
        asked = [(name, subject) for name in ALTERATIONS for subject in self.members.values()]
        found = (self.answers.read_failure(name, subject.name, subject.signature) for name, subject in asked)
        return [trouble for trouble in found if trouble is not None]

    def _blended(self, alteration: str, logits: Mapping[str, Array]) -> Array | None:
        """Blended logits (photographs,), NaN where the blend itself is silent; None where something is missing."""
        blend, columns = self.blend, None
        if isinstance(blend, str) or not set(blend.needed) <= logits.keys():
            return None
        if self.columns is not None:
            columns = self.answers.read(alteration, COLUMNS, self.columns.key)
            if columns is None:
                return None
        decided = blend(self.answers.sample.rows, logits, columns)
        silent = blend.part_of[self.answers.sample.rows] < 0
        decided[silent] = np.nan
        return None if silent.all() else decided


def write_results(run: RobustnessRun, manifest: dict[str, Any] | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write table, page and facts into the store; returns the table and the facts."""
    answered, troubles = run.answered(), run.troubles()
    table = robustness_table(answered, run.answers.sample.labels)
    content = _facts(run, answered, troubles, manifest)
    store = run.store
    with new_file(file_of(store, ROBUSTNESS, "parquet")) as temporary:
        table.to_parquet(temporary, index=False)
    with new_file(file_of(store, ROBUSTNESS, "csv")) as temporary:
        table.to_csv(temporary, index=False)
    page = to_markdown(f"Robustness of {heading(store)}", [section_of(table, content)])
    write_text(file_of(store, ROBUSTNESS, "md"), page)
    write_text(file_of(store, ROBUSTNESS, "json"), json.dumps(content, indent=1) + "\n")
    return table, content


def _facts(
    run: RobustnessRun,
    answered: Mapping[str, Mapping[str, Array]],
    troubles: Sequence[InferenceFailure],
    manifest: dict[str, Any] | None,
) -> dict[str, Any]:
    sample = run.answers.sample
    members = [name for name in run.members if any(name in found for found in answered.values())]
    check = _check(run, answered.get(AS_THEY_ARE, {}))
    return {
        "sample": {
            "photographs": len(sample.rows),
            "of": len(sample.ledger.labels),
            "asked_for": sample.asked_for,
            "seed": sample.seed,
            "sha256": sample.signature,
        },
        "synthetic": run.store.facts()["synthetic"],
        **made_from(run.store, run.predictions, manifest, members),
        "alterations": {
            name: {"title": each.title, "family": each.family, "imitates": each.imitates}
            for name, each in ALTERATIONS.items()
            if name in answered
        },
        "members": members,
        "left_out": dict(run.left_out),
        "blend": _blend_facts(run.blend, manifest),
        "check": check,
        "troubles": [{**asdict(trouble), "in_words": trouble.sentence()} for trouble in troubles],
        "notes": _notes(run, answered, troubles, check),
        "versions": versions(),
    }


def _blend_facts(blend: HonestBlend | str, manifest: dict[str, Any] | None) -> dict[str, Any]:
    if isinstance(blend, str) or manifest is None:
        return {"available": False, "reason": blend if isinstance(blend, str) else ""}
    return {
        "available": True,
        "chosen": manifest["chosen"],
        "elected": [part.blender.title for part in blend.parts],
        "decision_rule": manifest["decision_rule"],
        "needed": blend.needed,
        "reads_columns": blend.reads_columns,
    }


def _check(run: RobustnessRun, clean: Mapping[str, Array]) -> dict[str, Any]:
    """How far what is said of photographs as they are lies from what the store holds of them: it should be nothing.

    Logits for members; probabilities for the blend, and on how many rows they differ.
    """
    rows = run.answers.sample.rows
    found: dict[str, Any] = {"members": {}, "blend": None}
    for member, logits in clean.items():
        if member != BLEND:
            stored = run.predictions.oof_logits[rows, run.predictions.members.index(member)]
            found["members"][member] = float(np.abs(logits - stored).max())
    if BLEND in clean:
        with local_copy(run.store.blend_folder / BLEND_OOF) as local:
            stored = pd.read_parquet(local).set_index("name")["pred"]
        there = ~np.isnan(clean[BLEND])
        names = np.array(run.answers.sample.names)[there]
        differences = np.abs(to_probabilities(clean[BLEND][there]) - stored.loc[names].to_numpy())
        found["blend"] = {
            "largest_difference": float(differences.max()),
            "rows_that_differ": int((differences > SAME_PROBABILITY).sum()),
        }
    return found


def _notes(
    run: RobustnessRun,
    answered: Mapping[str, Mapping[str, Array]],
    troubles: Sequence[InferenceFailure],
    check: dict[str, Any],
) -> list[str]:
    notes = [f"left out: {name} {reason}" for name, reason in run.left_out.items()]
    notes += [trouble.sentence() for trouble in troubles]
    if isinstance(run.blend, str):
        notes.append(f"the blend cannot be told: {run.blend}")
    elif gone := [name for name in run.blend.needed if name not in run.members]:
        notes.append(f"the blend cannot be told without {', '.join(gone)}")
    elif silent := [ALTERATIONS[name].title for name, found in answered.items() if BLEND not in found]:
        notes.append(f"the blend cannot be told of {', '.join(silent)}: not all that it reads was asked")
    notes += [
        f"WARNING: {member} no longer says of unaltered photographs what it said when it was trained (a logit differs "
        f"by {difference:.3g}): its code or a library changed since; train it again"
        for member, difference in check["members"].items()
        if difference > SAME_LOGIT
    ]
    if check["blend"] and check["blend"]["rows_that_differ"]:
        notes.append(
            f"the blend, fitted again, says something else of {check['blend']['rows_that_differ']} unaltered "
            f"photographs than it said (by up to {check['blend']['largest_difference']:.3g}); blend again"
        )
    return notes
