"""What a bundle is made from: the blend of a store, the members that it needs, and the photographs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Pixels
from ensemble.core.console.status import StatusLine
from ensemble.core.console.text import first_few
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.predict.bundle.manifest import Blend
from ensemble.predict.making.subset import best_within, blend_of
from ensemble.store.oof import OofStore
from ensemble.store.opening import competition_of
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.results import current_manifest
from ensemble.store.stored_members import StoredMember, find_stored_members
from ensemble.stress.robustness.honest_blend import HonestBlend, fit_honest_blend


@dataclass(frozen=True)
class StoreInputs:
    """A store whose blend is up to date, and whose models are all there.

    Attributes
    ----------
    manifest : dict
        blend.json.
    names : list of str
        Members of the bundle: those with weight in the blend, in its order.
    members : dict of str to StoredMember
        Those, and others that the blenders of single folds read.
    honest : HonestBlend
        Blenders, each of which was fitted without the photographs that it decides.
    is_the_blend : bool
        Whether it is the store's own blend, and not one of fewer members.
    """

    store: OofStore
    experiment: Experiment
    competition: Competition
    predictions: Predictions
    manifest: dict[str, Any]
    names: list[str]
    members: dict[str, StoredMember]
    honest: HonestBlend
    is_the_blend: bool

    @cached_property
    def pixels(self) -> Pixels:
        """All photographs, the training rows of the ledger first."""
        return self.competition.decode()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photographs."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[2])

    @property
    def blend(self) -> Blend:
        """The blend of the bundle's members."""
        state = self.manifest["blender"]
        if state["kind"] == "linear":
            kept = [self.manifest["members"].index(name) for name in self.names]
            state = {**state, "weights": [state["weights"][column] for column in kept]}
        decision = self.manifest["decision"]
        return Blend(blender=state, **decision)


def open_inputs(
    store: OofStore,
    experiment: Experiment,
    data: Location | None,
    status: StatusLine,
    most_milliseconds: float | None = None,
) -> StoreInputs:
    """Read a store, and check that it can be bundled; with a limit of time, the best members that are fast enough.

    Raises
    ------
    UserError
        There is no blend of the store's predictions, a model of a member is missing, or the photographs are.
    """
    predictions = load_predictions(store, experiment)
    manifest = current_manifest(store, predictions)
    if manifest is None:
        raise UserError(f"{store.root} has no blend of its predictions; run ensemble blend {store.root} first")
    members, left_out = find_stored_members(store, experiment.members, predictions)
    if most_milliseconds is not None:  # columns of a blender would take time too
        experiment = experiment.model_copy(update={"blend": experiment.blend.model_copy(update={"columns": None})})
        known = [name for name in manifest["members"] if name in members]
        if not known:
            reasons = first_few([f"{name} {reason}" for name, reason in left_out.items()])
            raise UserError(f"{store.root}: no member of the blend can be kept in a bundle: {reasons}")
        chosen = best_within(most_milliseconds, predictions, known, members)
        status.start(f"blending {', '.join(chosen)}")
        manifest = blend_of(store, experiment, predictions, chosen, status.start)
    honest = fit_honest_blend(store, experiment, predictions, manifest, status.start)
    if isinstance(honest, str):
        raise UserError(f"{store.root}: {honest}")
    names = _with_weight(manifest)
    needed = [name for name in manifest["members"] if name in {*names, *honest.needed}]
    if missing := [name for name in needed if name not in members]:
        reason = left_out.get(missing[0], "is not in the config")
        raise UserError(
            f"{first_few(missing)} cannot be kept in a bundle: {missing[0]} {reason}; or blend without "
            f"(ensemble blend {store.root} --without {','.join(missing)}), then bundle again"
        )
    competition = competition_of(store, experiment.data, data)
    kept = {name: members[name] for name in needed}
    own = most_milliseconds is None
    return StoreInputs(store, experiment, competition, predictions, manifest, names, kept, honest, own)


def _with_weight(manifest: dict[str, Any]) -> list[str]:
    """Return the members that the blend reads."""
    members: list[str] = manifest["members"]
    if manifest["blender"]["kind"] != "linear":
        return members
    return [name for name, weight in zip(members, manifest["blender"]["weights"], strict=True) if weight != 0]
