"""The model card: its numbers are those of the files, and it says what was not measured and nothing of this machine."""

from __future__ import annotations

import io
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from ensemble.config.experiment import BlendMethod
from ensemble.report import write
from ensemble.report.card.card import card, source_name
from ensemble.report.card.numbers import base_rates, figures
from ensemble.report.card.words import BLENDERS
from ensemble.report.facts.material import Material
from ensemble.report.facts.rates import Rate, share_of_alarms_right
from ensemble.report.publish import publish
from ensemble.report.render.blocks import Section, Table, Text, blocks_of
from ensemble.report.render.markdown import to_markdown
from ensemble.store.oof import OofStore
from ensemble.store.results import made_from


@pytest.fixture(scope="module")
def section(material: Material) -> Section:
    found = card(material)
    assert found is not None
    return found


@pytest.fixture
def store(mixed: OofStore, tmp_path: Path) -> OofStore:
    return OofStore(Path(shutil.copytree(mixed.root, tmp_path / "mixed")))


def table(section: Section, identifier: str) -> pd.DataFrame:
    return next(each.frame for each in blocks_of([section], Table) if each.id == identifier)


def chapter(section: Section, title: str) -> str:
    found = next(block for block in section.blocks if isinstance(block, Text) and block.title == title)
    return "\n".join([*found.paragraphs, *found.items])


def nested(store: OofStore) -> pd.DataFrame:
    return pd.read_parquet(store.blend_folder / "oof.parquet")


def test_figures_are_those_of_the_blend_s_file(mixed: OofStore, section: Section) -> None:
    rows, said = nested(mixed), table(section, "card-figures").set_index("figure")
    assert said.loc["Accuracy at 0.5", "value"] == pytest.approx(((rows["pred"] >= 0.5) == rows["label"]).mean())
    assert said.loc["AUC", "value"] == pytest.approx(roc_auc_score(rows["label"], rows["pred"]))
    assert said.loc["Brier score", "value"] == pytest.approx(brier_score_loss(rows["label"], rows["pred"]))
    assert said.loc["Log loss", "value"] == pytest.approx(log_loss(rows["label"], rows["pred"]), rel=1e-4)
    with_interval = said.dropna(subset="low")
    assert (with_interval["low"] <= with_interval["value"]).all()
    assert (with_interval["value"] <= with_interval["high"]).all()
    assert (said["n"] == len(rows)).all()
    assert said["measured_on"].str.startswith("nested OOF on").all()


def test_errors_by_class(mixed: OofStore, section: Section) -> None:
    rows, said = nested(mixed), table(section, "card-errors").set_index("what")
    real, fake = rows[rows["label"] == 0], rows[rows["label"] == 1]
    alarms = said.loc["real photographs predicted fake (false-positive rate)"]
    assert alarms[["count", "of"]].tolist() == [(real["pred"] >= 0.5).sum(), len(real)]
    missed = said.loc["fakes predicted real (missed)"]
    assert missed[["count", "of"]].tolist() == [(fake["pred"] < 0.5).sum(), len(fake)]
    assert alarms["low"] <= alarms["share"] <= alarms["high"]


def test_base_rates_are_bayes_rule() -> None:
    assert share_of_alarms_right(0.0005, 0.95, 0.01) == pytest.approx(0.0005 * 0.95 / (0.0005 * 0.95 + 0.9995 * 0.01))
    assert share_of_alarms_right(0.5, 0.9, 0.1) == pytest.approx(0.9)
    assert math.isnan(share_of_alarms_right(0.5, 0.0, 0.0))
    probabilities = np.repeat([0.9, 0.1, 0.9, 0.1], [90, 10, 2, 98])
    text, found = base_rates(probabilities, np.repeat([1, 0], 100))
    rare = found.frame.set_index("prior").loc[0.0005]  # type: ignore[union-attr]
    assert rare["share_right"] == pytest.approx(0.0005 * 0.9 / (0.0005 * 0.9 + 0.9995 * 0.02))
    low, high = Rate(90, 100).interval[0], Rate(2, 100).interval[1]
    assert rare["share_right_at_worst"] == pytest.approx(0.0005 * low / (0.0005 * low + 0.9995 * high))
    assert rare["alarms"] == pytest.approx(10_000 * (0.0005 * 0.9 + 0.9995 * 0.02))
    assert "2.2% of all alarms would be right" in text.paragraphs[0]  # type: ignore[union-attr]
    assert f"{rare['share_right_at_worst']:.1%}" in text.paragraphs[0]  # type: ignore[union-attr]


def test_no_false_alarm_among_few_is_not_never() -> None:
    text, found = base_rates(np.repeat([0.9, 0.1], 20), np.repeat([1, 0], 20))
    assert found.frame["share_right"].eq(1).all()  # type: ignore[union-attr]
    assert found.frame["share_right_at_worst"].iloc[-1] < 0.01  # type: ignore[union-attr]
    assert "does not make it never" in text.paragraphs[0]  # type: ignore[union-attr]


