"""Stateless features of all photographs: computed once, in chunks, and cached on disk by the content of each chunk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.config import Recipe
from ensemble.engine import Engine
from ensemble.files import Location, new_folder
from ensemble.provenance import digest, recipe_code

CHUNK = 128  # photographs: 25 MB at 256 px, seconds of work for formulas, a minute for a fixed network
_VALUES = "features.npy"
_FACTS = "features.json"


@dataclass(frozen=True)
class FeatureTable:
    """Features float32 (photographs, columns), and what they cost (seconds per photograph, one thread)."""

    values: NDArray[np.float32]
    seconds_per_photograph: float


def feature_table(
    recipe: Recipe,
    key: str,
    photographs: NDArray[np.uint8],
    engine: Engine,
    cache: Location,
    report: Callable[[int, int], None],
) -> FeatureTable:
    """Features of all photographs. Chunks that were computed before, by any experiment, are read from `cache`.

    `key` is `features_key(recipe)`, taken once for a run. `report` takes (photographs done, photographs in all).
    """
    chunks = [slice(start, min(start + CHUNK, len(photographs))) for start in range(0, len(photographs), CHUNK)]
    folders = [cache / key[:16] / _content_key(photographs[chunk]) for chunk in chunks]
    found = {index: table for index, folder in enumerate(folders) if (table := _read(folder)) is not None}
    missing = [index for index in range(len(chunks)) if index not in found]
    done = sum(len(table.values) for table in found.values())
    report(done, len(photographs))
    for position, values, seconds in engine.features(recipe, photographs, [chunks[index] for index in missing]):
        index = missing[position]
        found[index] = FeatureTable(values, seconds / len(values))
        _write(folders[index], found[index])
        done += len(values)
        report(done, len(photographs))
    tables = [found[index] for index in range(len(chunks))]
    cost = float(np.average([t.seconds_per_photograph for t in tables], weights=[len(t.values) for t in tables]))
    return FeatureTable(np.concatenate([table.values for table in tables]), cost)


def features_key(features: Recipe) -> str:
    """Identify a feature table: recipe and code. Equal keys mean equal columns for equal photographs."""
    recipe = features.model_dump(mode="json")
    return digest([recipe, recipe_code(recipe)])


def _content_key(photographs: NDArray[np.uint8]) -> str:
    header = json.dumps(photographs.shape).encode()
    return hashlib.sha256(header + np.ascontiguousarray(photographs).tobytes()).hexdigest()[:32]


def _read(folder: Location) -> FeatureTable | None:
    """A cached chunk, if it is there and is what was written."""
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        with (folder / _VALUES).open("rb") as file:
            values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if hashlib.sha256(values.tobytes()).hexdigest() != facts.get("sha256"):
        return None
    return FeatureTable(values, facts["seconds_per_photograph"])


def _write(folder: Location, table: FeatureTable) -> None:
    facts = {
        "sha256": hashlib.sha256(table.values.tobytes()).hexdigest(),
        "seconds_per_photograph": table.seconds_per_photograph,
    }
    try:
        with new_folder(folder, _FACTS) as unfinished:
            np.save(unfinished / _VALUES, table.values, allow_pickle=False)
            (unfinished / _FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    except OSError:
        if _read(folder) is None:  # else another run was faster, and its chunk is as good
            raise
