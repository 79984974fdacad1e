"""From two files to a member of the store: checks that stop a wrong one, and a member written as a whole."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass

import numpy as np

from ensemble.core.arrays import Array, Labels
from ensemble.core.errors import InputProblems, UserError
from ensemble.core.metrics.intervals import standard_error
from ensemble.core.metrics.scores import is_right, to_probabilities
from ensemble.core.storage.files import Location, new_folder, remove_unfinished, write_text
from ensemble.engine.tasks.fold import FoldResult
from ensemble.folds.ledger import FoldLedger
from ensemble.store.external.leakage import Pair, leak_smells
from ensemble.store.external.reading import Given, Problems, in_order, read_given
from ensemble.store.oof import IMPORTED, RECORD, OofStore
from ensemble.store.predictions import load_predictions
from ensemble.store.record import IMPORTED_RECIPE, Provenance, from_text

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")  # as the config's members
_SCALES = ("auto", "probability", "logit")
_NEGATIVE = 0.1  # from this share of negative values on, they are taken for logits


def import_predictions(
    store: OofStore,
    name: str,
    oof_file: Location,
    test_file: Location,
    *,
    same_folds: bool = False,
    scale: str = "auto",
) -> list[str]:
    """Check the predictions of a foreign member and store them as its folds. Returns what a person should know.

    Both files hold a row for each photograph (CSV, or Parquet by its ending): its name, with or without extension, and
    a probability of fake or a logit. The out-of-fold file has a column `fold` too, or `same_folds` states that the
    folds of the store's ledger were used. How its folds are numbered does not matter. The scale is probability, logit
    or auto: logits, if a tenth of the values is negative. An earlier import of the same name is replaced as a whole.

    Raises
    ------
    UserError
        A file or a row is not as it should be; nothing is stored, and what was stored before stays.
    """
    _check_name(store, name)
    if scale not in _SCALES:
        raise UserError(f"--scale {scale}: it is {', '.join(_SCALES[:-1])} or {_SCALES[-1]}")
    ledger = store.ledger()
    oof, test = _read_both(store, ledger, name, oof_file, test_file)
    _check_folds(oof, ledger, same_folds)
    heard = _heard(oof, test) if scale == "auto" else scale
    values = Pair(_probabilities(oof, heard), _probabilities(test, heard))
    if np.array_equal(values.oof, ledger.labels):
        raise UserError(f"{oof_file} holds the labels where predictions belong; name the column of predictions pred")
    smells = leak_smells(values, _others(store, name), ledger.labels, ledger.n_folds)
    _store(store, ledger, name, values, _origin(oof, test, heard, smells))
    return [_summary(name, values, heard, ledger.labels), *_remarks(oof, values), *(f"WARNING: {s}" for s in smells)]


def _check_name(store: OofStore, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be a member's name; use letters, digits, _ . and -, at most 80")
    if name.lower() in {member.name.lower() for member in store.experiment().members}:
        raise UserError(f"{name} is a member of the config already; give the imported one another name")
    if name not in store.imported() and _was_trained_here(store, name):
        raise UserError(f"{store.member_folder(name)} holds a member that was trained here; give another name")


def _was_trained_here(store: OofStore, name: str) -> bool:
    """Whether a fold of that name holds work. What an import left that was cut short on an object store is none."""
    return any(not _came_here(path) for path in store.member_folder(name).glob(f"fold-*/{RECORD}"))


def _came_here(record: Location) -> bool:
    try:
        return from_text(record.read_bytes()).trained_elsewhere
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _read_both(
    store: OofStore, ledger: FoldLedger, name: str, oof_file: Location, test_file: Location
) -> tuple[Given, Given]:
    """Both files, a row for each photograph in the order of the ledger and of the sample."""
    sample, problems = store.sample(), Problems()
    called, filled = sample.name_column.lower(), sample.prediction_column.lower()
    oof = in_order(read_given(oof_file, called), ledger.table["name"].tolist(), "train", problems)
    test = in_order(read_given(test_file, called, filled), sample.names, "test", problems)
    if problems:
        raise InputProblems(f"the predictions of {name}", problems)
    if oof.sha256 == test.sha256:
        raise UserError(
            f"{oof_file} and {test_file} are the same file; give the predictions of the test photographs too"
        )
    return oof, test


def _check_folds(oof: Given, ledger: FoldLedger, same_folds: bool) -> None:
    """The same parts as the ledger's, whatever they are called."""
    if "fold" not in oof.table:
        if not same_folds:
            raise UserError(
                f"{oof.file} has no column fold; add it, or state with --same-folds that the ledger's folds were used "
                "(ensemble folds export gives them)"
            )
        return
    theirs = oof.table["fold"]
    usual = theirs.groupby(ledger.folds).agg(lambda values: values.mode()[0])
    astray = oof.table["name"][usual.to_numpy()[ledger.folds] != theirs.to_numpy()]
    if len(astray) or usual.nunique() < ledger.n_folds:
        more = f" (+{len(astray) - 5} more)" if len(astray) > 5 else ""
        where = f"{', '.join(astray[:5])}{more}" if len(astray) else f"{theirs.nunique()} folds, not {ledger.n_folds}"
        raise UserError(
            f"{oof.file} was made on other folds than the ledger's: {where}; train on the folds that "
            "ensemble folds export gives"
        )


