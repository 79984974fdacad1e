"""Matching the names in a table with those of photographs, by ever looser steps, each only where it is one-to-one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ensemble.competition.kinds import PICTURE_SUFFIXES

Parts = tuple[str, ...]
_SUFFIX = re.compile(rf"\.({'|'.join(suffix[1:] for suffix in PICTURE_SUFFIXES)})$", re.IGNORECASE)
_NUMBER = re.compile(r"0*(\d+)(\.0*)?")
_CODE_PAGES = (
    "cp1252", "cp437", "cp850", "latin-1", "mac_roman", "cp1250", "cp1251", "cp866", "koi8_r", "cp932", "gb18030",
    "big5", "euc_kr", "cp1253", "cp1254", "cp1255", "cp1256",
)  # fmt: skip


@dataclass(frozen=True)
class Matching:
    """Which photograph each name of a table means.

    Attributes
    ----------
    found : list of str
        For each row the name of its photograph; empty where there is none.
    step : int
        Index of the step of `STEPS` that was used.
    code_page : str
        Encoding in which names of files were read; empty where all are UTF-8.
    several : dict[int, list[str]]
        Photographs that a row could mean, by the row's index.
    shared : dict[int, str]
        The photograph that a row could mean, but another row of another name too.
    """

    found: list[str]
    step: int
    code_page: str
    several: dict[int, list[str]]
    shared: dict[int, str]

    @property
    def matched(self) -> int:
        """Number of photographs that a row means."""
        return len(set(self.found) - {""})

    @property
    def complete(self) -> bool:
        """Whether every row means a photograph of its own."""
        return self.matched == len(self.found)

    def __str__(self) -> str:
        """Describe how names were compared; empty if they are equal."""
        pages = f"names of files read as {self.code_page}" if self.code_page else ""
        return ", ".join(part for part in (STEPS[self.step], pages) if part)


# What is disregarded by each step, besides what the steps before it disregard.
STEPS = (
    "",
    "in another form of Unicode",
    "with \\ for /",
    "by the end of their paths",
    "in upper or lower case",
    "without the suffix",
    "as numbers",
)
_PATHS, _CASE, _STEM, _NUMBERS = 3, 4, 5, 6
_LOOSER = range(1, len(STEPS))


def match_names(rows: Sequence[str], names: Sequence[str], folder: str = "train", other: str = "test") -> Matching:
    """Match the rows of a table with photographs.

    The first step of `STEPS` that finds a photograph of its own for every row is used; where none does, that which
    finds the most. By a step, rows of different names for one photograph mean none, and a row that could mean several
    photographs means none. A path in a table that names the other split (test/ for a photograph of train/) never fits.

    Parameters
    ----------
    rows : sequence of str
        Names as the table has them.
    names : sequence of str
        Names of the photographs, relative to `folder`. Bytes that are not UTF-8 are surrogates.
    folder, other : str
        Path of their folder, and of the folder of the other split.
    """
    best: Matching | None = None
    for page, readable in _readings(names):
        equal = set(rows) & readable.keys()
        # First all rows by one step; only then those that are written as a photograph by that, and the rest by a step.
        for kept, step in [(set[str](), step) for step in range(len(STEPS))] + [(equal, step) for step in _LOOSER]:
            found = _match(rows, readable, (folder, other), step, page, kept)
            if best is None or found.matched > best.matched:
                best = found
            elif best.matched == found.matched:  # why rows are not matched shows best where most is disregarded
                best = replace(best, several=found.several | best.several, shared=found.shared | best.shared)
            if found.complete:
                break
    if best is None:
        raise AssertionError("there is always one reading")
    return best if best.step < _CASE else _without_lookalikes(best, names)


def _without_lookalikes(matching: Matching, names: Sequence[str]) -> Matching:
    """Drop the photographs of rows that could as well mean one that no row names, such as 01.jpg beside 1.jpg."""
    unnamed: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names) - set(matching.found)):
        unnamed[key_of(name)].append(name)
    rivals = {row: unnamed[key_of(file)] for row, file in enumerate(matching.found) if file and key_of(file) in unnamed}
    found = ["" if row in rivals else file for row, file in enumerate(matching.found)]
    several = {row: [matching.found[row], *others] for row, others in rivals.items()}
    return replace(matching, found=found, several=matching.several | several)


def key_of(name: str) -> str:
    """Return what the loosest step compares of a name, without its folders."""
    return (_parts(name, _NUMBERS) or ("",))[-1]


def _readings(names: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Return the names as they stand; and where some are not UTF-8, as they would be in other encodings."""
    yield "", {name: name for name in names}
    if not any(_undecoded(name) for name in names):
        return
    for page in _CODE_PAGES:
        try:
            yield page, {_decoded(name, page) if _undecoded(name) else name: name for name in names}
        except UnicodeDecodeError:
            continue


