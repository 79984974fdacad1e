"""The features and fold models of a store's members as parts of a bundle, or a sentence about one that cannot be."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ensemble.config.settings import Recipe
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, local_copy
from ensemble.engine.recipes.build import build, import_object
from ensemble.engine.recipes.saving import LIGHTGBM, SKOPS, load_model
from ensemble.predict.bundle import trees
from ensemble.predict.bundle.files import Content
from ensemble.predict.bundle.linear import LINEAR
from ensemble.predict.bundle.manifest import Blend, Member, Reader
from ensemble.predict.bundled_ensemble import EnsembleParts
from ensemble.predict.making.linear import linear_model_file
from ensemble.store.oof import OofStore
from ensemble.store.repeats import name_in_cut, store_of_cut
from ensemble.store.stored_members import StoredMember

Size = tuple[int, int]
Log = Callable[[str], None]


@dataclass(frozen=True)
class Models:
    """Parts of a bundle, and their files.

    Attributes
    ----------
    features : dict of str to Reader
        By the key of their recipe.
    reads : dict of str to (str or None)
        The key of the features that a member reads.
    folds : dict of str to tuple of Reader
        The models of a member: those of the first cut of the folds, then those of further ones.
    """

    features: dict[str, Reader] = field(default_factory=dict)
    reads: dict[str, str | None] = field(default_factory=dict)
    folds: dict[str, tuple[Reader, ...]] = field(default_factory=dict)
    content: Content = field(default_factory=dict)

    def parts(self, names: Sequence[str], *, blend: Blend, columns: str | None) -> EnsembleParts:
        """Return some members with the features that they and the blender read."""
        keys = [*(self.reads[name] for name in names), columns]
        features = [key for key in self.features if key in keys]
        indices = {key: index for index, key in enumerate(features)}
        members = [
            Member(name=name, features=None if key is None else indices[key], folds=self.folds[name])
            for name, key in ((name, self.reads[name]) for name in names)
        ]
        blend = blend.model_copy(update={"columns": None if columns is None else indices[columns]})
        return EnsembleParts([self.features[key] for key in features], members, blend, indices)

    def content_of(self, parts: EnsembleParts) -> Content:
        """Return the files of some parts."""
        readers = [*parts.features, *(fold for member in parts.members for fold in member.folds)]
        return {reader.folder: self.content[reader.folder] for reader in readers}


def export_models(store: OofStore, members: Sequence[StoredMember], size: Size, log: Log) -> Models:
    """Return all parts; nothing is written.

    Raises
    ------
    UserError
        Features or a model are of a kind that a bundle cannot hold; the member is named.
    """
    found = Models()
    for stored in members:
        log(f"exporting {stored.name}")
        try:
            _add(found, store, stored, size)
        except ValueError as error:
            raise UserError(
                f"{stored.name} cannot be kept in a bundle: {' '.join(str(error).split())}; blend without it "
                f"(ensemble blend {store.root} --without {stored.name}), then bundle again"
            ) from None
    return found


def add_features(models: Models, key: str, recipe: Recipe, size: Size) -> None:
    """Add the features of a recipe, unless they are there."""
    if key not in models.features:
        folder = f"features/{len(models.features)}"
        models.features[key], models.content[folder] = _exported(build(recipe), recipe.use, size, folder)


def _add(models: Models, store: OofStore, stored: StoredMember, size: Size) -> None:
    if stored.request is not None:
        add_features(models, stored.request.key, stored.request.recipe, size)
    folds = []
    for cut, fold in stored.checksums:
        folder = f"members/{name_in_cut(stored.name, cut)}/fold-{fold}"
        source = store_of_cut(store, cut).model_folder(stored.name, fold)
        reader, models.content[folder] = _model(source, stored.member.model.use, size, folder)
        folds.append(reader)
    models.reads[stored.name] = None if stored.request is None else stored.request.key
    models.folds[stored.name] = tuple(folds)


def _model(source: Location, use: str, size: Size, folder: str) -> tuple[Reader, dict[str, bytes]]:
    with local_copy(source) as local:
        names = {path.name for path in local.iterdir()}
        if names == {LIGHTGBM}:
            # Called as its reader expects.
            return Reader(reader="lightgbm", folder=folder), {trees.LIGHTGBM: (local / LIGHTGBM).read_bytes()}
        model = load_model(local, import_object(use))
    if names == {SKOPS}:
        content = linear_model_file(model, int(model.n_features_in_))
        return Reader(reader="linear", folder=folder), {LINEAR: content}
    return _exported(model, use, size, folder)


def _exported(part: Any, use: str, size: Size, folder: str) -> tuple[Reader, dict[str, bytes]]:
    """Return a part by its own `export`."""
    if not hasattr(part, "export"):
        raise ValueError(f"{use} has no export")
    with tempfile.TemporaryDirectory() as temporary:
        settings = dict(part.export(Path(temporary), size))
        files = {path.name: path.read_bytes() for path in Path(temporary).iterdir()}
    return Reader(reader=settings.pop("reader"), folder=folder, settings=settings), files
