"""Import of external predictions: two files are checked and written to the store as one member."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pandas as pd

from ensemble.competition.columns import Split
from ensemble.config.settings import check_member_name, check_name
from ensemble.core.arrays import Array, Labels
from ensemble.core.console.text import first_few, plural
from ensemble.core.errors import InputProblems, UserError
from ensemble.core.metrics.intervals import standard_error
from ensemble.core.metrics.scores import correct_probabilities, to_logits, to_probabilities
from ensemble.core.storage.files import Location, new_folder, remove_folder, remove_unfinished, write_text
from ensemble.engine.tasks.base import ROUNDING
from ensemble.engine.tasks.fold import FoldResult
from ensemble.folds.ledger import FoldLedger
from ensemble.store.doubts import close, turned_around
from ensemble.store.external.leakage import Pair, leak_checks
from ensemble.store.external.reading import ExternalTable, read_external
from ensemble.store.oof import IMPORTED, RECORD, OofStore
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.record import IMPORTED_RECIPE, Provenance, from_text

_SCALES = ("auto", "probability", "logit")
_NEGATIVE = 0.1  # share of negative values from which on they are read as logits
_HUGS = (-0.5, 1.5)  # where nearly all values of a regression on 0 and 1 lie, and few logits
_FEW = 0.01


def import_predictions(
    store: OofStore,
    name: str,
    oof_file: Location,
    test_file: Location,
    *,
    same_folds: bool = False,
    scale: str = "auto",
    flip: bool = False,
) -> list[str]:
    """Check the predictions of an external member and store them as its folds. Return lines for the user.

    Both files have a row for each photograph (CSV, or Parquet by its ending): its name, matched as those of train.csv,
    and a probability of fake or a logit. The out-of-fold file has a column `fold` too, or `same_folds` states that the
    folds of the store's ledger were used. How its folds are numbered does not matter. The scale is probability, logit
    or auto: logits, if a tenth of the values is negative and not nearly all are close to [0, 1]. `flip` reads the
    values as those of a real photograph. An earlier import of the same name is replaced as a whole.

    Raises
    ------
    UserError
        A file or a row is invalid; nothing is stored, and an earlier import stays.
    """
    _check_name(store, name)
    if scale not in _SCALES:
        raise UserError(f"--scale takes {', '.join(_SCALES[:-1])} or {_SCALES[-1]}, not {scale!r}")
    ledger = store.ledger()
    oof, test = _read_both(store, ledger, name, oof_file, test_file)
    _check_folds(oof, ledger, same_folds)
    scale = _detect_scale(oof, test) if scale == "auto" else scale
    notes = [*oof.notes, *test.notes]
    values = Pair(_probabilities(oof, scale, notes), _probabilities(test, scale, notes))
    if flip:
        values = Pair(1 - values.oof, 1 - values.test)
    sample = store.sample()
    values.test[~sample.has_photograph] = [sample.fixed[each] for each in sample.names if each in sample.fixed]
    if np.array_equal(values.oof, ledger.labels):
        raise UserError(f"{oof_file} contains the labels in place of predictions; name the column of predictions pred")
    stored = _read(store)
    warnings = leak_checks(values, _others(stored, name), ledger.labels, ledger.n_folds)
    doubts = _doubts(stored, name, values, ledger.labels)
    _store(store, ledger, name, values, _origin(oof, test, scale, warnings))
    lines = [_summary(name, values, scale, ledger.labels), *notes, *_notes(oof, values)]
    return [*lines, *(f"WARNING: {warning}" for warning in [*warnings, *doubts])]


def remove_import(store: OofStore, name: str) -> None:
    """Delete an imported member.

    Raises
    ------
    UserError
        There is no imported member of this name.
    """
    if name not in store.imported():
        known = ", ".join(store.imported()) or "none"
        trained = "; it was trained here: take it out of the config" if _was_trained_here(store, name) else ""
        raise UserError(f"{name} is not an imported member of {store.root}{trained}; imported: {known}")
    if _was_trained_here(store, name):
        raise UserError(f"{store.member_folder(name)} contains folds that were trained here; nothing is removed")
    remove_folder(store.member_folder(name), RECORD, IMPORTED)


def _check_name(store: OofStore, name: str) -> None:
    try:
        check_member_name(check_name(name))
    except ValueError as error:
        raise UserError(str(error)) from None
    if name.lower() in {member.name.lower() for member in store.experiment().members}:
        raise UserError(f"{name} is a member of the config already; give the imported one another name")
    if name not in store.imported() and _was_trained_here(store, name):
        raise UserError(f"{store.member_folder(name)} contains a member that was trained here; give another name")


def _was_trained_here(store: OofStore, name: str) -> bool:
    """Return whether the member has a fold that was not imported. Leftovers of an interrupted import do not count."""
    return any(not _was_imported(path) for path in store.member_folder(name).glob(f"fold-*/{RECORD}"))


def _was_imported(record: Location) -> bool:
    try:
        return from_text(record.read_bytes()).trained_elsewhere
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _read_both(
    store: OofStore, ledger: FoldLedger, name: str, oof_file: Location, test_file: Location
) -> tuple[ExternalTable, ExternalTable]:
    """Read both files, a row for each photograph in the order of the ledger and of the sample."""
    sample, problems = store.sample(), dict[str, list[str]]()
    oof = read_external(oof_file, Split(ledger.table["name"].tolist()), problems)
    split = Split(sample.names, "test", "train")
    test = read_external(test_file, split, problems, sample.prediction_column, sample.fixed)
    if problems:
        raise InputProblems(f"the predictions of {name}", problems)
    if oof.sha256 == test.sha256:
        raise UserError(
            f"{oof_file} and {test_file} are the same file; give the predictions of the test photographs too"
        )
    return oof, test


def _check_folds(oof: ExternalTable, ledger: FoldLedger, same_folds: bool) -> None:
    """Raise a `UserError` unless the folds are the ledger's, however they are numbered."""
    if "fold" not in oof.table:
        if not same_folds:
            raise UserError(
                f"{oof.file} has no column fold; add it, or state with --same-folds that the ledger's folds were used "
                "(ensemble folds export writes them)"
            )
        return
    theirs = oof.table["fold"]
    names = theirs.groupby(ledger.folds).agg(lambda values: values.mode()[0])
    differing = oof.table["name"][names.to_numpy()[ledger.folds] != theirs.to_numpy()]
    if len(differing) or names.nunique() < ledger.n_folds:
        where = first_few(list(differing)) if len(differing) else f"{theirs.nunique()} folds, not {ledger.n_folds}"
        raise UserError(
            f"{oof.file} was made on different folds from the ledger's: {where}; train on the folds that "
            "ensemble folds export writes"
        )


