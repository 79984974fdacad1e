from __future__ import annotations

import json
import re
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from ensemble.blend.evaluation.choice import Choice, choose
from ensemble.blend.evaluation.nested import Evaluation, Problem
from ensemble.blend.guard import Guard, guard
from ensemble.blend.inputs import load_inputs
from ensemble.blend.manifest import rebuild
from ensemble.blend.run import blend
from ensemble.competition.rows import SampleTable
from ensemble.competition.submission import submission_text
from ensemble.config.settings import Recipe
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import correct_probabilities, to_logits, to_probabilities
from ensemble.core.storage.files import remove_unfinished, write_text
from ensemble.core.storage.hashing import text_sha256
from ensemble.report.facts.leaderboard import leaderboard
from ensemble.store.altered import AlteredLogits
from ensemble.store.columns import _RECIPE, _recipe
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from tests.benchmarks.blend.worlds import write_store
from tests.records import reseal

WHOLE, CHOSEN = "nested OOF, choice repeated in each fold", "nested OOF, chosen by this score"


@pytest.fixture(scope="module")
def blended(trained: OofStore, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path_factory.mktemp("blend") / "small")))
    blend(store)
    return store


def manifest(store: OofStore) -> dict[str, object]:
    content: dict[str, object] = json.loads((store.root / "blend" / "blend.json").read_text())
    return content


def test_submission_has_the_samples_rows_in_its_order(blended: OofStore, competition_folder: Path) -> None:
    sample = pd.read_csv(competition_folder / "submit.csv")
    found = pd.read_csv(blended.root / "blend" / "submit.csv")
    assert list(found.columns) == list(sample.columns)
    assert found["name"].tolist() == sample["name"].tolist()
    assert found["pred"].between(0, 1).all()


@pytest.mark.training
def test_blending_again_gives_the_same_bytes(blended: OofStore) -> None:
    before = (blended.root / "blend" / "submit.csv").read_bytes()
    first = manifest(blended)
    blend(blended)
    assert (blended.root / "blend" / "submit.csv").read_bytes() == before
    again = manifest(blended)
    assert again["guard"].pop("flips") == 0  # type: ignore[attr-defined]
    for content in (first, again):
        content["guard"] = None  # compares with the submission before
        for summary in content["blenders"].values():  # type: ignore[attr-defined]
            del summary["seconds"]
    assert again == first


