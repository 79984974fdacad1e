"""The leaderboard: every member and the blend, then every blender, each with what it was measured on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ensemble.core.metrics.scores import correct_probabilities, fold_accuracies
from ensemble.report.facts.material import UNKNOWN, Material
from ensemble.report.render.blocks import Block, Column, Section, Table, Text
from ensemble.store.results import BLEND

_HEAVIEST = 3  # weights of a blender that are shown


def leaderboard_section(material: Material) -> Section:
    """Return the tables of members and blenders."""
    blocks: list[Block] = [_members(material)]
    notes = [
        *(f"Left out: {name}, {why}." for name, why in material.predictions.left_out.items()),
        *(f"Not complete: {name}, {why}." for name, why in material.predictions.partial.items()),
    ]
    if notes:
        blocks.append(Text(tuple(notes)))
    if material.manifest:
        blocks.append(_blenders(material.manifest))
    unseen = f"that the model had not seen{material.said_of(material.predictions.members)}"
    lead = f"Every score is measured on photographs {unseen}. ± is one standard error."
    return Section("leaderboard", "Leaderboard", lead, tuple(blocks))


def _members(material: Material) -> Table:
    """Return the leaderboard, with each fold as a dot, and what the blend loses without a member."""
    board, gains = material.board.copy(), _gains(material.manifest)
    board["folds"] = [_fold_scores(material, row) for row in board["member"]]
    board["gain"] = [gains.get(name, {}).get("gain", np.nan) for name in board["member"]]
    board["gain_in_words"] = [gains.get(name, {}).get("words", "") for name in board["member"]]
    strong = (0,) if material.manifest else ()
    return Table(
        "leaderboard",
        "Members by out-of-fold accuracy at 0.5. At the top is the blend with its nested score: each fold is "
        "predicted by the blender that the other folds chose; below it the chosen blender alone. Dots are folds",
        board,
        (
            Column("member", "Member"),
            Column("accuracy", "Accuracy", "score", error="standard_error"),
            Column("folds", "Folds", "dots", note="Accuracy of each fold, on one scale for all rows"),
            Column("auc", "AUC", "score"),
            Column("log_loss", "Log loss", "score"),
            Column("ece", "ECE", "score", note="Expected calibration error, 15 bins"),
            Column("weight", "Weight", "weight", note="What the blend multiplies its logit by"),
            Column("gain", "Gain", "gain", note="Nested accuracy of the blend minus that of the blend without it"),
            Column("seconds", "Seconds", "seconds", note="One thread, features of all photographs and all folds"),
            Column("photographs_per_second", "Photographs/s", "number", note="One fold's model on new photographs"),
            Column("measured_on", "Measured on"),
            Column("n", "Rows", "count"),
            Column("gain_in_words", "Verdict on the gain"),
        ),
        strong,
    )


def _gains(manifest: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return what the blend loses without each member."""
    if manifest is None or manifest["worth"] is None or len(manifest["members"]) < 2:
        return {}
    return {
        row["member"]: {"gain": (row["gain"]["gained"] - row["gain"]["lost"]) / row["gain"]["rows"],
                        "words": row["gain"]["in_words"]}
        for row in manifest["worth"]["members"]
    }  # fmt: skip


def _fold_scores(material: Material, name: str) -> list[float]:
    """Return the accuracy of each fold that a member, or the blend, has predicted."""
    ledger = material.predictions.ledger
    if name.startswith(f"{BLEND} ("):  # the chosen blender alone
        return []
    if name == BLEND and material.blend is not None:
        rows = material.blend.rows
        right = correct_probabilities(material.blend.probabilities, ledger.labels[rows])
        return [float(value) for value in fold_accuracies(right, ledger.folds[rows])]
    by_member = material.member_right[:, material.predictions.members.index(name)]
    predicted = by_member != UNKNOWN
    return [float(value) for value in fold_accuracies(by_member[predicted] == 1, ledger.folds[predicted])]


def _in_words(weights: list[tuple[str, float]], of: int) -> str:
    """List names with their weights, and how many are left out."""
    more = f" and {of - len(weights)} more" if of > len(weights) else ""
    return ", ".join(f"{name} {weight:.2f}" for name, weight in weights) + more or "not a weighted sum"


def _blenders(manifest: dict[str, Any]) -> Table:
    rows = []
    for title, summary in manifest["blenders"].items():
        mean = next((found["in_words"] for rival, found in summary["against"].items() if "mean" in rival), "")
        weights = summary["weights"] or {}
        used = sorted(((n, w) for n, w in weights.items() if w), key=lambda item: -abs(item[1]))
        rows.append(
            {
                "blender": title,
                "nested": summary["nested"]["accuracy"],
                "standard_error": summary["nested"]["standard_error"],
                "in_sample": summary["in_sample"]["accuracy"],
                "optimism": summary["optimism"],
                "log_loss": summary["nested"]["log_loss"],
                "against_mean": mean,
                "heaviest": _in_words(used[:_HEAVIEST], len(used)),
                "weights": _in_words(used, len(used)),
                "seconds": summary["seconds"],
            }
        )
    chosen = [place for place, title in enumerate(manifest["blenders"]) if title == manifest["chosen"]]
    return Table(
        "blenders",
        "Blenders, from simple to complex. In-sample scores are too high, since they are measured on the rows that "
        "were fitted; nested scores are not, and optimism is the difference. Each is scored as if nothing had been "
        "chosen",
        pd.DataFrame(rows),
        (
            Column("blender", "Blender"),
            Column("nested", "Nested accuracy", "score", error="standard_error"),
            Column("in_sample", "In-sample", "score"),
            Column("optimism", "Optimism", "gain"),
            Column("log_loss", "Nested log loss", "score"),
            Column("seconds", "Seconds", "seconds"),
            Column("against_mean", "Against the plain mean"),
            Column("heaviest", "Weights", note="The largest; all are in blenders.csv"),
        ),
        tuple(chosen),
    )
