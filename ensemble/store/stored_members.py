"""Members whose stored models can be applied again: all their folds are here, with models as they were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ensemble.config.members import MemberSettings
from ensemble.core.storage.hashing import digest
from ensemble.engine.recipes.code import recipe_code
from ensemble.engine.tasks.features import TableRequest, table_request
from ensemble.store.oof import MODEL, OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.record import FoldRecord
from ensemble.store.repeats import store_of_cut


@dataclass(frozen=True)
class StoredMember:
    """A member whose models can be applied.

    Attributes
    ----------
    code : str
        Hash of the member's code as it is now.
    request : TableRequest or None
        The features that it reads.
    checksums : dict
        Of all files of its folds, by cut of the folds and fold; cut 0 is the first.
    """

    member: MemberSettings
    code: str
    request: TableRequest | None
    checksums: Mapping[tuple[int, int], Mapping[str, str]]
    seconds_features: float
    seconds_predict: float

    @property
    def name(self) -> str:
        """Name of the member."""
        return self.member.name

    @property
    def n_cuts(self) -> int:
        """Number of cuts of the folds on which it was trained."""
        return len({cut for cut, _ in self.checksums})

    @property
    def signature(self) -> str:
        """Hash that changes with its models, and with the member's code."""
        folds = {f"{cut}/{fold}" if cut else str(fold): sums for (cut, fold), sums in self.checksums.items()}
        return digest([folds, self.code, self.request.key if self.request else None])

    def with_settings(self, member: MemberSettings) -> StoredMember:
        """Return the same member with its resources as it can run here."""
        request = replace(self.request, resources=member.features_resources) if self.request else None
        return replace(self, member=member, request=request)

    def is_unchanged(self, store: OofStore) -> bool:
        """Return whether nobody has trained it again meanwhile."""
        records = {(cut, fold): store_of_cut(store, cut).record(self.name, fold) for cut, fold in self.checksums}
        return all(record is not None and record.checksums == self.checksums[at] for at, record in records.items())


def find_stored_members(
    store: OofStore, members: Sequence[MemberSettings], predictions: Predictions
) -> tuple[dict[str, StoredMember], dict[str, str]]:
    """Return members whose models can be applied, by name, and for the others a sentence that says why not."""
    found: dict[str, StoredMember] = {}
    left_out = dict.fromkeys(_imported(predictions), "was trained elsewhere: its model is not here")
    for member in members:
        reason = left_out.get(member.name) or _problem(store, member, predictions)
        if reason:
            left_out[member.name] = reason
        else:
            found[member.name] = _stored_member(member, predictions)
    return found, left_out


def _imported(predictions: Predictions) -> list[str]:
    return list(dict.fromkeys(record.member for record in predictions.records.values() if record.trained_elsewhere))


def _problem(store: OofStore, member: MemberSettings, predictions: Predictions) -> str:
    """Return why the models of a member cannot be applied; empty where they can."""
    name = member.name
    if name in predictions.left_out:
        return f"has {predictions.left_out[name]}"
    if name in predictions.partial:
        return f"has {predictions.partial[name]}; train its other folds first"
    for cut in predictions.cuts_of(name):
        of_cut, where = store_of_cut(store, cut), f" of cut {cut + 1} of the folds" if cut else ""
        for record in predictions.records_of(name, cut):
            damaged = of_cut.damaged_files(record)
            if damaged:
                return f"has a damaged fold-{record.fold}{where} ({', '.join(damaged)}); train again"
            if not _has_model(of_cut, record):
                return record.model_note or f"has no model in fold-{record.fold}{where}; train again"
    return ""


def _has_model(store: OofStore, record: FoldRecord) -> bool:
    if record.files:
        return any(name.startswith(f"{MODEL}/") for name in record.files)
    return store.model_folder(record.member, record.fold).is_dir()  # of a version that noted no files


def _stored_member(member: MemberSettings, predictions: Predictions) -> StoredMember:
    cuts = predictions.cuts_of(member.name)
    records = {(cut, each.fold): each for cut in cuts for each in predictions.records_of(member.name, cut)}
    test_rows, ledger = len(predictions.test_logits), predictions.ledger
    predicted = sum(len(ledger.heldout(record.fold)) + test_rows for record in records.values())
    return StoredMember(
        member,
        recipe_code(member.recipe),
        table_request(member, reader=member.name),
        {at: record.checksums for at, record in records.items()},
        max(record.seconds_features_per_photograph for record in records.values()),
        sum(record.seconds_predict for record in records.values()) / max(predicted, 1),
    )
