"""Members that were trained elsewhere: they stand beside the others, or are refused with a word on why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from rich.console import Console
from scipy.special import expit, logit
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB

from ensemble.blend.__main__ import list_members, remove_member
from ensemble.blend.__main__ import main as blend_command
from ensemble.blend.run import blend
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import to_logits, to_probabilities
from ensemble.report.facts.leaderboard import leaderboard
from ensemble.report.publish import publish
from ensemble.store.doubts import doubts_of
from ensemble.store.external.importing import import_predictions, remove_import
from ensemble.store.external.leakage import Pair, leak_checks
from ensemble.store.folds_command import export
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from ensemble.train import train
from tests.commands import run_here, run_process
from tests.competitions import LINEAR, write_config
from tests.storage import invoke

Tables = tuple[pd.DataFrame, pd.DataFrame]
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    """A trained store that a test may change."""
    return OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))


def tables(store: OofStore, seed: int = 0) -> Tables:
    """Predictions of an honest foreign member: name, fold, pred, and name, pred."""
    rng, ledger = np.random.default_rng(seed), store.ledger()
    oof = ledger.table[["name", "fold"]].assign(pred=expit(rng.normal(2 * ledger.labels - 1, 1.5)))
    names = store.sample().names
    return oof, pd.DataFrame({"name": names, "pred": expit(rng.normal(np.arange(len(names)) % 2 * 2 - 1, 1.5))})


def write(folder: Path, oof: pd.DataFrame, test: pd.DataFrame, suffix: str = ".csv") -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    files = folder / f"oof{suffix}", folder / f"test{suffix}"
    for table, file in zip((oof, test), files, strict=True):
        if suffix == ".csv":
            table.to_csv(file, index=False)
        else:
            table.to_parquet(file, index=False)
    return files


def stored(store: OofStore, name: str = "mine") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A member's logits as the blend reads them: training rows, test rows."""
    read = load_predictions(store)
    column = read.members.index(name)
    return read.oof_logits[:, column].astype(float), read.test_logits[:, column].astype(float)


def contents(store: OofStore) -> dict[str, bytes]:
    files = (path for path in (store.root / "members").rglob("*") if path.is_file())
    return {path.relative_to(store.root).as_posix(): path.read_bytes() for path in files}


def refused(store: OofStore, *files: Path, name: str = "mine", **options: Any) -> str:
    """The sentence with which an import is refused; the store stays as it was."""
    before = contents(store)
    with pytest.raises(UserError) as caught:
        import_predictions(store, name, *files, **options)
    assert contents(store) == before
    return str(caught.value)


