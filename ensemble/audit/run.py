"""All audits of a competition, one after the other; one that fails reports why, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.audit.files import copies, formats, header, names
from ensemble.audit.files.copies import Pair
from ensemble.audit.learned import adversarial, drift, permutation
from ensemble.competition.dataset import Competition
from ensemble.config.experiment import Experiment
from ensemble.core.arrays import Pixels
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import sentence
from ensemble.core.errors import UserError, reason
from ensemble.core.storage.hashing import digest
from ensemble.engine.base import Engine
from ensemble.engine.recipes.build import build
from ensemble.engine.recipes.code import features_key, framework_code, versions
from ensemble.folds.ledger import FoldLedger
from ensemble.store.checks import Check, checks_of, not_run, read_content, write_audit, write_files
from ensemble.store.columns import SPECTRA, columns_missing, make_columns, read_columns
from ensemble.store.context import RunContext
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions

FARTHEST = 60  # bits of 256 in which hashes of look-alikes differ; beyond, all faces of one pose look alike
_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "pillow")  # that can change a verdict


@dataclass(frozen=True)
class Subject:
    """What is audited.

    Attributes
    ----------
    predictions : Predictions, optional
        Those of the store: then the members are audited too.
    """

    competition: Competition
    ledger: FoldLedger
    experiment: Experiment
    store: OofStore
    predictions: Predictions | None = None

    def made_of(self) -> dict[str, Any]:
        """Return hashes of everything that decides what audits find."""
        try:
            key = features_key(self.experiment.report.spectra)
        except Exception:  # a wrong path, a fault in a module: the audits that need it report that
            key = ""
        return {
            "data_sha256": self.competition.sha256,
            "folds_sha256": self.ledger.sha256,
            "spectra": key,
            "code": digest([framework_code(), {name: versions().get(name) for name in _LIBRARIES}]),
            "predictions": None if self.predictions is None else digest(self.predictions.hashes),
        }


def audit(
    subject: Subject, engine: Engine, board: ProgressBoard, pixels: Pixels | None = None, quick: bool = False
) -> list[Check]:
    """Run every audit and store the results; return the stored ones if nothing has changed since.

    Parameters
    ----------
    pixels : uint8 (photographs, height, width, 3), optional
        All photographs decoded, training rows first; decoded here where they are needed and not given.
    quick : bool
        Compute no spectra: audits that need them run only where the store holds them.
    """
    known = known_checks(subject)
    if known is not None:
        return known
    inputs = _Inputs(subject, engine, board, pixels, quick)
    checks = [*_files(inputs), *_learned(inputs)]
    try:
        if "formats" not in inputs.unfinished:
            write_files(subject.store, inputs.facts)
        write_audit(subject.store, checks, {**subject.made_of(), "unfinished": inputs.unfinished})
    except (OSError, UserError) as error:
        board.log(f"the results of the audits could not be stored: {reason(error)}")
    return checks


def audit_and_log(subject: Subject, engine: Engine, board: ProgressBoard, pixels: Pixels) -> None:
    """Run every audit but those whose spectra are missing, and log those whose verdict is look or alarm."""
    for line in warnings_of(audit(subject, engine, board, pixels, quick=True)):
        board.log(line)


def needs_spectra(subject: Subject) -> bool:
    """Return whether audits are to be run that read spectra which the store does not have."""
    if known_checks(subject) is not None:
        return False
    recipe = subject.experiment.report.spectra
    try:
        build(recipe)
        return columns_missing(recipe, subject.competition, subject.store, SPECTRA)
    except Exception:  # a wrong path, a fault in a module: the audits that need it report that
        return False


def known_checks(subject: Subject) -> list[Check] | None:
    """Return the stored checks of the same data, folds, spectra and code; None if any audit could not run then."""
    content = stored_results(subject)
    return None if content is None or content.get("unfinished") else checks_of(content)


def stored_results(subject: Subject) -> dict[str, Any] | None:
    """Return what the store has of the same data, folds, spectra and code; None if it has nothing of them.

    Without predictions, those that an earlier audit saw are as good.
    """
    content = read_content(subject.store)
    ignored = "predictions" if subject.predictions is None else ""
    made_of = {key: value for key, value in subject.made_of().items() if key != ignored}
    return content if content is not None and made_of.items() <= content.items() else None


def warnings_of(checks: list[Check]) -> list[str]:
    """Return a line for each check whose verdict is look or alarm."""
    return [f"audit {check.verdict}: {check.sentence}" for check in checks if check.verdict in ("look", "alarm")]


@dataclass
class _Inputs:
    subject: Subject
    engine: Engine
    board: ProgressBoard
    decoded: Pixels | None
    quick: bool
    unfinished: list[str] = field(default_factory=list, init=False)  # audits that could not run

    @cached_property
    def pixels(self) -> Pixels:
        return self.subject.competition.decode() if self.decoded is None else self.decoded

    @cached_property
    def facts(self) -> pd.DataFrame:
        competition = self.subject.competition
        keep = [*[True] * competition.train_rows, *competition.sample.has_photograph]
        rows, names = np.flatnonzero(keep).tolist(), competition.identities
        return header.facts_of(competition.encoded.take(rows), [names[row] for row in rows])

    @property
    def distance(self) -> int:
        """Most bits in which the perceptual hashes of one picture differ."""
        return self.subject.experiment.folds.near_duplicate_distance

    @cached_property
    def look_alikes(self) -> list[Pair]:
        """Pairs up to twice the distance, including those that folds may split."""
        competition = self.subject.competition
        contents = [competition.contents[name] for name in competition.identities]
        return copies.find_pairs(contents, self.pixels, self.distance, min(2 * self.distance, FARTHEST))

    @property
    def pairs(self) -> list[Pair]:
        """Pairs that show one picture."""
        return [pair for pair in self.look_alikes if pair.bits <= self.distance]

    @cached_property
    def spectra(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns of the training rows and of the test rows."""
        subject, recipe = self.subject, self.subject.experiment.report.spectra
        if columns_missing(recipe, subject.competition, subject.store, SPECTRA):
            if self.quick:
                raise Skipped("This run has no spectra of the photographs; ensemble audit computes them.")
            context = RunContext(subject.competition, subject.ledger, subject.store, self.engine, self.board)
            make_columns(recipe, context, self.pixels, SPECTRA)
        found = read_columns(subject.store, subject.ledger, recipe, SPECTRA, subject.competition.sample.names)
        if found is None:
            raise ValueError(f"there are no spectra of the photographs ({recipe.use})")
        return found

    def guarded(self, name: str, title: str, make: Callable[[], Check]) -> Check:
        """Return its check, or why there is none: no audit is worth a run."""
        try:
            return make()
        except Skipped as skipped:
            why = str(skipped)
        except Exception as error:
            why = f"It could not run: {sentence(f'{type(error).__name__}: {error}')}"
        self.unfinished.append(name)
        return not_run(name, title, why)