def _detect_scale(oof: ExternalTable, test: ExternalTable) -> str:
    """Return the scale that both files seem to have; a few values out of range do not make them logits."""
    scales = ["logit" if _looks_like_logits(file.table["value"]) else "probability" for file in (oof, test)]
    if scales[0] != scales[1]:
        raise UserError(
            f"{oof.file} seems to contain {scales[0]} values, {test.file} {scales[1]} values; use one scale, "
            "or name it with --scale"
        )
    return scales[0]


def _looks_like_logits(values: pd.Series[float]) -> bool:
    """Return whether many values are negative; values that hug [0, 1] are those of a regression, and never logits."""
    return bool((values < 0).mean() >= _NEGATIVE and (~values.between(*_HUGS)).mean() >= _FEW)


def _probabilities(external: ExternalTable, scale: str, notes: list[str]) -> Array:
    values = external.table["value"].to_numpy(np.float64)
    if scale == "logit":
        return to_probabilities(values)
    beyond = np.maximum(-values, values - 1)
    outside = external.table[beyond > ROUNDING]
    if (beyond > _HUGS[1] - 1).any():
        row = outside.iloc[int(beyond[beyond > ROUNDING].argmax())]
        raise UserError(
            f"{external.file}: {row['name']} has {row['text']}, which is not a probability "
            f"({plural(len(outside), 'such row')}); correct it, or say with --scale logit that these are logits"
        )
    if len(outside):
        notes.append(
            f"WARNING: {external.file} has {plural(len(outside), 'value')} outside [0, 1], by {beyond.max():.2g} "
            "at most; they are clipped"
        )
    return values.clip(0, 1)


