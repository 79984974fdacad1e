"""What is printed during a fold: kept with it; the screen shows what the member's own code says."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest
from lightgbm import LGBMClassifier

from ensemble.engine.tasks.failures import failure
from ensemble.engine.tasks.output import printed


def fit() -> None:
    rng = np.random.default_rng(0)
    LGBMClassifier(n_estimators=2, n_jobs=1, verbose=1).fit(rng.normal(size=(100, 3)), np.arange(100) % 2)


def fail() -> None:
    with printed():
        fit()
        raise ValueError("broken")


def test_a_library_is_kept_from_the_screen_and_own_prints_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    with printed() as output:
        print("my loss is 0.5")  # noqa: T201
        fit()
    screen = capsys.readouterr()
    assert "my loss is 0.5" in screen.out
    assert "LightGBM" not in screen.out + screen.err
    assert str(output).startswith("my loss is 0.5\n[LightGBM]")


def test_the_screen_is_as_before_after_an_error_which_carries_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken") as error:
        fail()
    assert failure(error.value).cause == "ValueError: broken"
    assert "[LightGBM]" in failure(error.value).traceback
    fit()
    assert "LightGBM" in capsys.readouterr().out


def test_what_is_printed_without_end_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    with printed() as output:
        for _ in range(30):
            print("x" * 100_000)  # noqa: T201
        print("the end")  # noqa: T201
    assert len(capsys.readouterr().out) > 3_000_000
    assert len(str(output)) < 1_200_000
    assert "\n(...)\n" in str(output)
    assert str(output).endswith("the end\n")


def test_a_handler_that_a_library_keeps_writes_to_the_screen_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    with printed():
        handler = logging.StreamHandler()
    with printed() as output:
        handler.emit(logging.makeLogRecord({"msg": "in a later fold"}))
    handler.emit(logging.makeLogRecord({"msg": "after it"}))
    assert str(output) == "in a later fold\n"
    assert "after it" in capsys.readouterr().err


def test_a_fold_that_is_ended_carries_the_text_too() -> None:
    with pytest.raises(SystemExit) as error, printed():
        sys.exit(print("last words"))  # noqa: T201
    assert "last words" in "".join(error.value.__notes__)
