"""Training in this process: resuming, failing, changing one's mind. The engine on Ray is tested beside it."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from ensemble.blend.run import blend
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.core.storage.lock import only_writer
from ensemble.engine.features import table
from ensemble.engine.inline import InlineEngine
from ensemble.engine.recipes.code import features_key
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.train import train
from ensemble.training.plan import Plan, choose_members
from ensemble.training.run_log import write_run
from tests.competitions import (
    BOOSTED,
    CNN,
    FEATURES,
    LINEAR,
    photograph,
    read_rows,
    write_competition,
    write_config,
    write_rows,
)
from tests.conftest import train_inline
from tests.records import change_record, stored_predictions


def foreign(name: str, kind: str, resources: str = "{num_cpus: 1}", **parameters: object) -> str:
    given = "".join(f", {key}: {value}" for key, value in parameters.items())
    return f"\n  - name: {name}\n    model: {{use: tests.foreign.{kind}{given}}}\n    resources: {resources}\n"


def run(config: Path, data: Path, oof: Path, members: str = "") -> tuple[OofStore, bool]:
    experiment = load_experiment(config)
    store = OofStore(oof / experiment.name)
    return store, train(experiment, choose_members(experiment, members), data, store, "inline")


def traces(folder: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in folder.iterdir())


@pytest.mark.training
def test_every_row_is_predicted_by_a_model_that_did_not_see_it(trained: OofStore, competition_folder: Path) -> None:
    """Run one fold by hand, with scikit-learn alone, and get what the store holds."""
    import numpy as np
    from lightgbm import LGBMClassifier

    from ensemble.competition.dataset import Competition
    from members.forensics import LogDCT

    ledger, competition = trained.ledger(), Competition.open(competition_folder)
    features = LogDCT(cell=16).transform(competition.decode())
    model = LGBMClassifier(
        n_estimators=20, min_child_samples=4, verbose=-1, deterministic=True, force_row_wise=True, n_jobs=1,
        random_state=2,
    )  # fmt: skip
    model.fit(features[ledger.training(2)], ledger.labels[ledger.training(2)])
    stored = stored_predictions(trained, "boosted", 2)
    found = model.predict_proba(features[ledger.heldout(2)])[:, 1]
    np.testing.assert_array_equal(found, stored[stored["split"] == "oof"]["pred"])


def test_a_second_run_does_nothing(
    trained: OofStore, competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("predictions.parquet")}
    train_inline(store.root / "experiment.yaml", competition_folder, tmp_path / "oof")
    assert "nothing to do: all 6 folds" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.training
def test_only_what_is_missing_is_trained(competition_folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.mkdir()
    config = write_config(tmp_path / "c.yaml", foreign("plugged", "HighPass", mark=mark), LINEAR)
    store = train_inline(config, competition_folder, tmp_path / "oof")
    assert traces(mark) == ["0", "1", "2"]
    shutil.rmtree(store.fold_folder("plugged", 1))
    again = train_inline(config, competition_folder, tmp_path / "oof")
    assert traces(mark) == ["0", "1", "1", "2"]
    assert load_predictions(again).left_out == {}


@pytest.mark.training
def test_what_a_library_prints_is_kept_with_the_fold(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path / "c.yaml", BOOSTED.replace("verbose: -1", "verbose: 1"))
    store = train_inline(config, competition_folder, tmp_path / "oof")
    assert "[LightGBM]" not in "".join(capsys.readouterr())
    kept = [store.fold_folder("boosted", fold) / "output.txt" for fold in range(3)]
    assert all("[LightGBM] [Info]" in path.read_text() for path in kept)
    kept[0].unlink()
    train_inline(config, competition_folder, tmp_path / "oof")
    assert "nothing to do: all 3 folds" in capsys.readouterr().out


@pytest.mark.training
@pytest.mark.fault("the config, a label or a photograph changes")
def test_a_changed_setting_is_named_and_only_its_member_trained(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path / "c.yaml", LINEAR, BOOSTED)
    train_inline(config, competition_folder, tmp_path / "oof")
    config.write_text(config.read_text().replace("n_estimators: 20", "n_estimators: 21"))
    capsys.readouterr()
    train_inline(config, competition_folder, tmp_path / "oof")
    said = capsys.readouterr().out
    assert "boosted/fold-2 is trained again: config.model.n_estimators: 20 -> 21 changed" in said
    assert "linear/fold" not in said
    assert "3 folds to train, 3 finished already" in said


@pytest.mark.training
@pytest.mark.fault("the config, a label or a photograph changes")
def test_another_label_sets_finished_work_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_competition(tmp_path / "data")
    config = write_config(tmp_path / "c.yaml", LINEAR)
    store = train_inline(config, data, tmp_path / "oof")
    before = store.ledger().sha256
    rows = read_rows(data / "train.csv")
    rows[3][1] = "1"
    write_rows(data / "train.csv", rows[0], rows[1:])
    capsys.readouterr()
    train_inline(config, data, tmp_path / "oof")
    assert "another label: 00002.png" in capsys.readouterr().out
    kept = list((tmp_path / "oof").glob("small~*"))
    assert len(kept) == 1
    assert OofStore(kept[0]).ledger().sha256 == before
    assert store.ledger().sha256 != before


@pytest.mark.training
@pytest.mark.fault("the config, a label or a photograph changes")
@pytest.mark.parametrize("split", ["train", "test"])
def test_another_photograph_is_named_and_its_features_alone_are_computed_again(
    split: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every fold has learned from it or predicts it; of the features only its chunk is concerned."""
    from ensemble.engine.features import cache

    monkeypatch.setattr(cache, "CHUNK", 8)
    data = write_competition(tmp_path / "data")
    config = write_config(tmp_path / "c.yaml", LINEAR)
    train_inline(config, data, tmp_path / "oof")
    Image.fromarray(photograph(777, fake=True)).save(data / split / "00005.png")
    capsys.readouterr()
    store = train_inline(config, data, tmp_path / "oof")
    said = capsys.readouterr().out
    assert f"the data or folds changed (other photographs: {split}/00005.png); the finished work was moved to" in said
    assert "3 folds to train, 0 finished already" in said
    computed = [entry["task"] for entry in json.loads((store.root / "runs.json").read_text())[-1]["timeline"]]
    chunks = [task.partition("-")[0] for task in computed if "/chunk-" in task]
    assert sorted(chunks) == ["features/LogDCT", "features/Spectra"], "the latter are for the audits"
    assert len([task for task in computed if "/fold-" in task]) == 3


