from __future__ import annotations

import io

import pytest
from rich.console import Console

from ensemble.core.console import progress
from ensemble.core.console.progress import ProgressBoard


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def board_on(terminal: bool, slots: float = 2) -> tuple[ProgressBoard, io.StringIO]:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=120, highlight=False)
    board = ProgressBoard(slots=slots, console=console)
    for fold in range(4):
        board.add(f"cnn/fold-{fold}", "cnn", 1)
    board.add("tree/fold-0", "tree", 1)
    return board, file


def test_time_left_grows_from_what_is_known(clock: list[float]) -> None:
    board, _ = board_on(False)
    assert board.seconds_left() == (0.0, False)
    board.started("cnn/fold-0")
    clock[0] += 10
    board.advanced("cnn/fold-0", 0.25, "epoch 1/4")
    seconds, known = board.seconds_left()  # 30 s of this fold and three of 40 s, on two slots
    assert (seconds, known) == (pytest.approx(75), False)
    for fold in range(4):
        board.done(f"cnn/fold-{fold}", 40, "")
    board.started("tree/fold-0")
    clock[0] += 5
    board.advanced("tree/fold-0", 0.5, "")
    assert board.seconds_left() == (pytest.approx(5), True)
    board.done("tree/fold-0", 10, "")
    assert board.seconds_left() == (0.0, True)


def test_plain_lines_without_a_terminal(clock: list[float]) -> None:
    board, file = board_on(False)
    with board:
        board.started("cnn/fold-0")
        for _ in range(4):
            clock[0] += 20
            board.advanced("cnn/fold-0", (clock[0] - 100) / 100, "epoch 1/4")
        board.done("cnn/fold-0", 100, "held-out accuracy 0.9000")
        board.failed("cnn/fold-1", "RuntimeError: no")
        board.advanced("cnn/fold-0", 0.1, "late news")
    lines = file.getvalue().splitlines()
    assert sum("epoch 1/4" in line for line in lines) == 2, "a line every half minute, not one for every batch"
    assert "cnn/fold-0 done in 2 min: held-out accuracy 0.9000 [1 of 5 folds, at least 2 min left]" in file.getvalue()
    assert "cnn/fold-1 FAILED: RuntimeError: no" in file.getvalue()


def test_a_live_table_in_a_terminal() -> None:
    board, file = board_on(True)
    with board:
        board.started("cnn/fold-0")
        board.advanced("cnn/fold-0", 0.5, "epoch 2/4")
    text = file.getvalue()
    assert "0 of 5 folds" in text
    assert "50% epoch 2/4" in text


def test_what_earlier_runs_took_is_believed_until_there_is_news(clock: list[float]) -> None:
    board = ProgressBoard(slots=1, console=Console(file=io.StringIO()))
    for fold in range(2):
        board.add(f"cnn/fold-{fold}", "cnn", 1, 30.0)
    assert board.seconds_left() == (60.0, True)
    board.done("cnn/fold-0", 50, "")
    assert board.seconds_left() == (50.0, True)


def test_the_time_left_can_be_asked_for_while_work_is_added() -> None:
    """By the thread that draws the table."""
    board = ProgressBoard(console=Console(file=io.StringIO()))

    class Growing(dict[str, float | None]):
        def values(self) -> list[float | None]:  # type: ignore[override]
            found = list(super().values())
            self["more"] = 5.0
            return found

    board._expected = Growing(a=1.0, b=2.0)
    assert board.seconds_left() == (3.0, True)
