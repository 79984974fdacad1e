"""What a person did that cannot work, told so that they can mend it. All else is a bug and keeps its traceback."""

from __future__ import annotations


class UserError(Exception):
    """One sentence for the person at the keyboard: which file, which row, what to do. Exit code 2."""


class InputProblems(UserError):
    """Everything that is wrong with a competition's files, found in one pass.

    Parameters
    ----------
    where : str
        The folder or archive that was read.
    problems : dict[str, list[str]]
        For each kind of problem its examples, every one naming a file or row.
    shown : int
        How many examples of a kind are printed.
    """

    def __init__(self, where: str, problems: dict[str, list[str]], shown: int = 10) -> None:
        self.problems = problems
        lines = [f"{where} cannot be used as it is:"]
        for kind, examples in problems.items():
            more = f" (+{len(examples) - shown} more)" if len(examples) > shown else ""
            lines.append(f"  {kind}: {', '.join(examples[:shown])}{more}")
        super().__init__("\n".join(lines))