@pytest.mark.training
def test_a_sample_in_another_order_needs_no_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_competition(tmp_path / "data")
    config = write_config(tmp_path / "c.yaml", LINEAR)
    before = load_predictions(train_inline(config, data, tmp_path / "oof"))
    rows = read_rows(data / "submit.csv")
    write_rows(data / "submit.csv", rows[0], rows[:0:-1])
    after = load_predictions(train_inline(config, data, tmp_path / "oof"))
    assert "nothing to do" in capsys.readouterr().out
    assert after.test_logits[:, 0].tolist() == before.test_logits[::-1, 0].tolist()


@pytest.mark.training
def test_a_failing_fold_is_told_and_does_not_stop_the_others(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path / "c.yaml", foreign("raises", "Raises"), LINEAR)
    store, complete = run(config, competition_folder, tmp_path / "oof")
    assert not complete
    said = capsys.readouterr().out
    assert "raises/fold-1 FAILED: RuntimeError: this fold cannot be learned (traceback in " in said
    assert "Traceback" not in said
    assert "Traceback" in store.log_file("raises", 1).read_text()
    predictions = load_predictions(store)
    assert predictions.members == ["raises", "linear"]
    assert predictions.partial == {"raises": "2 of 3 folds (not trained)"}


@pytest.mark.training
@pytest.mark.parametrize(
    ("kind", "expected"), [("RaisesFeatures", "no features today"), ("Stateful", "is not stateless")]
)
def test_features_that_fail_cost_only_their_member(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, expected: str
) -> None:
    bad = f"\n  - name: bad\n    features: {{use: tests.foreign.{kind}}}\n    model: {{use: lightgbm.LGBMClassifier}}\n"
    store, complete = run(write_config(tmp_path / "c.yaml", bad, LINEAR), competition_folder, tmp_path / "oof")
    assert not complete
    said = capsys.readouterr().out
    assert "bad FAILED: its features raised" in said
    assert expected in said
    assert load_predictions(store).members == ["linear"]
    assert "Traceback" in (store.member_folder("bad") / "features.error.txt").read_text()


