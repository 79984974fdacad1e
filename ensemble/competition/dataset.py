"""The input: photographs, train.csv and the sample submission, checked together. It knows no folds and no members."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ensemble.competition.columns import Split
from ensemble.competition.images import Decoded, Decoding, decode, is_cmyk, is_photograph
from ensemble.competition.kinds import is_picture, is_table
from ensemble.competition.layout import find_layout
from ensemble.competition.rows import (
    MISSING,
    Problems,
    Reading,
    SampleTable,
    TrainTable,
    check_meaning,
    class_counts,
    read_sample,
    read_train,
)
from ensemble.competition.tables import Table, read_table
from ensemble.competition.tree import Files, FileTree
from ensemble.config.experiment import DataSettings
from ensemble.core.console.text import brief, first_few, plural
from ensemble.core.errors import InputProblems, UserError
from ensemble.core.storage.array_file import ArrayFile
from ensemble.core.storage.files import Location
from ensemble.core.storage.hashing import digest

_SKIP = "data.on_bad_photograph: skip in the config leaves such photographs out, and lists them"


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
    encoded : Files
        The files of all photographs, bytes: the training rows, then the test rows. Each is read when it is asked for.
    synthetic : bool
        Whether the data is marked as the synthetic demo.
    decoding : Decoding
        How photographs are decoded.
    reading : Reading, optional
        How train.csv was read.
    notes : list of str
        What was ignored or matched loosely, a sentence each.
    """

    source: str
    train: TrainTable
    sample: SampleTable
    encoded: Files = field(repr=False)
    synthetic: bool
    decoding: Decoding = field(default_factory=Decoding)
    reading: Reading | None = None
    notes: list[str] = field(default_factory=list)
    decoded: ArrayFile | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: Location, settings: DataSettings | None = None) -> Competition:
        """Read a folder or an archive.

        Raises
        ------
        UserError
            The path or one of its parts is missing, or a table could be read in more than one way.
        InputProblems
            Rows and photographs do not match, or photographs cannot be used; every problem is listed at once.
        """
        settings = settings or DataSettings()
        problems: Problems = {}
        tree = FileTree.open(path)
        layout = find_layout(tree, settings)
        notes = tree.notes
        folders = (layout.train, layout.test), (layout.test, layout.train)
        splits = {folder: Split(_photographs(tree, folder, notes), folder, other) for folder, other in folders}
        train_split, test_split = splits[layout.train], splits[layout.test]
        table = _table(tree, layout.train_table, train_split)
        train, reading = read_train(table, train_split, settings, problems, notes)
        sample_table = _table(tree, layout.sample, test_split)
        sample = read_sample(sample_table, test_split, settings, problems, notes)
        decoding = Decoding(settings.on_size_mismatch, settings.convert_cmyk)
        if problems:
            for split in splits.values():
                _add_faults(problems, split, tree, decoding)
            raise InputProblems(str(path), problems, _SKIP if MISSING in problems else "")
        check_meaning(sample, sample_table.file, reading, settings)
        files = [f"{layout.train}/{f}" for f in train.files] + [f and f"{layout.test}/{f}" for f in sample.files]
        competition = cls(str(path), train, sample, Files(tree, files), layout.synthetic, decoding, reading, notes)
        if settings.convert_cmyk:
            named = zip(competition.identities, competition.encoded, strict=True)
            cmyk = [name for name, content in named if is_cmyk(content)]
            notes += [f"{plural(len(cmyk), 'CMYK photograph')} converted: {first_few(cmyk)}"] * bool(cmyk)
        return competition._without_bad_photographs() if settings.on_bad_photograph == "skip" else competition

    def lines(self) -> list[str]:
        """Return how the files were read, a sentence each, the labels first."""
        rows = f"{len(self.sample.names):,} to predict"
        return [*([] if self.reading is None else [f"{self.reading}, {rows}"]), *self.notes]

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
        return self.sha256_with(self.train)

    def sha256_with(self, train: TrainTable) -> str:
        """Hash of the same, where these were all the training rows."""
        kept = {f"train/{name}" for name in train.names}
        rows = sorted(row for row in self.contents.items() if row[0] in kept or row[0].startswith("test/"))
        labels = sorted(zip(train.names, train.labels.tolist(), train.groups, strict=True))
        return digest([rows, labels, self.decoding.on_size_mismatch])

    def decode(self) -> ArrayFile:
        """Decode all photographs once: uint8 (train rows + test rows, height, width, 3), RGB, in a file.

        Test rows without a photograph get that of another test row, so that members compute something for them.

        Raises
        ------
        InputProblems
            Photographs are truncated, of another kind or of another size; every one is listed at once.
        """
        if self.decoded is not None:
            return self.decoded
        decoded = decode(self.encoded, self.decoding)
        problems = _by_kind(decoded, self.identities)
        if problems:
            few = sum(map(len, problems.values())) < len(self.encoded) / 10
            raise InputProblems(self.source, problems, _SKIP if few else "")
        return decoded.pixels

    def _without_bad_photographs(self) -> Competition:
        """Leave out training rows whose photograph is unreadable, and list the test rows; both are noted."""
        decoded = decode(self.encoded, self.decoding)
        bad = {row for row, fault in enumerate(decoded.faults) if fault}
        missing = {row for row, content in enumerate(self.encoded) if not content and row >= self.train_rows}
        train, test = ({row for row in bad if (row < self.train_rows) == in_train} for in_train in (True, False))
        if len(train) == self.train_rows or len(test) == len(self.sample.names):
            raise InputProblems(self.source, _by_kind(decoded, self.identities))
        notes = [
            f"{plural(len(names), 'unreadable photograph')} {fate} ({fault}): {first_few(names)}"
            for rows, fate in ((train, "left out of training"), (test - missing, "predicted by the share of fakes"))
            for fault, names in _by_kind(decoded, self.identities, rows).items()
        ]
        kept = [row for row in range(len(self.encoded)) if row not in train]
        stand_in = next(row for row in kept if row >= self.train_rows and row not in test)
        pixels = decoded.pixels
        if bad:
            pixels = pixels.take(np.array([stand_in if row in test else row for row in kept]))
        table = self.train.without(train)
        prior = float(table.labels.mean())
        return replace(
            self,
            train=table,
            encoded=self.encoded.take(kept),
            reading=self.reading and replace(self.reading, counts=class_counts(table.labels)),
            notes=[*self.notes, *notes],
            sample=replace(
                self.sample, fixed={self.sample.names[row - self.train_rows]: prior for row in sorted(test)}
            ),
            decoded=pixels,
        )


