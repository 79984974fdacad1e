"""More photographs: old rows keep their folds, and new ones go where they belong."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.config.experiment import FoldSettings
from ensemble.folds.extend import extended, is_extension_of
from ensemble.folds.ledger import ALGORITHM, FoldLedger


@cache
def ledger_of(rows: int, n_folds: int = 4) -> FoldLedger:
    names = [f"{number:04d}" for number in range(0, 2 * rows, 2)]  # even numbers: new ones lie between them
    return FoldLedger.cut(names, np.arange(rows) % 2, names, FoldSettings(n_folds=n_folds))


@pytest.mark.training
@given(st.integers(1, 60), st.integers(0, 5), st.randoms(use_true_random=False))
def test_old_rows_keep_their_folds_and_new_ones_fill_them_evenly(new: int, copies: int, random: object) -> None:
    before = ledger_of(40)
    more = [f"{number:04d}" for number in range(1, 2 * new, 2)]
    names = [*before.table["name"], *more]
    labels = np.concatenate([before.labels, np.arange(new) % 2])
    groups = [*before.table["group"], *more]
    for number in range(min(copies, new)):  # near-duplicates of old ones
        groups[40 + number] = groups[number]
    order = list(range(len(names)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found, torn = extended(before, [names[i] for i in order], labels[order], [groups[i] for i in order])
    assert not torn
    now, was = found.table.set_index("name"), before.table.set_index("name")
    assert (now.loc[was.index, "fold"] == was["fold"]).all()
    assert (now.loc[was.index, "group"] == was["group"]).all()
    for number in range(min(copies, new)):
        assert now.loc[more[number], "fold"] == was.loc[names[number], "fold"]
    for label in (0, 1):
        sizes = now["fold"][now["label"] == label].value_counts()
        assert sizes.max() - sizes.min() <= 2 + copies
    again, _ = extended(before, names, labels, groups)
    assert again.sha256 == found.sha256, "whatever the order of the rows"


def test_a_new_row_like_old_ones_of_two_folds_is_named() -> None:
    before = ledger_of(12, 3)
    first, other = (str(before.table["name"][before.heldout(fold)[0]]) for fold in (0, 1))
    names = [*before.table["name"], "new"]
    groups = ["one" if name in (first, other, "new") else name for name in names]
    found, torn = extended(before, names, np.append(before.labels, 1), groups)
    assert torn == ["new"]
    assert found.table.set_index("name").loc["new", "fold"] in (0, 1)


def test_an_extended_ledger_says_so_and_can_be_extended_again() -> None:
    before = ledger_of(12, 3)
    once, _ = extended(before, [*before.table["name"], "a"], np.append(before.labels, 1), [*before.table["group"], "a"])
    twice, _ = extended(once, [*once.table["name"], "b"], np.append(once.labels, 0), [*once.table["group"], "b"])
    assert once.algorithm == twice.algorithm
    assert all(is_extension_of(each.algorithm, ALGORITHM) for each in (before, once, twice))
    assert not is_extension_of("clusters, 1", ALGORITHM)


def test_groups_stay_whole() -> None:
    before = ledger_of(12, 3)
    groups = [*before.table["group"], "film", "film", "film"]
    names = [*before.table["name"], "x1", "x2", "x3"]
    found, _ = extended(before, names, np.concatenate([before.labels, [1, 1, 0]]), groups)
    assert len(set(found.table.set_index("name").loc[["x1", "x2", "x3"], "fold"])) == 1


def test_a_new_copy_joins_the_group_of_the_old_row_whatever_it_is_called_now() -> None:
    before = ledger_of(12, 3)
    names = [*before.table["name"], "!new"]  # the first of the alphabet, which a group is called after
    groups = ["!new" if name in ("0000", "!new") else name for name in names]
    table = extended(before, names, np.append(before.labels, 0), groups)[0].table.set_index("name")
    assert table.loc["!new", ["group", "fold"]].tolist() == table.loc["0000", ["group", "fold"]].tolist()
    assert table.loc["!new", "group"] == "0000"


@pytest.mark.parametrize(("first", "second", "expected"), [(2, 1, 1), (1, 2, 2), (1, 1, 1)])
def test_a_new_row_goes_where_most_of_its_kind_are(first: int, second: int, expected: int) -> None:
    """Of several folds with as many to the first."""
    before = ledger_of(12, 3)
    like = [str(before.table["name"][row]) for row in (*before.heldout(1)[:first], *before.heldout(2)[:second])]
    names = [*before.table["name"], "new"]
    groups = ["one" if name in (*like, "new") else name for name in names]
    found, _ = extended(before, names, np.append(before.labels, 1), groups)
    assert found.table.set_index("name").loc["new", "fold"] == expected


def test_the_fold_with_the_fewest_of_the_label_gets_it() -> None:
    rows = [(0, fold) for fold in (0, 1, 1, 1, 2, 2, 2)] + [(1, fold) for fold in (0, 0, 0, 1, 1, 1, 2)]
    names = [f"{number:02d}" for number in range(len(rows))]
    table = pd.DataFrame({"name": names, "label": [r[0] for r in rows], "group": names, "fold": [r[1] for r in rows]})
    before = FoldLedger(table, 3, 0, 30)
    for new, fold in (([1], 2), ([0], 0), ([1, 1, 0], 2)):
        more = [f"x{number}" for number in range(len(new))]
        labels = np.array([*table["label"], *new])
        found, _ = extended(before, names + more, labels, names + ["film"] * len(new))
        assert set(found.table.set_index("name").loc[more, "fold"]) == {fold}


def test_large_groups_go_first_so_that_small_ones_can_even_out() -> None:
    before = ledger_of(24, 3)
    more = [f"x{number}" for number in range(8)]
    groups = [*before.table["group"], *["film"] * 4, *more[4:]]
    labels = np.concatenate([before.labels, np.ones(8, dtype=np.int64)])
    found, _ = extended(before, [*before.table["name"], *more], labels, groups)
    sizes = found.table.loc[found.table["label"] == 1, "fold"].value_counts()
    assert sizes.max() - sizes.min() <= 2
