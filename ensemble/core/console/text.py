"""Text of other people's code as it can be shown and stored, whatever it holds."""

from __future__ import annotations

LINE = 300  # characters of a sentence on the screen


def plain(text: str) -> str:
    """Without control characters but tabs and ends of lines, and without halves of characters."""
    whole = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(sign if sign.isprintable() or sign in "\t\n" else repr(sign)[1:-1] for sign in whole)


def sentence(text: str) -> str:
    """The first line, not too long."""
    first = plain(text[: 4 * LINE]).strip().partition("\n")[0]
    return first if len(first) <= LINE else f"{first[:LINE]}..."


def plural(count: int, noun: str, several: str = "") -> str:
    """Return a count with its noun, `1 fold` or `2,000 folds`; `several` is the plural where it is not noun and s."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"
