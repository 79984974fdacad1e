"""The input: photographs, train.csv and the sample submission, checked together. It knows no folds and no members."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.competition.archive import SUFFIXES, is_archive, read_files
from ensemble.competition.images import decode
from ensemble.competition.tables import SAMPLE_NAMES, TRAIN_NAME, SampleTable, TrainTable, read_sample, read_train
from ensemble.config import DataSettings
from ensemble.core.errors import InputProblems, UserError
from ensemble.core.storage.files import Location
from ensemble.core.storage.hashing import digest

SYNTHETIC_MARKER = "SYNTHETIC.txt"
_TABLES = (TRAIN_NAME, *SAMPLE_NAMES, SYNTHETIC_MARKER)
_TEXT_SUFFIXES = {".csv", ".txt", ".md", ".json", ".parquet"}


@dataclass(frozen=True)
class Competition:
    """A checked competition. Training rows are sorted by name; test rows are in the order of the sample submission.

    Attributes
    ----------
    source : str
        Path or address it was read from.
    train : TrainTable
        Names, labels (int64, 1 is fake) and optional groups of the training photographs.
    sample : SampleTable
        The sample submission: its columns and the names of the test photographs, in its order.
    encoded : list of bytes
        The files of all photographs: the training rows, then the test rows.
    synthetic : bool
        Whether the data is marked as the synthetic demo.
    """

    source: str
    train: TrainTable
    sample: SampleTable
    encoded: list[bytes] = field(repr=False)
    synthetic: bool
    on_size_mismatch: str

    @classmethod
    def open(cls, path: Location, settings: DataSettings | None = None) -> Competition:
        """Read a folder or an archive.

        Raises
        ------
        UserError
            The path or one of its parts is missing.
        InputProblems
            Rows and photographs do not match, or photographs cannot be used; every problem is listed at once.
        """
        settings = settings or DataSettings()
        files = _find_files(path)
        problems: dict[str, list[str]] = {}
        photographs = {split: _photographs(files.tree, split, path) for split in ("train", "test")}
        train = read_train(files.train, set(photographs["train"]), settings, problems)
        sample = read_sample(files.sample, set(photographs["test"]), settings, problems)
        if problems:
            _decode_all(photographs, settings.on_size_mismatch, problems)
            raise InputProblems(str(path), problems)
        encoded = [photographs["train"][name] for name in train.files] + [
            photographs["test"][name] for name in sample.files
        ]
        return cls(str(path), train, sample, encoded, files.synthetic, settings.on_size_mismatch)

    @property
    def identities(self) -> list[str]:
        """`split/name` of every photograph, in the order of `encoded`; train and test may use the same names."""
        return [f"train/{name}" for name in self.train.names] + [f"test/{name}" for name in self.sample.names]

    @property
    def train_rows(self) -> int:
        """Number of labelled photographs."""
        return len(self.train.names)

    @cached_property
    def contents(self) -> dict[str, str]:
        """Sha256 of every photograph's file, by identity."""
        hashes = (hashlib.sha256(content).hexdigest() for content in self.encoded)
        return dict(zip(self.identities, hashes, strict=True))

    @cached_property
    def sha256(self) -> str:
        """Hash of names, file contents, labels and groups; the order of files does not matter."""
        rows = sorted(self.contents.items())
        labels = sorted(zip(self.train.names, self.train.labels.tolist(), self.train.groups, strict=True))
        return digest([rows, labels, self.on_size_mismatch])

    def decode(self) -> NDArray[np.uint8]:
        """Decode all photographs once: uint8 (train rows + test rows, height, width, 3), RGB.

        Raises
        ------
        InputProblems
            Photographs are truncated, of another kind or of another size; every one is listed at once.
        """
        problems: dict[str, list[str]] = {}
        pixels = decode(self.encoded, self.identities, self.on_size_mismatch, problems)
        if problems:
            raise InputProblems(self.source, problems)
        pixels.flags.writeable = False  # shared by all members: one that writes must fail
        return pixels


@dataclass(frozen=True)
class _Files:
    tree: dict[str, bytes]
    train: pd.DataFrame
    sample: pd.DataFrame
    synthetic: bool


