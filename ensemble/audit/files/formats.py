"""Whether the files give the label away: their format, quality, sub-sampling, size, metadata."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.audit.files.tree_probe import ALARM, Leak, indicators, tree_leak
from ensemble.store.checks import Check, Evidence, Verdict

TITLE = "Do the files give the label away (format, quality, sub-sampling, size, metadata)?"
TEST_TITLE = "Were the test files made like the training files?"
TEXTS = {"format": "format", "mode": "colour mode", "sampling": "sub-sampling", "tables": "quantisation tables"}
_SIZES = {"bytes": "file size", "bits_per_pixel": "bits a pixel"}
_NUMBERS = {"width": "width", "height": "height", "quality": "JPEG quality", "progressive": "progressive JPEG"}
_SHOWN = 12  # values in a table
_REMEDY = (
    "A model will learn this instead of the picture. Save all photographs again in one format, at one quality and "
    "sub-sampling, without metadata; or report the score on such copies as well."
)
_SIZE = "Format, quality, sub-sampling and metadata"
_SIZE_REMEDY = (
    "Files that were saved in the same way differ in size because their pictures do; saving them again mends nothing. "
    "Look at some of both classes: that fakes are smoother is what a model may learn; that they show other scenes, or "
    "were scaled or compressed before, is not."
)
_TEST_REMEDY = (
    "Out-of-fold scores say little about such photographs. Save the training photographs as the test ones are, or "
    "train with such copies beside them."
)
_ALARM_SHARE = 0.5  # of the test rows that differ
_LOOK_SHARE = 0.05
_CHANCE = 1e-3  # of the whole table


def formats(facts: pd.DataFrame, labels: NDArray[np.int64], folds: NDArray[np.int64]) -> Check:
    """Compare the files of the classes.

    Parameters
    ----------
    facts : DataFrame (training rows, ...)
        What `header.facts_of` gives, in the order of the labels.
    labels, folds : int64 (training rows,)
    """
    made = _made(facts)
    one_size = len(facts[["width", "height"]].drop_duplicates()) == 1  # then bits a pixel say the same as bytes
    sizes = facts[list(_SIZES)[: 1 if one_size else 2]].rename(columns=_SIZES)
    whole = tree_leak(pd.concat([made, sizes], axis=1), labels, folds)
    without_size = tree_leak(made, labels, folds)
    tables = (_by_class(facts, labels), _sizes_by_class(facts, labels))
    measured = f"measured on {len(labels)} training photographs, each by a tree that has not seen its fold"
    if without_size.is_alarming or (whole.is_alarming and without_size.is_clear):
        leak = max(without_size, whole, key=lambda leak: leak.area)
        sentence = f"A tree that sees only {_and(leak)} separates real from fake: {leak} ({measured})."
        return Check("formats", TITLE, "alarm", sentence, _REMEDY, tables)
    if without_size.is_clear:
        sentence = (
            f"A tree that sees only {_and(without_size)} is slightly better than chance: {without_size} ({measured})."
        )
        return Check("formats", TITLE, "look", sentence, _REMEDY, tables)
    if whole.is_alarming:
        equal = "are equal" if bool((made.max() == made.min()).all()) else "show nothing"
        sentence = (
            f"A tree that sees only {_and(whole)} separates real from fake: {whole} ({measured}). {_SIZE} {equal}."
        )
        return Check("formats", TITLE, "look", sentence, _SIZE_REMEDY, tables)
    sentence = f"The files say next to nothing about the class: {whole}, where 0.5 is chance ({measured})."
    if whole.is_clear:
        sentence = (
            f"A tree that sees only {_and(whole)} is slightly better than chance: {whole} ({measured}). How well a "
            f"picture compresses depends on what it shows: alone that is no fault up to an AUC of {ALARM}."
        )
    return Check("formats", TITLE, "fine", sentence, "", tables)


def formats_of_test(train: pd.DataFrame, test: pd.DataFrame) -> Check:
    """Compare the files of the test photographs with those of the training ones; both from `header.facts_of`."""
    named_train, named_test = _named(train), _named(test)
    found = sorted((_difference(named_train[fact], named_test[fact], fact) for fact in named_train), reverse=True)
    rows = tuple((fact, round(100 * share, 1), value) for share, fact, value in found if share > 0)
    evidence = Evidence("Where test files differ", ("fact", "% of test that differs", "most frequent"), rows)
    tables = (_by_split(named_train, named_test), evidence) if rows else (_by_split(named_train, named_test),)
    measured = f"{len(test)} test and {len(train)} training files"
    if not rows or found[0][0] < _LOOK_SHARE:
        sentence = f"Test files were made like training files: format, quality, sub-sampling, metadata ({measured})."
        return Check("formats_of_test", TEST_TITLE, "fine", sentence, "", tables)
    differences = "; ".join(
        f"{fact} ({share:.0%} of test differs: {value})" for share, fact, value in found[:3] if share > 0
    )
    verdict: Verdict = "alarm" if found[0][0] >= _ALARM_SHARE else "look"
    return Check(
        "formats_of_test", TEST_TITLE, verdict, f"They differ in {differences}; {measured}.", _TEST_REMEDY, tables
    )


def _made(facts: pd.DataFrame) -> pd.DataFrame:
    """Return how each file was made, in numbers: all facts but its size in bytes."""
    numbers = facts[list(_NUMBERS)].astype(float).fillna(-1).rename(columns=_NUMBERS)
    texts = [indicators(facts[column], called) for column, called in TEXTS.items()]
    return pd.concat([numbers, *texts, _metadata(facts["metadata"])], axis=1)


def _metadata(joined: pd.Series[str]) -> pd.DataFrame:
    """Return a column of 0 and 1 for each kind of metadata."""
    found = joined.str.get_dummies(", ")
    found = found.loc[:, found.mean() >= 0.01].astype(float)
    return found.iloc[:, :_SHOWN].add_prefix("metadata ")


def _and(leak: Leak) -> str:
    *first, last = leak.facts
    return f"{', '.join(first)} and {last}" if first else last


def _named(facts: pd.DataFrame) -> dict[str, pd.Series[str]]:
    """Return the facts as text, by readable names."""
    size = facts["width"].astype(str) + " x " + facts["height"].astype(str)
    quality = facts["quality"].map(lambda value: "none" if np.isnan(value) else f"{value:.0f}")
    found = {"format": facts["format"], "width x height": size, "colour mode": facts["mode"], "JPEG quality": quality}
    found |= {"sub-sampling": facts["sampling"], "progressive JPEG": facts["progressive"].map({True: "yes", False: ""})}
    found |= {"metadata": facts["metadata"], "quantisation tables": facts["tables"]}
    return {called: values.replace("", "none").astype(str) for called, values in found.items()}


def _by_class(facts: pd.DataFrame, labels: NDArray[np.int64]) -> Evidence:
    named = _named(facts)
    rows = tuple(_shares(named, [("real", labels == 0), ("fake", labels == 1)]))
    return Evidence("Files by class, % of the class", ("fact", "value", "real", "fake"), rows)


def _by_split(train: dict[str, pd.Series[str]], test: dict[str, pd.Series[str]]) -> Evidence:
    named = {fact: pd.concat([train[fact], test[fact]], ignore_index=True) for fact in train}
    is_test = np.arange(len(named["format"])) >= len(train["format"])
    rows = tuple(_shares(named, [("train", ~is_test), ("test", is_test)]))
    return Evidence("Files by split, % of the split", ("fact", "value", "train", "test"), rows)


def _shares(
    named: dict[str, pd.Series[str]], parts: list[tuple[str, NDArray[np.bool_]]]
) -> Iterator[tuple[str, str, float, float]]:
    """Yield fact, value, and its share in both parts, for the most frequent values of each fact."""
    for fact, values in named.items():
        array = values.to_numpy()
        for value in values.value_counts().index[:_SHOWN]:
            first, second = (round(100 * float((array[rows] == value).mean()), 1) for _, rows in parts)
            yield fact, value, first, second


def _sizes_by_class(facts: pd.DataFrame, labels: NDArray[np.int64]) -> Evidence:
    rows = []
    for called, label in (("real", 0), ("fake", 1)):
        low, middle, high = np.percentile(facts["bytes"][labels == label], [10, 50, 90])
        rows.append((called, int(low), int(middle), int(high)))
    return Evidence("File sizes by class, bytes", ("class", "10 %", "median", "90 %"), tuple(rows))


def _difference(train: pd.Series[str], test: pd.Series[str], fact: str) -> tuple[float, str, str]:
    """Return the share of test rows that differ beyond chance, the fact, and the value that is more frequent in test.

    The share is the distance in total variation over values whose shares differ by more than chance explains.
    """
    from scipy.stats import fisher_exact

    first, second = train.value_counts(), test.value_counts()
    values = (first.add(second, fill_value=0)).sort_values(ascending=False).index[:30]
    excess: dict[str, float] = {}
    for value in values:
        a, b = int(first.get(value, 0)), int(second.get(value, 0))
        share = b / len(test) - a / len(train)
        table = np.array([[a, len(train) - a], [b, len(test) - b]])
        if share > 0 and fisher_exact(table).pvalue * len(values) * 8 < _CHANCE:
            excess[str(value)] = share
    most = max(excess, key=lambda value: excess[value], default="")
    return sum(excess.values()), fact, most
