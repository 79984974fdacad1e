"""The line that a command without a table shows."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ensemble.core.console import status
from ensemble.core.console.status import StatusLine


def test_time_left_is_of_what_this_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: now[0])
    line = StatusLine(Console(file=io.StringIO()))
    line.start("predicting")
    assert line.line == "predicting, 0 s so far"
    now[0] += 30
    line.update(0.4)
    assert line.line == "predicting: 40%, about 45 s left"
    line.start("predicting", done=0.5)
    now[0] += 30
    line.update(0.5)
    assert line.line == "predicting: 50%", "nothing is known yet"
    line.update(0.75)
    assert line.line == "predicting: 75%, about 30 s left"
