"""What was asked after training: its sections tell what its files hold, and only of what the store still holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ensemble.blend.run import blend
from ensemble.config.experiment import Experiment
from ensemble.report.facts.freshness import current_rows, stale
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Section, Table, blocks_of
from ensemble.report.sections.stress.generators import generators
from ensemble.report.sections.stress.robustness import robustness
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.results import ALL, GENERATORS, ROBUSTNESS, read
from tests.records import reseal

SECTIONS = {ROBUSTNESS: robustness, GENERATORS: generators}
BOTH = pytest.mark.parametrize("which", [ROBUSTNESS, GENERATORS])


@pytest.fixture
def store(real_report: Path, tmp_path: Path) -> OofStore:
    """A copy that may be changed."""
    return OofStore(Path(shutil.copytree(real_report, tmp_path / "oof" / "small store")))


def material_of(store: OofStore) -> Material:
    return Material.of(store, store.experiment(), load_predictions(store))


def table(section: Section, name: str) -> pd.DataFrame:
    return next(table.frame for table in blocks_of([section], Table) if table.id == name)


def members_shown(section: Section) -> set[str]:
    return {
        str(name) for table in blocks_of([section], Table) if "member" in table.frame for name in table.frame["member"]
    }


def words(section: Section) -> str:
    return f"{section.lead} {section.blocks}"


def retrain(store: OofStore, member: str) -> None:
    """One fold says something else, as after training it again."""
    folder = store.fold_folder(member, 1)
    assert isinstance(folder, Path)
    reseal(folder, pd.read_parquet(folder / "predictions.parquet").assign(pred=lambda t: 1 - t["pred"]))


def blend_again(store: OofStore, method: str) -> None:
    experiment = store.experiment()
    settings = experiment.blend.model_copy(update={"methods": (method,)})
    blend(store, Experiment.model_validate({**experiment.model_dump(), "blend": settings.model_dump()}))


def test_the_numbers_of_a_member_on_altered_photographs(real_report: Path) -> None:
    logits = pd.read_parquet(real_report / "robustness" / "jpeg_50_420" / "boosted.parquet")
    called = logits["logit"] >= 0
    shown = table(robustness(material_of(OofStore(real_report))), "robustness-of-member-boosted").set_index(
        "alteration"
    )
    assert shown.loc["jpeg_50_420", "accuracy"] == pytest.approx((called == (logits["label"] == 1)).mean())
    assert shown.loc["jpeg_50_420", "false_positive_rate"] == pytest.approx(called[logits["label"] == 0].mean())
    assert shown["member"].eq("boosted").all()
    assert {"auc", "auc_error", "false_positive_rate_error"} <= set(shown)


def test_the_numbers_of_a_member_on_clusters_never_seen(real_report: Path) -> None:
    files = sorted((real_report / "generators" / "members" / "linear").glob("fold-*/predictions.parquet"))
    rows = pd.concat([pd.read_parquet(file) for file in files]).query("split == 'oof'")
    right = (rows["pred"] >= 0.5) == (rows["label"] == 1)
    section = generators(material_of(OofStore(real_report)))
    shown = table(section, "generators-by-member").set_index("member").loc["linear"]
    assert shown["accuracy"] == pytest.approx(right.mean())
    assert shown["fakes_found"] == pytest.approx(right[rows["label"] == 1].mean())
    each = table(section, "generators-by-cluster").set_index(["cluster", "member"])
    assert each.loc[(0, "linear"), "accuracy"] == pytest.approx(right[rows["fold"] == 0].mean())
    assert ALL not in each.index.get_level_values("cluster")


@pytest.mark.training
@BOTH
def test_nothing_is_stale_while_nothing_changes(store: OofStore, which: str) -> None:
    found = read(store, which)
    assert found is not None
    material = material_of(store)
    assert stale(material, found[1], which) == ""
    pd.testing.assert_frame_equal(current_rows(material, *found), found[0])
    blend(store)  # the same once more: only its seconds are others
    assert stale(material_of(store), found[1], which) == ""


@BOTH
def test_a_member_that_was_trained_again_is_left_out(store: OofStore, which: str) -> None:
    retrain(store, "linear")
    section = SECTIONS[which](material_of(store))
    assert members_shown(section) == {"boosted"}, "the blend was made of what is gone"
    assert "The blend and linear changed since this was measured" in words(section)
    assert f"ensemble {which} '{store.root}'" in words(section)
    blend(store)
    assert members_shown(SECTIONS[which](material_of(store))) == {"boosted"}


@BOTH
def test_a_member_that_a_blend_leaves_out_has_not_changed(store: OofStore, which: str) -> None:
    predictions = load_predictions(store).without(["linear"])
    blend(store, predictions=predictions)
    section = SECTIONS[which](Material.of(store, store.experiment(), predictions))
    assert members_shown(section) == {"linear", "boosted"}
    assert "The blend changed since this was measured, so its rows are left out" in words(section)


@BOTH
def test_another_blend_is_left_out(store: OofStore, which: str) -> None:
    blend_again(store, "single_best")
    section = SECTIONS[which](material_of(store))
    assert members_shown(section) == {"linear", "boosted"}
    assert "The blend changed since this was measured, so its rows are left out" in words(section)
    assert "decides" not in words(section), "nor is the old blend's verdict shown"


@BOTH
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data_sha256": "other"}, "on other photographs"),
        ({"folds_sha256": "other"}, "on other folds"),
        ({"predictions_sha256": None}, "An earlier version measured this"),
    ],
)
def test_of_other_data_or_folds_nothing_is_shown(
    store: OofStore, which: str, changes: dict[str, Any], said: str
) -> None:
    path = store.root / which / f"{which}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    section = SECTIONS[which](material_of(store))
    assert said in words(section)
    assert list(blocks_of([section], Table)) == []


@pytest.mark.training
@BOTH
def test_a_file_that_cannot_be_read_is_none(store: OofStore, which: str) -> None:
    (store.root / which / f"{which}.json").write_text("[1]")
    section = SECTIONS[which](material_of(store))
    assert section.lead == "Not measured yet."
    assert f"ensemble {which} '{store.root}'" in words(section)


@BOTH
def test_the_page_of_an_inquiry_is_its_section(real_report: Path, which: str) -> None:
    page = (real_report / which / f"{which}.md").read_text()
    whole = (real_report / "report.md").read_text()
    title = SECTIONS[which](material_of(OofStore(real_report))).title
    assert page[page.index(f"## {title}") :].strip() in whole


def test_errors_are_never_zero_for_want_of_cases(real_report: Path) -> None:
    """Linear calls no real photograph fake: none among a few does not mean never."""
    shown = table(generators(material_of(OofStore(real_report))), "generators-by-member").set_index("member")
    assert shown.loc["linear", "false_positives"] == 0
    assert np.isfinite(shown["false_positives_se"]).all()
    assert (shown["false_positives_se"] > 0).all()
