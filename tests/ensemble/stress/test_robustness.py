"""Altered photographs: what is done to them, who is asked about them, and that no answer is given twice."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from rich.console import Console

from ensemble.blend.inputs import has_unseen_answers
from ensemble.blend.run import blend
from ensemble.config.experiment import BlendMethod
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.status import StatusLine
from ensemble.core.errors import UserError
from ensemble.core.storage.files import write_text
from ensemble.engine.tasks.inference import InferenceTask
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.results import AS_THEY_ARE
from ensemble.stress.robustness.alterations import ALTERATIONS
from ensemble.stress.robustness.honest_blend import HonestBlend, fit_honest_blend
from ensemble.stress.robustness.inference import alter_all
from ensemble.stress.robustness.results import scores
from ensemble.stress.robustness.run import RobustnessRequest, robustness
from ensemble.stress.robustness.sample import sample_rows
from tests.commands import run_here
from tests.competitions import BOOSTED, CNN, LINEAR, photograph, write_competition, write_config
from tests.conftest import train_inline
from tests.storage import fill, new_place

FEW = ("jpeg_50_420", "flip")
Asked = Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def photographs() -> NDArray[np.uint8]:
    return np.stack([photograph(number, fake=number % 2 == 1, size=256) for number in range(4)])


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    """Two members and a blend."""
    return OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Counts what models are asked, by alteration and member."""
    found: Asked = Counter()
    really = InferenceTask.run

    def counting(task: InferenceTask, *inputs: Any) -> Any:
        found[task.source.removeprefix("altered/"), task.model.member.name] += 1
        return really(task, *inputs)

    monkeypatch.setattr(InferenceTask, "run", counting)
    return found


def ask(store: OofStore, *alterations: str, photographs: int = 0, engine: str = "inline", **more: Any) -> Any:
    request = RobustnessRequest(alterations, photographs=photographs, **more)
    return robustness(store, store.experiment(), None, engine, request, ProgressBoard(console=Console(file=StringIO())))


@pytest.mark.parametrize("name", ALTERATIONS)
def test_alterations_know_only_the_photograph(name: str, photographs: NDArray[np.uint8]) -> None:
    together = alter_all(photographs, ALTERATIONS[name])
    alone = ALTERATIONS[name](photographs[2].copy())
    assert together.dtype == np.uint8
    np.testing.assert_array_equal(together[2], alone)
    assert (name == AS_THEY_ARE) == np.array_equal(together, photographs)
    changes_size = ALTERATIONS[name].family in ("crop", "screenshot")
    assert (together.shape != photographs.shape) == changes_size


def loss(name: str, photographs: NDArray[np.uint8]) -> float:
    return float(np.abs(alter_all(photographs, ALTERATIONS[name]) - photographs.astype(float)).mean())


def test_effects_grow_as_their_names_say(photographs: NDArray[np.uint8]) -> None:
    for family in (
        [f"jpeg_{quality}_420" for quality in (95, 90, 80, 70, 60, 50)],
        [f"jpeg_{quality}_444" for quality in (95, 90, 80, 70, 60, 50)],
        ["blur_0.5", "blur_1", "blur_2"],
        ["noise_2", "noise_5"],
        ["resize_0.9", "resize_0.75"],
        ["jpeg_95_444", "jpeg_95_420"],
    ):
        losses = [loss(name, photographs) for name in family]
        assert losses == sorted(set(losses)), family
    noisy = alter_all(np.full((1, 256, 256, 3), 128, dtype=np.uint8), ALTERATIONS["noise_5"])
    assert noisy.std() == pytest.approx(5, rel=0.02)


def test_jpeg_halves_the_colours_only_where_it_says_so() -> None:
    """Red and blue columns, one pixel wide: at half the size they are one colour."""
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2, 0], stripes[:, 1::2, 2] = 200, 200
    contrast = {
        name: float(np.abs(np.diff(ALTERATIONS[name](stripes)[..., 2].astype(float), axis=1)).mean())
        for name in ("jpeg_95_420", "jpeg_95_444")
    }
    assert contrast["jpeg_95_444"] > 4 * contrast["jpeg_95_420"]


