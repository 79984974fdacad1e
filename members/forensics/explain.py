"""Contributions of the feature families to a booster's answer, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from lightgbm import Booster

BASE = "before looking"
SILENT = 0.1  # log-odds: about two points of probability, at most


def family_contributions(model: Any, columns: Sequence[str], X: npt.NDArray[np.floating]) -> pd.DataFrame:
    """Return what each feature family adds to the log-odds of "fake", for every photograph.

    They are Shapley values of the trees (Lundberg et al., 2020), added up: a row's sum is the model's logit.

    Parameters
    ----------
    model : Booster, or an object that has one as `booster_`
        Fitted to two classes: an `LGBMClassifier`, or a member's model that was read from a store.
    columns : sequence of str
        Names as `ForensicFeatures.get_feature_names_out()` gives them: the family is the part before the first slash.
    X : float array (n, columns)
        The features.

    Returns
    -------
    DataFrame
        A row for each photograph; a column `before looking` and one for each family.

    Raises
    ------
    ValueError
        If there are more or fewer columns than the model was fitted to.
    """
    booster: Booster = getattr(model, "booster_", model)
    if len(columns) != booster.num_feature():
        raise ValueError(f"the model was fitted to {booster.num_feature()} columns, and {len(columns)} are named")
    contributions = np.asarray(booster.predict(X, pred_contrib=True))
    families = [BASE, *dict.fromkeys(name.partition("/")[0] for name in columns)]
    owner = np.array([families.index(name.partition("/")[0]) for name in columns] + [0])
    return pd.DataFrame({family: contributions[:, owner == place].sum(axis=1) for place, family in enumerate(families)})


def in_words(contributions: pd.Series) -> str:
    """Describe one row of `family_contributions`, the strongest families first.

    Examples
    --------
    >>> in_words(pd.Series({"before looking": 0.0, "spectrum": 1.5, "colour": -0.5, "dct": 0.01}))
    'for a fake: spectrum (+1.50); for a photograph: colour (-0.50); hardly either way: dct; together 0.73 for a fake'
    """
    families = contributions.drop(BASE)
    families = families.reindex(families.abs().sort_values(ascending=False, kind="stable").index)
    is_silent = families.abs() < SILENT
    said = {
        "for a fake": [f"{name} ({value:+.2f})" for name, value in families[~is_silent & (families > 0)].items()],
        "for a photograph": [f"{name} ({value:+.2f})" for name, value in families[~is_silent & (families < 0)].items()],
        "hardly either way": list(map(str, families.index[is_silent])),
    }
    probability = 1 / (1 + np.exp(-contributions.sum()))
    parts = [f"{side}: {', '.join(names)}" for side, names in said.items() if names]
    return "; ".join([*parts, f"together {probability:.2f} for a fake"])
