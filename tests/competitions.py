"""Small competitions and experiments for tests: noise is real, smoothed noise is fake."""

from __future__ import annotations

import csv
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter

SIZE = 32


def photograph(seed: int, fake: bool, size: int = SIZE) -> NDArray[np.uint8]:
    """A colourful square of noise; a fake one is smooth in part, so that it can be told, but not always."""
    rng = np.random.default_rng([seed, 7])
    noise = rng.normal(128, 40, (size, size, 3))
    smooth = uniform_filter(noise, (2, 2, 0)) * 1.9 - 115
    mixed = noise * (1 - rng.uniform(0.2, 0.9)) + smooth * rng.uniform(0.2, 0.9) if fake else noise
    return np.clip(mixed, 0, 255).astype(np.uint8)


def write_competition(
    folder: Path, train: int = 40, test: int = 12, size: int = SIZE, suffix: str = ".png", first: int = 0
) -> Path:
    """train/, test/, train.csv and submit.csv; the same names stand in train and in test."""
    for split, count in (("train", train), ("test", test)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        offset = first + (0 if split == "train" else 10_000)
        for number in range(count):
            image = Image.fromarray(photograph(offset + number, number % 2 == 1, size))
            image.save(folder / split / f"{number:05d}{suffix}")
    write_rows(folder / "train.csv", ["name", "target"], [[f"{n:05d}{suffix}", n % 2] for n in range(train)])
    write_rows(folder / "submit.csv", ["name", "pred"], [[f"{n:05d}{suffix}", 0] for n in range(test)])
    return folder


def write_rows(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def pack(folder: Path, archive: Path, root: str = "data", tables: bool = False) -> Path:
    """Put train/ and test/ (and the tables) into an archive, below `root`."""
    files = [path for split in ("train", "test") for path in sorted((folder / split).iterdir())]
    files += [folder / "train.csv", folder / "submit.csv"] if tables else []
    names = {path: str(Path(root) / path.relative_to(folder)) for path in files}
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as target:
            for path, name in names.items():
                target.write(path, name)
    else:
        with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as target:
            for path, name in names.items():
                target.add(path, name)
    return archive


FEATURES = "members.forensics.LogDCT, cell: 16"  # few columns: LightGBM's time goes with their number
LINEAR = f"""
  - name: linear
    features: {{use: {FEATURES}}}
    model:
      use: sklearn.pipeline.Pipeline
      steps:
        - [scale, {{use: sklearn.preprocessing.StandardScaler}}]
        - [logistic, {{use: sklearn.linear_model.LogisticRegression, C: 0.01, max_iter: 300}}]
"""
BOOSTED = f"""
  - name: boosted
    features: {{use: {FEATURES}}}
    model: {{use: lightgbm.LGBMClassifier, n_estimators: 20, min_child_samples: 4, verbose: -1,
            deterministic: true, force_row_wise: true}}
"""
CNN = """
  - name: cnn
    model: {use: members.cnn.ImageClassifier, backbone: test_efficientnet, weights: none, epochs: 1, batch_size: 8}
"""


def write_config(path: Path, *members: str, name: str = "small", extra: str = "folds: {n_folds: 3}") -> Path:
    """An experiment over a small competition."""
    path.write_text(f"name: {name}\n{extra}\nblend: {{trials: 10}}\nmembers:{''.join(members)}")
    return path