@pytest.mark.training
def test_other_code_on_the_worker_is_no_result(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ensemble.training import plan

    monkeypatch.setattr(plan, "recipe_code", lambda recipe: "what the driver saw")
    store, complete = run(write_config(tmp_path / "c.yaml", LINEAR), competition_folder, tmp_path / "oof")
    assert not complete
    assert "the member's code, or a file that its config names, changed during the run" in capsys.readouterr().out
    assert not list(store.root.rglob("predictions.parquet"))


@pytest.mark.training
@pytest.mark.parametrize("file", ["data.json", "folds.json", "folds.parquet"])
def test_a_store_that_cannot_be_read_is_set_aside(
    trained: OofStore, competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))
    config = tmp_path / "c.yaml"
    shutil.copy(store.root / "experiment.yaml", config)
    (store.root / file).write_text("{ not what was written")
    train_inline(config, competition_folder, tmp_path / "oof")
    assert "the finished work was moved to" in capsys.readouterr().out
    (aside,) = (tmp_path / "oof").glob("small~*")
    assert len(list(aside.rglob("predictions.parquet"))) == 6
    assert len(list(store.root.rglob("predictions.parquet"))) == 6


@pytest.mark.training
def test_a_damaged_fold_is_named_and_trained_again(
    trained: OofStore, competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))
    shutil.copy(store.root / "experiment.yaml", tmp_path / "c.yaml")
    predictions = store.fold_folder("linear", 1) / "predictions.parquet"
    whole = predictions.read_bytes()
    predictions.write_bytes(whole[:-1])
    train_inline(tmp_path / "c.yaml", competition_folder, tmp_path / "oof")
    assert "linear/fold-1 is trained again: its files are damaged (predictions.parquet)" in capsys.readouterr().out
    assert predictions.read_bytes() == whole


@pytest.mark.training
def test_shuffled_labels_score_one_half(tmp_path: Path) -> None:
    """From the archive to the blend: where there is nothing to learn, nothing is claimed."""
    import random

    data = write_competition(tmp_path / "data", train=160, test=4)
    names = [row[0] for row in read_rows(data / "train.csv")[1:]]
    labels = [0, 1] * 80
    random.Random(5).shuffle(labels)
    write_rows(data / "train.csv", ["name", "target"], [list(row) for row in zip(names, labels, strict=True)])
    store = train_inline(write_config(tmp_path / "c.yaml", LINEAR, BOOSTED), data, tmp_path / "oof")
    result = blend(store)
    for summary in result["blenders"].values():
        assert abs(summary["nested"]["accuracy"] - 0.5) < 0.16  # four standard errors


@pytest.mark.training
@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Shape", "shape"), ("Rows", "shape"), ("NotANumber", "NaN"), ("OutOfRange", r"outside \[0, 1\]")],
)
def test_impossible_predictions_are_never_stored(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, expected: str
) -> None:
    store, complete = run(write_config(tmp_path / "c.yaml", foreign("bad", kind)), competition_folder, tmp_path / "oof")
    assert not complete
    assert not list(store.root.rglob("predictions.parquet"))
    assert pytest.importorskip("re").search(expected, capsys.readouterr().out)


@pytest.mark.training
@pytest.mark.parametrize("n", [1, 2])
def test_a_fold_computes_with_its_threads(competition_folder: Path, tmp_path: Path, n: int) -> None:
    import os

    if n > (os.cpu_count() or 1):
        pytest.skip("needs two cores")
    config = write_config(tmp_path / "c.yaml", foreign("threads", "Threads", f"{{num_cpus: {n}}}"))
    store, complete = run(config, competition_folder, tmp_path / "oof")
    record = store.record("threads", 0)
    assert complete
    assert record is not None
    assert record.history == [{"torch": n, "pools": n, "omp": str(n), "score": 0.5}]