def _files(inputs: _Inputs) -> list[Check]:
    ledger, rows = inputs.subject.ledger, inputs.subject.competition.train_rows
    tested, table = inputs.subject.competition.sample.names, inputs.subject.ledger.table

    def of_formats() -> Check:
        return formats.formats(inputs.facts.iloc[:rows], ledger.labels, ledger.folds)

    def of_test_formats() -> Check:
        return formats.formats_of_test(inputs.facts.iloc[:rows], inputs.facts.iloc[rows:])

    def of_names() -> Check:
        return names.names(list(table["name"]), ledger.labels, ledger.folds, list(table["group"]))

    return [
        inputs.guarded("formats", formats.TITLE, of_formats),
        inputs.guarded("formats_of_test", formats.TEST_TITLE, of_test_formats),
        inputs.guarded(copies.WITHIN, copies.WITHIN_TITLE, lambda: copies.within_train(inputs.pairs, ledger)),
        inputs.guarded(copies.ACROSS, copies.ACROSS_TITLE, lambda: copies.across(inputs.pairs, ledger, tested)),
        inputs.guarded("names", names.TITLE, of_names),
    ]


def _learned(inputs: _Inputs) -> list[Check]:
    ledger, predictions = inputs.subject.ledger, inputs.subject.predictions

    def of_sets() -> Check:
        train, test = inputs.spectra
        groups = copies.copies(inputs.pairs, list(ledger.table["group"]), len(train) + len(test))
        return adversarial.adversarial(train, test, ledger.labels, ledger.seed, groups)

    def of_labels() -> Check:
        train, _ = inputs.spectra
        groups = copies.look_alikes(inputs.look_alikes, len(train))
        best = None if predictions is None else permutation.best_auc(predictions)
        return permutation.permutation(train, ledger.labels, ledger.folds, ledger.seed, best, groups)

    def of_answers() -> Check:
        if predictions is None:
            return not_run(drift.NAME, drift.TITLE, "No member has predicted anything yet.")
        return drift.drift_in(inputs.subject.store, predictions)

    return [
        inputs.guarded(adversarial.NAME, adversarial.TITLE, of_sets),
        inputs.guarded(permutation.NAME, permutation.TITLE, of_labels),
        inputs.guarded(drift.NAME, drift.TITLE, of_answers),
    ]


class Skipped(Exception):
    """Raised by an audit that is left for another time; the message is the reason."""
