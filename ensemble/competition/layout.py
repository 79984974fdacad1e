"""Where the photographs and the tables lie in a tree of files: found by their names, if there is one candidate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ensemble.competition.columns import Split, names_photographs
from ensemble.competition.kinds import TABLE_SUFFIXES, is_picture, is_table
from ensemble.competition.tables import read_table
from ensemble.competition.tree import FileTree, parents
from ensemble.config.experiment import DataSettings
from ensemble.core.console.text import brief, first_few
from ensemble.core.errors import UserError

SYNTHETIC_MARKER = "SYNTHETIC.txt"
_OTHER = {"train": "test", "test": "train"}
_WORDS = {"train": "training", "test": "test"}
_KINDS = "(set|data|images?|imgs?|photos?|photographs?|pictures?|faces)?"
_LOOSE = {split: re.compile(rf"(.*[^a-z])?{split}(ing)?{_KINDS}([^a-z].*)?") for split in _OTHER}
# Names of tables without suffix, lower case, letters and digits alone. Those of an earlier pattern are preferred.
_TABLES = {
    "train": ("train", r"train(ing)?(set)?(labels?|data|table|solutions?|meta(data)?)?(v?\d+)?", "labels?"),
    "sample": ("submit", "sample.*subm.*", "(?!.*train).*(sample|example).*", ".*submi.*", r"test(set|data)?(v?\d+)?"),
}


@dataclass(frozen=True)
class Layout:
    """Folders of the training and test photographs, and the two tables, as relative paths of a tree."""

    train: str
    test: str
    train_table: str
    sample: str
    synthetic: bool


def find_layout(tree: FileTree, settings: DataSettings) -> Layout:
    """Find the photographs and tables. Archives are unpacked only where the plain files do not contain them.

    Raises
    ------
    UserError
        Something is missing, or there are several candidates; the message lists what is there.
    """
    candidates = _candidates(tree, settings)
    if not all(candidates.values()) and tree.unpack():
        candidates = _candidates(tree, settings)
    _check_named(tree, candidates, settings)
    train, test = _pair(tree, candidates)
    tables: dict[str, str] = {}
    for kind, named in (("train", settings.train_table), ("sample", settings.sample_table)):
        folder, known = train if kind == "train" else test, list(tables.values())
        table = _find_table(tree, kind, named, (train, test)) or _by_content(tree, kind, folder, known)
        if table is None and tree.unpack():
            table = _find_table(tree, kind, named, (train, test)) or _by_content(tree, kind, folder, known)
        tables[kind] = _required(table, tree, kind, named)
    near = _near(train, test)
    synthetic = any(PurePosixPath(name).name == SYNTHETIC_MARKER and near(name) for name in tree.names)
    return Layout(train, test, tables["train"], tables["sample"], synthetic)


def _candidates(tree: FileTree, settings: DataSettings) -> dict[str, list[str]]:
    """Return folders of photographs for each split: of a setting, else `train`, else such as `train_images`."""
    folders = _folders_of_pictures(tree.names)
    found = {}
    for split, other in _OTHER.items():
        loose = [f for f in folders if _LOOSE[split].fullmatch(_last(f)) and not _LOOSE[other].fullmatch(_last(f))]
        found[split] = [f for f in folders if _last(f) == split] or loose
    candidates = {split: _outermost(found[split], found[other]) for split, other in _OTHER.items()}
    for split, named in (("train", settings.train_folder), ("test", settings.test_folder)):
        if named is not None:
            candidates[split] = _named(folders, named)
    return candidates


def _folders_of_pictures(names: Iterable[str]) -> list[str]:
    """Return all folders with photographs at any depth: by their suffix, or without one; else any file."""
    names = list(names)
    likely = [name for name in names if is_picture(name) or not PurePosixPath(name).suffix]
    pictures = likely or [name for name in names if not is_table(name)]
    return sorted({folder for inner in {f"{_parent(name)}/x" for name in pictures} for folder in parents(inner)})


def _outermost(folders: list[str], others: list[str]) -> list[str]:
    """Leave out folders inside another one of them, and those that contain a folder of the other split."""
    apart = [folder for folder in folders if not any(other.startswith(f"{folder}/") for other in others)]
    return [folder for folder in apart if not any(folder.startswith(f"{outer}/") for outer in apart)]


def _check_named(tree: FileTree, candidates: dict[str, list[str]], settings: DataSettings) -> None:
    for split, named in (("train", settings.train_folder), ("test", settings.test_folder)):
        if named is not None and len(candidates[split]) != 1:
            found = f"several such folders: {first_few(candidates[split])}" if candidates[split] else "no such folder"
            raise UserError(f"{tree.folder}: data.{split}_folder is {named}, but there is {found}; {_listing(tree)}")


def _pair(tree: FileTree, candidates: dict[str, list[str]]) -> tuple[str, str]:
    """Return the folders of the training and of the test photographs: beside each other, or the only ones."""
    pairs = [(train, test) for train in candidates["train"] for test in candidates["test"] if train != test]
    pairs = [pair for pair in pairs if _parent(pair[0]) == _parent(pair[1])] or pairs
    if len(pairs) == 1:
        return pairs[0]
    if not pairs:
        missing = " and ".join(word for split, word in _WORDS.items() if not candidates[split]) or "training and test"
        problem = f"{tree.folder}: found no folder of {missing} photographs; {_listing(tree)}"
    else:
        several = first_few([f"{train} and {test}" for train, test in pairs])
        problem = f"{tree.folder} contains {len(pairs)} pairs of folders with photographs that can be meant: {several}"
    raise UserError(f"{problem}; set data.train_folder and data.test_folder in the config")


def _named(paths: Iterable[str], named: str) -> list[str]:
    """Return the path that a setting names, whole or by its end."""
    end = named.strip("/")
    paths = list(paths)
    return [path for path in paths if path == end] or [path for path in paths if path.endswith(f"/{end}")]


def _find_table(tree: FileTree, kind: str, named: str | None, splits: tuple[str, str]) -> str | None:
    """Find a table by its name: near the photographs rather than elsewhere, and the usual name rather than another."""
    tables = [name for name in tree.names if is_table(name)]
    if named is not None:
        return _only(tree, _named(tables, named), kind)
    near = _near(*splits)
    for some in ([name for name in tables if near(name)], [name for name in tables if not near(name)]):
        for pattern in _TABLES[kind]:
            for suffix in TABLE_SUFFIXES:
                fit = [name for name in some if name.lower().endswith(suffix) and re.fullmatch(pattern, _letters(name))]
                if fit:
                    return _only(tree, fit, kind)
    return None


def _by_content(tree: FileTree, kind: str, folder: str, known: Sequence[str]) -> str | None:
    """Find the only table that names the photographs of a folder, and has labels if it is that of the training rows."""
    split = Split(tree.below(folder), folder)
    others = _TABLES["sample" if kind == "train" else "train"]
    fit = []
    for name in tree.names:
        if is_table(name) and name not in known and not any(re.fullmatch(p, _letters(name)) for p in others):
            try:
                table = read_table(tree.read([name])[name], name, split.names)
            except UserError:  # another file, which nobody needs
                continue
            if names_photographs(table, split, labelled=kind == "train"):
                fit.append(name)
    return _only(tree, fit, kind)


def _only(tree: FileTree, found: list[str], kind: str) -> str | None:
    """Return the table if there is one, or if all have the same content."""
    if len(found) > 1 and len(set(tree.read(found).values())) > 1:
        raise UserError(
            f"{tree.folder} contains several tables that can be meant: {first_few([brief(name) for name in found])}; "
            f"set data.{kind}_table in the config"
        )
    return found[0] if found else None


def _required(table: str | None, tree: FileTree, kind: str, named: str | None) -> str:
    if table is not None:
        return table
    usual = "train.csv with the labels" if kind == "train" else "submit.csv, the sample submission,"
    what = usual if named is None else f"table {named} (data.{kind}_table)"
    tables = [brief(name) for name in tree.names if is_table(name)]
    raise UserError(
        f"{tree.folder}: there is no {what} beside the photographs; tables found: {first_few(tables) or 'none'}; "
        f"set data.{kind}_table in the config"
    )


def _listing(tree: FileTree) -> str:
    """Describe what a tree contains: folders with the number of their photographs, tables, archives."""
    pictures = Counter(_parent(name) for name in tree.names if is_picture(name))
    folders = [f"{brief(folder)}/ ({count:,} photographs)" for folder, count in sorted(pictures.items())]
    files = [brief(name) for name in [*filter(is_table, tree.names), *tree.archives]]
    listed = [part for part in (first_few(folders), first_few(files)) if part]
    return f"it contains {' and '.join(listed)}" if listed else "it contains no photographs, tables or archives"


def _near(train: str, test: str) -> Callable[[str], bool]:
    """Return whether a file lies in one of the folders itself, beside it, or in a folder above."""
    folders = {".", train, test, *parents(train), *parents(test)}
    return lambda name: _parent(name) in folders


def _letters(table: str) -> str:
    return re.sub(r"[^a-z0-9]", "", PurePosixPath(table).stem.lower())


def _last(folder: str) -> str:
    return PurePosixPath(folder).name.lower()


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)
