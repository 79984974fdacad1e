"""Calibrated ridge regression on many columns: one decomposition for the fit and all inner folds."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from scipy.linalg import inv, solve
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

if TYPE_CHECKING:
    from typing import Self

    from sklearn.utils import Tags

_FILE = "ridge.safetensors"
_LINEAR = "linear.safetensors"  # in a bundle
_COLUMNS = 1024  # in memory a second time
_CONSTANT = 10 * float(np.finfo(np.float32).eps)  # deviation over mean of a column that has rounding alone

Floats = npt.NDArray[np.float64]
Table = npt.NDArray[np.float32]
Folds = list[npt.NDArray[np.intp]]


class CalibratedRidge(ClassifierMixin, BaseEstimator):
    """Ridge regression of the two classes on standardised columns, with a sigmoid that makes probabilities of it.

    What scikit-learn calls ``make_pipeline(StandardScaler(), CalibratedClassifierCV(RidgeClassifier(alpha), cv=cv,
    ensemble=False))``, and its probabilities. Of no more rows than columns one matrix is inverted, and gives
    the decisions of all inner folds too.

    Parameters
    ----------
    alpha : float
        Penalty on the squared weights of standardised columns.
    cv : int
        Stratified inner folds whose decisions the sigmoid is fitted on.

    Attributes
    ----------
    classes_ : array (2,)
    coef_ : float64 (columns,)
        Weights of the columns as they are given.
    intercept_ : float
    slope_, offset_ : float
        The probability of the second class is expit(slope * decision + offset) (Platt, 1999).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(40, 100)).astype("float32")
    >>> y = (X[:, 0] > 0).astype(int)
    >>> CalibratedRidge(alpha=1.0).fit(X, y).predict_proba(X[:2]).shape
    (2, 2)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "cv": [Interval(Integral, 2, None, closed="left")],
    }

    classes_: npt.NDArray[Any]
    coef_: Floats
    intercept_: float
    slope_: float
    offset_: float
    n_features_in_: int

    def __init__(self, alpha: float = 1.0, *, cv: int = 5) -> None:
        self.alpha = alpha
        self.cv = cv

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit on columns (rows, columns) and labels of two classes (rows,)."""
        self._validate_params()  # type: ignore[no-untyped-call]
        table: Table
        table, y = validate_data(self, X, y, dtype=np.float32)
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            kind, classes = type_of_target(labels), len(self.classes_)
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}, of {classes} class(es)."
            )
        second = labels == self.classes_[1]
        target = np.where(second, 1.0, -1.0)
        folds = [held_out for _, held_out in StratifiedKFold(self.cv).split(table, second)]
        columns = _Standardised(table)
        ridge = _dual if len(table) <= table.shape[1] else _primal
        weights, decisions = ridge(columns, target, self.alpha, folds)
        self.coef_ = weights / columns.scale
        self.intercept_ = float(target.mean() - self.coef_ @ columns.mean)
        self.slope_, self.offset_ = _sigmoid(decisions, second)
        return self

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Return probabilities of both classes, float64 (rows, 2)."""
        check_is_fitted(self)
        table: Table = validate_data(self, X, dtype=np.float32, reset=False)
        decisions = sum((table[:, part] @ self.coef_[part] for part in _parts(table)), self.intercept_)
        second = expit(self.slope_ * decisions + self.offset_)
        return np.stack([1 - second, second], axis=1)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the more probable class of each row (rows,)."""
        second = self.predict_proba(X)[:, 1] >= 0.5
        predicted: npt.NDArray[Any] = self.classes_[second.astype(int)]
        return predicted

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[no-untyped-call]
        assert tags.classifier_tags is not None  # noqa: S101
        tags.classifier_tags.multi_class = False
        return tags

    def save(self, folder: Path) -> None:
        """Write the fitted numbers into a folder."""
        check_is_fitted(self)
        numbers = [self.alpha, self.cv, self.intercept_, self.slope_, self.offset_]
        tensors = {"classes": self.classes_, "coef": self.coef_, "numbers": np.array(numbers, dtype=np.float64)}
        safetensors.numpy.save_file(tensors, folder / _FILE)

    def export(self, folder: Path, size: tuple[int, int]) -> dict[str, Any]:  # noqa: ARG002  it reads columns
        """Write the decisions and their sigmoid; return the settings of a bundle's reader of linear models."""
        check_is_fitted(self)
        numbers = {"intercept": self.intercept_, "slope": self.slope_, "offset": self.offset_}
        tensors = {name: np.array([value], dtype=np.float64) for name, value in numbers.items()}
        safetensors.numpy.save_file({"coef": self.coef_[None], **tensors}, folder / _LINEAR)
        return {"reader": "linear"}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        tensors = safetensors.numpy.load_file(folder / _FILE)
        alpha, cv, intercept, slope, offset = tensors["numbers"].tolist()
        found = cls(alpha, cv=int(cv))
        found.classes_, found.coef_, found.n_features_in_ = tensors["classes"], tensors["coef"], len(tensors["coef"])
        found.intercept_, found.slope_, found.offset_ = intercept, slope, offset
        return found


