"""scikit-learn's constraints on the parameters that all estimators with a network share."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final

from sklearn.utils._param_validation import Interval, Options, StrOptions

from members.crops import GRID

NETWORK_CONSTRAINTS: Final[dict[str, list[Any]]] = {
    "backbone": [str],
    "weights": [str, Path],
    "stem_stride": [None, Options(Integral, {1, 2})],
    "enlarge": [None, Interval(Real, 1, None, closed="left")],
    "crop": [None, Interval(Integral, GRID, None, closed="left")],
    "precision": [StrOptions({"auto", "bfloat16", "float16", "float32"})],
    "device": [StrOptions({"auto", "cpu", "cuda"})],
    "engine": [StrOptions({"auto", "onnxruntime", "torch"})],
}