def test_mirrored_left_to_right_cropped_in_the_middle_and_not_only_of_squares() -> None:
    places = np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), axis=-1).astype(np.uint8)
    where = np.concatenate([places, np.zeros((256, 256, 1), dtype=np.uint8)], axis=-1)
    assert ALTERATIONS["flip"](where)[0, 0, :2].tolist() == [0, 255]
    on, off = ALTERATIONS["crop_aligned"](where), ALTERATIONS["crop_unaligned"](where)
    assert on.shape == off.shape == (224, 224, 3)
    assert on[0, 0, :2].tolist() == [16, 16]
    assert off[0, 0, :2].tolist() == [19, 21]
    assert ALTERATIONS["screenshot"](where).shape == (320, 320, 3)
    wide = np.zeros((64, 96, 3), np.uint8)
    assert ALTERATIONS["screenshot"](wide).shape == (80, 120, 3)
    assert ALTERATIONS["crop_aligned"](wide).shape == (56, 80, 3)
    assert ALTERATIONS["resize_0.75"](wide).shape == wide.shape


def test_the_sample_holds_every_fold_and_class(trained: OofStore) -> None:
    ledger = trained.ledger()
    rows = sample_rows(ledger, 18)
    np.testing.assert_array_equal(rows, sample_rows(ledger, 18))
    assert not np.array_equal(rows, sample_rows(ledger, 18, seed=1))
    counts = pd.DataFrame({"fold": ledger.folds[rows], "label": ledger.labels[rows]}).value_counts()
    assert len(counts) == 6
    assert counts.max() - counts.min() <= 1
    assert set(sample_rows(ledger, 9)) < set(rows)
    assert len(sample_rows(ledger, 0)) == len(sample_rows(ledger, 999)) == 40


@pytest.mark.training
@pytest.mark.parametrize("methods", [get_args(BlendMethod), ("nonnegative_logistic",)])
def test_photographs_as_they_are_get_the_answers_that_are_stored(store: OofStore, methods: tuple[str, ...]) -> None:
    experiment = store.experiment()
    settings = experiment.blend.model_copy(update={"methods": methods})
    write_text(store.root / "experiment.yaml", experiment.model_copy(update={"blend": settings}).to_yaml())
    blend(store)
    table, content, complete = ask(store)
    assert complete
    assert list(content["check"]["members"]) == ["linear", "boosted"]
    assert max(content["check"]["members"].values()) < 1e-5
    assert content["check"]["blend"]["rows_that_differ"] == 0
    assert content["check"]["blend"]["largest_difference"] < 1e-6
    stored = pd.read_parquet(store.root / "blend" / "oof.parquet")
    assert (stored["pred"] != stored["pred_in_sample"]).any()
    right = ((stored["pred"] >= 0.5) == (stored["label"] == 1)).mean()
    assert table.set_index("member")["accuracy"]["blend"] == right
    assert content["notes"] == []


def test_without_a_blend_the_members_are_told(store: OofStore) -> None:
    shutil.rmtree(store.root / "blend")
    table, content, complete = ask(store)
    assert complete
    assert content["notes"][0].startswith("the blend is not scored: there is no blend of these predictions")
    assert set(table["member"]) == {"linear", "boosted"}


@pytest.mark.training
@pytest.mark.parametrize(("elected", "possible"), [("greedy", True), ("tpe", False), ("average", False)])
def test_a_blend_by_a_method_that_is_no_longer_offered_is_not_fitted_again(
    store: OofStore, elected: str, possible: bool
) -> None:
    """Nor is an average that such a method took part in."""
    manifest = json.loads((store.blend_folder / "blend.json").read_text())
    manifest |= {"blenders": {"mean": {}, "greedy": {}, "tpe": {}}, "elected": [elected] * 3}
    experiment = store.experiment()
    fitted = fit_honest_blend(store, experiment, load_predictions(store, experiment), manifest, lambda _: None)
    assert isinstance(fitted, HonestBlend) == possible
    assert possible or fitted == "the last blend used tpe, which is no longer offered; blend again"


@pytest.mark.training
@pytest.mark.parametrize("method", ["boosted", pytest.param("average", marks=pytest.mark.slow)])
def test_a_blend_that_reads_columns_is_asked_with_those_of_the_altered(
    competition_folder: Path, tmp_path: Path, method: str
) -> None:
    columns = "columns: {use: members.forensics.LogDCT, cell: 8}"
    methods = [method] if method == "boosted" else ["mean", "boosted", "average"]
    extra = f"folds: {{n_folds: 3}}\nblend: {{trials: 10, methods: [{', '.join(methods)}], {columns}}}"
    path = write_config(tmp_path / "c.yaml", LINEAR, extra=extra)
    path.write_text(path.read_text().replace("blend: {trials: 10}\n", ""))
    store = train_inline(path, competition_folder, tmp_path / "oof")
    manifest = blend(store)
    if method == "average":  # whatever was elected: every part by the average
        manifest["elected"] = ["average"] * 3
        (store.root / "blend" / "blend.json").write_text(json.dumps(manifest))
    table, content, _ = ask(store, "jpeg_50_420")
    assert content["blend"]["reads_columns"]
    if method == "boosted":
        assert content["check"]["blend"]["rows_that_differ"] == 0
    assert table[table["member"] == "blend"]["alteration"].tolist() == [AS_THEY_ARE, "jpeg_50_420"]
    assert (store.root / "robustness" / "jpeg_50_420" / "_columns.parquet").exists()


