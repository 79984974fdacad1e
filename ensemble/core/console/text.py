"""Text of other people's code, made safe to print and store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

LINE = 300  # characters at most of a line on the screen
_BRIEF = 100


def plain(text: str) -> str:
    """Escape control characters (except tabs and newlines) and surrogates."""
    whole = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        character if character.isprintable() or character in "\t\n" else repr(character)[1:-1] for character in whole
    )


def sentence(text: str) -> str:
    """Return the first line, shortened."""
    first = plain(text[: 4 * LINE]).strip().partition("\n")[0]
    return first if len(first) <= LINE else f"{first[:LINE]}..."


def brief(text: str) -> str:
    """Return a text that comes from a file on one line, shortened."""
    line = plain(text[: 2 * _BRIEF]).replace("\n", "\\n")
    return line if len(line) <= _BRIEF else f"{line[:_BRIEF]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question for a word that may be misspelt: what it is nearest to."""
    by_letters = {each.lower(): each for each in known if each != word}
    near = get_close_matches(word.lower(), by_letters, n=1)
    return f"did you mean {by_letters[near[0]]}?" if near else "check the spelling"


def listed(text: str) -> list[str]:
    """Return the names in a text that separates them by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def plural(count: int, noun: str, several: str = "") -> str:
    """Return a count with its noun, `1 fold` or `2,000 folds`; `several` is the plural where it is not noun and s."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def first_few(names: Sequence[str], shown: int = 5) -> str:
    """Return the first names of a list, and how many more there are."""
    return ", ".join(names[:shown]) + (f" (+{len(names) - shown} more)" if len(names) > shown else "")
