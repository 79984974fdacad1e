"""Chunks of features on disk, by recipe, code and content: what any experiment has computed is computed for all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ensemble.core.parallel import blocks
from ensemble.core.storage.files import Location, new_folder
from ensemble.core.storage.json_file import read_json

CHUNK = 128  # photographs: 25 MB at 256 px, seconds of work for formulas, a minute for a frozen network
_VALUES = "features.npy"
_FACTS = "features.json"


@dataclass(frozen=True)
class Chunk:
    """Features float32 (photographs, columns) of a chunk, and what they cost (seconds per photograph)."""

    values: NDArray[np.float32]
    seconds_per_photograph: float


def chunk_rows(photographs: int) -> list[slice]:
    """Return the rows of each chunk."""
    return list(blocks(photographs, CHUNK))


def content_key(photographs: NDArray[np.uint8]) -> str:
    """Identify the photographs of a chunk by their pixels."""
    header = json.dumps(photographs.shape).encode()
    return hashlib.sha256(header + np.ascontiguousarray(photographs).tobytes()).hexdigest()[:32]


def read_chunk(folder: Location) -> Chunk | None:
    """Return a cached chunk; None where there is none, or it is not as it was written."""
    try:
        facts = read_json(folder / _FACTS, dict)
        with (folder / _VALUES).open("rb") as file:
            values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if "seconds_per_photograph" not in facts:
        return None
    if hashlib.sha256(values.tobytes()).hexdigest() != facts.get("sha256"):
        return None
    return Chunk(values, facts["seconds_per_photograph"])


def write_chunk(folder: Location, chunk: Chunk) -> None:
    """Cache a chunk.

    Raises
    ------
    OSError
        It could not be written, and no other run has written it.
    """
    facts = {
        "sha256": hashlib.sha256(chunk.values.tobytes()).hexdigest(),
        "seconds_per_photograph": chunk.seconds_per_photograph,
    }
    try:
        with new_folder(folder, _FACTS) as unfinished:
            np.save(unfinished / _VALUES, chunk.values, allow_pickle=False)
            (unfinished / _FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    except OSError:
        if read_chunk(folder) is None:  # else another run was faster, and its chunk is as good
            raise
