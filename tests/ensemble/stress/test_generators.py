"""Fakes clustered by spectrum, and members trained without each cluster."""

from __future__ import annotations

import json
import math
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import roc_auc_score

from ensemble.config.experiment import FoldSettings
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from ensemble.store.opening import find_store
from ensemble.store.results import ALL
from ensemble.stress.generators.clusters import choose_number, find_clusters
from ensemble.stress.generators.command import main
from ensemble.stress.generators.ledger import ALGORITHM, cluster_ledger
from ensemble.stress.generators.run import leave_clusters_out
from ensemble.stress.generators.scores import score_table
from ensemble.stress.generators.summary import change_in_words, print_scores, verdict
from tests.competitions import write_competition, write_config
from tests.conftest import train_inline
from tests.storage import content, fill, invoke, new_place
from tests.two_generators import generator_of, member, write_planted

MEMBERS = (member("own", "OwnTraces"), member("shared", "SharedTrace"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("planted") / "data")


@pytest.fixture(scope="module")
def trained_planted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    """Random folds only. Read only."""
    folder = tmp_path_factory.mktemp("random")
    return train_inline(write_config(folder / "c.yaml", *MEMBERS), data, folder / "oof")


@pytest.fixture(scope="module")
def done(trained_planted: OofStore, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    """With clusters left out. Read only."""
    store = copied(trained_planted, tmp_path_factory.mktemp("done"))
    assert leave_clusters_out(store, store.experiment(), engine_name="inline")
    return store


def copied(store: OofStore, folder: Path) -> OofStore:
    return OofStore(Path(shutil.copytree(store.root.parent, folder / "oof")) / store.name)


def results(store: OofStore) -> tuple[dict[str, Any], pd.DataFrame]:
    folder = store.root / "generators"
    return json.loads((folder / "generators.json").read_text()), pd.read_parquet(folder / "generators.parquet")


def test_two_generators_are_two_clusters(done: OofStore) -> None:
    table = pd.read_parquet(done.root / "generators" / "clusters.parquet")
    assert len(table) == 60
    generators = table["name"].map(lambda name: generator_of(int(name[:5])))
    assert (pd.crosstab(table["cluster"], generators) > 0).to_numpy().sum() == 2, "each cluster is one generator"
    told, _ = results(done)
    assert told["silhouette"] > 0.5
    assert "clearly separated" in told["verdict"]
    assert [cluster["fakes"] for cluster in told["clusters"]] == [30, 30]
    for number, cluster in enumerate(told["clusters"]):
        assert set(cluster["nearest"]) <= set(table.loc[table["cluster"] == number, "name"])
        assert len(cluster["nearest"]) == 5
        assert len(cluster["luminance"]) == len(told["frequencies"]) == 129


@pytest.mark.training
def test_the_peak_of_a_cluster_lies_at_the_frequency_of_its_grating(done: OofStore) -> None:
    told, _ = results(done)
    peaks = []
    for cluster in told["clusters"]:
        lift = np.array(cluster["luminance"]) - np.array(told["luminance_of_real"])
        peaks.append(told["frequencies"][int(lift.argmax())])
    assert sorted(peaks) == pytest.approx([1 / 4, 1 / 3], abs=0.02)


def test_who_keys_on_a_generators_own_trace_falls_and_who_keys_on_a_shared_one_does_not(done: OofStore) -> None:
    _, scores = results(done)
    whole = scores[scores["cluster"] == ALL].set_index("member")
    assert whole.loc["own", "random_accuracy"] > 0.95
    assert whole.loc["own", "accuracy_change"] < -0.2
    assert whole.loc["own", "accuracy_change"] < -3 * whole.loc["own", "accuracy_change_se"]
    assert whole.loc["own", "fakes_found"] < 0.5
    assert whole.loc["shared", "accuracy"] > 0.95
    assert abs(whole.loc["shared", "accuracy_change"]) < 0.03
    assert whole.index[0].startswith("blend (")


def test_the_numbers_are_those_of_the_two_stores(done: OofStore) -> None:
    held = OofStore(done.root / "generators")
    _, scores = results(done)
    for name in ("own", "shared"):
        sides = []
        for store, folds in ((held, 2), (done, 3)):
            parts = [pd.read_parquet(store.fold_folder(name, k) / "predictions.parquet") for k in range(folds)]
            sides.append(pd.concat(parts).query("split == 'oof'").set_index("name"))
        both = sides[0].join(sides[1].add_suffix("_random"), validate="1:1")
        assert len(both) == 120
        both["right"] = (both["pred"] >= 0.5) == (both["label"] == 1)
        both["before"] = (both["pred_random"] >= 0.5) == (both["label"] == 1)
        for cluster in (ALL, 0, 1):
            part = both if cluster == ALL else both[both["fold"] == cluster]
            row = scores[(scores["member"] == name) & (scores["cluster"] == cluster)].iloc[0]
            difference = part["right"].astype(float) - part["before"].astype(float)
            fakes, real = part[part["label"] == 1], part[part["label"] == 0]
            found, of = fakes["right"].sum(), len(fakes)
            smoothed = (found + 1) / (of + 2)
            expected = {
                "n": len(part),
                "fakes": len(fakes),
                "accuracy": part["right"].mean(),
                "random_accuracy": part["before"].mean(),
                "accuracy_change": difference.mean(),
                "accuracy_change_se": difference.std(ddof=0) / math.sqrt(len(part)),
                "fakes_found": found / of,
                "fakes_found_se": math.sqrt(smoothed * (1 - smoothed) / of),
                "random_fakes_found": fakes["before"].mean(),
                "false_positives": 1 - real["right"].mean(),
                "random_false_positives": 1 - real["before"].mean(),
            }
            assert {key: row[key] for key in expected} == pytest.approx(expected)


def test_the_store_of_random_folds_stays_as_it_is(
    trained_planted: OofStore, done: OofStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = content(trained_planted.root), content(done.root)
    assert {name for name in after if name not in before and not name.startswith("generators/")} <= {"spectra.parquet"}
    assert {name: after[name] == before[name] for name in before} == dict.fromkeys(before, True)
    store = copied(done, tmp_path)
    assert find_store(None, store.root.parent)[0].root == store.root, "the newest store is the one, not that inside"
    train_inline(store.root / "experiment.yaml", Path(store.facts()["source"]), store.root.parent)
    assert "nothing to do" in capsys.readouterr().out


def test_features_come_from_the_cache_of_the_random_folds(trained_planted: OofStore, done: OofStore) -> None:
    before, after = (
        {
            path.relative_to(store.root.parent / ".features"): path.stat().st_mtime_ns
            for path in (store.root.parent / ".features").glob("*/*/*")
        }
        for store in (trained_planted, done)
    )
    assert before
    assert {path: after.get(path) for path in before} == before, "none is computed again"
    new = {path.parts[0] for path in after} - {path.parts[0] for path in before}
    assert len(new) <= 1, "only the spectra are new, if no audit has made them"
    assert not (done.root / ".features").exists()


@pytest.mark.training
def test_what_is_finished_is_not_done_again(done: OofStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = copied(done, tmp_path)
    told = store.root / "generators" / "generators.json"
    written = told.stat().st_mtime_ns
    assert f"report: {store.root / 'report.html'}" in invoke(main, store.root, "--engine", "inline").output
    assert "## Unseen generators" in (store.root / "report.md").read_text()
    before = content(store.root)
    assert invoke(main, store.root, "--engine", "inline").exit_code == 0
    assert content(store.root) == before
    assert told.stat().st_mtime_ns == written, "nor is anything computed again"
    held = OofStore(store.root / "generators")
    shutil.rmtree(held.fold_folder("own", 1))
    found = invoke(main, store.root, "--engine", "inline")
    assert "1 fold to train, 3 finished already" in found.output
    after = content(store.root)
    assert after["generators/generators.parquet"] == before["generators/generators.parquet"]
    shutil.rmtree(held.fold_folder("own", 1))
    found = invoke(main, store.root, "--engine", "inline", "--members", "shared")
    assert found.exit_code == 0
    assert "nothing to train" in found.output
    told, scores = results(store)
    assert set(scores["member"]) == {"shared"}, "own has not decided every cluster any more"
    assert told["blend"] is None
    assert told["left_out"] == {"own": "not trained without each cluster"}
    assert told["verdict"].startswith("With each cluster of fakes left out of training in turn, shared decides")


@pytest.mark.training
def test_another_number_of_clusters_sets_the_finished_work_aside(done: OofStore, tmp_path: Path) -> None:
    store = copied(done, tmp_path)
    found = invoke(main, store.root, "--engine", "inline", "--clusters", "3", "--members", "shared")
    assert found.exit_code == 0, found.output
    (aside,) = store.root.glob("generators~*")
    assert (aside / "generators.json").exists()
    assert OofStore(store.root / "generators").ledger().n_folds == 3
    again = invoke(main, store.root, "--engine", "inline", "--members", "shared")
    assert "nothing to train" in again.output, "without a number it is those that are there"


@pytest.mark.training
def test_user_mistakes_are_told(done: OofStore, tmp_path: Path) -> None:
    store = copied(done, tmp_path)
    other = write_competition(tmp_path / "other", size=48)
    held = store.root / "generators"
    for arguments, said in (
        ((store.root, "--data", other), "is not what"),
        ((store.root, "--data", tmp_path / "nowhere"), "does not exist"),
        ((store.root, "--members", "nobody"), "not in the config: nobody"),
        ((store.root, "--engine", "steam"), "steam"),
        ((store.root, "--clusters", "1"), "Usage"),
        ((held,), "is a store of ensemble generators"),
    ):
        found = invoke(main, *arguments)
        assert found.exit_code == 2, (arguments, found.output)
        assert said in found.output
    shutil.rmtree(store.fold_folder("own", 2))
    found = invoke(main, store.root, "--members", "own")
    assert (found.exit_code, "own (not trained to the end" in found.output) == (2, True), found.output
    found = invoke(main, store.root, "--engine", "inline")
    assert "left out: own, not trained to the end in random folds" in found.output


@pytest.mark.training
def test_a_member_that_fails_costs_itself_only(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flaky = member("flaky", "SharedTrace", "tests.two_generators.FailsToday")
    store = train_inline(write_config(tmp_path / "c.yaml", MEMBERS[1], flaky), data, tmp_path / "oof")
    monkeypatch.setenv("FAILS_TODAY", "1")
    found = invoke(main, store.root, "--engine", "inline")
    assert found.exit_code == 1, found.output
    assert "RuntimeError: not today" in found.output
    told, _ = results(store)
    assert told["members"] == ["shared"]
    monkeypatch.delenv("FAILS_TODAY")
    assert invoke(main, store.root, "--engine", "inline").exit_code == 0
    assert results(store)[0]["members"] == ["shared", "flaky"]


@pytest.mark.training
def test_a_store_in_memory(trained_planted: OofStore, done: OofStore, tmp_path: Path) -> None:
    """On an object store the same scores come out."""
    place = new_place("memory", tmp_path)
    fill(place / trained_planted.name, trained_planted.root)
    store = OofStore(place / trained_planted.name)
    assert leave_clusters_out(store, store.experiment(), engine_name="inline")
    found, expected = content(store.root), content(done.root)
    for name in ("generators.csv", "clusters.parquet", "folds.json"):
        assert found[f"generators/{name}"] == expected[f"generators/{name}"]


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[FoldLedger, np.ndarray[Any, Any]]:
    """A ledger with groups, some of both classes, and a cluster for each fake that does not split a group."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=12, max_size=40))
    kinds = draw(st.lists(st.sampled_from(["real", "fake", "both"]), min_size=len(sizes), max_size=len(sizes)))
    kinds[:8] = ["real", "fake"] * 4
    names, labels, groups = [], [], []
    for group, (size, kind) in enumerate(zip(sizes, kinds, strict=True)):
        for place in range(size):
            names.append(f"{draw(st.integers(0, 9))}-{group:03d}-{place}")
            labels.append({"real": 0, "fake": 1, "both": place % 2}[kind])
            groups.append(f"g{group:03d}")
    ledger = FoldLedger.cut(names, np.array(labels), groups, FoldSettings(n_folds=2, seed=draw(st.integers(0, 3))))
    number = draw(st.integers(2, 4))
    fake_groups = sorted(set(ledger.table.loc[ledger.labels == 1, "group"]))
    cluster_of = {group: place % number for place, group in enumerate(draw(st.permutations(fake_groups)))}
    clusters = ledger.table.loc[ledger.labels == 1, "group"].map(cluster_of).to_numpy(np.int64)
    return ledger, clusters


@pytest.mark.training
@settings(max_examples=60)
@given(ledgers())
def test_each_fold_holds_one_whole_cluster_out(drawn: tuple[FoldLedger, np.ndarray[Any, Any]]) -> None:
    ledger, clusters = drawn
    found = cluster_ledger(ledger, clusters)
    found.check()
    pd.testing.assert_frame_equal(found.table[["name", "label", "group"]], ledger.table[["name", "label", "group"]])
    np.testing.assert_array_equal(found.folds[found.labels == 1], clusters)
    assert found.sha256 != ledger.sha256
    assert cluster_ledger(ledger, clusters).sha256 == found.sha256
    fakes, real = (np.bincount(found.folds[found.labels == label]) for label in (1, 0))
    largest = ledger.table[ledger.labels == 0].groupby("group").size().max()
    mixed = ledger.table[(ledger.labels == 0) & ledger.table["group"].isin(ledger.table["group"][ledger.labels == 1])]
    assert (np.abs(real - fakes / fakes.sum() * real.sum()) <= largest * len(fakes) + len(mixed)).all()


def test_real_photographs_are_in_proportion_to_the_fakes() -> None:
    names = [f"{i:04d}" for i in range(400)]
    ledger = FoldLedger.cut(names, np.arange(400) % 2, names, FoldSettings(n_folds=2))
    clusters = np.repeat([0, 1, 2], [120, 60, 20])
    found = cluster_ledger(ledger, clusters)
    assert np.bincount(found.folds[found.labels == 0]).tolist() == [120, 60, 20]
    other = cluster_ledger(FoldLedger(ledger.table, 2, 1, ledger.distance), clusters)
    assert (other.folds != found.folds).any(), "real photographs are dealt out by the seed"


def test_a_ledger_of_clusters_is_read_as_it_was_written(done: OofStore, tmp_path: Path) -> None:
    ledger = OofStore(done.root / "generators").ledger()
    assert ledger.algorithm == ALGORITHM
    assert FoldLedger(ledger.table, ledger.n_folds, ledger.seed, ledger.distance).sha256 != ledger.sha256
    ledger.save(tmp_path)
    assert FoldLedger.load(tmp_path).sha256 == ledger.sha256
    assert "another fold" in done.ledger().difference(ledger)
    assert "algorithm" in done.ledger().difference(ledger)


def spectra(*centres: float, rows: int = 20, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    directions = np.eye(len(centres), 12) * np.array(centres)[:, None]
    return np.concatenate([rng.normal(centre, 1.0, (rows, 12)) for centre in directions]).astype(np.float32)


def named(rows: int) -> list[str]:
    return [f"{row:03d}" for row in range(rows)]


def test_clusters_are_found_named_by_size_and_the_same_again() -> None:
    points = np.concatenate([spectra(30, 40, 50), spectra(0, 0, 50, rows=10, seed=1)[20:]])
    names = named(len(points))
    found = find_clusters(points, names, names, seed=0)
    assert found.number == 3
    assert np.bincount(found.labels).tolist() == [30, 20, 20]
    assert len(set(found.labels[:20])) == 1
    scaled = (points - points.mean(axis=0)) / points.std(axis=0)
    for cluster, nearest in enumerate(found.nearest):
        rows = np.flatnonzero(found.labels == cluster)
        distances = np.linalg.norm(scaled[rows] - scaled[rows].mean(axis=0), axis=1)
        assert nearest == [names[row] for row in rows[np.argsort(distances)[:5]]]
    again = find_clusters(points, names, names, seed=0)
    np.testing.assert_array_equal(found.labels, again.labels)
    assert found.tried == again.tried
    assert find_clusters(points, names, names, seed=0, n_clusters=4).number == 4


def test_near_duplicates_go_where_most_of_them_are() -> None:
    points, names = spectra(30, 40, 50), named(60)
    groups = list(names)
    for row in (0, 1, 25):  # two of one cluster, one of another
        groups[row] = "together"
    found = find_clusters(points, names, groups, seed=0)
    assert len(set(found.labels[[0, 1, 25]])) == 1
    assert found.labels[25] == found.labels[2]


def test_a_few_outliers_are_no_cluster() -> None:
    points = spectra(30, 40, 50)
    points[0] = 1000
    found = find_clusters(points, named(60), named(60), seed=0)
    assert np.bincount(found.labels).min() >= 3
    assert np.bincount(find_clusters(points, named(60), named(60), seed=0, n_clusters=4).labels).min() == 1


def test_too_few_fakes_are_told() -> None:
    with pytest.raises(UserError, match="3 different fakes"):
        find_clusters(spectra(1, 9, rows=3), named(6), ["a", "a", "b", "b", "c", "c"], seed=0)
    with pytest.raises(UserError, match="the same spectrum"):
        find_clusters(np.zeros((20, 5), np.float32), named(20), named(20), seed=0)


@pytest.mark.parametrize(
    ("tried", "number"),
    [
        ({2: 0.9, 3: 0.4}, 2),
        ({2: 0.4, 3: 0.2, 4: 0.3}, 4),
        ({2: 0.3, 3: 0.2, 4: 0.2}, 3),
        ({2: 0.1}, 2),
    ],
)
def test_two_clusters_only_where_they_stand_apart(tried: dict[int, float], number: int) -> None:
    assert choose_number(tried) == number


def test_differences_are_said_with_their_errors() -> None:
    assert change_in_words("accuracy", -0.021, 0.006) == "accuracy falls by 0.021 ± 0.006"
    assert change_in_words("accuracy", 0.021, 0.006) == "accuracy rises by 0.021 ± 0.006"
    assert "may be chance" in change_in_words("accuracy", -0.01, 0.006)
    assert "may be chance" in change_in_words("accuracy", 0.0, 0.0)


def test_scores_of_decisions_that_are_not_easy() -> None:
    """Zero is fake; a difference is paired; AUC is that of scikit-learn."""
    rng = np.random.default_rng(0)
    labels, clusters = rng.integers(0, 2, 300), rng.integers(0, 3, 300)
    unseen = (labels[:, None] - 0.5 + rng.normal(0, 1, (300, 1))).round(1)
    random = (2 * labels[:, None] - 1 + rng.normal(0, 1, (300, 1))).round(1)
    scores = score_table(["one"], unseen, random, labels, clusters).set_index("cluster")
    assert scores.index.tolist() == [ALL, 0, 1, 2]
    for cluster, row in scores.iterrows():
        here = np.full(300, True) if cluster == ALL else clusters == cluster
        right, before = (((side[here, 0] >= 0) == (labels[here] == 1)).astype(float) for side in (unseen, random))
        fake = labels[here] == 1
        assert row["accuracy"] == pytest.approx(right.mean())
        assert row["accuracy_change_se"] == pytest.approx((right - before).std() / math.sqrt(here.sum()))
        assert row["fakes_found_change"] == pytest.approx((right - before)[fake].mean())
        assert row["false_positives_change"] == pytest.approx((before - right)[~fake].mean())
        assert row["auc"] == pytest.approx(roc_auc_score(labels[here], unseen[here, 0]))
        assert row["random_auc"] == pytest.approx(roc_auc_score(labels[here], random[here, 0]))


def test_the_verdict_is_that_of_the_member_that_was_best_before() -> None:
    labels = np.tile([0, 1], 20)
    random = np.stack([np.where(labels == 1, 1.0, -1.0), np.where(np.arange(40) < 10, 1.0, -1.0)], axis=1)
    scores = score_table(["first", "second"], random[:, ::-1], random, labels, np.repeat([0, 1], 20))
    text = verdict(scores, silhouette=0.2)
    assert "first decides 0.500" in text
    assert "no forecast" in text
    assert "clearly separated" in verdict(scores, silhouette=0.6)


@pytest.mark.training
def test_a_run_of_train_does_not_take_folds_of_clusters_for_its_own(
    done: OofStore, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody who trains into that folder gets random folds, and the finished work is kept."""
    shutil.copytree(done.root / "generators", tmp_path / "generators")
    config = tmp_path / "c.yaml"
    config.write_text(
        (tmp_path / "generators" / "experiment.yaml").read_text().replace("name: small", "name: generators")
    )
    store = OofStore(tmp_path / "generators")
    experiment = load_experiment(config)
    assert experiment.folds.n_folds == store.ledger().n_folds
    train_inline(config, data, tmp_path)
    assert "the finished work was moved to" in capsys.readouterr().out
    assert store.ledger().algorithm != ALGORITHM


def test_the_verdict_and_the_table_say_what_was_before_and_which_is_worst() -> None:
    labels, clusters = np.tile([0, 1], 20), np.repeat([0, 1], 20)
    random = np.where(labels == 1, 1.0, -1.0)[:, None]
    unseen = np.where(clusters[:, None] == 0, random, -1.0)  # of cluster 1 no fake is found
    scores = score_table(["one"], unseen, random, labels, clusters)
    text = verdict(scores, silhouette=0.2)
    assert "It finds 0.500 of the fakes, against 1.000." in text
    assert "Worst is cluster 1, with 0.500" in text
    said = StringIO()
    print_scores({"heading": "h", "left_out": {}, "verdict": ""}, scores, Console(file=said, width=400))
    assert "1.000 → 0.500" in said.getvalue()
    assert "0.500 → 1.000" not in said.getvalue()
