"""Each member by itself: its scores, training, features, errors, and likeness to others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.metrics.intervals import wilson_interval
from ensemble.core.metrics.scores import CLASSES
from ensemble.report.facts.families import family_shares
from ensemble.report.facts.kinds import kind_of
from ensemble.report.facts.material import Material
from ensemble.report.facts.members import fold_table, histories_of, recipe_of, recipe_text, worst_errors
from ensemble.report.facts.rates import rates_of, rates_table
from ensemble.report.render.blocks import Block, Column, Details, Fact, Facts, Listing, Section, Table, Text
from ensemble.report.sections.member_figures import curves_figure, families_figure
from ensemble.store.predictions import measured_on


def members(material: Material) -> Section:
    """Return a part for each member, the best first, closed until a reader opens it."""
    lead = "Open a member to see its scores, its training, the features it uses, and the photographs that it got wrong."
    ranked = [name for name in material.board["member"] if name in material.predictions.members]
    return Section("members", "Members, one by one", lead, tuple(_member(material, name) for name in ranked))


def _member(material: Material, name: str) -> Details:
    column = material.predictions.members.index(name)
    board = material.scores_of(name)
    shares = family_shares(material.store, material.predictions.records_of(name))
    curves = curves_figure(name, histories_of(material.predictions, name))
    blocks: list[Block] = [
        _facts(material, name, board),
        _folds(material, column),
        *([curves] if curves else []),
        *([families_figure(name, shares)] if shares else []),
        _confusion(material, column),
        _errors(material, column),
        *_with_others(material, column),
        Listing(f"Recipe of {name}", recipe_text(material.predictions, name)),
    ]
    summary = (
        f"{board['accuracy']:.4f} ± {board['standard_error']:.4f}; {kind_of(recipe_of(material.predictions, name))}"
    )
    return Details(f"member-{name}", name, summary, tuple(blocks))


def _facts(material: Material, name: str, board: pd.Series[Any]) -> Facts:
    predictions = material.predictions
    n = int(board["n"])
    low, high = wilson_interval(round(board["accuracy"] * n), n)
    own = [record for record in predictions.records_of(name) if not record.trained_elsewhere]
    facts = [
        Fact("Accuracy", f"{board['accuracy']:.2%}", f"± {board['standard_error']:.2%} (standard error), 95% interval "
             f"{low:.2%} to {high:.2%}; {measured_on(predictions, name)} on {n:,} training photographs"),
        Fact("AUC", f"{board['auc']:.4f}", "how often a fake is ranked above a real photograph"),
        Fact("Log loss", f"{board['log_loss']:.4f}", "0.6931 is a coin toss"),
        Fact("Calibration error", f"{board['ece']:.4f}", "ECE: mean gap between probability and share of fakes"),
        Fact("Weight in the blend", *_weight(material, name, float(board["weight"]))),
    ]  # fmt: skip
    if own:
        memory = max(record.peak_memory_mib for record in own)
        facts.append(Fact("Seconds", f"{board['seconds']:,.1f}", "one thread, features of all photographs, all folds"))
        facts.append(Fact("Peak memory", f"{memory:,.0f} MiB", "of the process that trained a fold"))
    return Facts(tuple(facts))


def _weight(material: Material, name: str, weight: float) -> tuple[str, str]:
    manifest = material.manifest
    if manifest is None:
        return "none yet", "there is no blend of these predictions"
    if name not in manifest["members"]:
        return "none", "it is not in the blend"
    if math.isnan(weight):
        return "no single one", f"{manifest['chosen']} is not a weighted sum"
    return f"{weight:.2f}", f"what {manifest['chosen']} multiplies its logit by"


def _folds(material: Material, column: int) -> Table:
    name = material.predictions.members[column]
    missing = material.predictions.partial.get(name)
    return Table(
        f"folds-of-{name}",
        f"Folds of {name}: each predicted by a model that had not seen it{f'; {missing}' if missing else ''}",
        fold_table(material.predictions, column),
        (
            Column("fold", "Fold", "count"),
            Column("rows", "Rows", "count"),
            Column("accuracy", "Accuracy", "score", error="standard_error"),
            Column("auc", "AUC", "score"),
            Column("log_loss", "Log loss", "score"),
            Column("fit", "Fit, s", "seconds"),
            Column("predict", "Predict, s", "seconds"),
            Column("threads", "Threads", "count"),
            Column("memory", "Peak MiB", "bytes"),
            Column("model", "Model"),
        ),
    )


def _confusion(material: Material, column: int) -> Table:
    name = material.predictions.members[column]
    probabilities = material.predictions.probabilities(column)
    known = ~np.isnan(probabilities)
    rates = rates_of(probabilities[known], material.labels[known])
    return rates_table(f"confusion-of-{name}", f"Fakes found and false alarms of {name}, out-of-fold, at 0.5", rates)


def _errors(material: Material, column: int) -> Block:
    """Return a member's most confident errors, with the blend's probabilities of the same photographs."""
    name = material.predictions.members[column]
    worst = worst_errors(material.predictions, column)
    if not len(worst):
        return Text((f"{name} gets every photograph right.",))
    table = material.predictions.ledger.table.iloc[worst]
    errors = pd.DataFrame(
        {
            "photograph": table["name"].to_numpy(),
            "truth": [CLASSES[label] for label in table["label"]],
            "probability": material.predictions.probabilities(column)[worst],
            "blend": material.blend_by_row[worst],
            "fold": table["fold"].to_numpy(),
        }
    )
    columns = [
        Column("photograph", "Photograph"),
        Column("truth", "Truth"),
        Column("probability", "Its probability of fake", "score"),
        *([Column("blend", "The blend's", "score")] if material.blend else []),
        Column("fold", "Fold", "count"),
    ]
    caption = f"The {len(worst)} most confident errors of {name}, out-of-fold"
    return Table(f"errors-of-{name}", caption, errors, tuple(columns))


def _with_others(material: Material, column: int) -> list[Block]:
    """Compare a member's errors and recipe with those of the others."""
    predictions = material.predictions
    name, others = predictions.members[column], [n for n in predictions.members if n != predictions.members[column]]
    if not others:
        return []
    rows = [_likeness(material, column, predictions.members.index(other)) for other in others]
    table = Table(
        f"others-of-{name}",
        f"{name} compared with the others, on photographs that both have predicted. No blend of the two corrects what "
        "both get wrong",
        pd.DataFrame(rows).sort_values("errors_shared", ascending=False, ignore_index=True, kind="stable"),
        (
            Column("other", "Other member"),
            Column("correlation", "Correlation of logits", "weight"),
            Column("errors_both", "Both wrong", "count"),
            Column("errors_shared", "Share of its errors", "score"),
            Column("n", "Photographs", "count"),
            Column("recipe", "Same in both recipes"),
        ),
    )
    return [table]


def _likeness(material: Material, column: int, other: int) -> dict[str, Any]:
    predictions, likeness = material.predictions, material.likeness
    both, own = (int(count[column, other]) for count in (likeness.both_wrong, likeness.wrong))
    mine, theirs = (recipe_of(predictions, predictions.members[place]) for place in (column, other))
    same = [part for part in ("features", "model") if mine.get(part) and mine.get(part) == theirs.get(part)]
    return {
        "other": predictions.members[other],
        "correlation": float(likeness.correlation[column, other]),
        "errors_both": both,
        "errors_shared": both / own if own else math.nan,
        "n": int(likeness.common[column, other]),
        "recipe": " and ".join(same),
    }
