"""The documentation as tests read it: its files, its fenced blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "oof/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "members").rglob("README.md")),
    *sorted((ROOT / "ensemble").rglob("README.md")),
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = "# not run by the tests"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    language: str
    text: str

    @property
    def is_run(self) -> bool:
        """Whether the tests run it; a block that they do not run says so, and why."""
        return _NOT_RUN not in self.text

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of a shell block, without comments, variables, pipes and what follows them."""
        lines = self.text.replace("\\\n", " ").splitlines()
        found = [shlex.split(re.sub(r" (&|[|>] .*)$", "", line), comments=True) for line in lines]
        return [words for line in found if (words := [w for w in line if not re.match(r"[A-Z_]+=", w)])]


def blocks(page: Path, *languages: str) -> list[Block]:
    """Blocks of a page in these languages."""
    found = (Block(page, language, text) for language, text in _FENCE.findall(page.read_text(encoding="utf-8")))
    return [block for block in found if block.language in languages]


def prose(page: Path) -> str:
    """The text of a page outside its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


SHELL = [block for page in PAGES for block in blocks(page, "sh", "bash", "console", "shell")]
