"""What a booster saw in a photograph: its columns' contributions, summed by family, in numbers and in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from lightgbm import LGBMClassifier

BASE = "before looking"
SILENT = 0.1  # log-odds: about two points of probability, at most


def family_contributions(model: LGBMClassifier, columns: Sequence[str], X: npt.NDArray[np.floating]) -> pd.DataFrame:
    """Return what each feature family adds to the log-odds of "fake", for every photograph.

    They are Shapley values of the trees (Lundberg et al., 2020), added up: a row's sum is the model's logit.

    Parameters
    ----------
    model : LGBMClassifier
        Fitted to two classes.
    columns : sequence of str
        Names as `ForensicFeatures.get_feature_names_out()` gives them: the family stands before the first slash.
    X : float array (n, columns)
        The features.

    Returns
    -------
    DataFrame
        A row for each photograph; a column `before looking` and one for each family.

    Raises
    ------
    ValueError
        If the columns are not those that the model was fitted to.
    """
    if len(columns) != model.n_features_in_:
        raise ValueError(f"the model was fitted to {model.n_features_in_} columns, and {len(columns)} are named")
    contributions = np.asarray(model.booster_.predict(X, pred_contrib=True))
    families = [BASE, *dict.fromkeys(name.partition("/")[0] for name in columns)]
    owner = np.array([families.index(name.partition("/")[0]) for name in columns] + [0])
    return pd.DataFrame({family: contributions[:, owner == place].sum(axis=1) for place, family in enumerate(families)})


def in_words(contributions: pd.Series) -> str:
    """Say what one row of `family_contributions` means.

    Examples
    --------
    >>> in_words(pd.Series({"before looking": 0.0, "spectrum": 1.5, "colour": -0.5, "dct": 0.01}))
    'spectrum speaks for a fake (+1.50), colour for a photograph (-0.50), dct hardly speaks; together 0.73 for a fake'
    """
    families = contributions.drop(BASE)
    ordered = families.reindex(families.abs().sort_values(ascending=False).index)
    probability = 1 / (1 + np.exp(-contributions.sum()))
    said = [f"{name} speaks {_side(value)}" for name, value in ordered.items() if abs(value) >= SILENT]
    said = [said[0], *(text.replace(" speaks", "", 1) for text in said[1:])] if said else []
    silent = [str(name) for name, value in ordered.items() if abs(value) < SILENT]
    if silent:
        said.append(f"{' and '.join(silent)} hardly {'speaks' if len(silent) == 1 else 'speak'}")
    return f"{', '.join(said)}; together {probability:.2f} for a fake"


def _side(value: float) -> str:
    return f"for {'a fake' if value > 0 else 'a photograph'} ({value:+.2f})"