def test_the_manifest_rebuilds_the_same_bytes(blended: OofStore, tmp_path: Path) -> None:
    sha256 = rebuild(blended.root / "blend" / "blend.json", blended, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (blended.root / "blend" / "submit.csv").read_bytes()
    assert sha256 == manifest(blended)["submission_sha256"]


def test_a_manifest_of_other_predictions_is_refused(blended: OofStore, tmp_path: Path) -> None:
    content = manifest(blended)
    content["predictions_sha256"]["linear/fold-0"] = "0"  # type: ignore[index]
    (tmp_path / "blend.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="linear/fold-0"):
        rebuild(tmp_path / "blend.json", blended, tmp_path / "again.csv")
    assert not (tmp_path / "again.csv").exists()


def test_an_edited_manifest_is_refused(blended: OofStore, tmp_path: Path) -> None:
    content = manifest(blended)
    content["blender"] = {"kind": "linear", "weights": [1.0, 0.5], "intercept": 0.1}
    (tmp_path / "blend.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="was it edited"):
        rebuild(tmp_path / "blend.json", blended, tmp_path / "again.csv")
    assert not (tmp_path / "again.csv").exists()


def test_a_config_decides_what_is_blended(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    experiment = store.experiment()
    settings = experiment.blend.model_copy(update={"methods": ("greedy",)})
    changed = experiment.model_copy(update={"blend": settings, "members": experiment.members[:1]})
    result = blend(store, changed)
    assert (result["members"], list(result["blenders"])) == (["linear"], ["greedy"])
    assert not (store.blend_folder / "study.db").exists(), "no study of an earlier blend is left behind"


@pytest.mark.parametrize("file", ["oof.parquet", "blend.json"])
def test_a_blend_that_was_tampered_with_is_not_shown(blended: OofStore, tmp_path: Path, file: str) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    predictions = load_predictions(store)
    assert leaderboard(store, predictions)["measured_on"].tolist() == [WHOLE, CHOSEN, "OOF", "OOF"]
    path = store.blend_folder / file
    path.write_bytes(path.read_bytes()[:-9])
    assert leaderboard(store, predictions)["measured_on"].tolist() == ["OOF", "OOF"]


def test_the_manifests_score_is_that_of_the_stored_oof(blended: OofStore) -> None:
    table = pd.read_parquet(blended.root / "blend" / "oof.parquet")
    accuracy = correct_probabilities(table["pred"].to_numpy(), table["label"].to_numpy()).mean()
    content = manifest(blended)
    assert content["nested"]["accuracy"] == accuracy  # type: ignore[index]
    summary = content["blenders"][content["chosen"]]  # type: ignore[index]
    assert summary["optimism"] == pytest.approx(summary["in_sample"]["accuracy"] - summary["nested"]["accuracy"])


def test_the_studies_can_be_opened(blended: OofStore) -> None:
    storage = f"sqlite:///{blended.root / 'blend' / 'study.db'}"
    assert set(optuna.study.get_all_study_names(storage)) == {"cma", "logistic", "boosted"}
    assert len(optuna.load_study(study_name="cma", storage=storage).trials) == 10


def test_no_study_holds_a_pickle(blended: OofStore) -> None:
    """Optuna's CMA-ES stores a pickle of itself with its trials, which could run code when it is opened."""
    with sqlite3.connect(blended.blend_folder / "study.db") as connection:
        tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        text = repr([list(connection.execute(f"select * from {table}")) for table in tables])  # noqa: S608
    assert "optimizer" not in text


@pytest.mark.training
@pytest.mark.parametrize("method", ["mean", "logistic", "boosted", "average"])
def test_every_kind_of_blender_is_rebuilt_to_the_byte(trained: OofStore, tmp_path: Path, method: str) -> None:
    """With feature columns, which the manifest must name too."""
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    columns_of(store, Recipe(use="a.B"))
    experiment = store.experiment()
    methods = (method,) if method != "average" else ("mean", "greedy", "boosted", "average")
    settings = {"methods": methods, "correct_prior": True, "columns": Recipe(use="a.B")}
    experiment = experiment.model_copy(update={"blend": experiment.blend.model_copy(update=settings)})
    write_text(store.root / "experiment.yaml", experiment.to_yaml())
    blend(store)
    content = manifest(store)
    if method == "average":
        content = chosen_instead(store, "average")
    assert content["members"] == ["linear", "boosted"]
    assert content["columns_sha256"] is not None
    rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (store.blend_folder / "submit.csv").read_bytes()


def test_a_blend_is_not_rebuilt_with_other_columns(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    columns_of(store, Recipe(use="a.B"))
    experiment = store.experiment()
    settings = {"methods": ("boosted",), "columns": Recipe(use="a.B")}
    experiment = experiment.model_copy(update={"blend": experiment.blend.model_copy(update=settings)})
    write_text(store.root / "experiment.yaml", experiment.to_yaml())
    blend(store)
    columns_of(store, Recipe(use="a.B"), seed=1)
    with pytest.raises(UserError, match="is not the one that the blend was made with"):
        rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv")


def columns_of(store: OofStore, recipe: Recipe, seed: int = 0) -> None:
    """A file of two feature columns, as `train` leaves it."""
    names = {"oof": store.ledger().table["name"].tolist(), "test": store.sample().names}
    rows = [(name, split) for split, of_split in names.items() for name in of_split]
    table = pd.DataFrame(rows, columns=["name", "split"])
    table[["column_0", "column_1"]] = np.random.default_rng(seed).normal(size=(len(table), 2)).astype(np.float32)
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    made_of = {_RECIPE: _recipe(recipe)}
    parquet.write_table(
        arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **made_of}), store.root / "columns.parquet"
    )


def chosen_instead(store: OofStore, title: str) -> dict[str, object]:
    """Blend again, as if only the last of the blenders had been good enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ensemble.blend.evaluation.choice._elect", lambda rights, _: (len(rights) - 1, len(rights) - 1))
        blend(store)
    content = manifest(store)
    assert content["chosen"] == title
    return content


@pytest.mark.training
def test_an_incomplete_member_is_blended_on_the_folds_that_all_have(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    shutil.rmtree(store.fold_folder("linear", 2))
    result = blend(store)
    assert result["members"] == ["linear", "boosted"]
    assert result["partial"] == {"linear": "2 of 3 folds (not trained)"}
    there = int((store.ledger().folds != 2).sum())
    assert result["nested"]["n"] == there
    assert "linear, 2 of 3 folds" in (store.blend_folder / "report.md").read_text()
    board = leaderboard(store, load_predictions(store)).set_index("member")
    assert board.loc["linear", "measured_on"] == "OOF, 2 of 3 folds"
    assert board.loc["linear", "n"] == there
    assert board.loc["boosted", "n"] == 40
    rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv")


@pytest.mark.training
def test_a_member_that_has_only_begun_waits(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    for fold in (1, 2):
        shutil.rmtree(store.fold_folder("linear", fold))
    result = blend(store)
    assert (result["members"], result["waiting"]) == (["boosted"], ["linear"])
    assert result["nested"]["n"] == 40
    board = leaderboard(store, load_predictions(store)).set_index("member")["seconds"]
    assert board["blend"] == board["boosted"], "who waits costs the blend nothing"
    assert "Left out, since too few rows would remain" in (store.blend_folder / "report.md").read_text()
    rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (store.blend_folder / "submit.csv").read_bytes()


def test_a_weak_member_with_few_folds_makes_no_false_promise(tmp_path: Path) -> None:
    """Where it is silent it must not count as agreeing: on the test rows it speaks, and draws the mean astray."""
    store = write_store(tmp_path / "oof" / "partial", 3, 2000, 4000, blend="{methods: [mean, greedy, single_best]}")
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4000)
    for number, quality in enumerate((1.5, 1.5, 0.05)):
        for fold in range(5):
            folder = store.fold_folder(f"member_{number:03d}", fold)
            if number == 2 and fold > 0:
                shutil.rmtree(folder)
                continue
            table = pd.read_parquet(folder / "predictions.parquet")
            oof = table["split"] == "oof"
            label = np.where(oof, table["label"], np.concatenate([np.zeros(oof.sum(), dtype=int), truth]))
            noise = np.concatenate([rng.normal(size=oof.sum()), np.random.default_rng(number).normal(size=4000)])
            table["pred"] = to_probabilities((quality * (2 * label - 1) + noise) * (9.0 if number == 2 else 1.0))
            reseal(folder, table)
    content = blend(store)
    shipped = pd.read_csv(store.blend_folder / "submit.csv")["pred"].to_numpy() >= 0.5
    assert abs(content["nested"]["accuracy"] - (shipped == truth).mean()) < 0.02
    assert content["waiting"] == ["member_002"]


def test_the_headline_is_the_score_of_what_is_handed_in(tmp_path: Path) -> None:
    """All members lean to fake: a shift is applied, and the score is that of the shifted decisions."""
    store = write_store(tmp_path / "oof" / "biased", 2, 2000, 500, blend="{methods: [mean]}")
    for path in store.root.glob("members/*/fold-*"):
        table = pd.read_parquet(path / "predictions.parquet")
        table["pred"] = to_probabilities(to_logits(table["pred"].to_numpy()) + 1.5)
        reseal(path, table)
    content = blend(store)
    assert content["decision"]["shift"] > 0.5
    table = pd.read_parquet(store.blend_folder / "oof.parquet")
    accuracy = correct_probabilities(table["pred"].to_numpy(), table["label"].to_numpy()).mean()
    assert content["nested"]["accuracy"] == accuracy > content["blenders"]["mean"]["nested"]["accuracy"]
    assert f"ested accuracy {accuracy:.4f}" in (store.blend_folder / "report.md").read_text()
    assert leaderboard(store, load_predictions(store)).iloc[0]["accuracy"] == accuracy


@pytest.mark.parametrize("folds_left", [1, 2])
def test_a_blend_of_the_first_folds(blended: OofStore, tmp_path: Path, folds_left: int) -> None:
    """As after the first or second fold of a run: rows that nobody predicted are not scored."""
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    for member in ("linear", "boosted"):
        for fold in range(folds_left, 3):
            shutil.rmtree(store.fold_folder(member, fold))
    result = blend(store)
    there = int((store.ledger().folds < folds_left).sum())
    assert result["rows"]["oof"] == there
    assert len(pd.read_parquet(store.blend_folder / "oof.parquet")) == there
    assert (list(result["blenders"]) == ["mean"]) == (folds_left == 1)
    page = (store.blend_folder / "report.md").read_text()
    assert ("nothing could be held out" in page) == (folds_left == 1)
    assert (result["prior"] is None) == (folds_left == 1)
    assert len(pd.read_csv(store.blend_folder / "submit.csv")) == 12


def test_no_fold_at_all_is_an_error(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    shutil.rmtree(store.root / "members")
    with pytest.raises(UserError, match="no member has a finished fold"):
        blend(store)


@pytest.mark.training
def test_the_guard_counts_flips_against_the_last_submission(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    path = store.blend_folder / "submit.csv"
    table = pd.read_csv(path)
    table["pred"] = np.where(np.arange(len(table)) < 5, 1 - table["pred"], table["pred"])
    table.to_csv(path, index=False)
    guard = blend(store)["guard"]
    assert (guard["flips"], guard["compared"]) == (5, 12)
    assert guard["fake_share_test"] == (pd.read_csv(path)["pred"] >= 0.5).mean()
    path.write_text("no table")
    assert blend(store)["guard"]["flips"] is None


def test_the_page_tells_all_that_was_weighed(blended: OofStore) -> None:
    page = (blended.blend_folder / "report.md").read_text()
    for heading in ("Blenders", "The decision at 0.5", "What each member is worth", "What next", "The submission"):
        assert f"## {heading}" in page
    content = manifest(blended)
    for title in content["blenders"]:  # type: ignore[attr-defined]
        assert title in page
    for summary in content["blenders"].values():  # type: ignore[attr-defined]
        assert summary["against"]["the plain mean"]["in_words"] in page
    assert "nan" not in page.lower()


def test_every_number_in_the_manifest_is_json(blended: OofStore) -> None:
    text = (blended.blend_folder / "blend.json").read_text()
    assert not {"NaN", "Infinity"} & set(re.findall(r"[A-Za-z]+", text))


def test_the_mean_blend_by_hand(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    experiment = store.experiment()
    only_mean = experiment.model_copy(update={"blend": experiment.blend.model_copy(update={"methods": ("mean",)})})
    content = blend(store, only_mean)
    assert content["chosen"] == "mean"
    logits = []
    for member in ("linear", "boosted"):
        for fold in range(3):
            table = pd.read_parquet(store.fold_folder(member, fold) / "predictions.parquet")
            p = np.clip(table[table["split"] == "test"]["pred"].to_numpy(), 1e-7, 1 - 1e-7)
            logits.append(np.log(p / (1 - p)))
    decision = content["decision"]
    expected = 1 / (1 + np.exp(-(np.mean(logits, axis=0) - decision["shift"]) / decision["temperature"]))
    np.testing.assert_allclose(pd.read_csv(store.root / "blend" / "submit.csv")["pred"], expected, atol=1e-7)


@pytest.mark.parametrize("value", [7.0, -3.0, np.inf, np.nan])
def test_a_prediction_that_is_no_probability_names_its_fold(blended: OofStore, tmp_path: Path, value: float) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    folder = store.fold_folder("linear", 0)
    table = pd.read_parquet(folder / "predictions.parquet")
    table.loc[len(table) - 1, "pred"] = value
    reseal(folder, table)
    with pytest.raises(UserError, match=r"linear/fold-0/predictions\.parquet contains values that are not"):
        blend(store)


def edits(content: dict[str, object]) -> list[dict[str, object]]:
    """Every field that rebuilding reads, as somebody might have left it."""
    wrong: list[object] = [None, [], {}, "x", -1, 10**400, [[1]], {"kind": "tree"}, {"linear/fold-0": 3}]
    fields = ("members", "blender", "decision", "added_logit", "predictions_sha256", "sample_sha256", "columns_sha256")
    fields += ("decimals",)
    changed = [{**content, field: value} for field in fields for value in wrong]
    state: dict[str, object] = content["blender"]  # type: ignore[assignment]
    changed += [{**content, "blender": {**state, key: value}} for key in state for value in wrong]
    model = str(state["model"])
    changed += [{**content, "blender": {**state, "model": model[: len(model) * n // 7]}} for n in range(7)]
    return [*changed, {"a": 1}]


@pytest.mark.training
def test_no_edit_of_a_manifest_gives_other_bytes_or_a_crash(trained: OofStore, tmp_path: Path) -> None:
    """LightGBM ends the process over a damaged text, so it must not come to see one."""
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    experiment = store.experiment()
    settings = experiment.blend.model_copy(update={"methods": ("boosted",)})
    blend(store, experiment.model_copy(update={"blend": settings}))
    right, path, target = (store.blend_folder / "submit.csv").read_bytes(), tmp_path / "b.json", tmp_path / "s.csv"
    refused = 0
    for content in edits(manifest(store)):
        path.write_text(json.dumps(content))
        target.unlink(missing_ok=True)
        try:
            rebuild(path, store, target)
            assert target.read_bytes() == right
        except UserError:
            refused += 1
            assert not target.exists()
    assert refused > 100
    path.write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"cannot be read as a blend\.json"):
        rebuild(path, store, target)


def test_a_blend_of_another_config_is_rebuilt_by_that_config(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    experiment = store.experiment()
    both = experiment.model_copy(update={"blend": experiment.blend.model_copy(update={"methods": ("mean",)})})
    blend(store, both)
    wanted = (store.blend_folder / "submit.csv").read_bytes()
    one = experiment.model_copy(update={"members": experiment.members[:1]})
    (store.root / "experiment.yaml").write_text(yaml.safe_dump(one.model_dump(mode="json", exclude_none=True)))
    with pytest.raises(UserError, match="blend again"):
        rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv")
    rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv", both)
    assert (tmp_path / "again.csv").read_bytes() == wanted


def test_stopped_between_old_and_new_the_old_blend_is_put_back(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    before = (store.blend_folder / "submit.csv").read_bytes()
    store.blend_folder.rename(store.root / f".unfinished-{'0' * 32}~blend")
    (store.root / f".unfinished-{'1' * 32}-blend").mkdir()
    remove_unfinished(store.root, "blend")
    assert (store.blend_folder / "submit.csv").read_bytes() == before
    assert not list(store.root.glob(".unfinished-*"))


@pytest.mark.training
def test_interrupted_between_old_and_new_the_old_blend_stays(
    blended: OofStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    before = (store.blend_folder / "blend.json").read_bytes()
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if Path(target) == store.blend_folder and "~blend" not in self.name:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        blend(store)
    assert (store.blend_folder / "blend.json").read_bytes() == before
    assert not list(store.root.glob(".unfinished-*"))


def test_columns_are_read_for_the_rows_that_all_members_have(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    columns_of(store, Recipe(use="a.B"))
    shutil.rmtree(store.fold_folder("linear", 2))
    experiment = store.experiment()
    settings = {"methods": ("mean", "boosted"), "columns": Recipe(use="a.B")}
    experiment = experiment.model_copy(update={"blend": experiment.blend.model_copy(update=settings)})
    content = blend(store, experiment)
    assert content["columns_sha256"] is not None
    assert content["nested"]["n"] == int((store.ledger().folds != 2).sum())
    inputs = load_inputs(store, experiment, load_predictions(store, experiment))
    table = pd.read_parquet(store.root / "columns.parquet").set_index(["split", "name"])
    names = store.ledger().table["name"].iloc[inputs.rows].tolist()
    np.testing.assert_array_equal(inputs.problem.logits[:, 2:], table.loc["oof"].loc[names])
    np.testing.assert_array_equal(inputs.test[:, 2:], table.loc["test"].loc[store.sample().names])


@pytest.mark.training
def test_a_rare_fake_is_corrected_for_by_request_and_rebuilt(tmp_path: Path) -> None:
    store = write_store(tmp_path / "oof" / "rare", 2, 2000, 2000, blend="{methods: [mean], correct_prior: true}")
    logits, labels, rng = load_predictions(store).oof_logits, store.ledger().labels, np.random.default_rng(0)
    rows = np.concatenate([rng.choice(np.flatnonzero(labels == y), n) for y, n in ((1, 200), (0, 1800))])
    for member in range(2):
        for fold in range(store.ledger().n_folds):
            folder = store.fold_folder(f"member_{member:03d}", fold)
            table = pd.read_parquet(folder / "predictions.parquet")
            table.loc[table["split"] == "test", "pred"] = to_probabilities(logits[rows, member].astype(float))
            reseal(folder, table)
    added = blend(store)["added_logit"]
    corrected = to_logits(pd.read_csv(store.blend_folder / "submit.csv")["pred"].to_numpy())
    rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv")
    assert added < -0.5
    assert (tmp_path / "again.csv").read_bytes() == (store.blend_folder / "submit.csv").read_bytes()
    plain = store.experiment()
    plain = plain.model_copy(update={"blend": plain.blend.model_copy(update={"correct_prior": False})})
    assert blend(store, plain)["added_logit"] == 0
    before = to_logits(pd.read_csv(store.blend_folder / "submit.csv")["pred"].to_numpy())
    np.testing.assert_allclose(corrected - before, added, atol=1e-3)


def test_the_headline_is_that_of_the_whole_choice(
    blended: OofStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))

    def chosen(evaluations: list[Evaluation], problem: Problem, altered: AlteredLogits | None) -> Choice:
        choice = choose(evaluations, problem, altered)
        wrong = np.where(problem.labels == 1, -9, 9).astype(np.float32)
        return replace(choice, choosing=replace(choice.choosing, nested=wrong))

    monkeypatch.setattr("ensemble.blend.compare.choose", chosen)
    assert blend(store)["nested"]["accuracy"] < 0.1


@pytest.mark.parametrize(("test", "warned"), [(0.64, False), (0.66, True), (0.36, False), (0.34, True)])
def test_a_share_of_fakes_beyond_chance_is_warned_of(test: float, warned: bool) -> None:
    shares, flips = Guard(3, 12, 0.5, test, 0.05).lines()
    assert ("differ by more than chance" in shares) == warned
    assert flips == "3 of 12 decisions differ from the last submission"


def test_the_error_of_the_shares_is_that_of_both() -> None:
    sample = SampleTable(list("ab") * 50, [], "name", "pred", ["name", "pred"])
    found = guard(sample, np.tile([0.4, 0.6], 50), np.tile([-1.0, 1.0], 200), None)
    assert found.error == pytest.approx(np.sqrt(0.25 / 100 + 0.25 / 400), rel=0.01)


def test_the_blend_of_a_run_is_not_a_submission_to_compare_with(blended: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(blended.root, tmp_path / "small")))
    assert blend(store, live=True)["live"]
    assert blend(store)["guard"]["flips"] is None
    assert blend(store)["guard"]["flips"] == 0


def test_a_manifest_of_the_first_version_is_rebuilt(blended: OofStore, tmp_path: Path) -> None:
    """It has no number of decimals, of which there were eight."""
    probabilities = pd.read_csv(blended.blend_folder / "submit.csv")["pred"].to_numpy()
    text = submission_text(blended.sample(), probabilities, 8)
    content = manifest(blended) | {"submission_sha256": text_sha256(text)}
    del content["decimals"]
    (tmp_path / "blend.json").write_text(json.dumps(content))
    rebuild(tmp_path / "blend.json", blended, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == text
