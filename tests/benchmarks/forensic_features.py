"""Milliseconds a photograph of the forensic features, on one core, beside the same formulas written plainly.

`make bench NAME=forensic_features`. All columns are compared, on six photographs. "Plain" is NumPy and SciPy without
loops over pixels; "loops" the style of published scripts for spectrum, dct, residuals and extremes, and plain for the
others; "bare" are the transforms and the counting alone, on prepared data. Compilation is timed separately.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.fft
from PIL import Image
from sklearn.datasets import load_sample_image
from threadpoolctl import threadpool_limits

from members.forensics import ForensicFeatures
from members.forensics.compiled import compiled
from tests.benchmarks import forensic_loops
from tests.members import straightforward

SIDE, PHOTOGRAPHS, ROUNDS = 256, 40, 5
GOALS = {"milliseconds": 12, "against plain": 3, "against loops": 20, "of bare": 2.5, "largest difference": 1e-4}
FAMILIES = list(straightforward.FAMILIES)
SETS = {
    **{name: [name] for name in FAMILIES},
    "about 3,000 columns": ["spectrum", "dct", "residuals", "colour", "neighbours", "wavelets"],
    "all": FAMILIES,
}
# By hand from the formulas: transforms of a plane, planes in blocks times a basis, passes that count over a plane.
BARE = {
    "spectrum": (3, 0, 0),
    "dct": (0, 3, 0),
    "residuals": (0, 0, 3 * 5 * 2),
    "extremes": (0, 0, 3 * 2 * 2),
    "colour": (0, 0, 1 + 5),
    "digits": (0, 1, 1),
    "neighbours": (0, 0, 3 * 3),
    "wavelets": (0, 3, 0),
    "phase": (3, 0, 1),
}


def photographs() -> npt.NDArray[np.uint8]:
    """Windows of two real photographs that come with scikit-learn, made smaller so that their JPEG's grid is gone."""
    windows = []
    for number in range(PHOTOGRAPHS):
        image = Image.fromarray(load_sample_image(("china.jpg", "flower.jpg")[number % 2])).resize((400, 267))
        rng = np.random.default_rng(number)
        top, left = rng.integers(0, 267 - SIDE), rng.integers(0, 400 - SIDE)
        windows.append(np.asarray(image)[top : top + SIDE, left : left + SIDE])
    return np.stack(windows)


def milliseconds(work: Callable[[], object], count: int) -> float:
    """Median over rounds, for one photograph."""
    spent = []
    for _ in range(ROUNDS if count > 1 else 1):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return 1000 * float(np.median(spent)) / count


def bare(names: list[str], plane: npt.NDArray[np.float32], codes: npt.NDArray[np.uint16]) -> None:
    transforms, planes_in_blocks, passes = np.sum([BARE[name] for name in names], axis=0)
    for _ in range(transforms):
        scipy.fft.rfft2(plane)
    blocks = plane.reshape(64, -1)
    for _ in range(planes_in_blocks):
        _BASIS @ blocks
    for _ in range(passes):
        count(codes)


@compiled
def count(codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.int64]:
    counts = np.zeros((4, 729), dtype=np.int64)
    for place in range(len(codes)):
        counts[place & 3, codes[place]] += 1
    return counts.sum(axis=0)


_BASIS = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)


def largest_difference(X: npt.NDArray[np.uint8], family: str, plainly: Callable[..., npt.NDArray[np.float64]]) -> float:
    """Between our columns and another's, over all photographs; relative where values exceed one."""
    ours = ForensicFeatures(families=[family]).transform(X)
    theirs = np.stack([plainly(photograph) for photograph in X])
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max())


def measured() -> list[dict[str, object]]:
    X = photographs()
    plane = X[0, :, :, 0].astype(np.float32)
    codes = np.random.default_rng(0).integers(0, 729, plane.size).astype(np.uint16)
    begun = time.perf_counter()
    ForensicFeatures(families=FAMILIES).transform(X[:1])
    bare(FAMILIES, plane, codes)
    rows: list[dict[str, object]] = [{"family": "first call, with compilation", "s": time.perf_counter() - begun}]
    for title, names in SETS.items():
        features = ForensicFeatures(families=names)
        plain, loops = ([code[name] for name in names] for code in (straightforward.FAMILIES, forensic_loops.FAMILIES))
        ours = milliseconds(lambda f=features: f.transform(X), len(X))
        least = milliseconds(lambda n=names: [bare(n, plane, codes) for _ in range(10)], 10)
        plainly = milliseconds(lambda code=plain: [[each(x) for each in code] for x in X[:4]], 4)
        looped = milliseconds(lambda code=loops: [[each(x) for each in code] for x in X[:1]], 1)
        figures = {
            "milliseconds": ours,
            "against plain": plainly / ours,
            "against loops": looped / ours,
            "of bare": ours / least,
            "largest difference": max(largest_difference(X[:6], n, straightforward.FAMILIES[n]) for n in names),
        }
        rows.append({"family": title, "columns": len(features.get_feature_names_out()), **figures})
    return rows


def main() -> None:
    with threadpool_limits(1):
        rows = measured()
    for row in rows:
        print(*(f"{name} {value:.3g}" if isinstance(value, float) else value for name, value in row.items()))  # noqa: T201
    whole = next(row for row in rows if row["family"] == "about 3,000 columns")
    figures = {title: _judged(title, float(str(whole[title]))) for title in GOALS}
    print(json.dumps({"benchmark": "forensic_features", "figures": figures, "rows": rows, "absent": []}))  # noqa: T201


def _judged(title: str, value: float) -> dict[str, object]:
    goal = GOALS[title]
    return {"value": value, "goal": goal, "met": value >= goal if title.startswith("against") else value <= goal}


if __name__ == "__main__":
    main()
