"""What a trained ensemble does beyond its own test photographs: altered photographs.

`make bench NAME=generalisation ARGS="robustness CONFIG DATA OOF"` alters held-out photographs and asks each fold's
stored models again. What it does on fakes unlike those learned is told by `python -m ensemble.generators`.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.metrics import roc_auc_score
from sklearn.utils.parallel import Parallel, delayed

from ensemble.blend.base import blended
from ensemble.competition import Competition
from ensemble.config import Experiment, load_experiment
from ensemble.member import build_features, import_object
from ensemble.metrics import to_logits
from ensemble.models import load_model
from ensemble.oof import MANIFEST, OofStore

PHOTOGRAPHS, CHUNK = 400, 40
Alter = Callable[[Image.Image], Image.Image]


def jpeg(quality: int) -> Alter:
    def alter(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return alter


def there_and_back(scale: float) -> Alter:
    def alter(image: Image.Image) -> Image.Image:
        small = (round(image.width * scale), round(image.height * scale))
        return image.resize(small, Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC)

    return alter


ALTERATIONS: dict[str, Alter] = {
    "as they are": lambda image: image,
    "JPEG 75": jpeg(75),
    "JPEG 50": jpeg(50),
    "blur 1 px": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
    "resize 0.75": there_and_back(0.75),
    "resize 1.25": there_and_back(1.25),
}


def robustness(config: Path, data: Path, oof: Path) -> pd.DataFrame:
    """Accuracy, AUC and false-positive rate of every member and of the blend, on altered held-out photographs.

    The blend's weights are those of `blend.json`, fitted on all rows: its figures are a little optimistic.
    """
    experiment = load_experiment(config)
    store = OofStore(oof / experiment.name)
    recipe = json.loads((store.blend_folder / MANIFEST).read_text())
    ledger, competition = store.ledger(), Competition.open(data, experiment.data)
    if competition.sha256 != store.facts()["sha256"]:
        raise SystemExit(f"{data} is not what {store.root} was trained on; name that competition")
    X = competition.decode()
    rows = np.sort(np.random.default_rng(0).permutation(len(ledger.labels))[:PHOTOGRAPHS])
    tables = []
    for name, alter in ALTERATIONS.items():
        altered = np.stack([np.asarray(alter(Image.fromarray(X[row]))) for row in rows])
        logits = logits_of_members(store, experiment, altered, ledger.folds[rows])
        columns = np.stack([logits[member] for member in recipe["members"]], axis=1)
        logits["blend"] = blended(columns, np.array(recipe["weights"]), recipe["intercept"])
        tables += [{"photographs": name, "member": m, **scores(z, ledger.labels[rows])} for m, z in logits.items()]
    return pd.DataFrame(tables)


def logits_of_members(
    store: OofStore, experiment: Experiment, photographs: NDArray[np.uint8], folds: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Logits of every photograph by the models that never saw it. Features are computed once for all who share them."""
    tables: dict[str, NDArray[np.generic]] = {}
    logits = {}
    for member in experiment.members:
        key = repr(member.features)
        if key not in tables:
            features = build_features(member)
            tables[key] = photographs if features is None else in_parallel(features.transform, photographs)
        logits[member.name] = np.empty(len(photographs))
        for fold in np.unique(folds):
            model = load_model(store.fold_folder(member.name, int(fold)) / "model", import_object(member.model.use))
            here = folds == fold
            logits[member.name][here] = to_logits(model.predict_proba(tables[key][here])[:, 1])
        print(f"{member.name}: {len(photographs)} photographs", file=sys.stderr)  # noqa: T201
    return logits


def in_parallel(
    transform: Callable[[NDArray[np.uint8]], NDArray[np.float32]], photographs: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Rows do not depend on each other; joblib gives each of its processes one thread."""
    chunks = (photographs[start : start + CHUNK] for start in range(0, len(photographs), CHUNK))
    return np.concatenate(Parallel(n_jobs=-1)(delayed(transform)(chunk) for chunk in chunks))


def scores(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    said = logits >= 0
    accuracy = float((said == labels).mean())
    return {
        "accuracy": accuracy,
        "SE": math.sqrt(accuracy * (1 - accuracy) / len(labels)),
        "AUC": float(roc_auc_score(labels, logits)),
        "false positives": float(said[labels == 0].mean()),
        "fakes found": float(said[labels == 1].mean()),
    }


def main() -> None:
    config, data, oof = map(Path, sys.argv[2:5])  # sys.argv[1] is "robustness"
    table = robustness(config, data, oof)
    print(table.round(4).to_string(index=False))  # noqa: T201
    print(json.dumps({"benchmark": "generalisation robustness", "rows": table.to_dict(orient="records"), "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
