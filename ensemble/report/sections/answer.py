"""The answer first: how good this submission is expected to be, how that is known, and compared with what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.errors import UserError
from ensemble.core.metrics.intervals import wilson_interval
from ensemble.core.metrics.paired import compare
from ensemble.core.metrics.scores import CLASSES, correct_probabilities
from ensemble.report.facts.freshness import current_rows
from ensemble.report.facts.material import UNKNOWN, BlendRows, Material
from ensemble.report.facts.rates import FALSE_ALARMS, FOUND, Rate, rates_of
from ensemble.report.render.blocks import Column, Fact, Facts, Finding, Findings, Section, Table, Text
from ensemble.report.text import BASELINE
from ensemble.store.checks import read_audit
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.results import ALL, AS_THEY_ARE, GENERATORS, ROBUSTNESS, read


def answer(material: Material) -> Section:
    """Return the expected accuracy with its interval, and what it is compared with."""
    manifest, blend = material.manifest, material.blend
    if manifest is None or blend is None:
        return _best_member(material)
    nested = manifest["nested"]
    right = round(nested["accuracy"] * nested["n"])
    low, high = wilson_interval(right, nested["n"])
    expected = Fact(
        "Expected accuracy of this submit.csv",
        f"{nested['accuracy']:.2%}",
        f"95% interval {low:.2%} to {high:.2%}; measured on {nested['n']:,} training photographs, each predicted by "
        f"models and weights that had not seen it{material.as_said} ({manifest['measured_on']}); "
        f"{nested['n'] - right:,} wrong",
    )
    facts = (
        expected,
        *_errors(blend, material),
        Fact("AUC", f"{nested['auc']:.4f}", "how often a fake is ranked above a real photograph"),
        Fact("Members blended", f"{_used(manifest)}", f"of {len(manifest['members'])}, by {manifest['chosen']}"),
        Fact("Test photographs", f"{manifest['rows']['test']:,}", manifest["guard"]["lines"][0]),
        *_flips(manifest["guard"]),
    )
    comparisons = Table(
        "comparisons",
        "The blend against others, on the same photographs (paired: McNemar's exact test at 5%)",
        pd.DataFrame(_comparisons(material, blend)),
        (
            Column("against", "Against"),
            Column("accuracy", "Its accuracy", "score", error="standard_error"),
            Column("difference", "Blend is better by", "gain"),
            Column("low", "from", "gain"),
            Column("high", "to", "gain", note="95% interval by the bootstrap over photographs"),
            Column("in_words", "Verdict"),
        ),
    )
    text = Text((f"Why this blender: {manifest['reason']}.", _caveats(material)))
    blocks = (*_doubts(material), Facts(facts, lead=True), comparisons, text)
    return Section("answer", "The answer", _lead(material), blocks)


def _used(manifest: dict[str, Any]) -> int:
    """Count the members that the blend uses."""
    weights = manifest["weights"]
    return len(manifest["members"]) if weights is None else sum(weight != 0 for weight in weights)


def _doubts(material: Material) -> tuple[Findings, ...]:
    """Return what speaks against the numbers below: doubts about members, and audits of look or alarm."""
    members = [
        Finding(f"doubt-{number}", "A member to doubt", "look", f"{doubt}.")
        for number, doubt in enumerate(material.doubts)
    ]
    audits = [
        Finding(f"doubt-{check.id}", check.title, check.verdict, check.sentence, check.remedy)
        for check in read_audit(material.store) or []
        if check.verdict in ("look", "alarm")
    ]
    return (Findings((*members, *audits)),) if members or audits else ()


def _errors(blend: BlendRows, material: Material) -> list[Fact]:
    """Return how many real photographs it accuses, and how many fakes it misses."""
    rates = rates_of(blend.probabilities, material.labels[blend.rows])
    found, alarms = rates[FOUND], rates[FALSE_ALARMS]
    missed = Rate(found.of - found.count, found.of)
    return [
        Fact(
            title,
            f"{rate.share:.1%}",
            f"{rate.count:,} of {rate.of:,}; 95% interval {rate.interval[0]:.1%} to {rate.interval[1]:.1%}",
        )
        for title, rate in (("Real photographs predicted fake", alarms), ("Fakes missed", missed))
        if rate.of
    ]


def _flips(guard: dict[str, Any]) -> list[Fact]:
    """Return how many decisions differ from those of the previous submission."""
    if guard["flips"] is None:
        return []
    return [
        Fact("Compared with the last submission", f"{guard['flips']:,}", f"of {guard['compared']:,} decisions changed")
    ]


def _caveats(material: Material) -> str:
    """Say what the interval does not cover, with what is known of that."""
    known = [_left_out(material), _altered(material)]
    return (
        "The interval holds for photographs like the training photographs, from the same cameras and generators. "
        f"{' '.join(known)} Where fakes are rare, most alarms are false: see the model card."
    )


def _left_out(material: Material) -> str:
    found = _current(material, GENERATORS)
    if found is None:
        return "Accuracy on kinds of fakes that were left out of training: not measured."
    first = found[found["cluster"] == ALL].iloc[0]
    return f"Accuracy of {first['member']} on kinds of fakes that were left out of training: {first['accuracy']:.1%}."


def _altered(material: Material) -> str:
    found = _current(material, ROBUSTNESS)
    if found is None:
        return "Accuracy on altered photographs: not measured."
    who = str(found["member"].iloc[0])
    altered = found[(found["member"] == who) & (found["alteration"] != AS_THEY_ARE)]
    if altered.empty:
        return "Accuracy on altered photographs: not measured."
    worst = altered.iloc[int(altered["accuracy"].argmin())]
    return f"Accuracy of {who} on altered photographs: {worst['accuracy']:.1%} at worst ({worst['title']})."


def _current(material: Material, which: str) -> pd.DataFrame | None:
    """Return results of robustness or generators that still apply, the blend first; None where there are none."""
    found = read(material.store, which)
    table = None if found is None else current_rows(material, *found)
    return None if table is None or table.empty else table


def _lead(material: Material) -> str:
    """Return what the data is and how it was read."""
    facts = material.facts
    rows = f"{material.store.name}: {facts['train_rows']:,} training and {facts['test_rows']:,} test photographs"
    return ". ".join([rows, *facts.get("lines", [])]) + "."


def _best_member(material: Material) -> Section:
    """Return the best member, before there is a blend of these predictions."""
    best = material.board.iloc[0]
    fact = Fact(
        f"Best member so far: {best['member']}",
        f"{best['accuracy']:.2%}",
        f"± {best['standard_error']:.2%} (standard error), {best['measured_on']} on {best['n']:,} training photographs",
    )
    missing = Text(("There is no submission of these predictions yet; ensemble blend makes one.",))
    return Section("answer", "The answer", _lead(material), (*_doubts(material), Facts((fact,), lead=True), missing))


def _comparisons(material: Material, blend: BlendRows) -> list[dict[str, Any]]:
    """Compare the blend with the best member, the baseline, and always giving the more frequent answer."""
    labels = material.labels[blend.rows]
    right = correct_probabilities(blend.probabilities, labels)
    rivals = _best_of(material, blend) | _baseline(material, blend)
    majority = int(labels.mean() >= 0.5)
    rivals[f"always {CLASSES[majority]}"] = labels == majority
    rows = []
    for title, other in rivals.items():
        found, accuracy = compare(right, other), float(other.mean())
        rows.append(
            {
                "against": title,
                "accuracy": accuracy,
                "standard_error": float(np.sqrt(accuracy * (1 - accuracy) / len(other))),
                "difference": found.difference,
                "low": found.low,
                "high": found.high,
                "in_words": found.in_words(),
            }
        )
    return rows


def _best_of(material: Material, blend: BlendRows) -> dict[str, Any]:
    """Return the decisions of the best member that has predicted all rows of the blend."""
    right = material.member_right[blend.rows]
    whole = (right != UNKNOWN).all(axis=0)
    if not whole.any():
        return {}
    best = int(np.argmax(np.where(whole, (right == 1).mean(axis=0), -1)))
    name = material.predictions.members[best]
    return {f"best member ({name}; chosen on these rows)": right[:, best] == 1}


def _baseline(material: Material, blend: BlendRows) -> dict[str, Any]:
    """Return the decisions of the baseline's first member, if its store is beside this one and holds these rows."""
    found = _baseline_store(material)
    if found is None:
        return {}
    probabilities = found.probabilities(0)[blend.rows]
    if np.isnan(probabilities).any():
        return {}
    return {f"baseline ({found.members[0]})": correct_probabilities(probabilities, material.labels[blend.rows])}


def _baseline_store(material: Material) -> Predictions | None:
    store = OofStore(material.store.root.with_name(BASELINE))
    try:
        if store.name == material.store.name or not store.exists():
            return None
        if store.facts()["sha256"] != material.facts["sha256"]:
            return None
        return load_predictions(store)
    except UserError:
        return None
