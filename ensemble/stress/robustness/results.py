"""Results on altered photographs: the blend, the scores, the checks, and the files that hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Array, Labels
from ensemble.core.console.text import plural
from ensemble.core.metrics.intervals import (
    auc_standard_error,
    paired_standard_error,
    proportion_standard_error,
    standard_error,
)
from ensemble.core.metrics.scores import UNSURE, area_under_curve, correct_probabilities, to_probabilities
from ensemble.core.storage.parquet import read_parquet
from ensemble.engine.recipes.code import versions
from ensemble.engine.tasks.features import TableRequest
from ensemble.report.render.markdown import to_markdown
from ensemble.report.sections.stress.robustness import section_of
from ensemble.report.text import heading
from ensemble.store.altered import write_altered
from ensemble.store.oof import BLEND_OOF, OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.results import AS_THEY_ARE, BLEND, ROBUSTNESS, made_from, write
from ensemble.store.stored_members import StoredMember
from ensemble.stress.robustness.alterations import ALTERATIONS
from ensemble.stress.robustness.answers import Answers, InferenceFailure
from ensemble.stress.robustness.honest_blend import HonestBlend
from ensemble.stress.robustness.inference import COLUMNS_ANSWER

SAME_LOGIT = 0.01  # rounding may depend on how many rows are computed together, and on the processor
SAME_PROBABILITY = 1e-3
TABLE_COLUMNS = [
    "alteration", "title", "family", "member", "measured_on", "n", "accuracy", "standard_error", "change",
    "change_error", "auc", "auc_error", "false_positive_rate", "false_positive_rate_error", "fakes_found",
    "fakes_found_error", "abstained", "abstained_error",
]  # fmt: skip
Answered = Mapping[str, Mapping[str, Array]]  # alteration -> member -> logits (photographs,), NaN where not answered


@dataclass(frozen=True)
class RobustnessRun:
    """Stored answers of the members about a sample of altered photographs, and the blend.

    Attributes
    ----------
    blend : HonestBlend or str
        A sentence where there is no blend, with the reason.
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
        """Return all valid logits by alteration and member; the blend comes first."""
        found: dict[str, dict[str, Array]] = {}
        for name in ALTERATIONS:
            stored = {m: self.answers.read(name, m, member.signature) for m, member in self.members.items()}
            logits = {member: values for member, values in stored.items() if values is not None}
            blended = self._blended(name, logits)
            if logits:
                found[name] = ({} if blended is None else {BLEND: blended}) | logits
        return found

    def failures(self) -> list[InferenceFailure]:
        """Return the failures of this run and of earlier ones."""
        pairs = [(alteration, member) for alteration in ALTERATIONS for member in self.members.values()]
        found = (self.answers.read_failure(name, member.name, member.signature) for name, member in pairs)
        return [failure for failure in found if failure is not None]

    def _blended(self, alteration: str, logits: Mapping[str, Array]) -> Array | None:
        """Return blended logits (photographs,), NaN for rows without nested blend; None if something is missing."""
        blend, columns = self.blend, None
        if isinstance(blend, str) or not set(blend.needed) <= logits.keys():
            return None
        if self.columns is not None:
            columns = self.answers.read(alteration, COLUMNS_ANSWER, self.columns.key)
            if columns is None:
                return None
        rows = self.answers.sample.rows
        return None if (blend.part_of[rows] < 0).all() else blend(rows, logits, columns)