def _undecoded(name: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in name)


def _decoded(name: str, page: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode(page)


def _match(
    rows: Sequence[str], readable: dict[str, str], folders: tuple[str, str], step: int, page: str, kept: set[str]
) -> Matching:
    """Match by one step, after rows and photographs that are written alike are matched with each other (`kept`)."""
    rest = {name: file for name, file in readable.items() if name not in kept}
    candidates = _by_path(rest, *folders, step) if step >= _PATHS else _by_name(rest, step)
    meant = {row: [row] if row in kept else candidates(row) for row in dict.fromkeys(rows)}
    rivals = Counter(files[0] for files in meant.values() if len(files) == 1)
    found, several, shared = [], {}, {}
    for index, row in enumerate(rows):
        files = [readable[file] for file in meant[row]]
        if len(files) > 1:
            several[index] = files
        elif files and rivals[meant[row][0]] > 1:
            shared[index] = files[0]
        found.append(files[0] if len(files) == 1 and rivals[meant[row][0]] == 1 else "")
    return Matching(found, step, page, several, shared)


def _by_name(readable: dict[str, str], step: int) -> Callable[[str], list[str]]:
    """Return a function that finds files of the same whole name."""
    files = defaultdict(list)
    for file in readable:
        files[_whole(file, step)].append(file)
    return lambda row: files[_whole(row, step)]


def _whole(name: str, step: int) -> str:
    name = name.strip()
    name = unicodedata.normalize("NFC", name) if step >= 1 else name
    return name.replace("\\", "/") if step >= 2 else name


def _by_path(readable: dict[str, str], folder: str, other: str, step: int) -> Callable[[str], list[str]]:
    """Return a function that finds files of an equal path; or those that end with it; or those that it ends with."""
    own, others = (
        {name.casefold(), _last(path)} - {""}
        for name, path in zip(_splits(folder, other), (folder, other), strict=True)
    )
    whole: dict[Parts, list[str]] = defaultdict(list)
    ends: dict[Parts, list[str]] = defaultdict(list)
    for file in readable:
        parts = _parts(file, step)
        for start in range(len(parts)):
            (ends if start else whole)[parts[start:]].append(file)

    def find(row: str) -> list[str]:
        wanted = _below_split(_parts(row, step), own, others)
        places = [whole.get(wanted), ends.get(wanted), *(whole.get(wanted[start:]) for start in range(1, len(wanted)))]
        return next((files for files in places if files), [])

    return find


def _parts(name: str, step: int) -> Parts:
    """Split a name at /, with what the step disregards taken out."""
    parts = [part for part in _whole(name, step).split("/") if part not in ("", ".")]
    if step >= _CASE:
        parts = [unicodedata.normalize("NFC", part.casefold()) for part in parts]
    if step >= _STEM and parts:
        parts[-1] = _SUFFIX.sub("", parts[-1])
    if step >= _NUMBERS and parts and (number := _NUMBER.fullmatch(parts[-1])):
        parts[-1] = number[1]
    return tuple(parts)


def _below_split(row: Parts, own: set[str], others: set[str]) -> Parts:
    """Return the part of a row's path below the folder of its split; nothing if that is the other split."""
    for start in range(len(row) - 1, 0, -1):
        folder = row[start - 1].casefold()
        if folder in own or folder in others:
            return row[start:] if folder in own else ()
    return row


def _splits(folder: str, other: str) -> tuple[str, str]:
    """Return the words for the own and the other split by their folders; the folders themselves where none has one."""
    if not any(re.search(r"(^|[^a-z])(train|test)", _last(path)) for path in (folder, other)):
        return _last(folder), _last(other)
    if re.search(r"(^|[^a-z])train", _last(other)):
        return "test", "train"
    return ("test", "train") if re.search(r"(^|[^a-z])test", _last(folder)) else ("train", "test")


def _last(folder: str) -> str:
    return PurePosixPath(folder.casefold()).name
