from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.competition.rows import SampleTable
from ensemble.competition.submission import (
    read_submission,
    rounded,
    submission_target,
    submission_text,
    write_submission,
)
from ensemble.core.errors import UserError


def sample(names: list[str], columns: tuple[str, ...] = ("name", "pred")) -> SampleTable:
    return SampleTable(names, names, "name", "pred", list(columns))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_what_is_written_decides_as_what_was_meant(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = tmp_path_factory.mktemp("s") / "submit.csv"
    names = [f"{i}.jpg" for i in range(len(values))][::-1]
    write_submission(path, sample(names), np.array(values))
    table = pd.read_csv(path)
    assert table["name"].tolist() == names
    assert table["pred"].between(0, 1).all()
    assert ((table["pred"] >= 0.5) == (np.array(values) >= 0.5)).all()
    np.testing.assert_allclose(table["pred"], values, atol=1.01e-8)


def test_rounding_never_crosses_one_half() -> None:
    assert rounded(np.array([0.5 - 1e-14, 0.5, 0.5 + 1e-14]), 12).tolist() == [0.5 - 1e-12, 0.5, 0.5]


def test_columns_stand_as_in_the_sample(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.csv", sample(["a"], ("pred", "name")), np.array([0.25]))
    assert (tmp_path / "s.csv").read_text() == "pred,name\n0.250000000000,a\n"


@pytest.mark.parametrize("wrong", [[0.5], [0.5, np.nan], [0.5, 1.01], [-0.01, 0.5], [0.1, 0.2, 0.3]])
def test_nothing_invalid_is_written_and_nothing_lost(tmp_path: Path, wrong: list[float]) -> None:
    path = tmp_path / "submit.csv"
    path.write_text("before")
    with pytest.raises(UserError):
        write_submission(path, sample(["a", "b"]), np.array(wrong))
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["submit.csv"]


@pytest.mark.parametrize("header", [True, False])
def test_what_is_written_is_read(tmp_path: Path, header: bool) -> None:
    asked = replace(sample(["a", "NA", "007"], ("pred", "name")), header=header)
    write_submission(tmp_path / "s.csv", asked, np.array([0.1, 0.5, 0.9]))
    assert read_submission(tmp_path / "s.csv", asked) == {"a": 0.1, "NA": 0.5, "007": 0.9}


def test_few_decimals_do_not_cross_one_half_either() -> None:
    assert submission_text(sample(["a"]), np.array([0.5 - 1e-10]), 8) == "name,pred\na,0.49999999\n"


def test_what_is_not_a_submission_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("name,pred,more\na,0.5,1\n")
    with pytest.raises(ValueError, match="other columns"):
        read_submission(tmp_path / "s.csv", sample(["a"]))


def test_a_submission_is_not_written_to_a_folder(tmp_path: Path) -> None:
    assert submission_target(tmp_path / "s.csv") == tmp_path / "s.csv"
    with pytest.raises(UserError, match="is a folder"):
        submission_target(tmp_path)