@pytest.mark.training
def test_a_row_is_decided_only_by_who_never_saw_it(competition_folder: Path, tmp_path: Path) -> None:
    """A member that remembers its training photographs, and says 0.5 (fake) of others, scores at chance."""
    member = "\n  - name: memory\n    model: {use: tests.foreign.Memorises}\n"
    store = train_inline(write_config(tmp_path / "c.yaml", member), competition_folder, tmp_path / "oof")
    table, _, _ = ask(store)
    assert table.set_index("member")["accuracy"]["memory"] == 0.5
    assert table.set_index("member")["abstained"]["memory"] == 1.0


@pytest.mark.training
def test_what_was_answered_is_not_asked_again(store: OofStore, asked: Asked) -> None:
    _, first, _ = ask(store, *FEW)
    assert asked == {(name, member): 3 for name in (AS_THEY_ARE, *FEW) for member in ("linear", "boosted")}
    asked.clear()
    _, second, _ = ask(store, *FEW)
    assert not asked
    assert second == first
    (store.root / "robustness" / "flip" / "boosted.parquet").unlink()
    ask(store, *FEW, "blur_1", members=("boosted",))
    assert asked == {("flip", "boosted"): 3, ("blur_1", "boosted"): 3}
    asked.clear()
    table, _, _ = ask(store, *FEW, photographs=12)  # another sample: all of it again
    assert sum(asked.values()) == 3 * 3 * 2
    assert set(table["n"]) == {12}


@pytest.mark.training
def test_the_next_blend_knows_how_its_members_answer_when_altered(store: OofStore) -> None:
    assert {each["changed_when_altered"] for each in blend(store)["blenders"].values()} == {None}
    ask(store, "jpeg_50_420")
    content = blend(store)
    shares = {title: each["changed_when_altered"] for title, each in content["blenders"].items()}
    assert all(0 <= share <= 1 for share in shares.values())
    assert "when photographs are altered" in content["reason"]
    assert "decisions changed by alterations" in (store.root / "blend" / "report.md").read_text()
    assert not has_unseen_answers(store, store.experiment())
    ask(store, "jpeg_50_420", "flip")
    assert has_unseen_answers(store, store.experiment())
    ask(store, "flip", photographs=11)
    assert {each["changed_when_altered"] for each in blend(store)["blenders"].values()} == {None}, "they are too few"
    ask(store, "flip")
    facts = store.root / "robustness" / "robustness.json"
    found = json.loads(facts.read_text())
    facts.write_text(json.dumps({**found, "predictions_sha256": {"linear": "of other models", "boosted": ""}}))
    assert {each["changed_when_altered"] for each in blend(store)["blenders"].values()} == {None}