def _photographs(tree: FileTree, folder: str, notes: list[str]) -> list[str]:
    """Return the photographs below a folder: by their suffix, or because a decoder knows them."""
    below = [name for name in tree.below(folder) if not is_table(name)]
    others = [name for name in below if not is_picture(name)]
    contents = Files(tree, [f"{folder}/{name}" for name in others])
    passed = [name for name, content in zip(others, contents, strict=True) if not is_photograph(content)]
    if len(passed) == len(below):
        if not below:
            raise UserError(f"{tree.folder}: {folder}/ contains no photographs")
        return below  # such as pointers of Git LFS without a suffix: rows may name them, and all are then named as bad
    if passed:
        files = first_few([f"{folder}/{brief(name)}" for name in passed])
        notes.append(f"{plural(len(passed), 'file')} in an unknown format ignored: {files}")
    return sorted(set(below) - set(passed))


def _table(tree: FileTree, file: str, split: Split) -> Table:
    return read_table(tree.read([file])[file], file, split.names)


def _by_kind(decoded: Decoded, names: list[str], rows: set[int] | None = None) -> Problems:
    """Return the names of photographs by their fault, of these rows or of all."""
    found: Problems = {}
    for row, fault in enumerate(decoded.faults):
        if fault and (rows is None or row in rows):
            found.setdefault(fault, []).append(names[row])
    return found


def _add_faults(problems: Problems, split: Split, tree: FileTree, decoding: Decoding) -> None:
    """Add what is wrong with the photographs themselves, so that every problem is listed at once."""
    names = [f"{split.folder}/{name}" for name in split.names]
    decoded = decode(Files(tree, names), decoding)
    for fault, examples in _by_kind(decoded, [brief(name) for name in names]).items():
        problems.setdefault(fault, []).extend(examples)
