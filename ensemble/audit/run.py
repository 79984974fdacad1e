"""All audits of a competition, one after the other; one that fails tells why, and ends nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.audit.files.copies import Pair
from ensemble.audit.store import audit_code, checks_of, read_content, write_audit, write_files
from ensemble.competition.dataset import Competition
from ensemble.config import Experiment
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import sentence
from ensemble.core.errors import UserError
from ensemble.core.storage.hashing import digest
from ensemble.engine.base import Engine
from ensemble.engine.recipes.code import features_key
from ensemble.folds.ledger import FoldLedger
from ensemble.store.checks import Check, not_run
from ensemble.store.columns import SPECTRA, columns_missing, make_columns, read_columns
from ensemble.store.context import RunContext
from ensemble.store.oof import OofStore
from ensemble.store.predictions import Predictions

FARTHEST = 60  # bits of 256 in which hashes of look-alikes differ; beyond, all faces of one pose are alike


def audit(
    competition: Competition,
    pixels: NDArray[np.uint8] | None,
    ledger: FoldLedger,
    experiment: Experiment,
    store: OofStore,
    engine: Engine,
    board: ProgressBoard,
    predictions: Predictions | None = None,
    *,
    quick: bool = False,
) -> list[Check]:
    """Make every audit, and write what was found into the store. What was audited already is not audited again.

    Parameters
    ----------
    pixels : uint8 (photographs, height, width, 3), optional
        All photographs decoded, training rows first; decoded here where they are needed and not given.
    predictions : Predictions, optional
        Those of the store: then the members are audited too.
    quick : bool
        Compute no spectra: audits that need them are made only where the store holds them.
    """
    known = known_checks(competition, ledger, experiment, store, predictions)
    if known is not None:
        return known
    material = _Material(competition, pixels, ledger, experiment, store, engine, board, predictions, quick)
    checks = [*_files(material), *_learned(material)]
    try:
        if "formats" not in material.unfinished:
            write_files(store, material.facts)
        made_of = _made_of(competition, ledger, experiment, predictions)
        write_audit(store, checks, {**made_of, "unfinished": material.unfinished})
    except (OSError, UserError) as error:
        board.log(f"what the audits found could not be kept: {error}")
    return checks


def audit_and_tell(
    competition: Competition,
    pixels: NDArray[np.uint8],
    ledger: FoldLedger,
    experiment: Experiment,
    store: OofStore,
    engine: Engine,
    board: ProgressBoard,
    *,
    quick: bool,
) -> None:
    """Look for shortcuts in the data before hours are spent on them, and say what asks for a look."""
    for line in told(audit(competition, pixels, ledger, experiment, store, engine, board, quick=quick)):
        board.log(line)


def known_checks(
    competition: Competition,
    ledger: FoldLedger,
    experiment: Experiment,
    store: OofStore,
    predictions: Predictions | None = None,
) -> list[Check] | None:
    """What is stored of the same data, folds, spectra and code; None where an audit could not be made then.

    Without predictions at hand, those that an earlier audit saw are as good.
    """
    content = read_content(store)
    if content is None:
        return None
    made_of = _made_of(competition, ledger, experiment, predictions)
    ignored = "predictions" if predictions is None else ""
    same = all(content.get(key) == value for key, value in made_of.items() if key != ignored)
    return checks_of(content) if same and not content.get("unfinished") else None


def told(checks: list[Check]) -> list[str]:
    """A line for each check that asks for a look or is an alarm."""
    return [f"audit {check.verdict}: {check.sentence}" for check in checks if check.verdict in ("look", "alarm")]


@dataclass
class _Material:
    competition: Competition
    given: NDArray[np.uint8] | None
    ledger: FoldLedger
    experiment: Experiment
    store: OofStore
    engine: Engine
    board: ProgressBoard
    predictions: Predictions | None
    quick: bool
    unfinished: list[str] = field(default_factory=list)  # audits that could not be made

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        return self.competition.decode() if self.given is None else self.given

    @cached_property
    def facts(self) -> pd.DataFrame:
        from ensemble.audit.files.header import facts_of

        return facts_of(self.competition.encoded, self.competition.identities)

    @property
    def distance(self) -> int:
        """Most bits in which the perceptual hashes of one picture differ."""
        return self.experiment.folds.near_duplicate_distance

    @cached_property
    def look_alikes(self) -> list[Pair]:
        """Pairs up to twice the distance: those that the folds do not mind, too."""
        from ensemble.audit.files.copies import find_pairs

        contents = [self.competition.contents[name] for name in self.competition.identities]
        return find_pairs(contents, self.pixels, self.distance, min(2 * self.distance, FARTHEST))

    @property
    def pairs(self) -> list[Pair]:
        """Pairs that show one picture."""
        return [pair for pair in self.look_alikes if pair.bits <= self.distance]

    @cached_property
    def spectra(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Columns of the training rows and of the test rows."""
        recipe, sample = self.experiment.report.spectra, self.competition.sample.names
        if columns_missing(recipe, self.competition, self.store, SPECTRA):
            if self.quick:
                raise Skipped("A run with a budget leaves this to ensemble audit.")
            context = RunContext(self.competition, self.ledger, self.store, self.engine, self.board)
            make_columns(recipe, context, self.pixels, SPECTRA)
        found = read_columns(self.store, self.ledger, recipe, SPECTRA, sample)
        if found is None:
            raise ValueError(f"there are no spectra of the photographs ({recipe.use})")
        return found

    def guarded(self, name: str, title: str, make: Callable[[], Check]) -> Check:
        """Its check; or why there is none: no audit is worth a run."""
        try:
            return make()
        except Skipped as reason:
            why = str(reason)
        except Exception as error:
            why = f"It could not be made: {sentence(f'{type(error).__name__}: {error}')}"
        self.unfinished.append(name)
        return not_run(name, title, why)


