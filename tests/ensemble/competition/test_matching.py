from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.competition.matching import STEPS, key_of, match_names


def found(rows: list[str], names: list[str], folder: str = "train", other: str = "test") -> list[str]:
    return match_names(rows, names, folder, other).found


@pytest.mark.parametrize(
    ("row", "name", "step"),
    [
        ("a.jpg", "a.jpg", ""),
        (" a.jpg ", "a.jpg", ""),
        ("Mu\u0308ller.jpg", "M\u00fcller.jpg", "Unicode"),
        ("real\\a.jpg", "real/a.jpg", "\\"),
        ("train/a.jpg", "a.jpg", "paths"),
        ("/kaggle/input/faces/train/a.jpg", "a.jpg", "paths"),
        ("C:\\faces\\train\\a.jpg", "a.jpg", "paths"),
        ("a.jpg", "real/a.jpg", "paths"),
        ("data/train/a.jpg", "real/a.jpg", "paths"),
        ("A.JPG", "a.jpg", "case"),
        ("Train/a.jpg", "a.jpg", "paths"),
        ("a", "a.jpg", "suffix"),
        ("a.jpg", "a.jpeg", "suffix"),
        ("a.jpg", "A.PNG", "suffix"),
        ("7", "00007.jpg", "numbers"),
        ("7.0", "7.jpg", "numbers"),
        ("train/7.png", "real/007.JPG", "numbers"),
    ],
)
def test_each_step(row: str, name: str, step: str) -> None:
    matching = match_names([row], [name, "other.jpg"])
    assert matching.found == [name]
    assert step in str(matching)
    assert bool(step) == bool(str(matching))


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (["test/a.jpg"], ["a.jpg"]),  # of the other split
        (["data/test/a.jpg"], ["real/a.jpg"]),
        (["fake/a.jpg"], ["real/a.jpg"]),  # of another class
        (["a.jpg"], ["real/a.jpg", "fake/a.jpg"]),  # which one?
        (["real/a.jpg", "fake/a.jpg"], ["a.jpg"]),  # both?
        (["a"], ["a.jpg", "a.png"]),
        (["A.jpg", "a.JPG"], ["a.jpg"]),
        (["1"], ["1.jpg", "01.jpg"]),  # zeros may have been lost
        (["a.jpg"], ["b.jpg"]),
        ([""], ["a.jpg"]),
    ],
)
def test_no_match_rather_than_a_wrong_one(rows: list[str], names: list[str]) -> None:
    assert found(rows, names) == [""] * len(rows)


def test_the_strictest_step_that_finds_all_is_used() -> None:
    names = ["a.jpg", "A.jpg", "1.jpg", "01.jpg"]
    matching = match_names(names[::-1], names)
    assert (matching.found, matching.step) == (names[::-1], 0)


def test_the_longest_path_wins() -> None:
    names = ["a.jpg", "real/a.jpg"]
    assert found(["x/train/real/a.jpg", "x/train/a.jpg"], names) == ["real/a.jpg", "a.jpg"]


def test_many_photographs_may_have_one_name() -> None:
    """Each in a folder of its own: a row must not be compared with every one of them."""
    names = [f"{number:05d}/photo.jpg" for number in range(5_000)]
    started = time.process_time()
    found = match_names([f"train/{name}" for name in names] + ["train/99999/photo.jpg"], names, "train", "test")
    assert found.found == [*names, ""]
    assert time.process_time() - started < 5


def test_the_other_folder_may_have_any_name() -> None:
    assert found(["holdout/a.jpg"], ["a.jpg"], "photos/learn", "photos/holdout") == [""]
    assert found(["learn/a.jpg"], ["a.jpg"], "photos/learn", "photos/holdout") == ["a.jpg"]


def test_rows_without_a_photograph_do_not_loosen_the_others() -> None:
    matching = match_names(["a.jpg", "b.jpg", "lost.jpg"], ["a.jpg", "b.jpg", "c.jpg"])
    assert (matching.found, matching.step, matching.complete) == (["a.jpg", "b.jpg", ""], 0, False)


@pytest.mark.parametrize("code_page", ["cp1252", "cp437", "cp932", "gb18030", "koi8_r"])
def test_names_in_a_code_page_are_read_as_the_table_confirms(code_page: str) -> None:
    rows = {
        "cp932": ["\u65e5\u672c.jpg"],
        "gb18030": ["\u4eba\u8138.jpg"],
        "koi8_r": ["\u043b\u0438\u0446\u043e.jpg"],
    }.get(code_page, ["M\u00fcller.jpg", "caf\u00e9.jpg"])
    names = [row.encode(code_page).decode("utf-8", "surrogateescape") for row in rows]
    matching = match_names([*rows, "plain.jpg"], [*names, "plain.jpg"])
    assert matching.found == [*names, "plain.jpg"]
    assert matching.code_page


def _nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


CHANGES: dict[str, Callable[[str], str]] = {
    "other form of Unicode": _nfd,
    "prefix": lambda name: f"data/train/{name}",
    "foreign prefix": lambda name: f"/kaggle/input/{name}",
    "folder lost": lambda name: name.rpartition("/")[2],
    "backslashes": lambda name: name.replace("/", "\\"),
    "upper case": str.upper,
    "other suffix": lambda name: name.rpartition(".")[0] + ".png",
    "no suffix": lambda name: name.rpartition(".")[0],
    "zeros lost": lambda name: "/".join(part.lstrip("0") or part for part in name.split("/")),
    "blanks": lambda name: f" {name}",
}
stems = st.one_of(
    st.integers(0, 120).map(str),
    st.integers(0, 120).map(lambda number: f"{number:05d}"),
    st.text("ab\u00fc\u00e9\u00df1 .", min_size=1, max_size=4).filter(lambda text: text.strip(" .") == text),
)
paths = st.tuples(st.sampled_from(["", "real/", "fake/", "a/b/"]), stems, st.sampled_from([".jpg", ".JPG", ".png"]))


@given(
    names=st.lists(paths.map("".join), min_size=1, max_size=12, unique=True),
    changes=st.lists(st.sampled_from(sorted(CHANGES)), max_size=4, unique=True),
    absent=st.integers(0, 2),
    data=st.data(),
)
def test_any_composition_of_changes_is_matched_or_refused_never_mismatched(
    names: list[str], changes: list[str], absent: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(names))[absent:]  # photographs without a row are no mistake
    rows = list(order)
    for change in changes:
        rows = [CHANGES[change](row) for row in rows]
    matching = match_names(rows, names)
    unnamed = {key_of(name) for name in set(names) - set(order)}
    if matching.step <= STEPS.index("by the end of their paths") and any(key_of(name) in unnamed for name in order):
        return  # a row that is written like a photograph nobody meant cannot be seen through
    if matching.complete:  # else the rows without a photograph are reported, and nothing is trained
        assert matching.found == order


def test_folders_whose_names_say_nothing() -> None:
    assert found(["train/a.jpg"], ["a.jpg"], "public", "private") == ["a.jpg"]
    assert found(["private/a.jpg"], ["a.jpg"], "public", "private") == [""]
    assert found(["public/a.jpg"], ["a.jpg"], "private", "public") == [""]
    assert found(["train/a.jpg"], ["a.jpg"], "contest_train", "contest_test") == ["a.jpg"]