def test_certainty_has_no_interval() -> None:
    said = figures(np.array([0.9, 0.9, 0.1, 0.1]), np.array([1, 1, 0, 0]), "x").frame.set_index("figure")
    assert said.loc["Accuracy at 0.5", "low"] < 0.6, "four rights of four"
    assert said.loc["AUC", ["low", "high"]].isna().all()


def test_it_says_what_was_not_measured_and_how_to(store: OofStore, material: Material) -> None:
    here = replace(material, store=store)
    said = chapter(card(here) or Section("", "", "", ()), "What else was measured, and what was not")
    for command in ("robustness", "generators"):
        assert f"not measured. ensemble {command} measures it" in said
    assert "measured, see the report beside this card (audit/audit.json" in said  # training audits
    frame = pd.DataFrame({"member": ["blend"]})
    for name, data in (("robustness", store.facts()["sha256"]), ("generators", "another")):
        (store.root / name).mkdir()
        frame.to_parquet(store.root / name / f"{name}.parquet")
        made = made_from(store, material.predictions, material.manifest, material.predictions.members)
        (store.root / name / f"{name}.json").write_text(json.dumps(made | {"data_sha256": data}))
    said = chapter(card(here) or Section("", "", "", ()), "What else was measured, and what was not")
    assert "measured, see the report beside this card (robustness/robustness.json" in said
    assert "This was measured on other photographs than the store's" in said
    assert f"run ensemble generators {store.root} again" in said
    content = json.loads((store.root / "audit" / "audit.json").read_text())
    (store.root / "audit" / "audit.json").write_text(json.dumps(content | {"data_sha256": "another"}))
    said = chapter(card(here) or Section("", "", "", ()), "What else was measured, and what was not")
    assert "not measured. ensemble audit measures it" in said
    (store.root / "audit" / "audit.json").unlink()
    said = chapter(card(here) or Section("", "", "", ()), "What else was measured, and what was not")
    assert "not measured. ensemble audit measures it" in said


def test_data_folds_and_hashes_are_the_store_s(mixed: OofStore, section: Section) -> None:
    folds = json.loads((mixed.root / "folds.json").read_text())
    assert f"{folds['n_folds']} folds, cut once for all members with seed {folds['seed']}" in chapter(section, "Folds")
    assert "40, of them 20 real and 20 fake" in chapter(section, "Data")
    hashes = table(section, "card-hashes").set_index("what")["sha256"]
    manifest = json.loads((mixed.blend_folder / "blend.json").read_text())
    assert hashes["folds"] == folds["sha256"] == manifest["folds_sha256"]
    assert hashes["submit.csv"] == manifest["submission_sha256"]
    assert hashes["data"] == mixed.facts()["sha256"]
    versions = table(section, "card-versions").set_index("what")["version"]
    assert versions["numpy"] == np.__version__
    members = table(section, "card-members").set_index("member")
    assert list(members.index) == manifest["members"]
    assert members.loc["imported", "kind"].startswith("trained elsewhere")


def test_nothing_of_this_machine_is_shown(mixed: OofStore, section: Section, competition_folder: Path) -> None:
    assert mixed.facts()["source"] == str(competition_folder)
    text = to_markdown("card", [section])
    assert competition_folder.name in text
    assert not [place for place in (str(competition_folder.parent), str(mixed.root), str(Path.home())) if place in text]
    assert source_name("s3://bucket/deep/faces.zip") == source_name("C:\\data\\faces.zip") == "faces.zip"
    assert source_name("faces/") == source_name("./faces") == "faces"
    assert source_name(".") == source_name("") == "not named"


@pytest.mark.training
def test_it_travels_as_a_file_and_goes_with_its_blend(store: OofStore) -> None:
    publish(store, Console(file=io.StringIO()))
    text = (store.root / "model_card.md").read_text()
    assert text.startswith("# Model card: mixed\n")
    assert "### Forbidden use" in text
    assert (store.root / "report" / "card-errors.csv").is_file()
    assert 'id="card"' in (store.root / "report.html").read_text()
    (store.blend_folder / "blend.json").unlink()
    publish(store, Console(file=io.StringIO()))
    assert not (store.root / "model_card.md").exists()
    assert 'id="card"' not in (store.root / "report.html").read_text()


@pytest.mark.training
def test_the_card_is_there_before_the_page_that_says_all_is_written(
    store: OofStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    (store.root / "model_card.md").unlink(missing_ok=True)
    (store.root / "report.html").unlink(missing_ok=True)
    with monkeypatch.context() as patched:
        patched.setattr(write, "write_sections", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(store, Console(file=io.StringIO()))
    assert (store.root / "model_card.md").exists()
    assert not (store.root / "report.html").exists()


def test_every_blender_is_described() -> None:
    assert set(get_args(BlendMethod)) <= set(BLENDERS)
    assert "photographs" not in BLENDERS["bagged_greedy"], "it draws members"