@pytest.mark.training
def test_it_stands_beside_the_others(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    lines = import_predictions(store, "mine", *write(tmp_path, oof, test))
    right = (oof["pred"] >= 0.5) == store.ledger().labels
    error = np.sqrt(right.mean() * (1 - right.mean()) / 40)
    assert lines == [
        f"mine: 40 out-of-fold and 12 test rows, each read as a probability; "
        f"OOF accuracy {right.mean():.4f} ± {error:.4f}"
    ]
    np.testing.assert_allclose(stored(store)[0], logit(oof["pred"]), rtol=1e-5)
    np.testing.assert_allclose(stored(store)[1], logit(test["pred"]), rtol=1e-5)
    manifest = blend(store)
    publish(store, Console(quiet=True))
    assert manifest["members"] == ["linear", "boosted", "mine"]
    board = pd.read_csv(store.root / "leaderboard.csv").set_index("member")
    assert board.loc["mine", "accuracy"] == pytest.approx(right.mean())
    assert board.loc["mine", "measured_on"] == "OOF"
    assert np.isnan(board.loc["mine", "seconds"])
    page = (store.member_folder("mine") / "report.md").read_text()
    assert "|  |  |  |  | trained elsewhere |" in page, "what it took is not known here"
    assert "trained elsewhere: mine, folds checked row by row" in (store.root / "leaderboard.md").read_text()


@pytest.mark.training
def test_a_very_good_member_is_given_weight(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    rng, labels = np.random.default_rng(1), store.ledger().labels
    oof["pred"] = expit((2 * labels - 1) * rng.uniform(1, 3, len(labels)))
    import_predictions(store, "mine", *write(tmp_path, oof, test))
    experiment = store.experiment()
    greedy = experiment.blend.model_copy(update={"methods": ("greedy",)})
    manifest = blend(store, experiment.model_copy(update={"blend": greedy}))
    assert manifest["weights"][manifest["members"].index("mine")] > 0.5
    publish(store, Console(quiet=True))
    assert pd.read_csv(store.root / "leaderboard.csv").query("measured_on == 'OOF'")["member"].iloc[0] == "mine"


def strip(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(name=table["name"].str.removesuffix(".png"))


WAYS: dict[str, tuple[Change, str]] = {
    "csv": (lambda table: table, ".csv"),
    "parquet": (lambda table: table, ".parquet"),
    "without extension": (strip, ".csv"),  # 00012: the zeros are part of the name
    "parquet without extension": (strip, ".parquet"),
    "names last": (lambda table: table[[*table.columns[1:], "name"]], ".csv"),
    "without extension, names last": (lambda table: strip(table)[[*table.columns[1:], "name"]], ".csv"),
    "other case": (lambda table: table.rename(columns=lambda title: f" {title.upper()}"), ".csv"),
    "a title of one's own": (lambda table: table.rename(columns={"pred": "my_net", "name": "photo"}), ".csv"),
    "id": (lambda table: table.rename(columns={"pred": "score", "name": "id"}), ".csv"),
    "an index": (lambda table: table.reset_index(), ".csv"),
    "labels beside": (lambda table: table.assign(label=0, group="g"), ".csv"),
    "groups beside": (lambda t: t.assign(group=np.roll(t["name"], 1)) if "fold" in t else t, ".csv"),
    "with the folder": (lambda t: t.assign(name=("test/" if len(t) == 12 else "train/") + t["name"]), ".csv"),
    "blanks": (lambda table: table.assign(name=" " + table["name"] + " "), ".csv"),
    "category": (lambda table: table.astype({"name": "category"}), ".parquet"),
    "nullable": (lambda table: table.convert_dtypes(), ".parquet"),
    "zeros lost": (lambda t: strip(t).assign(name=lambda u: u["name"].astype(int)), ".csv"),
    "another extension": (lambda t: t.assign(name=t["name"].str.replace(".png", ".jpg")), ".csv"),
    "an index that pandas wrote": (lambda t: t.rename_axis("").reset_index(), ".csv"),
    "whole paths": (lambda t: t.assign(name=f"/k/{'test' if len(t) == 12 else 'train'}/" + t["name"]), ".csv"),
    "two classes": (lambda t: t.assign(real=1 - t["pred"]).rename(columns={"pred": "fake"}), ".csv"),
    "numbered classes": (lambda t: t.assign(**{"0": 1 - t["pred"]}).rename(columns={"pred": "1"}), ".csv"),
    "labels and predictions": (lambda t: t.assign(target=0).rename(columns={"pred": "oof_pred"}), ".csv"),
    "decimals as text": (lambda table: table.astype({"pred": str}), ".parquet"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_table_may_be_written_in_many_ways(store: OofStore, tmp_path: Path, way: str) -> None:
    oof, test = tables(store)
    change, suffix = WAYS[way]
    import_predictions(store, "mine", *write(tmp_path, change(oof), change(test), suffix))
    np.testing.assert_allclose(stored(store)[0], logit(oof["pred"]), rtol=1e-5)
    np.testing.assert_allclose(stored(store)[1], logit(test["pred"]), rtol=1e-5)


def test_names_may_be_the_index_of_a_parquet_file(store: OofStore, tmp_path: Path) -> None:
    for table, file in zip(tables(store), ("oof", "test"), strict=True):
        table.set_index("name").to_parquet(tmp_path / f"{file}.parquet")
    import_predictions(store, "mine", tmp_path / "oof.parquet", tmp_path / "test.parquet")
    np.testing.assert_allclose(stored(store)[0], logit(tables(store)[0]["pred"]), rtol=1e-5)


INDICES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "two levels": lambda table: table.assign(part=1).set_index(["part", "name"]),
    "a column called index": lambda table: table.reset_index().sample(frac=1, random_state=0),
    "the names twice": lambda table: table.set_index("name", drop=False),
}


@pytest.mark.parametrize("kind", INDICES)
def test_an_index_of_any_kind_is_read_or_refused(store: OofStore, tmp_path: Path, kind: str) -> None:
    for table, file in zip(tables(store), ("oof", "test"), strict=True):
        INDICES[kind](table).to_parquet(tmp_path / f"{file}.parquet")
    files = (tmp_path / "oof.parquet", tmp_path / "test.parquet")
    if kind == "the names twice":
        assert "an index and a column that are both called 'name'" in refused(store, *files)
    else:
        import_predictions(store, "mine", *files)
        np.testing.assert_allclose(stored(store)[0], logit(tables(store)[0]["pred"]), rtol=1e-5)


@pytest.mark.parametrize("mark", ["utf-8-sig", "quotes", "crlf"])
def test_csv_as_other_programs_write_it(store: OofStore, tmp_path: Path, mark: str) -> None:
    files = write(tmp_path, *tables(store))
    for table, file in zip(tables(store), files, strict=True):
        text = table.to_csv(
            index=False, quoting=1 if mark == "quotes" else 0, lineterminator="\r\n" if mark == "crlf" else "\n"
        )
        file.write_bytes(text.encode("utf-8-sig" if mark == "utf-8-sig" else "utf-8"))
    import_predictions(store, "mine", *files)
    np.testing.assert_allclose(stored(store)[0], logit(tables(store)[0]["pred"]), rtol=1e-5)


def with_names(store: OofStore, names: list[str]) -> None:
    """Call the training photographs otherwise, as if the competition did."""
    ledger = store.ledger()
    replace(ledger, table=ledger.table.assign(name=names)).save(store.root)


def test_photographs_without_extension_and_two_of_one_name(store: OofStore, tmp_path: Path) -> None:
    shutil.rmtree(store.root / "members")
    names = ["a.jpg", "a.png", *(f"{number:05d}" for number in range(38))]
    with_names(store, names)
    oof, test = tables(store)
    files = write(tmp_path, oof.assign(name=["a.jpg", "a.png", *(f"{name}.jpg" for name in names[2:])]), test)
    import_predictions(store, "mine", *files)
    np.testing.assert_allclose(stored(store)[0], logit(oof["pred"]), rtol=1e-5)
    said = refused(store, *write(tmp_path, oof.assign(name=["a", "b.png", *names[2:]]), test))
    assert "row with several photographs: " in said
    assert "line 2: a (train/a.jpg, train/a.png)" in said
    assert "without a row: a.jpg, a.png" in said


def test_a_name_that_pandas_takes_for_missing(store: OofStore, tmp_path: Path) -> None:
    shutil.rmtree(store.root / "members")
    with_names(store, ["NA", "null", *(f"{number:05d}" for number in range(38))])
    oof, test = tables(store)
    import_predictions(store, "mine", *write(tmp_path, oof, test))
    np.testing.assert_allclose(stored(store)[0], logit(oof["pred"]), rtol=1e-5)


def test_a_submission_is_a_test_file_whatever_the_sample_calls_its_columns(store: OofStore, tmp_path: Path) -> None:
    facts = store.facts()
    columns = {"name": "image", "pred": "label"}
    facts["sample"] |= {"name_column": "image", "prediction_column": "label", "columns": list(columns.values())}
    (store.root / "data.json").write_text(json.dumps(facts))
    oof, test = tables(store)
    import_predictions(store, "mine", *write(tmp_path, oof, test.rename(columns=columns)))
    np.testing.assert_allclose(stored(store)[1], logit(test["pred"]), rtol=1e-5)
    oof = oof.rename(columns={"pred": "label"})  # in a file of training rows a label is a label
    assert "the column of predictions is none of name, fold, label" in refused(
        store, *write(tmp_path, oof, test), name="other"
    )


@pytest.mark.training
@given(data=st.data())
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_and_numbering_do_not_matter(store: OofStore, tmp_path: Path, data: st.DataObject) -> None:
    oof, test = tables(store)
    import_predictions(store, "mine", *write(tmp_path, oof, test))
    expected = stored(store)
    order = data.draw(st.permutations(range(len(oof))))
    titles = data.draw(
        st.lists(st.sampled_from(["0", "1", "2", "7", "a", "fold 3"]), min_size=3, max_size=3, unique=True)
    )
    mixed = oof.iloc[order].assign(fold=[titles[fold] for fold in oof["fold"].iloc[order]])
    import_predictions(store, "mine", *write(tmp_path, mixed, test.iloc[data.draw(st.permutations(range(len(test))))]))
    for one, other in zip(stored(store), expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.training
@given(
    values=st.lists(st.floats(-12, 12), min_size=40, max_size=40).filter(lambda v: sum(x < 0 for x in v) >= 4),
    suffix=st.sampled_from([".csv", ".parquet"]),
)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_logits_and_probabilities_are_the_same(
    store: OofStore, tmp_path: Path, values: list[float], suffix: str
) -> None:
    oof, test = tables(store)
    logits = oof.assign(pred=values), test.assign(pred=logit(test["pred"]))
    import_predictions(store, "mine", *write(tmp_path, *logits, suffix))
    first = stored(store)
    import_predictions(store, "mine", *write(tmp_path, *(table.assign(pred=expit(table["pred"])) for table in logits)))
    for one, other in zip(first, stored(store), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_the_scale_can_be_stated(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    files = write(tmp_path, oof, test)
    import_predictions(store, "mine", *files, scale="logit")
    np.testing.assert_allclose(stored(store)[0], oof["pred"], rtol=1e-5)
    assert "--scale takes auto, probability or logit, not 'percent'" in refused(store, *files, scale="percent")


def put(row: int, column: str, value: Any) -> Change:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype({column: object})
        table.loc[row, column] = value
        return table

    return change


def same(table: pd.DataFrame) -> pd.DataFrame:
    return table


WRONG: dict[str, tuple[Change, Change, list[str]]] = {
    "missing": (lambda t: t.drop(index=[3]), same, ["oof.csv: photograph of train/ without a row: 00003.png"]),
    "foreign": (put(4, "name", "x.png"), same, ["without a photograph: ", "line 6: x.png", "a row: 00004.png"]),
    "twice": (same, lambda t: pd.concat([t, t.iloc[[2]]]), ["duplicate row: ", "test.csv: 00002.png appears 2 times"]),
    "two spellings": (same, lambda t: pd.concat([t, strip(t.iloc[[2]])]), ["line 14: 00002"]),
    "NaN": (put(5, "pred", np.nan), same, ["oof.csv: not a finite number: 00005.png has ''"]),
    "a word": (same, put(5, "pred", "fake"), ["test.csv: not a finite number: 00005.png has 'fake'"]),
    "infinite": (put(5, "pred", np.inf), same, ["not a finite number: 00005.png has 'inf'"]),
    "decimal comma": (put(5, "pred", "0,5"), same, ["not a finite number: 00005.png has '0,5'"]),
    "above one": (put(6, "pred", 3.25), same, ["00006.png has 3.25, which is not a probability (1 such row)"]),
    "below zero": (same, put(6, "pred", -2.1), ["test.csv: 00006.png has -2.1, which is not a probability"]),
    "percentages": (
        lambda t: t.assign(pred=t["pred"] * 100),
        lambda t: t.assign(pred=t["pred"] * 100),
        ["is not a probability", "--scale logit"],
    ),
    "two scales": (same, lambda t: t.assign(pred=logit(t["pred"])), ["contain probability", ".csv logit values"]),
    "no rows": (lambda t: t.iloc[:0], same, ["oof.csv contains no rows"]),
    "all at once": (put(1, "pred", "x"), put(2, "name", "x"), ["oof.csv: not a fin", "test.csv line 4: x"]),
    "no fold in a row": (put(7, "fold", ""), same, ["oof.csv: no fold: 00007.png"]),
    "swapped rows of two folds": (put(8, "fold", "9"), same, ["on different folds", ": 00008.png;", "folds export"]),
    "two folds together": (lambda t: t.assign(fold=t["fold"].clip(upper=1)), same, ["different folds", "2 folds, not"]),
    "one fold for all": (lambda t: t.assign(fold=0), same, ["different folds", ": 1 folds, not 3;"]),
    "another cut": (lambda t: t.assign(fold=np.arange(40) // 14), same, ["made on different folds", "more)"]),
    "a finer cut": (lambda t: t.assign(fold=np.arange(40)), same, ["made on different folds", "(+32 more)"]),
    "no column fold": (lambda t: t.drop(columns="fold"), same, ["oof.csv has no column fold", "--same-folds"]),
    "swapped files": (lambda t: t.iloc[:12], same, ["train/ without a row: 00012.png"]),
    "two predictions": (lambda t: t.assign(prob=0.5), same, ["oof.csv: the column of predictions may be pred, prob"]),
    "one column": (same, lambda t: t[["name"]], ["test.csv: the column of predictions is none of name"]),
    "only predictions": (same, lambda t: t[["pred"]], ["test.csv: no column names photographs"]),
    "two columns of one title": (lambda t: t.assign(PRED=0.5), same, ["the column of predictions may be pred, PRED"]),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_named_and_nothing_is_stored(store: OofStore, tmp_path: Path, fault: str) -> None:
    change_oof, change_test, expected = WRONG[fault]
    oof, test = tables(store)
    said = refused(store, *write(tmp_path / "files", change_oof(oof), change_test(test)))
    assert [words for words in expected if words not in said] == [], said


def test_photographs_that_nobody_can_read_need_no_row(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    facts = store.facts()
    facts["sample"]["fixed"] = {"00003.png": 0.25}
    (store.root / "data.json").write_text(json.dumps(facts))
    import_predictions(store, "mine", *write(tmp_path, oof, test[test["name"] != "00003.png"]))
    place = store.sample().names.index("00003.png")
    assert stored(store)[1][place] == pytest.approx(logit(0.25), rel=1e-4)


def test_labels_and_one_file_given_twice_are_no_predictions(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    oof = oof.drop(columns="pred").assign(target=store.ledger().labels)
    files = write(tmp_path, oof, test)
    assert "oof.csv contains the labels" in refused(store, *files)
    facts = store.facts()
    facts["sample"]["names"] = store.ledger().table["name"].tolist()
    (store.root / "data.json").write_text(json.dumps(facts))
    assert "are the same file" in refused(store, files[0], files[0])


def test_the_folds_can_be_stated(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    lines = import_predictions(store, "mine", *write(tmp_path, oof.drop(columns="fold"), test), same_folds=True)
    assert "cannot be verified" in lines[1]
    assert "statement" in json.loads((store.member_folder("mine") / "imported.json").read_text())["folds"]
    np.testing.assert_allclose(stored(store)[0], logit(oof["pred"]), rtol=1e-5)
    wrong = write(tmp_path, oof.assign(fold=np.arange(40) // 14), test)
    assert "made on different folds" in refused(
        store, *wrong, name="other", same_folds=True
    )  # a statement proves nothing


FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("f.csv", b"", "f.csv is an empty file"),
    "blank": ("f.csv", b"\n\n", "f.csv contains no rows"),
    "no prediction": ("f.csv", b"00000.png\n00001.png\n", "f.csv: the column of predictions is none of column 1"),
    "a cell too many": ("f.csv", b"name,pred\n00000.png,0.5\n00001.png,0.5,1\n", "f.csv line 3 has more cells"),
    "no text": ("f.csv", bytes(range(256)) * 4, "f.csv line 2 is not in UTF-8"),
    "no Parquet": ("f.parquet", b"name,pred\n00000.png,0.5\n", "f.parquet cannot be read as a table"),
    "empty Parquet": ("f.parquet", b"", "f.parquet cannot be read as a table"),
    "half a Parquet": ("f.parquet", b"PAR1" + b"\0" * 100 + b"PAR1", "f.parquet cannot be read as a table"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_table_is_one_sentence(store: OofStore, tmp_path: Path, kind: str) -> None:
    name, content, expected = FILES[kind]
    (tmp_path / name).write_bytes(content)
    files = write(tmp_path, *tables(store))
    for said in (refused(store, tmp_path / name, files[1]), refused(store, files[0], tmp_path / name)):
        assert expected in said
        assert "\n" not in said


def test_a_path_that_is_no_file_is_one_sentence(store: OofStore, tmp_path: Path) -> None:
    files = write(tmp_path, *tables(store))
    (tmp_path / "folder.parquet").mkdir()
    for path in (tmp_path, tmp_path / "folder.parquet"):
        assert f"{path} cannot be read as a table (Is a directory)" in refused(store, path, files[1])
    assert "nowhere.csv cannot be read as a table (No such file" in refused(store, files[0], tmp_path / "nowhere.csv")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-x", "mein Netz", "x" * 81, "a\n", ".hidden"])
def test_a_bad_name_is_refused(store: OofStore, tmp_path: Path, name: str) -> None:
    assert "cannot be a name" in refused(store, *write(tmp_path, *tables(store)), name=name)


def test_a_member_that_was_trained_here_is_never_replaced(store: OofStore, tmp_path: Path) -> None:
    files = write(tmp_path, *tables(store))
    for name in ("linear", "Linear"):
        assert "a member of the config already" in refused(store, *files, name=name)
    shutil.copytree(store.member_folder("linear"), store.member_folder("former"))  # it was in the config once
    assert "was trained here" in refused(store, *files, name="former")


@pytest.mark.training
def test_a_second_import_replaces_the_first_as_a_whole(store: OofStore, tmp_path: Path) -> None:
    import_predictions(store, "mine", *write(tmp_path, *tables(store)))
    publish(store, Console(quiet=True))
    for left in ("fold-9/predictions.parquet", "report.md"):  # of an import into a store with more folds
        (store.member_folder("mine") / left).parent.mkdir(exist_ok=True)
        (store.member_folder("mine") / left).write_text("old")
    oof, test = tables(store, seed=1)
    import_predictions(store, "mine", *write(tmp_path, oof, test))
    np.testing.assert_allclose(stored(store)[0], logit(oof["pred"]), rtol=1e-5)
    here = {path.name for path in store.member_folder("mine").iterdir()}
    assert here == {"fold-0", "fold-1", "fold-2", "imported.json"}


@pytest.mark.training
@pytest.mark.parametrize("first", [True, False], ids=["first", "again"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_interrupted_between_folds_nothing_has_changed(
    store: OofStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool, call: int
) -> None:
    if not first:
        import_predictions(store, "mine", *write(tmp_path, *tables(store)))
    before, written, whole = contents(store), [], OofStore.write

    def stopped(self: OofStore, *arguments: Any) -> None:
        written.append(arguments)
        if len(written) == call:
            raise KeyboardInterrupt
        whole(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(OofStore, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            import_predictions(store, "mine", *write(tmp_path, *tables(store, seed=1)))
    assert contents(store) == before
    import_predictions(store, "mine", *write(tmp_path, *tables(store, seed=1)))
    np.testing.assert_allclose(stored(store)[0], logit(tables(store, seed=1)[0]["pred"]), rtol=1e-5)


def test_what_a_killed_import_left_is_removed(store: OofStore, tmp_path: Path) -> None:
    left = store.root / "members" / f".unfinished-{'0' * 32}-mine"
    (left / "fold-0").mkdir(parents=True)
    import_predictions(store, "mine", *write(tmp_path, *tables(store)))
    assert not left.exists()
    assert store.imported() == ["mine"]


def test_where_it_came_from_is_kept(store: OofStore, tmp_path: Path) -> None:
    import_predictions(store, "mine", *write(tmp_path, *tables(store)))
    origin = json.loads((store.member_folder("mine") / "imported.json").read_text())
    assert (origin["oof_file"], origin["test_file"], origin["scale"]) == ("oof.csv", "test.csv", "probability")
    assert (origin["folds"], origin["smells"]) == ("checked row by row", [])
    record = store.record("mine", 0)
    assert record is not None
    assert record.trained_elsewhere
    assert record.provenance.recipe["imported"]["oof_sha256"] == origin["oof_sha256"]


def test_decisions_are_remarked_upon(store: OofStore, tmp_path: Path) -> None:
    decided = (table.assign(pred=(table["pred"] >= 0.5).astype(int)) for table in tables(store))
    lines = import_predictions(store, "mine", *write(tmp_path, *decided))
    assert "all its values are 0 or 1" in lines[1]


@pytest.mark.training
def test_predictions_of_seen_rows_are_smelt(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    oof["pred"] = expit((2 * store.ledger().labels - 1) * 6.0)
    test["pred"] = expit(logit(test["pred"]) / 2)
    lines = import_predictions(store, "mine", *write(tmp_path, oof, test))
    assert lines[1].startswith("WARNING: it is more confident on the training rows")
    smells = json.loads((store.member_folder("mine") / "imported.json").read_text())["smells"]
    assert [f"WARNING: {smell}" for smell in smells] == lines[1:]
    publish(store, Console(quiet=True))
    assert f"WARNING: mine: {smells[0]}" in (store.root / "leaderboard.md").read_text()


@pytest.mark.training
def test_members_of_this_very_store_do_not_smell(store: OofStore, tmp_path: Path) -> None:
    read = load_predictions(store)
    for column, member in enumerate(read.members):
        oof, test = tables(store)
        oof["pred"], test["pred"] = read.oof_logits[:, column], read.test_logits[:, column]
        lines = import_predictions(store, f"{member}-again", *write(tmp_path, oof, test), scale="logit")
        assert lines[1:] == [f"WARNING: it equals {member} in every row"], lines


@pytest.mark.training
def test_a_member_is_not_compared_with_its_own_past(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    expected = import_predictions(store, "mine", *write(tmp_path, oof, test))
    past = oof.assign(pred=(oof["pred"] >= 0.5) * 1.0), test.assign(pred=(test["pred"] < 0.5) * 1.0)
    import_predictions(store, "mine", *write(tmp_path, *past))  # so sure that it would speak for all others
    assert import_predictions(store, "mine", *write(tmp_path, oof, test)) == expected


def world(seed: int, rows: int = 1500) -> tuple[NDArray[np.int64], Pair, Pair, NDArray[np.int64]]:
    """Labels, two honest members that see the same photographs through noise of their own, and the test's labels."""
    rng = np.random.default_rng(seed)
    labels, hidden = (rng.integers(0, 2, size) for size in (rows, rows // 2))
    shared = [2.0 * values - 1 + rng.normal(0, 1, len(values)) for values in (labels, hidden)]
    mine, others = (Pair(*(expit(s + rng.normal(0, 0.5, len(s))) for s in shared)) for _ in range(2))
    return labels, mine, others, hidden


def test_honest_predictions_do_not_smell() -> None:
    """One in a thousand does: the limits are three standard errors."""
    worlds = [world(seed) for seed in range(200)]
    assert sum(bool(leak_checks(mine, others, labels, 5)) for labels, mine, others, _ in worlds) <= 1
    assert sum(bool(leak_checks(mine, None, labels, 5)) for labels, mine, _, _ in worlds) <= 1


@given(seed=st.integers(0, 10_000))
@settings(max_examples=50)
def test_known_labels_smell_by_sureness(seed: int) -> None:
    labels, mine, _, _ = world(seed)
    knowing = Pair(expit(logit(mine.oof) + 2 * (2 * labels - 1)), mine.test)
    assert "more confident on the training rows" in leak_checks(knowing, None, labels, 3)[0]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=50)
def test_a_gain_beyond_what_the_test_rows_allow_smells(seed: int) -> None:
    """As sure as on the test rows, so that only its decisions betray it."""
    labels, mine, others, _ = world(seed)
    sure = np.abs(logit(mine.oof))
    knowing = Pair(expit(np.where(labels == 1, sure, -sure)), mine.test)
    close = Pair(others.oof, expit(logit(mine.test) + 0.01))
    assert any("cannot be better by more" in warning for warning in leak_checks(knowing, close, labels, 5))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=50)
def test_agreement_that_ends_with_the_training_rows_smells(seed: int) -> None:
    labels, mine, others, _ = world(seed)
    rng = np.random.default_rng([seed, 1])
    useless = Pair(mine.oof, rng.permutation(mine.test))
    assert any("agrees with the other members" in warning for warning in leak_checks(useless, others, labels, 5))


def cross_fitted(model: Any, X: Any, y: NDArray[np.int64], hidden: Any) -> tuple[Pair, Pair]:
    """Predictions as they should be made, and with training rows that were seen; on hidden rows the same means."""
    oof, test = np.zeros(len(y)), []
    for rows, heldout in StratifiedKFold(5).split(X, y):
        model.fit(X[rows], y[rows])
        oof[heldout] = model.predict_proba(X[heldout])[:, 1]
        test.append(to_logits(model.predict_proba(hidden)[:, 1]))
    mean = to_probabilities(np.mean(test, axis=0))
    return Pair(oof, mean), Pair(model.fit(X, y).predict_proba(X)[:, 1], mean)


LEARNERS = {
    "boosted": LGBMClassifier(n_estimators=60, num_leaves=15, verbose=-1, n_jobs=1),
    "forest": RandomForestClassifier(40, random_state=0),
    "bayes": GaussianNB(),
    "logistic": LogisticRegression(),
}


@pytest.mark.training
@pytest.mark.parametrize("separation", [0.3, 0.8])
@pytest.mark.parametrize("learner", LEARNERS)
def test_real_learners(learner: str, separation: float) -> None:
    X, y = make_classification(1200, 20, n_informative=8, class_sep=separation, flip_y=0.1, random_state=0)
    X, y, hidden = X[:800], y[:800], X[800:]
    others, _ = cross_fitted(RandomForestClassifier(40, random_state=1), X, y, hidden)
    honest, seen = cross_fitted(LEARNERS[learner], X, y, hidden)
    assert leak_checks(honest, others, y, 5) == []
    if learner in ("boosted", "forest"):  # these learn their rows by heart
        assert leak_checks(seen, others, y, 5) != []


def test_others_that_predict_no_row_are_no_evidence() -> None:
    labels, mine, others, _ = world(0)
    assert leak_checks(mine, Pair(np.full_like(others.oof, np.nan), others.test), labels, 5) == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_exported_folds_come_back(store: OofStore, tmp_path: Path, suffix: str) -> None:
    export(store.root, output=tmp_path / f"folds{suffix}")
    folds = pd.read_csv(tmp_path / "folds.csv") if suffix == ".csv" else pd.read_parquet(tmp_path / "folds.parquet")
    pd.testing.assert_frame_equal(folds, store.ledger().table, check_dtype=False)
    oof, test = tables(store)
    import_predictions(store, "mine", *write(tmp_path, folds.assign(mine=oof["pred"]), test, suffix))
    np.testing.assert_allclose(stored(store)[0], logit(oof["pred"]), rtol=1e-5)


def test_export_refuses_what_it_cannot_do(store: OofStore, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must end in \.csv or \.parquet"):
        export(store.root, output=tmp_path / "folds.txt")
    with pytest.raises(UserError, match="is not a store of an experiment"):
        export(tmp_path, output=tmp_path / "folds.csv")
    assert not list(tmp_path.glob("folds*"))


@pytest.mark.process
def test_the_commands(store: OofStore, tmp_path: Path) -> None:
    exported = run_process("folds", "export", store.root, "-o", "folds.csv", cwd=tmp_path)
    assert (exported.returncode, exported.stderr) == (0, "")
    assert "folds.csv: 40 rows in 3 folds" in exported.stdout
    oof, test = tables(store)
    oof_file, test_file = write(tmp_path, pd.read_csv(tmp_path / "folds.csv").assign(pred=oof["pred"]), test)
    files = ("--train-predictions", oof_file, "--test-predictions", test_file)
    taken = run_process("blend", "import", "mine", *files, "--store", store.root, cwd=tmp_path)
    assert (taken.returncode, taken.stderr) == (0, "")
    assert taken.stdout.startswith("mine: 40 out-of-fold and 12 test rows, each read as a probability")
    assert store.imported() == ["mine"]
    found = run_process("blend", "import", "again", *files, "--oof", tmp_path, cwd=tmp_path)  # the newest store there
    assert found.returncode == 0, found.stderr
    assert store.imported() == ["again", "mine"]


def test_a_mistake_is_one_sentence_and_exit_code_two(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    oof_file, test_file = write(tmp_path, oof.drop(columns="fold"), test)
    files = ("--train-predictions", oof_file, "--test-predictions", test_file)
    result = run_here("blend", "import", "mine", *files, "--store", store.root, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "has no column fold; add it, or state with --same-folds" in result.stderr
    assert store.imported() == []


def test_help_tells_everything(tmp_path: Path) -> None:
    told = run_here("blend", "import", "--help", cwd=tmp_path).stdout
    assert [
        option
        for option in ("--train-predictions", "--test-predictions", "--store", "--oof", "--same-folds", "--scale")
        if option not in told
    ] == []
    assert "--output" in run_here("folds", "export", "--help", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a regression", lambda y, noise: y + 0.12 * noise),
        ("rounding below zero", lambda y, noise: np.where(y == 0, -1e-7, expit(3 + noise))),
        ("rounding above one", lambda y, noise: np.where(y == 1, 1.0000001, expit(-3 - noise))),
    ],
)
def test_values_that_hug_probabilities_are_never_logits(
    store: OofStore, tmp_path: Path, what: str, change: Any
) -> None:
    oof, test = tables(store)
    rng = np.random.default_rng(0)
    oof["pred"] = change(store.ledger().labels, rng.normal(size=40))
    test["pred"] = change(np.arange(12) % 2, rng.normal(size=12))
    lines = import_predictions(store, "mine", *write(tmp_path, oof, test))
    assert "each read as a probability" in lines[0]
    assert any("outside [0, 1]" in line and "clipped" in line for line in lines) == (what == "a regression")


@pytest.mark.training
def test_a_member_that_is_turned_around_is_doubted_and_can_be_flipped(store: OofStore, tmp_path: Path) -> None:
    oof, test = tables(store)
    oof["pred"] = expit(-3.0 * (2 * store.ledger().labels - 1))
    files = write(tmp_path, oof, test)
    assert any("is it inverted" in line for line in import_predictions(store, "mine", *files))
    publish(store, Console(quiet=True))
    assert "WARNING: mine: its AUC is 0.00, below chance" in (store.root / "leaderboard.md").read_text()
    assert "its AUC is 0.00, below chance" in (store.root / "report.md").read_text()
    assert not any("is it inverted" in line for line in import_predictions(store, "mine", *files, flip=True))
    np.testing.assert_allclose(stored(store)[1], -logit(test["pred"]), rtol=1e-5)


def test_a_copy_of_another_member_is_named(store: OofStore, tmp_path: Path) -> None:
    files = write(tmp_path, *tables(store))
    import_predictions(store, "mine", *files)
    assert "WARNING: it equals mine in every row" in import_predictions(store, "again", *files)
    assert "mine equals again in every row; is the seed ignored?" in doubts_of(store, load_predictions(store))


@pytest.mark.training
def test_an_import_can_be_removed_and_a_member_left_out(store: OofStore, tmp_path: Path) -> None:
    import_predictions(store, "mine", *write(tmp_path, *tables(store)))
    listed = invoke(list_members, store.root).stdout
    assert "mine: OOF accuracy" in listed
    assert "imported" in listed
    assert invoke(blend_command, store.root, "--quick", "--without", "mine").exit_code == 0
    manifest = json.loads((store.blend_folder / "blend.json").read_text())
    assert manifest["members"] == ["linear", "boosted"]
    assert leaderboard(store, load_predictions(store))["member"][0] == "blend", "it is still the blend of this store"
    assert invoke(blend_command, store.root, "--without", "nobody").exit_code == 2
    assert invoke(remove_member, "linear", "--store", store.root).exit_code == 2, "it was trained here"
    assert invoke(remove_member, "mine", "--store", store.root).exit_code == 0
    assert load_predictions(store).members == ["linear", "boosted"]
    assert invoke(remove_member, "mine", "--store", store.root).exit_code == 2


def test_training_does_not_replace_an_import(store: OofStore, competition_folder: Path, tmp_path: Path) -> None:
    import_predictions(store, "mine", *write(tmp_path, *tables(store)))
    before = contents(store)
    experiment = load_experiment(write_config(tmp_path / "c.yaml", LINEAR.replace("linear", "mine")))
    with pytest.raises(UserError, match="mine is the name of imported predictions"):
        train(experiment, list(experiment.members), competition_folder, store, "inline")
    assert contents(store) == before


def test_folds_that_were_trained_here_are_not_removed_as_an_import(store: OofStore) -> None:
    (store.member_folder("boosted") / "imported.json").write_text("{}")  # as an earlier version could leave it
    before = contents(store)
    with pytest.raises(UserError, match="trained here"):
        remove_import(store, "boosted")
    assert contents(store) == before
