"""Members that can be asked again: all their folds are here, with models that are as they were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ensemble.config import MemberSettings
from ensemble.core.storage.files import Location
from ensemble.core.storage.hashing import digest
from ensemble.engine.features.table import features_key
from ensemble.engine.recipes.code import recipe_code
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions
from ensemble.store.record import FoldRecord

_MODEL = "model"  # the folder in a fold's


@dataclass(frozen=True)
class Subject:
    """A member that can be asked.

    Attributes
    ----------
    code : str
        Hash of the member's code as it is now.
    features_key : str or None
        Of the features that it reads.
    made_of : dict
        What its folds are: checksums of all their files, by fold.
    """

    member: MemberSettings
    code: str
    features_key: str | None
    made_of: Mapping[int, Mapping[str, str]]
    seconds_features: float
    seconds_predict: float

    @property
    def name(self) -> str:
        """The member's."""
        return self.member.name

    @property
    def signature(self) -> str:
        """Changes with its models, and with the code that they are asked by."""
        folds = {str(fold): sums for fold, sums in self.made_of.items()}
        return digest([folds, self.code, self.features_key])

    def settled(self, member: MemberSettings) -> Subject:
        """The same, as the member can run on the machines that there are."""
        return replace(self, member=member)

    def model_folder(self, store: OofStore, fold: int) -> Location:
        """Where the model of a fold lies."""
        return store.fold_folder(self.name, fold) / _MODEL

    def still_the_same(self, store: OofStore) -> bool:
        """Whether nobody has trained it again meanwhile."""
        records = {fold: store.record(self.name, fold) for fold in self.made_of}
        return all(record is not None and record.checksums == self.made_of[f] for f, record in records.items())


def find_subjects(
    store: OofStore, members: Sequence[MemberSettings], predictions: Predictions
) -> tuple[dict[str, Subject], dict[str, str]]:
    """Members that can be asked, by name, and for the others a sentence that says why not."""
    found: dict[str, Subject] = {}
    left_out = dict.fromkeys(_imported(predictions), "was trained elsewhere: its model is not here")
    for member in members:
        reason = left_out.get(member.name) or _unfit(store, member, predictions)
        if reason:
            left_out[member.name] = reason
        else:
            found[member.name] = _subject(member, predictions)
    return found, left_out


def _imported(predictions: Predictions) -> list[str]:
    return list(dict.fromkeys(record.member for record in predictions.records.values() if record.trained_elsewhere))


def _unfit(store: OofStore, member: MemberSettings, predictions: Predictions) -> str:
    """Why a member cannot be asked; empty where it can."""
    name = member.name
    if name in predictions.left_out or name in predictions.partial:
        return f"has {(predictions.left_out | predictions.partial)[name]}; train its other folds first"
    for record in _records(name, predictions).values():
        damaged = store.damaged_files(record)
        if damaged:
            return f"has a damaged fold-{record.fold} ({', '.join(damaged)}); train again"
        if not _has_model(store, record):
            return record.model_note or f"has no model in fold-{record.fold}; train again"
    return ""


def _has_model(store: OofStore, record: FoldRecord) -> bool:
    if record.files:
        return any(name.startswith(f"{_MODEL}/") for name in record.files)
    return (store.fold_folder(record.member, record.fold) / _MODEL).is_dir()  # of a version that noted no files


def _records(name: str, predictions: Predictions) -> dict[int, FoldRecord]:
    folds = range(predictions.ledger.n_folds)
    return {fold: record for fold in folds if (record := predictions.record(name, fold)) is not None}


def _subject(member: MemberSettings, predictions: Predictions) -> Subject:
    records = _records(member.name, predictions)
    test_rows, ledger = len(predictions.test_logits), predictions.ledger
    predicted = sum(len(ledger.heldout(fold)) + test_rows for fold in records)
    return Subject(
        member,
        recipe_code(member.recipe),
        features_key(member.features) if member.features else None,
        {fold: record.checksums for fold, record in records.items()},
        max(record.seconds_features_per_photograph for record in records.values()),
        sum(record.seconds_predict for record in records.values()) / max(predicted, 1),
    )
