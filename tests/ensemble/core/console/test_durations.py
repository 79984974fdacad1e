from __future__ import annotations

import pytest

from ensemble.core.console.durations import format_duration, parse_duration
from ensemble.core.errors import UserError


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (45, "45 s"), (119, "2 min"), (3600, "60 min"), (12_000, "3 h 20 min")]
)
def test_durations_as_people_say_them(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15 min", 900), ("1h30m", 5400), ("2 H", 7200), ("0.5h", 1800), ("1d 1s", 86_401)],
)
def test_durations_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "0s", "90", "an hour", "2 parsecs", "-5s", "1h 30", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--timeout takes a duration such as 90s"):
        parse_duration(text, "--timeout")