def _files(material: _Material) -> list[Check]:
    from ensemble.audit.files import copies as twice
    from ensemble.audit.files import formats as made
    from ensemble.audit.files import names as called

    ledger, rows = material.ledger, material.competition.train_rows
    tested = material.competition.sample.names
    return [
        material.guarded(
            "formats", made.TITLE, lambda: made.formats(material.facts.iloc[:rows], ledger.labels, ledger.folds)
        ),
        material.guarded(
            "formats_of_test",
            made.TEST_TITLE,
            lambda: made.formats_of_test(material.facts.iloc[:rows], material.facts.iloc[rows:]),
        ),
        material.guarded(twice.WITHIN, twice.WITHIN_TITLE, lambda: twice.within_train(material.pairs, ledger)),
        material.guarded(twice.ACROSS, twice.ACROSS_TITLE, lambda: twice.across(material.pairs, ledger, tested)),
        material.guarded(
            "names",
            called.TITLE,
            lambda: called.names(list(ledger.table["name"]), ledger.labels, ledger.folds, list(ledger.table["group"])),
        ),
    ]


def _learned(material: _Material) -> list[Check]:
    from ensemble.audit.files import copies as duplicates
    from ensemble.audit.learned import adversarial, drift, permutation

    ledger, predictions = material.ledger, material.predictions

    def told_apart() -> Check:
        train, test = material.spectra
        groups = duplicates.copies(material.pairs, list(ledger.table["group"]), len(train) + len(test))
        return adversarial.adversarial(train, test, ledger.labels, ledger.seed, groups)

    def learned_from() -> Check:
        train, _ = material.spectra
        alike = duplicates.look_alikes(material.look_alikes, len(train))
        best = None if predictions is None else permutation.best_auc(predictions)
        return permutation.permutation(train, ledger.labels, ledger.folds, ledger.seed, best, alike)

    def answered() -> Check:
        if predictions is None:
            return not_run(drift.NAME, drift.TITLE, "No member has predicted anything yet.")
        return drift.drift(predictions)

    return [
        material.guarded(adversarial.NAME, adversarial.TITLE, told_apart),
        material.guarded(permutation.NAME, permutation.TITLE, learned_from),
        material.guarded(drift.NAME, drift.TITLE, answered),
    ]


class Skipped(Exception):
    """An audit that is left for another time; the message is the reason."""


def _made_of(
    competition: Competition, ledger: FoldLedger, experiment: Experiment, predictions: Predictions | None
) -> dict[str, Any]:
    """Whatever decides what audits find, by its hash."""
    spectra = experiment.report.spectra
    try:
        key = features_key(spectra)
    except Exception:  # a wrong path, a fault in a module: the audits that need it tell so
        key = ""
    return {
        "data_sha256": competition.sha256,
        "folds_sha256": ledger.sha256,
        "spectra": key,
        "code": audit_code(),
        "predictions": None if predictions is None else digest(predictions.hashes),
    }
