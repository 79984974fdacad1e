"""Pictures of a game from a store: training photographs with what the blend says of them, out-of-fold."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.storage.parquet import read_parquet
from ensemble.report.exhibits.stored import read_exhibits
from ensemble.serve.game.pictures import Picture, Pictures, balanced, can_be_shown
from ensemble.store.oof import BLEND_OOF, OofStore
from ensemble.store.opening import competition_of, read_photograph_hashes

_DRAWN = (
    "Photographs of the training data, drawn at random. The ensemble's answers are out-of-fold: of each photograph by "
    "models that had not seen it."
)
_KEPT = (
    "Photographs that the report keeps: the hardest ones, many of which the ensemble gets wrong. Its answers are "
    "out-of-fold: of each photograph by models that had not seen it."
)
_TRAIN = "train/"


def pictures_of_store(path: Location) -> Pictures:
    """Return pictures of a store: drawn from its training photographs, or those of its report where these are gone.

    Raises
    ------
    UserError
        There is no blend, or there are no photographs.
    """
    store = OofStore(path)
    ledger, synthetic = store.ledger(), bool(store.facts()["synthetic"])
    try:
        blend = read_parquet(store.blend_folder / BLEND_OOF)
        probabilities = dict(zip(blend["name"], blend["pred"], strict=True))
    except (OSError, ValueError, KeyError):
        raise UserError(f"--play {path}: the store has no blend that can be read; run ensemble blend {path}") from None
    names = list(ledger.table["name"])
    rows = np.array([row for row, name in enumerate(names) if name in probabilities])  # folds may be missing
    pictures = []
    contents, source = _contents(store, names, ledger.labels == 1, rows)
    for row, content in contents.items():
        probability = float(probabilities[names[row]])
        known = probability if math.isfinite(probability) else None
        pictures.append(Picture(content, bool(ledger.labels[row] == 1), known))
    return Pictures(pictures, source, synthetic, unseen=True)


def _contents(
    store: OofStore, names: list[str], fakes: NDArray[np.bool_], rows: NDArray[np.intp]
) -> tuple[dict[int, bytes], str]:
    """Return the files of pictures by their rows, which are some of `rows`, and where they are from."""
    try:
        competition = competition_of(store, store.experiment().data)
    except UserError:
        kept = read_exhibits(store).contents
        found = {
            row: kept[_TRAIN + names[row]] for row in rows.tolist() if can_be_shown(kept.get(_TRAIN + names[row], b""))
        }
        at = np.array(list(found), dtype=np.intp)
        return {row: found[row] for row in at[balanced(fakes[at])].tolist()}, _KEPT
    noted = read_photograph_hashes(store)
    found = {row: bytes(competition.encoded[row]) for row in rows[balanced(fakes[rows])].tolist()}
    intact = {r: c for r, c in found.items() if noted.get(_TRAIN + names[r]) == hashlib.sha256(c).hexdigest()}
    return {row: content for row, content in intact.items() if can_be_shown(content)}, _DRAWN
