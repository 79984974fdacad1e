"""Members whose stored models can be applied again: all their folds are here, with models as they were written.

Only a bundle applies models of further cuts of the folds; what else asks for a member's models means the first cut's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ensemble.config.members import MemberSettings
from ensemble.core.storage.hashing import digest
from ensemble.engine.recipes.code import recipe_code
from ensemble.engine.tasks.features import TableRequest, table_request
from ensemble.store.oof import MODEL, OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.record import FoldRecord


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
        Of all files of its folds, by fold.
    """

    member: MemberSettings
    code: str
    request: TableRequest | None
    checksums: Mapping[int, Mapping[str, str]]
    seconds_features: float
    seconds_predict: float

    @property
    def name(self) -> str:
        """Name of the member."""
        return self.member.name

    @property
    def signature(self) -> str:
        """Hash that changes with its models, and with the member's code."""
        folds = {str(fold): sums for fold, sums in self.checksums.items()}
        return digest([folds, self.code, self.request.key if self.request else None])

    def with_settings(self, member: MemberSettings) -> StoredMember:
        """Return the same member with its resources as it can run here."""
        request = replace(self.request, resources=member.features_resources) if self.request else None
        return replace(self, member=member, request=request)

    def is_unchanged(self, store: OofStore) -> bool:
        """Return whether nobody has trained it again meanwhile."""
        records = {fold: store.record(self.name, fold) for fold in self.checksums}
        return all(record is not None and record.checksums == self.checksums[f] for f, record in records.items())


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
    return problem_of_models(store, predictions.records_of(name))


def problem_of_models(store: OofStore, records: Iterable[FoldRecord]) -> str:
    """Return why the models of a member's folds cannot be applied; empty where they can."""
    for record in records:
        damaged = store.damaged_files(record)
        if damaged:
            return f"has a damaged fold-{record.fold} ({', '.join(damaged)}); train again"
        if not _has_model(store, record):
            return record.model_note or f"has no model in fold-{record.fold}; train again"
    return ""


def _has_model(store: OofStore, record: FoldRecord) -> bool:
    if record.files:
        return any(name.startswith(f"{MODEL}/") for name in record.files)
    return store.model_folder(record.member, record.fold).is_dir()  # of a version that noted no files


def _stored_member(member: MemberSettings, predictions: Predictions) -> StoredMember:
    records = predictions.records_of(member.name)
    test_rows, ledger = len(predictions.test_logits), predictions.ledger
    predicted = sum(len(ledger.heldout(record.fold)) + test_rows for record in records)
    return StoredMember(
        member,
        recipe_code(member.recipe),
        table_request(member, reader=member.name),
        {record.fold: record.checksums for record in records},
        max(record.seconds_features_per_photograph for record in records),
        sum(record.seconds_predict for record in records) / max(predicted, 1),
    )
