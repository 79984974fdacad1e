"""The model card: what this ensemble is, what it was measured on, and what nobody may conclude from it."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.console.text import plural
from ensemble.report.card.numbers import base_rates, error_rates, figures
from ensemble.report.card.words import AUDITS, BLENDERS, FORBIDDEN, INTENDED, LEAD, LIMITS, NEVER, RULES
from ensemble.report.facts.freshness import stale
from ensemble.report.facts.kinds import kind_of
from ensemble.report.facts.material import BlendRows, Material
from ensemble.report.facts.members import recipe_of
from ensemble.report.render.blocks import Block, Column, Section, Table, Text
from ensemble.report.text import CARD_SECTION, SYNTHETIC
from ensemble.store.checks import read_audit
from ensemble.store.doubts import doubts_of
from ensemble.store.results import GENERATORS, ROBUSTNESS, read


def card(material: Material) -> Section | None:
    """Return the card of the blend; None where there is no blend of these predictions."""
    manifest, blend = material.manifest, material.blend
    if manifest is None or blend is None:
        return None
    blocks: tuple[Block, ...] = (
        _what(material, manifest),
        _data(material),
        _folds(material, manifest),
        *_method(material, manifest),
        *_measured(material, manifest, blend),
        _not_measured(material),
        Text(("Where it may be wrong in ways that no number on this page shows:",), "Limits", LIMITS),
        Text((), "Intended use", INTENDED),
        Text((), "Forbidden use", FORBIDDEN),
        Text((), "Versions and hashes"),
        _versions(manifest),
        _hashes(material, manifest),
    )
    return Section(CARD_SECTION, "Model card", LEAD, blocks)


def _what(material: Material, manifest: dict[str, Any]) -> Text:
    members = manifest["members"]
    records = [record for name in members for record in material.predictions.every_record_of(name)]
    finished = [record.finished for record in records if not record.trained_elsewhere]
    made = time.strftime("%d %B %Y", time.gmtime(max(finished))) if finished else ""
    return Text(
        (
            f"{material.store.name} combines the outputs of {plural(len(members), 'classifier')} into "
            "the probability that a generator made a photograph rather than a camera. At 0.5 or above a photograph is "
            "predicted fake, below it real." + (f" Its last fold was trained on {made} (UTC)." if made else ""),
            "It gives a probability, not a finding. It does not say which generator, which part of a picture, or why.",
        ),
        "What it is",
    )


def _data(material: Material) -> Text:
    facts, labels = material.facts, material.labels
    groups = material.predictions.ledger.table["group"].value_counts()
    shared = groups[groups > 1]
    source = source_name(str(facts.get("source", "")))
    return Text(
        (
            f"Source: {source}, as it was published; nobody checked its labels one by one.",
            *([f"It is {SYNTHETIC}."] * facts["synthetic"]),
        ),
        "Data",
        (
            f"Training photographs: {len(labels):,}, of them {int((labels == 0).sum()):,} real and "
            f"{int((labels == 1).sum()):,} fake.",
            f"Test photographs, without labels: {facts['test_rows']:,}. No score on this page was measured on these.",
            f"Near-duplicates: {_duplicates(int(shared.sum()), len(shared))}",
        ),
    )


def _duplicates(photographs: int, groups: int) -> str:
    if not groups:
        return "none were found among the training photographs."
    return (
        f"{photographs:,} training photographs are in {plural(groups, 'group')} of photographs that look alike or "
        "belong together; a group is never split over folds."
    )


def source_name(source: str) -> str:
    """Return the last part of a path or an address: the name of a data set, not its location.

    Examples
    --------
    >>> source_name("/home/somebody/faces.tar.gz")
    'faces.tar.gz'
    """
    parts = [part for part in re.split(r"[\\/]+", source) if part.strip(".")]
    return parts[-1] if parts else "not named"


def _folds(material: Material, manifest: dict[str, Any]) -> Text:
    ledger, predictions = material.predictions.ledger, material.predictions
    cuts = max(len(predictions.cuts_of(member)) for member in manifest["members"])
    often = "cut once for all members" if cuts == 1 else f"cut {cuts} times, the logits being means over the cuts,"
    return Text(
        (
            f"{ledger.n_folds} folds, {often} with seed {ledger.seed} ({ledger.algorithm}): stratified by "
            f"class, grouped by near-duplicates (at most {ledger.distance} of 256 bits of a perceptual hash apart). "
            "Each photograph is scored by models that were trained without it and without its group"
            f"{material.as_said}.",
        ),
        "Folds",
    )


def _method(material: Material, manifest: dict[str, Any]) -> list[Block]:
    chosen, rule = manifest["chosen"], manifest["decision_rule"]
    sentences = [
        f"Blended by {chosen}: {BLENDERS.get(chosen, 'a custom blender')}. The threshold is 0.5: "
        f"{RULES.get(rule, rule)}.",
        f"Why this blender: {manifest['reason']}.",
    ]
    if fewer := [name for name in manifest["members"] if _learned_fewer(material, name)]:
        sentences.append(f"{', '.join(fewer)} learned fewer photographs: others arrived after the training.")
    asking = {member.name for member in material.experiment.members if member.pseudo_labels is not None}
    if learned := [name for name in manifest["members"] if name in asking]:
        sentences.append(
            f"{', '.join(learned)} also learned test photographs by the labels that they seemed to have: the test "
            "probabilities are surer than the out-of-fold ones."
        )
    if manifest["added_logit"]:
        sentences.append(f"The test probabilities allow for another share of fakes: {manifest['prior']['in_words']}.")
    return [Text(tuple(sentences), "Method"), _members(material, manifest)]


def _learned_fewer(material: Material, name: str) -> bool:
    return any(record.learned_fewer for record in material.predictions.records_of(name))


def _members(material: Material, manifest: dict[str, Any]) -> Table:
    board = material.board.set_index("member")
    weights = manifest["weights"] or [np.nan] * len(manifest["members"])
    rows = [
        {
            "member": name,
            "kind": kind_of(recipe_of(material.predictions, name)),
            "accuracy": board.loc[name, "accuracy"],
            "standard_error": board.loc[name, "standard_error"],
            "measured_on": board.loc[name, "measured_on"],
            "n": board.loc[name, "n"],
            "weight": weight,
        }
        for name, weight in zip(manifest["members"], weights, strict=True)
    ]
    columns = (
        Column("member", "Member"),
        Column("accuracy", "Accuracy", "score", error="standard_error"),
        Column("measured_on", "Measured on"),
        Column("n", "Photographs", "count"),
        Column("weight", "Weight", "weight", note="Empty where the blender is not a weighted sum"),
        Column("kind", "Kind"),
    )
    return Table("card-members", "The members of the blend", pd.DataFrame(rows), columns)


def _measured(material: Material, manifest: dict[str, Any], blend: BlendRows) -> list[Block]:
    probabilities, labels = blend.probabilities, material.labels[blend.rows]
    on = f"{manifest['measured_on']} on {len(labels):,} training photographs"
    is_nested = manifest["measured_on"].startswith("nested")
    nested = f" Nested: neither the members nor the blender that scored a photograph had seen it{material.as_said}."
    text = Text(
        (
            f"Measured: {on}.{nested * is_nested} Intervals cover the chance of drawing these photographs and not "
            "others like them; they count photographs as independent, and they cover no other source.",
            *(f"In doubt: {doubt}." for doubt in _doubts(material, manifest)),
        ),
        "Figures",
    )
    return [
        text,
        figures(probabilities, labels, on),
        error_rates(probabilities, labels, manifest["measured_on"].partition(",")[0]),
        *base_rates(probabilities, labels),
    ]


def _doubts(material: Material, manifest: dict[str, Any]) -> list[str]:
    """Return what speaks against members of the blend."""
    others = [member for member in material.predictions.members if member not in manifest["members"]]
    return doubts_of(material.store, material.predictions.without(others))


def _not_measured(material: Material) -> Text:
    never = (f"{what}: not measured." for what in NEVER)
    audits = (_audit(material, file) for file in AUDITS)
    return Text((), "What else was measured, and what was not", (*audits, *never))


def _audit(material: Material, file: str) -> str:
    """Say whether the store holds current results, and which command makes them where it does not."""
    what, command = AUDITS[file]
    which = file.partition("/")[0]
    if which in (ROBUSTNESS, GENERATORS):
        found = read(material.store, which)
        note = None if found is None else stale(material, found[1], which)
    else:
        note = None if read_audit(material.store) is None else ""
    if note is None:
        return f"{what}: not measured. {command} measures it."
    if note:
        return f"{what}: {note}"
    return f"{what}: measured, see the report beside this card ({file} in the store)."


def _versions(manifest: dict[str, Any]) -> Table:
    versions = {**manifest["versions"], "seed of the blend": manifest["seed"]}
    frame = pd.DataFrame([(what, str(version)) for what, version in versions.items()], columns=["what", "version"])
    columns = (Column("what", "What"), Column("version", "Version"))
    return Table("card-versions", "Versions when it was blended", frame, columns)


def _hashes(material: Material, manifest: dict[str, Any]) -> Table:
    """Return the hashes that must be equal for a card to describe the same ensemble."""
    rows = [
        ("data", manifest["data_sha256"]),
        ("folds", manifest["folds_sha256"]),
        ("sample submission", manifest["sample_sha256"]),
        ("submit.csv", manifest.get("submission_sha256")),
        ("the blend's out-of-fold predictions", manifest.get("oof_sha256")),
        *((f"code of {name}", _code(material, name)) for name in manifest["members"]),
    ]
    frame = pd.DataFrame([row for row in rows if row[1]], columns=["what", "sha256"])
    columns = (Column("what", "What"), Column("sha256", "SHA-256"))
    return Table("card-hashes", "Hashes that must be equal for this card to describe the same ensemble", frame, columns)


def _code(material: Material, name: str) -> str:
    return material.predictions.records_of(name)[0].provenance.code
