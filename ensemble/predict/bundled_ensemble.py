"""The models of a bundle, applied to photographs of its size: features once, then every fold, then the blend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.blend.blenders.base import Blender
from ensemble.blend.blenders.restored import restored
from ensemble.blend.evaluation.decision import Decision
from ensemble.core.arrays import Array
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import to_logits
from ensemble.predict.bundle.files import Content
from ensemble.predict.bundle.manifest import Blend, Doubt, Manifest, Member, Reader
from ensemble.predict.bundle.readers import Part, read_part
from ensemble.predict.doubt import DOUBT, DoubtGate

Pixels = NDArray[np.uint8]  # (n, height, width, 3), RGB


@dataclass(frozen=True)
class EnsembleParts:
    """Parts of an ensemble before its gate is known; `indices` are those of the features, by key."""

    features: list[Reader]
    members: list[Member]
    blend: Blend
    indices: dict[str, int]
    doubt: Doubt | None = None


@dataclass(frozen=True)
class BlendedLogits:
    """What the models make of photographs.

    Attributes
    ----------
    members : float64 (n, members)
        Mean logit of the folds of each member.
    blended : float64 (n,)
        Logit of fake after the decision: fake at or above zero.
    doubt : float64 (n,)
        Distance from the training photographs; zero without a gate.
    """

    members: Array
    blended: Array
    doubt: Array


class BundledEnsemble:
    """Features and models, read and ready, and their blend.

    Parameters
    ----------
    content : dict
        Files by folder and name.
    where : str
        Name of the bundle, for messages.
    threads : int
        Threads that each part computes with.

    Raises
    ------
    UserError
        A part cannot be read.
    """

    def __init__(self, parts: Manifest | EnsembleParts, content: Content, where: str, threads: int) -> None:
        readers = [*parts.features, *(fold for member in parts.members for fold in member.folds)]
        read = {each.folder: read_part(each, content[each.folder], threads, where) for each in readers}
        self._features: list[Part] = [read[each.folder] for each in parts.features]
        self._members, self._models, blend = parts.members, read, parts.blend
        self._blender, self._decision = _blender(blend, where), Decision(blend.temperature, blend.shift)
        self._columns = blend.columns
        self._gate_features = parts.doubt.features if parts.doubt else 0
        self._gate = _gate(content[parts.doubt.folder], where) if parts.doubt else None

    def __call__(self, photographs: Pixels) -> BlendedLogits:
        """Return logits and doubts of photographs of the bundle's size."""
        tables = self.tables(photographs)
        members = self.members(photographs, tables)
        seen = members if self._columns is None else np.concatenate([members, tables[self._columns]], axis=1)
        single = self._blender.columns_of(seen.astype(np.float32), len(self._members))
        blended = self._decision(self._blender.decision_function(single))
        doubt = np.zeros(len(photographs)) if self._gate is None else self._gate(tables[self._gate_features])
        return BlendedLogits(members, blended, doubt)

    def tables(self, photographs: Pixels) -> list[NDArray[np.float32]]:
        """Return the columns of all features."""
        return [self.columns(index, photographs) for index in range(len(self._features))]

    def columns(self, index: int, photographs: Pixels) -> NDArray[np.float32]:
        """Return the columns of one of the features."""
        found: NDArray[np.float32] = self._features[index](photographs)
        return found

    def members(self, photographs: Pixels, tables: Sequence[Any]) -> Array:
        """Return the mean logit of the folds of each member (n, members)."""
        found = [np.mean([model(X) for model in models], axis=0) for X, models in self._of_members(photographs, tables)]
        return np.stack(found, axis=1)

    def held_out(self, photographs: Pixels, tables: Sequence[Any], models: Sequence[NDArray[np.int64]]) -> Array:
        """Return the mean logit of the models of each member that a photograph was held out of (n, members).

        `models` are their indices, of each member (n, cuts of the folds).
        """
        found = np.zeros((len(photographs), len(self._members)))
        for column, ((X, functions), indices) in enumerate(
            zip(self._of_members(photographs, tables), models, strict=True)
        ):
            for index in np.unique(indices):
                rows = (indices == index).any(axis=1)
                found[rows, column] += functions[index](X[rows])
            found[:, column] /= indices.shape[1]
        return found

    def _of_members(self, photographs: Pixels, tables: Sequence[Any]) -> Any:
        """Yield what each member's models read, and the models: functions that return logits (n,)."""
        for member in self._members:
            X = photographs if member.features is None else tables[member.features]
            yield X, [_logits_of(self._models[fold.folder]) for fold in member.folds]


def _blender(blend: Blend, where: str) -> Blender:
    try:
        return restored(blend.blender)
    except Exception:  # a state that was edited may be anything
        raise UserError(
            f"{where}: the blend of the members is damaged or edited, or of a newer version; copy the bundle again, or "
            "update this program"
        ) from None


def _gate(files: Mapping[str, bytes], where: str) -> DoubtGate:
    try:
        return DoubtGate.from_bytes(files[DOUBT])
    except Exception:  # a damaged file may hold anything
        raise UserError(f"{where}: the doubt gate is damaged or edited; copy the bundle again") from None


def _logits_of(model: Part) -> Any:
    return lambda X: to_logits(model(X))