def _read(store: OofStore) -> Predictions | None:
    """Return the predictions that the store holds; None where none can be read."""
    try:
        return load_predictions(store)
    except UserError:  # nothing is trained yet, or it cannot be blended, which the next blend reports
        return None


def _doubts(stored: Predictions | None, name: str, values: Pair, labels: Labels) -> list[str]:
    """Return why the predictions may not be what they seem: turned around, or another member's."""
    if stored is None:
        return turned_around(values.oof, labels)
    logits = [to_logits(part).astype(np.float32)[:, None] for part in values]
    equal = [
        member
        for column, member in enumerate(stored.members)
        if member != name and all(map(close, logits, (stored.oof_logits[:, [column]], stored.test_logits[:, [column]])))
    ]
    return [*turned_around(values.oof, labels), *(f"it equals {member} in every row" for member in equal)]


def _others(stored: Predictions | None, name: str) -> Pair | None:
    """Average the logits of all other whole members, and return them as probabilities; None where there are none."""
    if stored is None:
        return None
    columns = [at for at, member in enumerate(stored.members) if member != name and member not in stored.partial]
    if not columns:
        return None
    both = (stored.oof_logits, stored.test_logits)
    oof, test = (logits[:, columns].mean(axis=1, dtype=np.float64) for logits in both)
    return Pair(to_probabilities(oof), to_probabilities(test))


def _origin(oof: ExternalTable, test: ExternalTable, scale: str, warnings: list[str]) -> dict[str, Any]:
    """Return the content of `imported.json`: the two files, how they were read, and warnings of the leak checks."""
    return {
        "oof_file": oof.file.name,
        "oof_sha256": oof.sha256,
        "test_file": test.file.name,
        "test_sha256": test.sha256,
        "scale": scale,
        "folds": "checked row by row" if "fold" in oof.table else "those of the ledger, by statement",
        "imported": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "smells": warnings,  # the name is part of the file format
    }


class _OneMember(OofStore):
    """Store whose root is the folder of one member while it is written."""

    def member_folder(self, member: str) -> Location:  # noqa: ARG002
        """Return the folder itself."""
        return self.root


def _store(store: OofStore, ledger: FoldLedger, name: str, values: Pair, origin: dict[str, Any]) -> None:
    """Write all folds and `imported.json`, replacing an earlier import as a whole."""
    recipe = {IMPORTED_RECIPE: {key: origin[key] for key in ("oof_sha256", "test_sha256")}}
    provenance = Provenance(recipe, ledger.sha256, store.facts()["sha256"], code="")
    now = time.time()
    remove_unfinished(store.member_folder(name).parent, name)
    with new_folder(store.member_folder(name), RECORD, IMPORTED) as folder:
        for fold in range(ledger.n_folds):
            result = FoldResult(
                name, fold, values.oof[ledger.heldout(fold)], values.test, 0.0, 0.0, now, now, 0.0, 0, {},
                model_note="trained elsewhere",
            )  # fmt: skip
            _OneMember(folder).write(result, provenance, ledger, store.sample(), 0.0)
        write_text(folder / IMPORTED, json.dumps(origin, indent=1) + "\n")


def _summary(name: str, values: Pair, scale: str, labels: Labels) -> str:
    right = correct_probabilities(values.oof, labels)
    accuracy = f"{right.mean():.4f} ± {standard_error(right):.4f}"
    rows = f"{len(values.oof)} out-of-fold and {len(values.test)} test rows"
    return f"{name}: {rows}, each read as a {scale}; OOF accuracy {accuracy}"


def _notes(oof: ExternalTable, values: Pair) -> list[str]:
    """Return notes for the user that are no warnings."""
    stated = "--same-folds states that its folds are those of the ledger; this cannot be verified"
    decided = "all its values are 0 or 1: a blend weighs probabilities, and treats such decisions as certain"
    return [
        *([] if "fold" in oof.table else [stated]),
        *([decided] if np.isin(np.concatenate(values), (0, 1)).all() else []),
    ]