@pytest.mark.training
def test_members_can_be_picked(competition_folder: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", LINEAR, BOOSTED)
    store, _ = run(config, competition_folder, tmp_path / "oof", members="boosted")
    assert load_predictions(store).members == ["boosted"]
    with pytest.raises(UserError, match="linear, boosted"):
        run(config, competition_folder, tmp_path / "oof", members="nobody")


@pytest.mark.training
def test_a_cnn_from_photographs_to_the_store(competition_folder: Path, tmp_path: Path) -> None:
    from ensemble.competition.dataset import Competition
    from ensemble.engine.recipes.saving import load_model
    from members.cnn import ImageClassifier

    store = train_inline(write_config(tmp_path / "c.yaml", CNN), competition_folder, tmp_path / "oof")
    stored = stored_predictions(store, "cnn", 1)
    pixels = Competition.open(competition_folder).decode()
    model = load_model(store.fold_folder("cnn", 1) / "model", ImageClassifier)
    found = model.predict_proba(pixels[store.ledger().heldout(1)])[:, 1]
    assert found == pytest.approx(stored[stored["split"] == "oof"]["pred"].to_numpy(), abs=1e-5)
    page = (store.member_folder("cnn") / "report.md").read_text()
    assert "## Training of fold 0" in page


@pytest.mark.training
def test_members_that_need_a_gpu_say_so(
    competition_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    proud = foreign("proud", "HighPass", "{num_gpus: 0.5, without_gpu: fail}")
    humble = foreign("humble", "HighPass", "{num_gpus: 0.5}")
    huge = foreign("huge", "HighPass", "{num_cpus: 4096}")
    config = write_config(tmp_path / "c.yaml", proud, humble, huge)
    store, complete = run(config, competition_folder, tmp_path / "oof")
    said = capsys.readouterr().out
    assert not complete
    assert "proud cannot run: requests 1 CPU, 0.5 GPUs, and no node has that much" in said
    assert "huge cannot run: requests 4096 CPUs, 0 GPUs" in said
    assert load_predictions(store).members == ["humble"]


def test_two_drivers_do_not_share_a_store(trained: OofStore, competition_folder: Path) -> None:
    experiment = load_experiment(trained.root / "experiment.yaml")
    with only_writer(trained.root, "train"), pytest.raises(UserError, match="another process"):
        train(experiment, list(experiment.members), competition_folder, trained, "inline")


@pytest.mark.training
@pytest.mark.parametrize("end", ["raise SystemExit(0)", "X -= X"])
def test_a_transformer_cannot_spoil_the_run(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Neither by leaving the process nor by writing into the photographs that all share."""
    from tests import foreign as members

    def transform(self: object, X: object) -> object:
        exec(end, {"X": X})  # noqa: S102
        return X

    monkeypatch.setattr(members.RaisesFeatures, "transform", transform)
    bad = BOOSTED.replace("boosted", "bad").replace(FEATURES, "tests.foreign.RaisesFeatures")
    store, complete = run(write_config(tmp_path / "c.yaml", bad, LINEAR), competition_folder, tmp_path / "oof")
    assert not complete
    assert load_predictions(store).members == ["linear"]


@pytest.mark.training
@pytest.mark.parametrize("history", ["None", "[{(1, 2): 3}]", "[{'loss': object()}]", "['text']"])
def test_a_history_never_costs_the_fold(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: str
) -> None:
    from tests import foreign as members

    monkeypatch.setattr(members.HighPass, "history_", eval(history), raising=False)  # noqa: S307
    config = write_config(tmp_path / "c.yaml", foreign("odd", "HighPass"))
    store, complete = run(config, competition_folder, tmp_path / "oof")
    assert complete
    assert load_predictions(store).members == ["odd"]


@pytest.mark.training
def test_features_are_computed_once(
    trained: OofStore, competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two members with the same features, and a later experiment, share one table; a damaged cache is noticed."""
    from members.forensics import LogDCT

    calls: list[int] = []
    transform = LogDCT.transform
    monkeypatch.setattr(LogDCT, "transform", lambda self, X: calls.append(len(X)) or transform(self, X))
    train_inline(write_config(tmp_path / "a.yaml", LINEAR, BOOSTED), competition_folder, tmp_path / "oof")
    assert calls == [52, 1], "all at once, and one again to see that the transformer is stateless"
    train_inline(write_config(tmp_path / "b.yaml", LINEAR, name="other"), competition_folder, tmp_path / "oof")
    assert len(calls) == 2
    for values in (tmp_path / "oof" / ".features").rglob("*.npy"):
        values.write_bytes(values.read_bytes()[:-4])
    third = train_inline(write_config(tmp_path / "c.yaml", LINEAR, name="third"), competition_folder, tmp_path / "oof")
    assert calls == [52, 1, 52, 1]
    assert load_predictions(third).oof_logits[:, 0] == pytest.approx(load_predictions(trained).oof_logits[:, 0], abs=0)


@pytest.mark.training
def test_a_store_that_is_removed_meanwhile_is_no_success(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, oof = OofStore.write, tmp_path / "oof"

    def removing(store: OofStore, *arguments: object) -> None:
        write(store, *arguments)  # type: ignore[arg-type]
        shutil.rmtree(store.root)

    config = write_config(tmp_path / "c.yaml", LINEAR)
    with monkeypatch.context() as patched:
        patched.setattr(OofStore, "write", removing)
        with pytest.raises(UserError, match="was removed while this ran; run the same command again"):
            run(config, competition_folder, oof)
    assert run(config, competition_folder, oof)[1]


@pytest.mark.training
def test_features_of_other_versions_of_libraries_are_computed_again(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tables(name: str) -> set[str]:
        store, _ = run(write_config(tmp_path / f"{name}.yaml", LINEAR, name=name), competition_folder, tmp_path / "oof")
        return {path.name for path in store.feature_cache.iterdir() if path.is_dir()}

    before = tables("first")
    assert tables("second") == before
    monkeypatch.setattr(table, "libraries_key", lambda _: "of other versions")
    assert len(tables("third") - before) == len(before)


def test_the_log_of_runs_has_an_end(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(tmp_path / "small")
    store.root.mkdir()
    (store.root / "runs.json").write_text(json.dumps([{"number": number} for number in range(200)]))
    write_run(store, time.time() - 1, InlineEngine(), 1, Plan([], [], {}, {}), [])
    runs = json.loads((store.root / "runs.json").read_text())
    assert len(runs) == 50
    assert runs[-2] == {"number": 199}


@pytest.mark.training
def test_features_are_dropped_with_the_last_fold_that_reads_them(
    competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_before: dict[str, int] = {}
    oof, unshare = tmp_path / "oof", InlineEngine.unshare

    def noting(engine: InlineEngine, key: str) -> None:
        stored_before[key] = len(list(oof.glob("small/members/*/*/fold.json")))
        unshare(engine, key)

    monkeypatch.setattr(InlineEngine, "unshare", noting)
    store = train_inline(write_config(tmp_path / "c.yaml", LINEAR, BOOSTED), competition_folder, oof)
    [key] = {features_key(member.features) for member in store.experiment().members if member.features}
    assert stored_before[key] == 5, "the sixth is stored right after"


def test_what_the_run_cost_is_noted(trained: OofStore) -> None:
    (run,) = json.loads((trained.root / "runs.json").read_text())
    assert 0 < run["seconds_in_members"] < run["seconds"]
    records = [trained.record(member, fold) for member in ("linear", "boosted") for fold in range(3)]
    assert len(run["folds"]) == 6
    # In-process folds never overlap, so both ways to the members' own seconds agree.
    assert run["seconds_in_members"] == pytest.approx(sum(record.seconds for record in records if record), rel=0.01)
    assert 0 < run["share_outside_members"] == pytest.approx(run["share_of_slots_idle"], abs=0.01)


def test_leaderboard_by_pandas(trained: OofStore) -> None:
    board = pd.read_csv(trained.root / "leaderboard.csv").set_index("member")
    for member in ("linear", "boosted"):
        tables = [pd.read_parquet(trained.fold_folder(member, k) / "predictions.parquet") for k in range(3)]
        oof = pd.concat(tables).query("split == 'oof'")
        right = (oof["pred"] >= 0.5) == (oof["label"] == 1)
        assert board.loc[member, "accuracy"] == pytest.approx(right.mean())
        folds = right.groupby(oof["fold"]).mean()
        assert board.loc[member, ["fold_min", "fold_max"]].tolist() == pytest.approx([folds.min(), folds.max()])
        assert board.loc[member, "measured_on"] == "OOF"


def test_seconds_are_what_a_member_would_cost_alone(trained: OofStore) -> None:
    board = pd.read_csv(trained.root / "leaderboard.csv").set_index("member")
    records = [trained.record("boosted", fold) for fold in range(3)]
    photographs = len(trained.ledger().table) + trained.facts()["test_rows"]
    features = photographs * sum(record.seconds_features_per_photograph for record in records) / 3
    assert features > 0
    assert board.loc["boosted", "seconds"] == pytest.approx(features + sum(record.seconds for record in records))


@pytest.mark.parametrize(("has_workers", "slots"), [(False, 1), (True, 2)])
def test_no_more_than_all_slots_are_busy(
    trained: OofStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_workers: bool, slots: int
) -> None:
    """Three folds of two seconds and two threads in ten seconds: in one process they take the one slot, not two."""
    store, now = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small"))), time.time()
    for fold in range(3):
        begun, seconds = now - 9 + 3 * fold, {"seconds_fit": 2.0, "seconds_predict": 0.0}
        change_record(store.fold_folder("linear", fold), started=begun, finished=begun + 2, threads=2, **seconds)
    monkeypatch.setattr(InlineEngine, "has_workers", has_workers)
    (linear,) = (member for member in store.experiment().members if member.name == "linear")
    plan = Plan([(linear, fold) for fold in range(3)], [], {}, {})
    write_run(store, now - 10, InlineEngine(), slots, plan, [])
    found = json.loads((store.root / "runs.json").read_text())[-1]
    assert found["share_of_slots_idle"] == pytest.approx(0.4, abs=0.15)
    assert found["share_outside_members"] == pytest.approx(0.4, abs=0.15)
