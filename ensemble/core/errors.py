"""Errors of the user, reported with their remedy. Any other exception is a bug and shows its traceback."""

from __future__ import annotations

from ensemble.core.console.text import first_few

_SHOWN = 10  # examples of a kind of problem


class UserError(Exception):
    """Mistake of the user, in one sentence: which file, which row, what to do. Exit code 2."""


def reason(error: BaseException | None) -> str:
    """Return the first line of an error's text; of an error of the operating system without its number."""
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return str(text).strip().partition("\n")[0].rstrip(".") or type(error).__name__


class InputProblems(UserError):
    """All problems of a competition's files, listed at once.

    Parameters
    ----------
    where : str
        The folder or archive that was read.
    problems : dict[str, list[str]]
        For each kind of problem its examples, every one naming a file or row.
    advice : str
        What else can be done, in a sentence.
    """

    def __init__(self, where: str, problems: dict[str, list[str]], advice: str = "") -> None:
        self.problems = problems
        lines = [f"{where} cannot be used as it is:"]
        for kind, examples in problems.items():
            lines.append(f"  {kind}: {first_few(examples, _SHOWN)}")
        super().__init__("\n".join([*lines, *([advice] if advice else [])]))
