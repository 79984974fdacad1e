"""Numbers of sections, computed once more with pandas and scikit-learn straight from the store's files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from ensemble.report.facts import leaderboard
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Facts, Figure, Section, Table
from ensemble.report.sections.answer import answer
from ensemble.report.sections.decision import decision
from ensemble.report.sections.diversity import diversity
from ensemble.report.sections.leaderboard import leaderboard_section
from ensemble.store.oof import OofStore


def tables(section: Section) -> dict[str, pd.DataFrame]:
    found = [block.table if isinstance(block, Figure) else block for block in section.blocks]
    return {table.id: table.frame for table in found if isinstance(table, Table)}


def blend_of(store: OofStore) -> pd.DataFrame:
    return pd.read_parquet(store.blend_folder / "oof.parquet")


def member_of(store: OofStore, name: str) -> pd.DataFrame:
    files = store.member_folder(name).glob("fold-*/predictions.parquet")
    return pd.concat([pd.read_parquet(file).query("split == 'oof'") for file in files]).sort_values("name")


def test_the_answer_is_that_of_the_blend_s_own_rows(mixed: OofStore, material: Material) -> None:
    rows = blend_of(mixed)
    right = (rows["pred"] >= 0.5) == (rows["label"] == 1)
    facts = next(block for block in answer(material).blocks if isinstance(block, Facts)).facts
    assert facts[0].value == f"{right.mean():.2%}"
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    assert f"{interval.low:.2%} to {interval.high:.2%}" in facts[0].note
    accused = rows.query("label == 0")["pred"] >= 0.5
    assert facts[1].value == f"{accused.mean():.1%}"
    missed = rows.query("label == 1")["pred"] < 0.5
    assert facts[2].value == f"{missed.mean():.1%}"


@pytest.mark.training
@pytest.mark.parametrize("name", ["boosted", "imported"])
def test_the_leaderboard_is_that_of_the_members_own_files(mixed: OofStore, material: Material, name: str) -> None:
    rows = member_of(mixed, name)
    shown = tables(leaderboard_section(material))["leaderboard"].set_index("member").loc[name]
    right = (rows["pred"] >= 0.5) == (rows["label"] == 1)
    assert shown["accuracy"] == pytest.approx(right.mean())
    assert shown["auc"] == pytest.approx(roc_auc_score(rows["label"], rows["pred"]), abs=1e-6)
    assert shown["folds"] == pytest.approx(right.groupby(rows["fold"]).mean().tolist())


def test_decisions_are_counted_on_the_blend_s_rows(mixed: OofStore, material: Material) -> None:
    rows, section = blend_of(mixed), decision(material)
    assert section is not None
    found = tables(section)
    line = found["over-threshold-numbers"].set_index("threshold").loc[0.3]
    assert line["accuracy"] == pytest.approx(((rows["pred"] >= 0.3) == (rows["label"] == 1)).mean())
    assert (
        found["by-class-numbers"][["real", "fake"]].sum().tolist() == rows["label"].value_counts().loc[[0, 1]].tolist()
    )
    half = found["over-coverage-numbers"].set_index("coverage").loc[0.5]
    surest = rows.assign(sure=(rows["pred"] - 0.5).abs()).nlargest(int(half["n"]), "sure")
    wrong = ((surest["pred"] >= 0.5) != (surest["label"] == 1)).sum()
    assert half["wrong"] == wrong


def test_errors_are_shared_as_the_files_say(mixed: OofStore, material: Material) -> None:
    section = diversity(material)
    assert section is not None
    found = tables(section)["shared-errors"].set_index("member")
    names = material.predictions.members
    there = set(member_of(mixed, "pixels")["name"])  # it lacks a fold: only rows of all members count
    wrong = {}
    for name in ("boosted", "imported"):
        rows = member_of(mixed, name)
        rows = rows[rows["name"].isin(there)].set_index("name")
        wrong[name] = (rows["pred"] >= 0.5) != (rows["label"] == 1)
    row = found.loc[f"{names.index('boosted') + 1} boosted"]
    assert row["boosted"] == wrong["boosted"].sum()
    assert row["imported"] == (wrong["boosted"] & wrong["imported"]).sum()


def test_a_blend_that_uses_no_member_has_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its intercept alone may be the best that there is."""
    oof = {"pred": np.array([0.1, 0.2]), "label": np.array([0, 1]), "fold": np.array([0, 1])}
    monkeypatch.setattr(leaderboard, "read_arrays", lambda *_: oof)
    manifest = {"members": ["a"], "measured_on": "nested OOF", "chosen": "nonnegative_logistic"}
    row = {"member": "a", "weight": 0.0, "seconds": 1.0, "photographs_per_second": 5.0}
    store: Any = SimpleNamespace(blend_folder=Path("x"))
    found = leaderboard._blend_rows(store, manifest, [row])
    assert np.isnan(found[0]["photographs_per_second"])