def write_results(run: RobustnessRun, manifest: dict[str, Any] | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write table, page and facts into the store, and return the table and the facts."""
    answered, failures = run.answered(), run.failures()
    table = robustness_table(answered, run.answers.sample.labels)
    content = _facts(run, answered, failures, manifest)
    store = run.store
    write_altered(store, run.answers.sample.names, answered)  # before the facts, by which it is found valid
    page = to_markdown(f"Robustness of {heading(store)}", [section_of(table, content)])
    write(store, ROBUSTNESS, table, page, content)
    return table, content


def robustness_table(answered: Answered, labels: Labels) -> pd.DataFrame:
    """Return a row for each alteration and member, in their order."""
    clean = answered.get(AS_THEY_ARE, {})
    rows = [
        {
            "alteration": name,
            "title": ALTERATIONS[name].title,
            "family": ALTERATIONS[name].family,
            "member": member,
            "measured_on": "nested OOF" if member == BLEND else "OOF",
            **scores(logits, clean.get(member), labels),
        }
        for name, members in answered.items()
        for member, logits in members.items()
    ]
    return pd.DataFrame(rows, columns=TABLE_COLUMNS)


def scores(logits: Array, clean: Array | None, labels: Labels) -> dict[str, Any]:
    """Return the scores of the rows with an answer; `clean` are the logits of the same photographs unaltered.

    `change` is the accuracy minus that on the unaltered photographs, its error that of paired decisions.
    """
    there = ~np.isnan(logits)
    logits, labels = logits[there], labels[there]
    probabilities = to_probabilities(logits)
    right = correct_probabilities(probabilities, labels)
    change = change_error = math.nan
    if clean is not None:
        before = correct_probabilities(to_probabilities(clean[there]), labels)
        change, change_error = float(right.mean() - before.mean()), paired_standard_error(right, before)
    alarms, found = ~right[labels == 0], right[labels == 1]
    low, high = UNSURE
    abstained = (probabilities > low) & (probabilities < high)
    return {
        "n": len(labels),
        "accuracy": float(right.mean()),
        "standard_error": standard_error(right),
        "change": change,
        "change_error": change_error,
        "auc": area_under_curve(logits, labels),
        "auc_error": auc_standard_error(logits, labels),
        "false_positive_rate": _share(alarms),
        "false_positive_rate_error": proportion_standard_error(alarms),
        "fakes_found": _share(found),
        "fakes_found_error": proportion_standard_error(found),
        "abstained": _share(abstained),
        "abstained_error": proportion_standard_error(abstained),
    }


def _share(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if len(found) else math.nan


def _facts(
    run: RobustnessRun,
    answered: Mapping[str, Mapping[str, Array]],
    failures: Sequence[InferenceFailure],
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
        "troubles": [{**asdict(failure), "in_words": failure.sentence()} for failure in failures],
        "notes": _notes(run, answered, failures, check),
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
    """Compare predictions of the unaltered photographs with the stored ones; they should be equal.

    Largest differences: of logits for members, of probabilities for the blend, and the number of rows that differ.
    """
    rows = run.answers.sample.rows
    found: dict[str, Any] = {"members": {}, "blend": None}
    for member, logits in clean.items():
        if member != BLEND:
            stored = run.predictions.oof_logits[rows, run.predictions.members.index(member)]
            found["members"][member] = float(np.abs(logits - stored).max())
    if BLEND in clean:
        stored = read_parquet(run.store.blend_folder / BLEND_OOF).set_index("name")["pred"]
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
    failures: Sequence[InferenceFailure],
    check: dict[str, Any],
) -> list[str]:
    notes = [f"left out: {name} {reason}" for name, reason in run.left_out.items()]
    notes += [failure.sentence() for failure in failures]
    if isinstance(run.blend, str):
        notes.append(f"the blend is not scored: {run.blend}")
    elif gone := [name for name in run.blend.needed if name not in run.members]:
        notes.append(f"the blend is not scored: it needs {', '.join(gone)}")
    elif silent := [ALTERATIONS[name].title for name, found in answered.items() if BLEND not in found]:
        notes.append(f"the blend is not scored on {', '.join(silent)}: some of its inputs are missing")
    notes += [
        f"WARNING: {member} predicts unaltered photographs differently than when it was trained (a logit differs by "
        f"{difference:.3g}): its code or a library has changed; train it again"
        for member, difference in check["members"].items()
        if difference > SAME_LOGIT
    ]
    if check["blend"] and check["blend"]["rows_that_differ"]:
        notes.append(
            "the blend, fitted again, predicts "
            f"{plural(check['blend']['rows_that_differ'], 'unaltered photograph')} differently than before (by up to "
            f"{check['blend']['largest_difference']:.3g}); blend again"
        )
    return notes