def _heard(oof: Given, test: Given) -> str:
    """The scale that both files seem to have; a probability that is out of range here and there makes no logits."""
    scales = ["logit" if (given.table["value"] < 0).mean() >= _NEGATIVE else "probability" for given in (oof, test)]
    if scales[0] != scales[1]:
        raise UserError(
            f"{oof.file} reads as {scales[0]}, {test.file} as {scales[1]}; bring both to one scale, or name it with "
            "--scale"
        )
    return scales[0]


def _probabilities(given: Given, scale: str) -> Array:
    values = given.table["value"].to_numpy(np.float64)
    if scale == "logit":
        return to_probabilities(values)
    outside = given.table[(values < 0) | (values > 1)]
    if len(outside):
        row = outside.iloc[0]
        raise UserError(
            f"{given.file}: {row['name']} has {row['text']}, which is no probability ({len(outside)} such rows); "
            "mend it, or say --scale logit"
        )
    return values


def _others(store: OofStore, name: str) -> Pair | None:
    """The mean logit of all members but this one, as probabilities."""
    try:
        read = load_predictions(store)
    except UserError:  # nothing is trained yet, or it cannot be blended, which the next blend will tell
        return None
    columns = [column for column, member in enumerate(read.members) if member != name]
    if not columns:
        return None
    oof, test = (logits[:, columns].mean(axis=1, dtype=np.float64) for logits in (read.oof_logits, read.test_logits))
    return Pair(to_probabilities(oof), to_probabilities(test))


@dataclass(frozen=True)
class _Origin:
    """What `imported.json` tells: the two files, how they were read, and what was noticed."""

    oof_file: str
    oof_sha256: str
    test_file: str
    test_sha256: str
    scale: str
    folds: str
    imported: str
    smells: list[str]


def _origin(oof: Given, test: Given, heard: str, smells: list[str]) -> _Origin:
    folds = "checked row by row" if "fold" in oof.table else "those of the ledger, by statement"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return _Origin(oof.file.name, oof.sha256, test.file.name, test.sha256, heard, folds, now, smells)


class _OneMember(OofStore):
    """A member's folder as it is being made."""

    def member_folder(self, member: str) -> Location:  # noqa: ARG002
        """The folder itself."""
        return self.root


def _store(store: OofStore, ledger: FoldLedger, name: str, values: Pair, origin: _Origin) -> None:
    """Write all folds and `imported.json`: together they take the place of what was there, or nothing does."""
    recipe = {IMPORTED_RECIPE: {"oof_sha256": origin.oof_sha256, "test_sha256": origin.test_sha256}}
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
        write_text(folder / IMPORTED, json.dumps(asdict(origin), indent=1) + "\n")


def _summary(name: str, values: Pair, heard: str, labels: Labels) -> str:
    right = is_right(values.oof, labels)
    accuracy = f"{right.mean():.4f} ± {standard_error(right):.4f}"
    rows = f"{len(values.oof)} out-of-fold and {len(values.test)} test rows"
    return f"{name}: {rows}, each read as a {heard}; OOF accuracy {accuracy}"


def _remarks(oof: Given, values: Pair) -> list[str]:
    """What is no fault, but should be known."""
    stated = "its folds are those of the ledger by your word; nothing here can verify that"
    decided = "all its values are 0 or 1: a blend weighs probabilities, and takes such decisions for certainties"
    return [
        *([] if "fold" in oof.table else [stated]),
        *([decided] if np.isin(np.concatenate(values), (0, 1)).all() else []),
    ]
