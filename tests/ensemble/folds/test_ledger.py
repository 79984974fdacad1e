from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ensemble.config.experiment import FoldSettings
from ensemble.core.errors import UserError
from ensemble.folds.ledger import FoldLedger
from ensemble.folds.near_duplicates import near_duplicate_groups, near_duplicate_pairs
from tests.competitions import photograph


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[str], list[int], list[str]]:
    """Names, labels and groups; every class has at least six groups."""
    singles = [(f"s{i}", i % 2, f"s{i}") for i in range(draw(st.integers(12, 40)))]
    sizes = draw(st.lists(st.integers(2, 5), max_size=4))
    grouped = [(f"g{g}-{i}", draw(st.integers(0, 1)), f"g{g}-0") for g, size in enumerate(sizes) for i in range(size)]
    table = draw(st.permutations(singles + grouped))
    return [row[0] for row in table], [row[1] for row in table], [row[2] for row in table]


def cut(table: tuple[list[str], list[int], list[str]], n_folds: int = 3, seed: int = 0) -> FoldLedger:
    names, labels, groups = table
    return FoldLedger.cut(names, np.array(labels), groups, FoldSettings(n_folds=n_folds, seed=seed))


@settings(max_examples=40)
@given(rows(), st.integers(2, 4), st.integers(0, 5))
def test_every_row_is_held_out_once_and_no_group_is_split(
    table: tuple[list[str], list[int], list[str]], n_folds: int, seed: int
) -> None:
    ledger = cut(table, n_folds, seed)
    heldout = np.concatenate([ledger.heldout(fold) for fold in range(n_folds)])
    assert sorted(heldout) == list(range(len(table[0])))
    for fold in range(n_folds):
        training, held = (set(ledger.table["group"].iloc[r]) for r in (ledger.training(fold), ledger.heldout(fold)))
        assert not training & held
        assert set(ledger.labels[ledger.heldout(fold)]) == {0, 1}


@settings(max_examples=20)
@given(rows(), st.randoms())
def test_the_order_of_rows_does_not_matter(table: tuple[list[str], list[int], list[str]], random: object) -> None:
    shuffled = list(zip(*table, strict=True))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    names, labels, groups = (list(column) for column in zip(*shuffled, strict=True))
    assert cut(table).sha256 == cut((names, labels, groups)).sha256


def simple(n: int = 30) -> tuple[list[str], list[int], list[str]]:
    names = [f"{i:03d}" for i in range(n)]
    return names, [i % 2 for i in range(n)], names


def test_known_hash() -> None:
    """The same input gives the same ledger on any machine: this hash was computed once and must not move."""
    assert cut(simple()).sha256.startswith("397abd42b11ffe5c")


def test_the_hash_sees_everything() -> None:
    names, labels, groups = simple()
    hashes = {
        cut((names, labels, groups)).sha256,
        cut((names, labels, groups), seed=1).sha256,
        cut((names, labels, groups), n_folds=4).sha256,
        cut((["x", *names[1:]], labels, groups)).sha256,
        cut((names, [1, 0, *labels[2:]], groups)).sha256,
        cut((names, labels, [groups[1], *groups[1:]])).sha256,
    }
    assert len(hashes) == 6


def test_saved_twice_same_bytes_and_loaded_equal(tmp_path: Path) -> None:
    ledger = cut(simple())
    contents = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        ledger.save(folder)
        contents.append([(folder / name).read_bytes() for name in ("folds.parquet", "folds.json")])
        assert FoldLedger.load(folder).difference(ledger) == ""
    assert contents[0] == contents[1]


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    cut(simple()).save(tmp_path)
    table = pd.read_parquet(tmp_path / "folds.parquet")
    table.loc[3, "fold"] = (table.loc[3, "fold"] + 1) % 3
    table.to_parquet(tmp_path / "folds.parquet", index=False)
    with pytest.raises(UserError, match="was changed"):
        FoldLedger.load(tmp_path)


def test_difference_names_the_rows() -> None:
    names, labels, groups = simple()
    other = cut((["new", *names[1:]], [*labels[:-1], 0], groups))
    text = cut((names, labels, groups)).difference(other)
    assert "rows only in the first: 000" in text
    assert "rows only in the second: new" in text
    assert "another label: 029" in text


def test_too_few_groups_is_a_sentence() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    with pytest.raises(UserError, match=r"there are 2 real training photographs, fewer than folds\.n_folds \(3\)"):
        cut((names[:4], [0, 1, 0, 1], names[:4]), n_folds=3)
    with pytest.raises(
        UserError, match=r"3 fake photographs form 2 groups of near-duplicates .* lower folds\.n_folds to 2"
    ):
        cut((names, [0, 1] * 3, ["a", "b", "c", "b", "e", "f"]), n_folds=3)
    with pytest.raises(
        UserError, match=r"3 fake photographs form 1 group .*no folds are possible .*near_duplicate_distance"
    ):
        cut((names, [0, 1] * 3, ["a", "b", "c", "b", "e", "b"]), n_folds=2)