class _Standardised:
    """Columns Z with mean zero and deviation one, some of them at a time: float64 (rows, 1024) of `parts`."""

    def __init__(self, table: Table) -> None:
        self.table, self.mean, self.scale = table, np.empty(table.shape[1]), np.empty(table.shape[1])
        for part in _parts(table):
            values = table[:, part].astype(np.float64)
            self.mean[part], self.scale[part] = values.mean(axis=0), values.std(axis=0)
        self.scale[self.scale <= _CONSTANT * np.abs(self.mean)] = 1.0

    def __iter__(self) -> Iterator[Floats]:
        for part in _parts(self.table):
            values: Floats = (self.table[:, part] - self.mean[part]) / self.scale[part]
            yield values


def _dual(columns: _Standardised, target: Floats, alpha: float, folds: Folds) -> tuple[Floats, Floats]:
    """Return weights of Z, and decisions about each fold by a fit without it.

    With H = (Z Z' + alpha I)^-1, the weights are Z' H (y - mean y), since columns of Z have mean zero. The fit smooths
    the targets by S = I - alpha H + 11'/n, and a fold's residuals without it are (I - S)^-1, of its own rows, times
    those of the whole fit: exact for any quadratic penalty (Craven & Wahba, 1979, for one row). Z Z' 1 = 0, which for a
    small alpha would be all that counts in H; so c 11' is inverted too, and what it adds to I - S is subtracted.
    """
    rows = len(target)
    products = np.zeros((rows, rows))
    for part in columns:
        products += part @ part.T
    added = np.trace(products) / rows**2
    products += added
    products[np.diag_indices(rows)] += alpha
    inverse = inv(products, overwrite_a=True, check_finite=False, assume_a="pos")
    dual = inverse @ (target - target.mean())
    decisions = np.empty(rows)
    for fold in folds:
        unsmoothed = inverse[np.ix_(fold, fold)] - 1 / (added * rows + alpha) / rows
        decisions[fold] = target[fold] - solve(unsmoothed, dual[fold], assume_a="pos")
    return np.concatenate([part.T @ dual for part in columns]), decisions


def _primal(columns: _Standardised, target: Floats, alpha: float, folds: Folds) -> tuple[Floats, Floats]:
    """Return the same by scikit-learn, a fit for each fold: with few columns each is quick."""
    table, ridge = np.concatenate(list(columns), axis=1), Ridge(alpha, solver="cholesky")
    splits = [(np.delete(np.arange(len(table)), fold), fold) for fold in folds]
    decisions: Floats = cross_val_predict(ridge, table, target, cv=splits)
    return ridge.fit(table, target).coef_, decisions


def _parts(table: Table) -> list[slice]:
    return [slice(start, start + _COLUMNS) for start in range(0, table.shape[1], _COLUMNS)]


def _sigmoid(decisions: Floats, second: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of Platt's sigmoid: its targets are not 0 and 1, but as if each class had a row more."""
    ones = int(second.sum())
    targets = np.where(second, (ones + 1) / (ones + 2), 1 / (len(second) - ones + 2))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-6)
    weights = np.concatenate([targets, 1 - targets])
    model.fit(np.tile(decisions, 2)[:, None], np.repeat([True, False], len(second)), sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
