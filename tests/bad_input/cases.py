"""A case: what is wrong, and what is said about it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.commands import Result
from tests.competitions import LINEAR, write_competition, write_config
from tests.shared import built_once

ACCEPTED = ""
_FORGOTTEN = re.compile(
    r"Traceback|[Ee]rrno|site-packages|File \"|0x[0-9a-f]{6}|<class|<_io|object at"
    r"|\\[dws][+*]|\(\?|\^\[|\]\{\d|match pattern"
    r"|\b[A-Z][A-Za-z]+(Error|Exception|Warning|Interrupt)\b"
    r"|\b(BadZipFile|ArrowInvalid|UnidentifiedImage|pydantic|pandas\.|pyarrow\.)"
)


@dataclass(frozen=True)
class Case:
    """Something that is changed in a folder with `data` and `c.yaml`.

    Attributes
    ----------
    said : str
        A part of the sentence; ACCEPTED where all is well.
    """

    name: str
    change: Callable[[Path], object]
    said: str


def competition() -> Path:
    """Return a folder with a small competition in `data` and a config `c.yaml`. Read only."""

    def build(folder: Path) -> None:
        write_competition(folder / "data", train=24, test=8)
        write_config(folder / "c.yaml", LINEAR)

    return built_once("bad-input", build)


def changed(case: Case, folder: Path) -> Path:
    """Return a copy of the competition in which the case is at work."""
    shutil.copytree(competition(), folder, dirs_exist_ok=True)
    case.change(folder)
    return folder


def flipped(content: bytes) -> bytes:
    """Return bytes of which the one in the middle is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def check(found: Result, said: str) -> None:
    """Check that a command has accepted a case, or refused it in one plain sentence."""
    if said == ACCEPTED:
        assert found.returncode == 0, found.stderr
        return
    sentence = found.stderr.strip()
    assert found.returncode == 2, found.stdout + found.stderr
    assert said in sentence, sentence
    assert is_plain(sentence), sentence


def is_plain(text: str) -> bool:
    """Return whether a message has nothing in it that only programmers know."""
    return bool(text.strip()) and len(text) < 2_000 and not _FORGOTTEN.search(text)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but locks."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
