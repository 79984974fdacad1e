"""Verdicts about held-out photographs, as they are, altered, and in other sizes: false accusations, flips, doubt.

`make bench NAME=verdicts ARGS="STORE [PHOTOGRAPHS]"` for a store whose data are where it was trained; a frozen network
takes a tenth of a second for each photograph and variant. Every answer is by models, blender, gate and limits that did
not see the photograph. For a store of `ensemble generators`, once it is blended, the fakes are of clusters never seen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from ensemble.core.console.status import StatusLine
from ensemble.core.metrics.intervals import wilson_interval
from ensemble.predict.making.held_out import HeldOutAnswers
from ensemble.predict.making.inputs import open_inputs
from ensemble.predict.making.rates import decided, nested_limits
from ensemble.predict.making.run import BundleMaker
from ensemble.predict.making.variants import VARIANTS, Variant, saved, scaled, turned
from ensemble.store.oof import OofStore
from ensemble.store.results import AS_THEY_ARE
from ensemble.stress.robustness.alterations import resized

Pixels = NDArray[np.uint8]
GOALS = {
    "worst_false_accusations": (0.02, "<="),
    "worst_false_strong": (0.02, "<="),
    "decided_as_they_are": (0.9, ">="),
    "worst_flips": (0.02, "<="),
    "worst_reversals": (0.02, "<="),
}


def cropped(margin: float, factor: float) -> Callable[[Pixels], bytes]:
    """Cut the margins off, and save at another size."""

    def encode(pixels: Pixels) -> bytes:
        height, width = pixels.shape[:2]
        top, left = round(height * margin), round(width * margin)
        inner = pixels[top : height - top, left : width - left]
        larger = resized(inner, round(inner.shape[0] * factor), round(inner.shape[1] * factor))
        return saved(larger, "JPEG", quality=90)

    return encode


def on_paper(factor: float, quality: int) -> Callable[[Pixels], bytes]:
    """Enlarge, and paste onto a grey page, as in a screenshot of a profile."""

    def encode(pixels: Pixels) -> bytes:
        height, width = (round(side * factor) for side in pixels.shape[:2])
        page = Image.new("RGB", (width * 2, round(height * 1.6)), (238, 238, 240))
        page.paste(Image.fromarray(resized(pixels, height, width)), (width // 2, height // 4))
        return saved(np.asarray(page), "JPEG", quality=quality)

    return encode


SIZES = (
    *(
        Variant(f"size_{side}", f"{side} px, JPEG 90", guaranteed=False, encode=scaled(side / 256, 90), aligned=True)
        for side in (128, 192, 320, 384, 512, 1024, 2048)
    ),
    *(
        Variant(f"double_{q}", f"512 px, JPEG {q}", guaranteed=False, encode=scaled(2, q), aligned=True)
        for q in (95, 75, 50, 30)
    ),
    Variant("webp_512", "512 px, WebP 80", False, lambda p: saved(resized(p, 512, 512), "WEBP", quality=80), True),
    Variant("crop", "cut by a sixteenth, 512 px", guaranteed=False, encode=cropped(1 / 16, 2.3), aligned=True),
    Variant("paper", "on a page, 384 px, JPEG 85", guaranteed=False, encode=on_paper(1.5, 85), aligned=True),
    *(
        Variant(f"turned_{angle}", f"512 px, turned by {angle} degrees", False, turned(2, angle, 90), True)
        for angle in (2, 8, 20, 90)
    ),
)


def verdicts(answers: HeldOutAnswers, limits: dict[int, Any]) -> NDArray[np.int64]:
    """Return 2 for strong evidence, 1 for some, 0 for none and -1 where nothing is said, for each photograph."""
    strong = np.array([limits[fold].strong for fold in answers.folds])
    some = np.array([limits[fold].some for fold in answers.folds])
    found = (answers.logits >= some).astype(np.int64) + (answers.logits >= strong)
    return np.where(decided(answers), found, -1)


def row_of(answers: HeldOutAnswers, found: NDArray[np.int64], before: NDArray[np.int64]) -> dict[str, Any]:
    """Return the figures of a variant, beside the verdicts about the photographs as they are."""
    real, fake = answers.labels == 0, answers.labels == 1
    both = (found >= 0) & (before >= 0)
    flips = int(((found > 0) != (before > 0))[both].sum())
    reversals = int((np.abs(found - before) == 2)[both].sum())  # from strong evidence to none, or back
    return {
        "variant": answers.variant.title,
        "false": wilson(int((found[real] > 0).sum()), int(real.sum())),
        "false_strong": wilson(int((found[real] > 1).sum()), int(real.sum())),
        "found": wilson(int((found[fake] > 0).sum()), int(fake.sum())),
        "undecided": wilson(int((found < 0).sum()), len(found)),
        "flips": wilson(flips, max(int(both.sum()), 1)),
        "reversals": wilson(reversals, max(int(both.sum()), 1)),
        "found_strong": wilson(int((found[fake] > 1).sum()), int(fake.sum())),
        "guaranteed": answers.variant.guaranteed,
        "size": answers.variant in SIZES,
    }


def wilson(count: int, of: int) -> tuple[float, float, float]:
    """Return a share and its interval."""
    return (count / of, *wilson_interval(count, of))


def show(rows: Sequence[dict[str, Any]]) -> None:
    titles = ("false", "false_strong", "found", "found_strong", "undecided", "flips", "reversals")
    print(f"{'':42}" + "".join(f"{title:>24}" for title in titles))  # noqa: T201
    for row in rows:
        cells = (f"{row[t][0]:.3f} [{row[t][1]:.3f}, {row[t][2]:.3f}]" for t in titles)
        print(f"{row['variant']:42}" + "".join(f"{cell:>24}" for cell in cells) + ("  held" * row["guaranteed"]))  # noqa: T201


def _met(name: str, value: float) -> bool:
    goal, sign = GOALS[name]
    return value <= goal if sign == "<=" else value >= goal


def main(root: str, photographs: str = "400") -> None:
    store, console = OofStore(Path(root)), Console(stderr=True)
    with StatusLine(console) as status:
        inputs = open_inputs(store, store.experiment(), None, status)
        maker = BundleMaker(inputs, int(photographs), status)
        answers = maker.answers([*VARIANTS, *SIZES])
    limits = nested_limits(answers)
    before = next(a for a in answers if a.variant.name == AS_THEY_ARE)
    as_they_are = verdicts(before, limits)
    rows = [row_of(each, verdicts(each, limits), as_they_are) for each in answers]
    show(rows)
    held = [row for row in rows if row["guaranteed"]]
    figures = {
        "worst_false_accusations": max(row["false"][0] for row in held),
        "decided_as_they_are": float((as_they_are >= 0).mean()),
        "worst_false_strong": max(row["false_strong"][0] for row in held),
        **{f"worst_{name}": max(row[name][0] for row in rows if row["size"]) for name in ("flips", "reversals")},
    }
    report = {name: {"value": v, "goal": GOALS[name][0], "met": _met(name, v)} for name, v in figures.items()}
    print(json.dumps({"figures": report, "rows": rows, "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
