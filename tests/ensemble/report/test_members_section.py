"""The members' own parts of the report: their numbers are those of the files, and what they look at is found."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensemble.report.facts.families import COEFFICIENTS, GAIN, column_weights, families_of, family_shares
from ensemble.report.facts.kinds import kind_of
from ensemble.report.facts.material import Material
from ensemble.report.facts.members import worst_errors
from ensemble.report.render.blocks import Details, Facts, Figure, Listing, Section, Table, blocks_of
from ensemble.report.render.html import render
from ensemble.report.render.markdown import to_markdown
from ensemble.report.sections.members import members
from ensemble.store.oof import OofStore


@pytest.fixture(scope="module")
def section(material: Material) -> Section:
    return members(material)


def part(section: Section, member: str) -> Details:
    found = next(block for block in section.blocks if isinstance(block, Details) and block.title == member)
    assert found.id == f"member-{member}"
    return found


def table(section: Section, identifier: str) -> pd.DataFrame:
    return next(each.frame for each in blocks_of([section], Table) if each.id == identifier)


def stored(store: OofStore, member: str, fold: int) -> pd.DataFrame:
    """Out-of-fold rows as the file holds them, with logits as the store reads them: float32."""
    rows = pd.read_parquet(store.fold_folder(member, fold) / "predictions.parquet")
    return rows[rows["split"] == "oof"]


def whole(store: OofStore, member: str) -> pd.DataFrame:
    folds = [fold for fold in range(3) if store.fold_folder(member, fold).exists()]
    return pd.concat([stored(store, member, fold) for fold in folds])


def facts(section: Section, member: str) -> dict[str, str]:
    found = next(block for block in part(section, member).blocks if isinstance(block, Facts))
    return {fact.label: fact.value for fact in found.facts}


def test_every_member_has_a_part_the_best_first(material: Material, section: Section) -> None:
    titles = [block.title for block in section.blocks if isinstance(block, Details)]
    assert set(titles) == {"boosted", "scaled", "unscaled", "forest", "pixels", "imported"}
    assert titles == [name for name in material.board["member"] if name in titles]


@pytest.mark.parametrize("member", ["boosted", "imported", "pixels"])
def test_folds_and_facts_are_those_of_the_files(mixed: OofStore, section: Section, member: str) -> None:
    folds = table(section, f"folds-of-{member}").set_index("fold")
    assert list(folds.index) == ([0, 2] if member == "pixels" else [0, 1, 2])
    for fold, row in folds.iterrows():
        here = stored(mixed, member, int(str(fold)))
        assert row["accuracy"] == pytest.approx(((here["pred"] >= 0.5) == here["label"]).mean())
        assert row["auc"] == pytest.approx(roc_auc_score(here["label"], here["pred"]))
        assert row["log_loss"] == pytest.approx(log_loss(here["label"], here["pred"]), rel=1e-4)
        record = json.loads((mixed.fold_folder(member, int(str(fold))) / "fold.json").read_text())
        if member == "imported":
            assert folds[["fit", "predict", "threads", "memory"]].isna().all(axis=None)
        else:
            assert row["fit"] == record["seconds_fit"]
            assert row["memory"] == record["peak_memory_mib"]
    rows = whole(mixed, member)
    said = facts(section, member)
    assert said["Accuracy"] == f"{((rows['pred'] >= 0.5) == rows['label']).mean():.2%}"
    assert said["AUC"] == f"{roc_auc_score(rows['label'], rows['pred']):.4f}"
    assert ("Seconds" in said) == (member != "imported")


def test_mistakes_of_either_kind_are_counted(mixed: OofStore, section: Section) -> None:
    rows = whole(mixed, "imported")
    ((_, alarms), (missed, found)) = confusion_matrix(rows["label"], rows["pred"] >= 0.5)
    counted = table(section, "confusion-of-imported").set_index("what")
    assert counted.loc["fakes predicted fake", ["count", "of"]].tolist() == [found, found + missed]
    assert counted.loc["real photographs predicted fake", "count"] == alarms
    share = alarms / (rows["label"] == 0).sum()
    assert counted.loc["real photographs predicted fake", "standard_error"] == pytest.approx(
        np.sqrt(share * (1 - share) / (rows["label"] == 0).sum())
    )


def test_errors_are_the_most_confident_ones_with_the_blend_beside(mixed: OofStore, section: Section) -> None:
    rows, errors = whole(mixed, "imported").set_index("name"), table(section, "errors-of-imported")
    wrong = rows[(rows["pred"] >= 0.5) != rows["label"]]
    doubt = (wrong["pred"] - 0.5).abs().sort_values(ascending=False)
    assert len(errors) == min(len(wrong), 20)
    assert set(errors["photograph"]) == set(doubt.index[: len(errors)])
    np.testing.assert_allclose(errors["probability"], rows.loc[errors["photograph"], "pred"], rtol=1e-5)
    assert (errors["truth"] == rows.loc[errors["photograph"], "label"].map({0: "real", 1: "fake"}).to_numpy()).all()
    blend = pd.read_parquet(mixed.blend_folder / "oof.parquet").set_index("name")["pred"]
    np.testing.assert_allclose(errors["blend"], blend.loc[errors["photograph"]], rtol=1e-5)


def test_company_is_counted_on_common_rows(mixed: OofStore, section: Section) -> None:
    mine, other = (whole(mixed, member).set_index("name") for member in ("imported", "pixels"))
    mine = mine.loc[other.index]
    wrong = [(rows["pred"] >= 0.5) != rows["label"] for rows in (mine, other)]
    row = table(section, "others-of-imported").set_index("other").loc["pixels"]
    assert row["n"] == len(other)
    assert row["errors_both"] == (wrong[0] & wrong[1]).sum()
    assert row["errors_shared"] == pytest.approx((wrong[0] & wrong[1]).sum() / wrong[0].sum())
    assert table(section, "others-of-boosted").set_index("other").loc["scaled", "recipe"] == "features"


@pytest.mark.parametrize(("member", "measure"), [("boosted", GAIN), ("scaled", COEFFICIENTS)])
def test_the_planted_family_is_found(mixed: OofStore, material: Material, member: str, measure: str) -> None:
    shares = family_shares(mixed, material.predictions.records_of(member))
    assert shares is not None
    assert shares.measure == measure
    found = shares.table.set_index("family")
    assert found["columns"].to_dict() == {"clue": 2, "noise": 20}
    np.testing.assert_allclose(np.sum(found["folds"].tolist(), axis=0), 1)
    assert found["share"].sum() == pytest.approx(1)
    each = found["share"] / found["columns"]
    assert each["clue"] > 3 * each["noise"], "two columns out of twenty-two carry the classes"
    np.testing.assert_allclose(found["deviation"], [np.std(values, ddof=1) for values in found["folds"]])


@pytest.mark.parametrize("member", ["unscaled", "forest", "pixels", "imported"])
def test_who_cannot_tell_is_left_out(section: Section, member: str) -> None:
    assert not [b for b in part(section, member).blocks if isinstance(b, Figure) and b.id.startswith("families")]


def test_the_reason_for_a_model_that_was_not_saved_is_shown(section: Section) -> None:
    assert table(section, "folds-of-pixels")["model"].str.startswith("the model was not saved").all()
    assert table(section, "folds-of-boosted")["model"].eq("saved").all()


def test_weights_of_columns_are_those_of_the_estimator() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)) * [1, 100, 1], np.arange(60) % 2
    X[:, 2] += 2 * y
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    found = column_weights(scaled)
    assert found is not None
    np.testing.assert_array_equal(found[1], np.abs(scaled[-1].coef_[0]))
    assert column_weights(make_pipeline(StandardScaler(with_std=False), LogisticRegression()).fit(X, y)) is None
    assert column_weights(make_pipeline(LogisticRegression()).fit(X, y)) is None
    assert column_weights(RandomForestClassifier(5, random_state=0).fit(X, y)) is None


def test_families_are_what_stands_before_the_slash() -> None:
    assert families_of(["a/x/1", "a/y/2", "b/z"]) == ["a", "a", "b"]
    assert families_of(["only/x/1", "only/x/2", "only/y/1"]) == ["only/x", "only/x", "only/y"]
    assert families_of(["a/1", "plain"]) == families_of(["one/1", "one/2"]) == families_of([]) == []


@pytest.mark.process
def test_features_of_a_network_are_not_even_imported() -> None:
    """Torch would take seconds, for a bar chart that it has nothing to say to."""
    code = (
        "import sys; from ensemble.report.facts.families import _columns as c;"
        "assert not c({'features': {'use': 'members.embedding.FrozenEmbedding', 'backbone': 'test_efficientnet'}});"
        "assert 'members.embedding' not in sys.modules and 'torch' not in sys.modules;"
        "assert len(c({'features': {'use': 'members.forensics.ForensicFeatures', 'families': ['colour']}})) > 9;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_learning_curves_have_a_line_for_each_network(section: Section) -> None:
    (figure,) = [b for b in part(section, "boosted").blocks if isinstance(b, Figure) and b.id == "curves-of-boosted"]
    assert len(figure.traces) == 2 * 3 * 2  # quantities, folds, networks
    assert {trace["yaxis"] for trace in figure.traces} == {"y", "y2"}
    assert figure.traces[0]["y"] == (1.0, 0.5)
    frame = figure.table.frame
    assert len(frame) == 3 * 2 * 2
    assert frame.loc[(frame["fold"] == 2) & (frame["epoch"] == 2), "loss"].tolist() == [2.5, 2.5]
    assert [trace["name"] for trace in figure.traces if trace["showlegend"]] == ["fold 0", "fold 1", "fold 2"]
    assert not [b for b in part(section, "scaled").blocks if isinstance(b, Figure) and b.id.startswith("curves")]


def test_the_recipe_is_shown_as_it_is(section: Section) -> None:
    (listing,) = [block for block in part(section, "scaled").blocks if isinstance(block, Listing)]
    assert "use: sklearn.linear_model.RidgeClassifier\n" in listing.lines
    assert f"```yaml\n{listing.lines}\n```" in to_markdown("x", [section])


def test_ids_are_unique_and_the_page_is_written(section: Section) -> None:
    page = render("x", "", [section], "")
    assert page.count('<details class="opened"') == 6
    identifiers = [each.id for each in blocks_of([section], Table)]
    assert len(identifiers) == len(set(identifiers))
    assert all(isinstance(each, Table) and len(each.frame) for each in blocks_of([section], Table))


def test_kinds_in_words() -> None:
    boosted = {"model": {"use": "lightgbm.LGBMClassifier"}, "features": {"use": "members.forensics.LogDCT", "cell": 4}}
    assert kind_of(boosted) == "gradient-boosted trees (LightGBM) on log DCT"
    network = {
        "model": {"use": "members.cnn.ImageClassifier", "backbone": "b0", "weights": "/home/me/w.pt", "epochs": 2}
    }
    assert kind_of(network) == "image classifier: backbone b0, which reads the pixels"
    steps = [["a", {"use": "sklearn.preprocessing.StandardScaler"}], ["b", {"use": "sklearn.svm.SVC", "kernel": "rbf"}]]
    assert kind_of({"model": {"use": "sklearn.pipeline.Pipeline", "steps": steps}, "features": None}) == (
        "support vector machine (scaled columns), which reads the pixels"
    )
    assert kind_of({"imported": {}}).startswith("trained elsewhere")


def test_errors_come_most_confident_first_and_no_more_than_asked(material: Material) -> None:
    predictions = material.predictions
    column = predictions.members.index("imported")
    logits = predictions.oof_logits[:, column]
    wrong = np.flatnonzero((logits >= 0) != (material.labels == 1))
    assert len(wrong) > 5
    expected = sorted(wrong.tolist(), key=lambda row: -abs(logits[row]))[:5]
    assert worst_errors(predictions, column, most=5).tolist() == expected


def test_seconds_and_threads_of_a_fold_are_those_of_its_record(material: Material, section: Section) -> None:
    folds = table(section, "folds-of-boosted").set_index("fold")
    for record in material.predictions.records_of("boosted"):
        assert folds.loc[record.fold, "predict"] == record.seconds_predict
        assert folds.loc[record.fold, "threads"] == record.threads