@pytest.mark.training
def test_where_nothing_could_be_answered_the_troubles_are_written(
    store: OofStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no answers today")

    monkeypatch.setattr(InferenceTask, "run", fail)
    _, content, complete = ask(store, "flip")
    assert not complete
    assert len(content["troubles"]) == 4
    facts = json.loads((store.root / "robustness" / "robustness.json").read_text())
    assert "no answers today" in facts["troubles"][0]["in_words"]


@pytest.mark.training
def test_models_that_were_trained_again_are_asked_again(
    trained: OofStore, competition_folder: Path, tmp_path: Path, asked: Asked
) -> None:
    oof = tmp_path / "oof"
    store = OofStore(Path(shutil.copytree(trained.root, oof / "small")))
    ask(store, *FEW)
    asked.clear()
    train_inline(
        write_config(tmp_path / "small.yaml", LINEAR.replace("C: 0.01", "C: 1"), BOOSTED), competition_folder, oof
    )
    ask(store, *FEW)
    assert asked == {(name, "linear"): 3 for name in (AS_THEY_ARE, *FEW)}


@pytest.mark.training
def test_an_interrupted_run_goes_on_where_it_was(
    store: OofStore, monkeypatch: pytest.MonkeyPatch, asked: Asked
) -> None:
    counting = InferenceTask.run

    def ends(*arguments: Any) -> Any:
        if sum(asked.values()) == 10:
            raise KeyboardInterrupt
        return counting(*arguments)

    monkeypatch.setattr(InferenceTask, "run", ends)
    with pytest.raises(KeyboardInterrupt):
        ask(store, *FEW)
    kept = sorted(store.root.glob("robustness/*/*.parquet"))
    assert len(kept) == 3  # the tenth answer is one of three of the fourth file
    before = {path: path.stat().st_mtime_ns for path in kept}
    asked.clear()
    monkeypatch.setattr(InferenceTask, "run", counting)
    table, _, complete = ask(store, *FEW)
    assert complete
    assert sum(asked.values()) == 3 * 3  # of six files three were there
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert len(table[table["member"] != "blend"]) == 6


@pytest.mark.training
def test_a_member_that_fails_leaves_the_others(store: OofStore, monkeypatch: pytest.MonkeyPatch) -> None:
    blend(store)
    really = InferenceTask.run

    def fails(task: InferenceTask, *arrays: Any) -> Any:
        if (task.source, task.model.member.name) == ("altered/flip", "boosted"):
            raise RuntimeError("not this one")
        return really(task, *arrays)

    with monkeypatch.context() as patch:
        patch.setattr(InferenceTask, "run", fails)
        table, content, complete = ask(store, *FEW)
    assert not complete
    assert [(each["alteration"], each["member"], each["size"]) for each in content["troubles"]] == [
        ("flip", "boosted", None)
    ]
    assert "boosted cannot be applied to flip: RuntimeError: not this one" in content["notes"]
    assert set(table[table["alteration"] == "flip"]["member"]) == {"linear"}  # nor is the blend told
    assert "RuntimeError" in json.loads((store.root / "robustness/flip/boosted.trouble.json").read_text())["traceback"]
    table, content, complete = ask(store, *FEW)
    assert complete
    assert content["troubles"] == []
    assert set(table[table["alteration"] == "flip"]["member"]) == {"linear", "boosted", "blend"}


@pytest.mark.training
def test_a_member_that_takes_one_size_only(competition_folder: Path, tmp_path: Path) -> None:
    member = "\n  - name: memory\n    model: {use: tests.foreign.Memorises, size: 32}\n"
    store = train_inline(write_config(tmp_path / "c.yaml", LINEAR, member), competition_folder, tmp_path / "oof")
    table, content, complete = ask(store, "crop_aligned")
    assert complete  # no failure: it was never made for them
    assert any("(24 x 24 pixels): ValueError: only 32 x 32" in note for note in content["notes"])
    assert set(table[table["alteration"] == "crop_aligned"]["member"]) == {"linear"}


@pytest.mark.training
def test_who_cannot_be_asked_is_named(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsaved = "\n  - name: unsaved\n    model: {use: tests.foreign.HighPass}\n"
    store = train_inline(
        write_config(tmp_path / "c.yaml", LINEAR, BOOSTED, unsaved), competition_folder, tmp_path / "oof"
    )
    shutil.rmtree(store.fold_folder("boosted", 1))
    blend(store)
    table, content, complete = ask(store, "flip")
    assert complete
    assert "the model was not saved" in content["left_out"]["unsaved"]
    assert "2 of 3 folds" in content["left_out"]["boosted"]
    assert set(table["member"]) == {"linear"}
    assert any(note.startswith("the blend is not scored") for note in content["notes"])
    with pytest.raises(UserError, match="boosted has 2 of 3 folds"):
        ask(store, "flip", members=("boosted",))


def test_scores() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    clean = np.array([-3.0, -3, -3, -3, 3, 3, 3, 3])
    logits = np.array([-3.0, -3, 0.1, 3, 3, 3, -0.1, np.nan])
    found = scores(logits, clean, labels)
    assert found["n"] == 7
    assert found["accuracy"] == pytest.approx(4 / 7)
    assert found["change"] == pytest.approx(-3 / 7)
    assert found["false_positive_rate"] == 0.5
    assert found["fakes_found"] == pytest.approx(2 / 3)
    assert found["abstained"] == pytest.approx(2 / 7)
    assert scores(clean, None, labels)["false_positive_rate_error"] > 0  # none of four does not mean never
    assert np.isnan(scores(clean, None, labels)["change"])


def test_lines_come_while_something_else_works() -> None:
    said = StringIO()
    with StatusLine(Console(file=said), every=0.05) as progress:
        progress.start("asking")
        progress.update(0.5)
        progress._ended.wait(0.3)
    assert "  asking: 50%, about " in said.getvalue()


@pytest.fixture(scope="module")
def with_cnn(competition_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    folder = tmp_path_factory.mktemp("robust")
    return train_inline(write_config(folder / "c.yaml", CNN, LINEAR), competition_folder, folder / "oof")


@pytest.mark.slow
@pytest.mark.usefixtures("on_ray")
def test_ray_gives_the_same(with_cnn: OofStore, tmp_path: Path) -> None:
    tables = []
    for engine in ("inline", "ray"):
        store = OofStore(Path(shutil.copytree(with_cnn.root, tmp_path / engine / "small")))
        table, content, complete = ask(store, "flip", "crop_aligned", engine=engine)
        assert complete
        assert max(content["check"]["members"].values()) < 1e-3
        tables.append(table)
        logits = pd.read_parquet(store.root / "robustness" / "flip" / "cnn.parquet")
        assert list(logits.columns) == ["name", "fold", "label", "logit"]
    pd.testing.assert_frame_equal(*tables, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--alterations", "jpg"], "there is no jpg"),
        (["--members", "nobody"], "not in the config: nobody"),
        (["--data", "elsewhere"], "elsewhere does not exist"),
        (["--data", "other"], "is not what"),
        (["--engine", "spark"], "ray or inline"),
    ],
)
def test_mistakes_are_sentences(store: OofStore, tmp_path: Path, arguments: list[str], expected: str) -> None:
    write_competition(tmp_path / "other", train=10, test=4, first=77)
    result = run_here("robustness", store.root, *arguments, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.training
def test_the_command(store: OofStore, tmp_path: Path) -> None:
    result = run_here(
        "robustness",
        store.root,
        "--engine",
        "inline",
        "--alterations",
        "webp,flip",
        "--photographs",
        "12",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert "WebP 80" in result.stdout
    folder = store.root / "robustness"
    assert f"{folder / 'robustness.md'}" in result.stdout
    assert f"report: {store.root / 'report.html'}" in result.stdout
    assert "WebP 80" in (store.root / "report.md").read_text()
    table = pd.read_parquet(folder / "robustness.parquet")
    assert table["alteration"].unique().tolist() == [AS_THEY_ARE, "flip", "webp_80"]
    assert len(pd.read_csv(folder / "robustness.csv")) == len(table) == 9
    assert json.loads((folder / "robustness.json").read_text())["sample"]["photographs"] == 12
    assert "| WebP 80 |" in (folder / "robustness.md").read_text()


@pytest.mark.training
def test_a_store_elsewhere(store: OofStore, tmp_path: Path) -> None:
    """On an object store too: the driver reads the models there, and the answers lie beside them."""
    remote = OofStore(fill(new_place("memory", tmp_path) / "oof" / "small", Path(str(store.root))))
    tables = [ask(each, "flip")[0] for each in (store, remote, remote)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])
    assert (remote.root / "robustness" / "flip" / "linear.parquet").exists()


def test_an_alteration_that_photographs_are_too_large_for_leaves_the_others(
    store: OofStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: NDArray[np.uint8]) -> NDArray[np.uint8]:
        raise ValueError("encoding error 5: Image size exceeds WebP limit of 16383 pixels")

    monkeypatch.setitem(ALTERATIONS, "webp_80", replace(ALTERATIONS["webp_80"], alter=refuse))
    table, _, complete = ask(store, "webp_80", "flip")
    assert not complete
    assert set(table["alteration"]) == {AS_THEY_ARE, "flip"}


@pytest.mark.training
def test_a_sample_is_answered_about_its_own_photographs(store: OofStore, monkeypatch: pytest.MonkeyPatch) -> None:
    blend(store)
    monkeypatch.setattr("ensemble.stress.robustness.inference._ROWS", 2)
    table, content, complete = ask(store, photographs=12)
    assert complete
    assert set(table["n"]) == {12}
    assert max(content["check"]["members"].values()) < 1e-5  # NaN, of a row that nobody answered, fails too
    assert content["check"]["blend"]["rows_that_differ"] == 0
    assert content["notes"] == []


@pytest.mark.training
def test_models_that_answer_otherwise_than_they_did_are_named(store: OofStore, monkeypatch: pytest.MonkeyPatch) -> None:
    blend(store)
    really = InferenceTask.run
    monkeypatch.setattr(InferenceTask, "run", lambda task, *inputs: 0.5 * np.asarray(really(task, *inputs)) + 0.25)
    _, content, _ = ask(store)
    for member in ("linear", "boosted"):
        assert any(note.startswith(f"WARNING: {member} predicts unaltered") for note in content["notes"])
    assert content["check"]["blend"]["rows_that_differ"] > 0
    assert any(note.startswith("the blend, fitted again, predicts") for note in content["notes"])
