"""Which columns of a table are names, labels and predictions. Where two could be meant, a setting decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ensemble.competition import labels
from ensemble.competition.kinds import is_picture
from ensemble.competition.labels import NUMBERS, WORDS, disagreement, kind_of, labels_of, real_by_title
from ensemble.competition.matching import Matching, match_names
from ensemble.competition.tables import Table
from ensemble.core.console.text import brief, first_few
from ensemble.core.errors import UserError

_INDEX_TITLES = {"", "index", "unnamed: 0", "rownames", "row"}
PREDICTION_TITLES = (
    "pred", "prediction", "predictions", "prob", "proba", "probability", "score", "fake", "is_fake", "target", "label",
    "class", "answer",
)  # fmt: skip


_LABEL_TITLES = {"label", "labels", "class", "classes", "target", "fake", "is_fake", "answer", "y"}


class Split(NamedTuple):
    """Photographs of one split: their names relative to its folder, and the paths of its own and the other folder."""

    names: Sequence[str]
    folder: str = "train"
    other: str = "test"


def names_photographs(table: Table, split: Split, labelled: bool) -> bool:
    """Return whether a table has a name of a photograph in most of its rows (and a column that may be the labels)."""
    fits = _fitting(table, split)
    labelled_by = [title for title in table.titles if title not in fits and kind_of(table, title)]
    if labelled and not any({0, 1} <= set(labels_of(table, title, None)) for title in labelled_by):
        return False
    return any(2 * matching.matched >= len(table.columns) for matching in fits.values())


def find_names(
    table: Table,
    split: Split,
    setting: str | None,
    remedy: str = "set data.name_column in the config",
    excluded: Sequence[str] = (),
) -> tuple[str, Matching]:
    """Find the column of names, and match it with the photographs.

    A column of whole file names is preferred to one of bare stems or numbers. A column of at most two values and an
    untitled index are never it.

    Raises
    ------
    UserError
        No column names photographs, or several do and mean different ones.
    """
    if not len(table.columns):
        raise UserError(f"{table.file} contains no rows")
    if setting is not None:
        existing(table, setting, "name_column")
        return setting, match_names(list(table.columns[setting]), *split)
    fits = _fitting(table, split, excluded)
    if not fits:
        example = first_few([f"{brief(table.columns[title].iloc[0])!r} in {brief(title)}" for title in table.titles], 3)
        raise UserError(
            f"{table.file}: no column names photographs; it has {example}, and a photograph is "
            f"{split.folder}/{brief(split.names[0])}; {remedy}"
        )
    most = max(matching.matched for matching in fits.values())
    fits = {title: matching for title, matching in fits.items() if 2 * matching.matched > most}
    whole = {title: matching for title, matching in fits.items() if _has_suffixes(table, title)}
    fits = whole or fits
    ranked = sorted(fits, key=lambda title: (-fits[title].matched, fits[title].step))
    first = fits[ranked[0]].found
    for title in ranked[1:]:
        if any(one != other and "" not in (one, other) for one, other in zip(first, fits[title].found, strict=True)):
            raise UserError(
                f"{table.file}: the columns {ranked[0]} and {title} name different photographs in the same row; "
                + remedy
            )
    return ranked[0], fits[ranked[0]]


def _fitting(table: Table, split: Split, excluded: Sequence[str] = ()) -> dict[str, Matching]:
    """Match every column that may be one of names, and return those that match photographs at all."""
    free = [title for title in table.titles if title.lower() not in excluded]
    candidates = [title for title in free if table.columns[title].nunique() > 2 and not _is_index(table, title)]
    if not candidates and len(table.columns) <= 2:  # a table of one or two rows
        candidates = [title for title in table.titles if any(map(is_picture, table.columns[title]))]
    matched = {title: match_names(list(table.columns[title]), *split) for title in candidates}
    return {title: matching for title, matching in matched.items() if matching.matched}


def _is_index(table: Table, title: str) -> bool:
    """Return whether a column numbers the rows, and its title does not state that it is more than that."""
    if title.lower() not in _INDEX_TITLES and title not in table.untitled:
        return False
    if not table.header:
        return False
    numbers = table.numbers(title).tolist()
    return numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def _has_suffixes(table: Table, title: str) -> bool:
    return sum(map(is_picture, table.columns[title])) >= len(table.columns) / 2


def find_labels(
    table: Table, names: str, paths: Sequence[str], setting: str | None, fake: str | None, group: str | None
) -> tuple[str, list[int]]:
    """Find the column of labels, and read it: 1 is fake, 0 is real, -1 neither.

    Parameters
    ----------
    table : Table
        The table of the training photographs.
    names : str
        Its column of names.
    paths : sequence of str
        The photograph of each row, with the folders that it lies in.
    setting, fake, group : str, optional
        The settings label_column, fake_label and group_column.

    Raises
    ------
    UserError
        Several columns may be the labels, or something contradicts that 1 is fake.
    """
    kinds = {title: kind for title in table.titles if title not in (names, group) and (kind := kind_of(table, title))}
    others = [title for title in table.titles if title not in (names, group)]
    title = _only_label(table, kinds, others) if setting is None else existing(table, setting, "label_column")
    found = labels_of(table, title, fake)
    if fake is not None:
        _check_fake_label(table, title, fake, found)
        return title, found
    _check_meaning(table, title, found, [other for other in kinds if other != title], paths)
    return title, found


def _only_label(table: Table, kinds: dict[str, str], others: Sequence[str]) -> str:
    """Return the only column that may be the labels; of several that say the same, the one of numbers.

    A column that is called like labels, and cannot be read as such, is one more that may be meant.
    """
    if not kinds:
        columns = ", ".join(table.titles)
        raise UserError(
            f"{table.file}: no column has labels (0 and 1, True and False, or words such as real and fake) among "
            f"{columns}; set data.label_column and data.fake_label in the config"
        )
    ranked = sorted(kinds, key=lambda title: kinds[title] != NUMBERS)
    stated = [title for title in others if title not in kinds and title.lower() in _LABEL_TITLES]
    if stated and not any(title.lower() in _LABEL_TITLES for title in ranked):
        raise UserError(
            f"{table.file}: the labels may be in {first_few([*stated, *ranked])}; set data.label_column (and "
            "data.fake_label) in the config"
        )
    first = labels_of(table, ranked[0], None)
    for title in ranked[1:]:
        share = disagreement(first, labels_of(table, title, None))
        if not (share == 0 or (share == 1 and WORDS in kinds.values())):
            raise UserError(
                f"{table.file}: the columns {first_few([*ranked])} may all be the labels; "
                "set data.label_column in the config"
            )
    return ranked[0]


def _check_fake_label(table: Table, title: str, fake: str, found: list[int]) -> None:
    values = sorted(set(table.columns[title]) - {""})
    if 1 not in found:
        raise UserError(f"{table.file}: data.fake_label is {fake!r}, but column {title} has {first_few(values)}")
    real = {value for value, label in zip(table.columns[title], found, strict=True) if label == 0}
    if len({labels.same(value) for value in real}) > 1:
        raise UserError(
            f"{table.file}: column {title} has {first_few(values)}; besides data.fake_label there must be one value, "
            "for real photographs"
        )


def _check_meaning(table: Table, title: str, found: list[int], others: list[str], paths: Sequence[str]) -> None:
    """Raise a `UserError` if a title, a column of words or folders state that 1 means real."""
    one = next((cell for cell, label in zip(table.columns[title], found, strict=True) if label == 1), "1")
    zero = next((cell for cell, label in zip(table.columns[title], found, strict=True) if label == 0), "0")
    reason = ""
    if kind_of(table, title) == NUMBERS and real_by_title(title):
        reason = "its title states that this means real"
    for other in others:
        if kind_of(table, other) == WORDS and disagreement(found, labels_of(table, other, None)) > 0.5:
            reason = f"column {other} calls these photographs real"
    if disagreement(found, labels.classes_of_paths(paths)) > 0.5:
        reason = "their folders are called real"
    if reason:
        raise UserError(
            f"{table.file}: column {title} would be read as {one} = fake, but {reason}; "
            f"set data.fake_label: {zero} in the config (or {one}, if that is right)"
        )


def find_prediction(table: Table, names: str, setting: str | None) -> str | None:
    """Find the column of a sample submission that predictions go to; None if it has none yet.

    Raises
    ------
    UserError
        Several columns may be meant.
    """
    others = [title for title in table.titles if title != names and not _is_index(table, title)]
    if setting is not None:
        if setting == names:
            raise UserError(f"{table.file}: data.prediction_column is {setting}, the column of the names")
        return setting
    usual = [title for title in others if title.lower() in PREDICTION_TITLES]
    candidates = usual[:1] if len(usual) == 1 else others
    if len(candidates) > 1:
        raise UserError(
            f"{table.file}: predictions may go to the columns {first_few(candidates)}; "
            "set data.prediction_column in the config"
        )
    if candidates and not usual and table.columns[candidates[0]].nunique() > 2:
        raise UserError(
            f"{table.file}: column {candidates[0]} has values of its own; set data.prediction_column in the config to "
            "it, to overwrite them, or to a new name"
        )
    return candidates[0] if candidates else None


def existing(table: Table, title: str, setting: str) -> str:
    """Return a column that a setting names; raise a `UserError` if there is none."""
    if title not in table.titles:
        raise UserError(
            f"{table.file} has no column {title!r} (data.{setting}); its columns are {', '.join(table.titles)}"
        )
    return title