def _find_files(path: Location) -> _Files:
    """Read all files below the folder with train/ and test/, and the two tables inside or beside it."""
    if not path.exists():
        raise UserError(
            f"{path} does not exist; --data takes the archive, or the folder with the archive and the tables"
        )
    container = _container(path)
    tree, tables = (
        _read_archive(container) if is_archive(container) and container.is_file() else _read_folder(container)
    )
    tables |= _tables_in(path if path.is_dir() else path.parent)
    sample = next((name for name in SAMPLE_NAMES if name in tables), SAMPLE_NAMES[0])
    return _Files(
        tree,
        _table(tables, TRAIN_NAME, path),
        _table(tables, sample, path),
        SYNTHETIC_MARKER in tables,
    )


def _read_archive(archive: Location) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Read the files below the folder with train/ and test/, and tables there or at the archive's root."""
    whole = read_files(archive)
    root = _root(whole, archive)
    tree = {PurePosixPath(name).relative_to(root).as_posix(): c for name, c in whole.items() if _below(name, root)}
    return tree, {name: content for name, content in {**whole, **tree}.items() if name in _TABLES}


def _read_folder(folder: Location) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Read train/ and test/ in the folder or one level below, and the tables beside them; no other files."""
    roots = [root for root in (folder, *_folders(folder)) if _has_both_splits(root)]
    if len(roots) != 1:
        raise UserError(f"{len(roots)} folders in {folder} contain train/ and test/; pass one of them")
    splits = {split: read_files(roots[0] / split) for split in ("train", "test")}
    tree = {f"{split}/{name}": content for split, files in splits.items() for name, content in files.items()}
    return tree, _tables_in(roots[0])


def _tables_in(folder: Location) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in _TABLES if (folder / name).is_file()}


def _has_both_splits(folder: Location) -> bool:
    return (folder / "train").is_dir() and (folder / "test").is_dir()


def _container(path: Location) -> Location:
    """Return the archive in a folder, or the path itself."""
    if path.is_file():
        if not is_archive(path):
            raise UserError(
                f"{path} is not a supported archive ({', '.join(SUFFIXES)}); pass the folder or the archive"
            )
        return path
    if any(_has_both_splits(root) for root in (path, *_folders(path))):
        return path
    archives = sorted(file for file in path.iterdir() if file.is_file() and is_archive(file))
    if len(archives) != 1:
        found = ", ".join(file.name for file in archives) or "none"
        raise UserError(f"{path} has no train/ and test/, so it should contain one archive; found: {found}")
    return archives[0]


def _folders(path: Location) -> list[Location]:
    return sorted(folder for folder in path.iterdir() if folder.is_dir())


def _root(tree: dict[str, bytes], archive: Location) -> str:
    """Find the folder with train/ and test/, at the root or one level below."""
    folders = {str(PurePosixPath(name).parent) for name in tree}
    candidates = sorted(
        {str(PurePosixPath(folder).parent) for folder in folders if PurePosixPath(folder).name == "train"}
    )
    roots = [root for root in candidates if str(PurePosixPath(root) / "test") in folders and "/" not in root]
    if len(roots) != 1:
        raise UserError(
            f"{archive} needs one folder with train/ and test/, at its root or one level below; found {len(roots)}"
        )
    return roots[0]


def _below(name: str, root: str) -> bool:
    return PurePosixPath(name).is_relative_to(root)


def _table(tables: dict[str, bytes], name: str, path: Location) -> pd.DataFrame:
    if name not in tables:
        raise UserError(f"{path}: there is no {name} beside the photographs or inside the archive")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # trailing commas
            table = pd.read_csv(
                BytesIO(tables[name]), dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
            )
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{path}: {name} is not a CSV table ({' '.join(str(error).split())})") from None
    if len(table.columns) == 1 and any(mark in str(table.columns[0]) for mark in ";\t"):
        raise UserError(f"{path}: the columns of {name} must be separated by commas")
    return table


def _photographs(tree: dict[str, bytes], split: str, path: Location) -> dict[str, bytes]:
    inside = {PurePosixPath(name): content for name, content in tree.items() if name.startswith(f"{split}/")}
    found = {
        str(name.relative_to(split)): content
        for name, content in inside.items()
        if name.suffix.lower() not in _TEXT_SUFFIXES
    }
    if not found:
        raise UserError(f"{path}: {split}/ contains no photographs")
    return found


def _decode_all(
    photographs: dict[str, dict[str, bytes]], on_size_mismatch: str, problems: dict[str, list[str]]
) -> None:
    """Add problems of the photographs themselves, so that every problem is listed at once."""
    names = [f"{split}/{name}" for split, found in photographs.items() for name in found]
    decode(
        [content for found in photographs.values() for content in found.values()],
        names,
        on_size_mismatch,
        problems,
    )
