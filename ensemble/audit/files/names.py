"""Whether the names of the photographs, or their order, give the label away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.audit.files.tree_probe import indicators, tree_leak
from ensemble.store.checks import Check, Evidence

TITLE = "Do the names give the label away (order, numbers, length, prefix)?"
_REMEDY = (
    "No model here sees names, so no score is affected; but anybody who sorts the files by name sees the labels. Give "
    "the photographs random names before you pass them on, and make sure that nothing reads the order of rows."
)
_LOOK, _ALARM = 3.5, 5.0  # standard errors of the number of runs
_DEPTH = 3
_DIGITS = 15  # of a number that a float holds exactly


def names(
    named: Sequence[str], labels: NDArray[np.int64], folds: NDArray[np.int64], groups: Sequence[str] | None = None
) -> Check:
    """Look for the labels in the names.

    Parameters
    ----------
    named : sequence of str
        Names of the training photographs.
    labels, folds : int64 (training rows,)
    groups : sequence of str, optional
        Rows of one group (near-duplicates) count once in the order: copies may well be neighbours.
    """
    facts = name_facts(named)
    leak = tree_leak(facts, labels, folds, _DEPTH)
    runs, expected, z = runs_test(_once(named, labels, groups))
    measured, reached = f"measured on {len(labels)} training names", f"a small tree reaches {leak}"
    order = (
        f"in the order of names the label changes {runs - 1} times where chance gives {expected - 1:.0f} (z {z:+.1f})"
    )
    evidence = Evidence(
        "What the names reveal",
        ("what", "value", "by chance"),
        (
            ("AUC of a small tree, each name by a tree that has not seen its fold", round(leak.area, 3), 0.5),
            ("its standard error", round(leak.error, 3), round(leak.chance, 3)),
            ("runs of one label in the order of names", runs, round(expected, 1)),
            ("standard errors from chance", round(z, 2), 0.0),
        ),
    )
    if leak.is_alarming or abs(z) > _ALARM:
        by = f"{', '.join(leak.facts)} of the name" if leak.is_alarming else "the order"
        sentence = f"The label can be read from {by}: {reached}; {order} ({measured})."
        return Check("names", TITLE, "alarm", sentence, _REMEDY, (evidence,))
    if leak.is_clear or abs(z) > _LOOK:
        sentence = f"The names reveal a little of the label: {reached}; {order} ({measured})."
        return Check("names", TITLE, "look", sentence, _REMEDY, (evidence,))
    sentence = f"The names reveal nothing of the label: {reached}, 0.5 is chance; {order} ({measured})."
    return Check("names", TITLE, "fine", sentence, "", (evidence,))


def name_facts(named: Sequence[str]) -> pd.DataFrame:
    """Return facts of names in numbers: place in the sorted order (0 to 1), length, last number, prefix, extension."""
    series = pd.Series(list(named), dtype=str)
    paths = [PurePosixPath(name) for name in named]
    digits = series.map(lambda name: PurePosixPath(name).stem).str.extract(r"(\d+)\D*$")[0].fillna("")
    number = digits.str[-_DIGITS:].map(lambda text: float(text) if text else -1.0)
    facts = pd.DataFrame(
        {
            "place in the order": series.rank(method="first") / len(series),
            "length": series.str.len().astype(float),
            "number": number,
            "digits of the number": digits.str.len().astype(float),
            "odd number": number % 2,
            "last digit": number % 10,
        }
    )
    prefixes = series.map(lambda name: PurePosixPath(name).stem).str.extract(r"^(\D*)")[0].fillna("")
    texts = {"prefix": prefixes, "extension": pd.Series([path.suffix for path in paths])}
    texts["folder"] = pd.Series([str(path.parent) for path in paths])
    return pd.concat([facts, *(indicators(text, called) for called, text in texts.items())], axis=1)


def runs_test(ordered: NDArray[np.int64]) -> tuple[int, float, float]:
    """Count runs of equal labels; return also how many chance gives, and the z score (Wald and Wolfowitz, 1940)."""
    n, fakes = len(ordered), int(ordered.sum())
    reals = n - fakes
    runs = int(1 + (ordered[1:] != ordered[:-1]).sum())
    if not fakes or not reals or n < 3:
        return runs, float(runs), 0.0
    expected = 1 + 2 * fakes * reals / n
    variance = (expected - 1) * (expected - 2) / (n - 1)
    return runs, expected, float((runs - expected) / np.sqrt(variance)) if variance > 0 else 0.0


def _once(named: Sequence[str], labels: NDArray[np.int64], groups: Sequence[str] | None) -> NDArray[np.int64]:
    """Return the labels in the order of names, the first of each group."""
    table = pd.DataFrame({"name": list(named), "label": labels})
    table["group"] = table["name"] if groups is None else list(groups)
    ordered = table.sort_values("name").drop_duplicates("group")
    return ordered["label"].to_numpy(np.int64)