def test_a_split_group_is_an_assertion() -> None:
    ledger = cut(simple())
    ledger.table["group"] = "one"
    with pytest.raises(AssertionError, match="split over folds"):
        ledger.check()


def smooth(seed: int) -> Image.Image:
    """A photograph-like picture: low frequencies only, so that compression changes its hash little."""
    return Image.fromarray(photograph(seed, False, 8)).resize((64, 64), Image.Resampling.BICUBIC)


def test_near_duplicates_and_their_mirrors_share_a_group(tmp_path: Path) -> None:
    first, second = smooth(1), smooth(2)
    first.save(tmp_path / "again.jpg", quality=70)
    mirrored = second.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    with Image.open(tmp_path / "again.jpg") as again:
        photographs = np.array([np.asarray(image) for image in (first, second, again, mirrored, smooth(3))])
    names = ["a", "b", "c", "d", "e"]
    assert near_duplicate_groups(names, photographs, [None] * 5, 30) == ["a", "b", "a", "b", "e"]
    assert near_duplicate_groups(names, photographs, ["x", None, None, None, "x"], 30) == ["a", "b", "a", "b", "a"]


@pytest.mark.parametrize("distance", range(8, 20))
def test_pairs_are_those_of_brute_force(distance: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also across the blocks that are compared at a time."""
    monkeypatch.setattr("ensemble.folds.near_duplicates._BLOCK", 3)
    rng = np.random.default_rng(0)
    hashes = (rng.random(256) < 0.5) ^ (rng.random((11, 2, 256)) < 0.03)  # some 15 bits apart

    def bits(one: int, other: int) -> int:
        return min(int((hashes[one, 0] != hashes[other, way]).sum()) for way in (0, 1))

    expected = [(i, j) for i, j in itertools.combinations(range(11), 2) if bits(i, j) <= distance]
    assert sorted(map(tuple, near_duplicate_pairs(hashes, distance).tolist())) == expected


def test_as_many_groups_as_folds_are_enough() -> None:
    names = ["a", "b", "c", "d"]
    assert cut((names, [0, 1, 0, 1], names), n_folds=2).n_folds == 2


def test_another_cut_is_of_the_same_groups() -> None:
    names, _, _ = simple(60)
    before = cut((names, [i // 2 % 2 for i in range(60)], [names[i // 2 * 2] for i in range(60)]))
    again = before.cut_again(7)
    columns = ["name", "label", "group"]
    assert again.table[columns].equals(before.table[columns])
    again.check()  # that no group is split
    assert again.sha256 != before.sha256
    assert (again.n_folds, again.seed, again.distance) == (before.n_folds, 7, before.distance)
    assert before.cut_again(2**31 + 7).sha256 == again.sha256, "seeds of scikit-learn end there"


def test_a_fold_of_one_class_or_none_is_refused() -> None:
    ledger = cut(simple(12), 2)
    with pytest.raises(UserError, match="one class only"):
        ledger.with_folds(ledger.labels, "by class")
    with pytest.raises(UserError, match="one class only"):
        ledger.with_folds(np.arange(12) // 2 % 2 * 2, "none in fold 1")
    for column, value in (("fold", 2), ("fold", -1), ("name", "000")):
        wrong = cut(simple(12), 2)
        wrong.table.loc[5, column] = value
        with pytest.raises(AssertionError, match="in no fold or in two"):
            wrong.check()


def test_the_hash_does_not_depend_on_how_many_rows_are_hashed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cut(simple()).sha256
    monkeypatch.setattr("ensemble.folds.ledger._CHUNK", 7)
    assert cut(simple()).sha256 == before


def test_other_folds_of_the_same_rows() -> None:
    ledger = cut(simple(12), 2)
    found = ledger.with_folds(np.arange(12) // 2 % 3, "by hand")
    assert (found.n_folds, found.algorithm) == (3, "by hand")
    assert found.folds.tolist() == [0, 0, 1, 1, 2, 2] * 2


def test_differences_are_named() -> None:
    names, labels, _ = simple(12)
    one = cut((names, labels, names))
    other = cut((["a", "b", *names[2:]], labels, ["a", "b", *names[2:]]), n_folds=2)
    said = one.difference(other)
    assert "rows only in the first: 000, 001" in said
    assert "rows only in the second: a, b" in said
    assert "n_folds 3 and 2" in said
    assert "seed" not in said
    assert one.difference(cut((names, labels, names))) == ""


def test_the_summary_counts_rows_that_share_a_group(tmp_path: Path) -> None:
    names, labels, _ = simple(14)
    ledger = cut((names, labels, ["g", "g", "g", *names[3:]]))
    ledger.save(tmp_path)
    summary = json.loads((tmp_path / "folds.json").read_text())
    assert (summary["rows"], summary["groups"], summary["rows_in_shared_groups"]) == (14, 12, 3)
    assert FoldLedger.load(tmp_path).sha256 == ledger.sha256
    with pytest.raises(UserError, match="no fold ledger that can be read"):
        FoldLedger.load(tmp_path / "nowhere")
