from __future__ import annotations

import numpy as np
import pytest

from ensemble.competition.tables import Table, read_table
from ensemble.core.errors import UserError

PLAIN = "name,target\r\na.jpg,1\r\nb.jpg,0\r\n"


def cells(table: Table) -> list[list[str]]:
    return [table.titles, *table.columns.to_numpy().tolist()]


EXPECTED = [["name", "target"], ["a.jpg", "1"], ["b.jpg", "0"]]


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\r\n", "\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " "),
        "sep=;\n" + PLAIN.replace(",", ";"),
        "sep=,\r\n" + PLAIN,
        PLAIN.replace("\r\n", ",\r\n"),  # a column that Excel leaves at the end
        PLAIN.replace("name,target\r\n", "name,target,,\r\n"),
        PLAIN + ",\r\n,\r\n\r\n",
        PLAIN.replace("name,target", " name , target"),
        PLAIN.replace("a.jpg,1", '"a.jpg","1"'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_usual_form_is_the_same_table(text: str, encoding: str) -> None:
    assert cells(read_table(text.encode(encoding), "train.csv")) == EXPECTED


def test_the_big_end_first() -> None:
    assert cells(read_table(b"\xfe\xff" + PLAIN.encode("utf-16-be"), "train.csv")) == EXPECTED


def test_lines_are_those_of_the_file() -> None:
    table = read_table(b"sep=,\nname,target\n\na.jpg,1\n,\nb.jpg,0\n", "train.csv")
    assert [table.line(0), table.line(1)] == ["train.csv line 4", "train.csv line 6"]


def test_no_header_where_the_first_line_names_a_photograph() -> None:
    names = ["a.jpg", "b.jpg"]
    table = read_table(b"a.jpg,1\nb.jpg,0\n", "train.csv", names)
    assert cells(table) == [["column 1", "column 2"], *EXPECTED[1:]]
    assert not table.header
    for text in ("a,1\nb,0\n", "train/a.png,1\ntrain/b.png,0\n"):
        assert not read_table(text.encode(), "train.csv", names).header
    assert read_table(b"name,target\na.jpg,1\n", "train.csv", names).header
    # pandas writes 0,1 above columns that have no titles, and 0.jpg is a photograph
    assert read_table(b"0,1\n0.jpg,1\n1.jpg,0\n", "train.csv", ["0.jpg", "1.jpg"]).header


def test_names_of_rows_without_a_title_as_r_writes_them() -> None:
    table = read_table(b"name,target\n1,a.jpg,1\n2,b.jpg,0\n", "train.csv")
    assert cells(table) == [["column 1", "name", "target"], ["1", "a.jpg", "1"], ["2", "b.jpg", "0"]]
    assert table.untitled == {"column 1"}


def test_decimal_commas_only_where_semicolons_separate() -> None:
    numbers = read_table(b"name;pred\na.jpg;0,5\nb.jpg;1,0\nc.jpg;x\n", "s.csv").numbers("pred")
    np.testing.assert_array_equal(numbers, [0.5, 1.0, np.nan])
    assert np.isnan(read_table(b'name,pred\na.jpg,"0,5"\n', "s.csv").numbers("pred")).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n , \n", "no rows"),
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        ("name,target\nM\u00fcller.jpg,1\n".encode("latin-1"), "line 2 is not in UTF-8"),
        (PLAIN.encode("utf-16-le"), "is not a text file"),
        (b"PK\x03\x04" + bytes(range(256)), "UTF-8"),
        (b"name,target\na.jpg,1\nb.jpg,0,2\n", "line 3 has more cells"),
        (b"name,name\na.jpg,1\n", "several columns called 'name'"),
        (b'name,target\n"a.jpg,1\n' + b"x" * 200_000, "cannot be read as a row"),
    ],
)
def test_what_is_no_table_is_named(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_table(content, "train.csv")
    assert str(caught.value).startswith("train.csv")
    assert "\n" not in str(caught.value)


def test_a_separator_at_the_end_of_each_row_but_the_header_makes_no_column() -> None:
    table = read_table(b"name,label,is_male\na.jpg,1,0,\nb.jpg,0,1,\n", "train.csv", ["a.jpg", "b.jpg"])
    assert cells(table) == [["name", "label", "is_male"], ["a.jpg", "1", "0"], ["b.jpg", "0", "1"]]


def test_a_first_line_with_a_file_name_is_no_header() -> None:
    names = ["real/1.jpg", "fake/1.jpg", "real/2.jpg"]
    assert not read_table(b"real/1.jpg,0\nfake/1.jpg,1\nreal/2.jpg,0\n", "train.csv", names).header
    assert not read_table(b"lost.jpg,0\nreal/1.jpg,0\n", "train.csv", names).header


def test_names_with_blanks_alone() -> None:
    names = ["Person 01.jpg", "Person 02.jpg", "Person 03.jpg"]
    table = read_table("\n".join(["File name", *names]).encode(), "submit.csv", names)
    assert table.titles == ["File name"]
    assert list(table.columns["File name"]) == names
