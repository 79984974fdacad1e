"""The package from Python: what a notebook needs to train, blend and report, and to read what a store holds.

The functions do what the commands of the same names do, in this process, and raise `UserError` for a user's mistake.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from ensemble.blend.run import blend as blend_predictions
from ensemble.competition.submission import read_submission, submission_target
from ensemble.config.experiment import Experiment
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import Scores, to_probabilities
from ensemble.core.storage.files import Location, location
from ensemble.core.storage.hashing import file_sha256
from ensemble.core.storage.lock import only_writer
from ensemble.core.storage.parquet import read_parquet
from ensemble.report.facts.leaderboard import leaderboard
from ensemble.report.publish import publish
from ensemble.report.write import PAGE
from ensemble.store.oof import BLEND_OOF, SUBMISSION, OofStore
from ensemble.store.opening import competition_of, find_store
from ensemble.store.predictions import Predictions, load_predictions
from ensemble.store.replacing import finish_replacing
from ensemble.store.results import BLEND, current_manifest
from ensemble.train import train as train_members
from ensemble.training.budget import Limits
from ensemble.training.plan import choose_members

__all__ = [
    "BlendResult", "Experiment", "ReportResult", "Store", "TrainResult", "UserError", "blend", "load_experiment",
    "open_store", "report", "train",
]  # fmt: skip

Address = str | Path
Named = Address | Experiment


@dataclass(frozen=True)
class Store:
    """What a store holds, as tables. Each is read when it is first used; open the store again after more training.

    Attributes
    ----------
    root : path
        The store's folder.
    experiment : Experiment
        The config that it was opened with, or else the one that it was last trained with.
    """

    root: Location
    experiment: Experiment

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One row a member, the best first, below the row of the blend where there is one.

        Columns: member, measured_on, n, accuracy, standard_error, fold_min, fold_max, log_loss, auc, ece, weight,
        seconds, photographs_per_second.
        """
        return leaderboard(self._store, self._predictions)

    @cached_property
    def oof(self) -> pd.DataFrame:
        """Out-of-fold probabilities of fake: name, fold, label, a column for each member, and `blend` (nested).

        The rows are the training photographs; NaN where a fold is not trained yet. The column `blend` is there when
        the last blend was made from these predictions.
        """
        made = self._predictions
        table = made.ledger.table[["name", "fold", "label"]].reset_index(drop=True)
        table = _with_members(table, made.members, to_probabilities(made.oof_logits.astype(float)))
        if current_manifest(self._store, made) is None:
            return table
        blended = read_parquet(self._store.blend_folder / BLEND_OOF)
        return table.assign(**{BLEND: table["name"].map(blended.set_index("name")["pred"])})

    @cached_property
    def test(self) -> pd.DataFrame:
        """Test probabilities of fake: name, a column for each member, and `blend`: the submission, if it is as written.

        The rows are those of the sample submission, in its order. A member's value is that of the mean of the logits
        of its folds; NaN where the photograph could not be read.
        """
        made, sample = self._predictions, self._store.sample()
        probabilities = to_probabilities(made.test_logits.astype(float))
        probabilities[~sample.has_photograph] = np.nan
        table = _with_members(pd.DataFrame({"name": sample.names}), made.members, probabilities)
        manifest, file = current_manifest(self._store, made), self._store.blend_folder / SUBMISSION
        if manifest is None or not file.exists() or file_sha256(file) != manifest["submission_sha256"]:
            return table
        submitted = read_submission(file, sample)
        return table.assign(**{BLEND: table["name"].map(submitted)})

    @cached_property
    def _store(self) -> OofStore:
        return OofStore(self.root)

    @cached_property
    def _predictions(self) -> Predictions:
        return load_predictions(self._store, self.experiment)


@dataclass(frozen=True)
class TrainResult:
    """Outcome of `train`.

    Attributes
    ----------
    complete : bool
        Whether the store holds every fold that was requested and for which the budget had time.
    store : Store
    """

    complete: bool
    store: Store


@dataclass(frozen=True)
class BlendResult:
    """Outcome of `blend`.

    Attributes
    ----------
    chosen, reason : str
        The blender, and why it was chosen.
    measured_on : str
        What `scores` were measured on, such as "nested OOF".
    scores : Scores
        n, accuracy, standard_error, log_loss, auc and ece.
    weights : dict or None
        Of each member; None for a blender that has no weights.
    submission : path
    manifest : dict
        All of `blend.json`.
    store : Store
    """

    chosen: str
    reason: str
    measured_on: str
    scores: Scores
    weights: dict[str, float] | None
    submission: Location
    manifest: dict[str, Any]
    store: Store


@dataclass(frozen=True)
class ReportResult:
    """Outcome of `report`.

    Attributes
    ----------
    page : path
        The written `report.html`.
    leaderboard : DataFrame
    """

    page: Location
    leaderboard: pd.DataFrame


def open_store(store: Named, oof: Address = "oof") -> Store:
    """Open a trained store: by its folder (`oof/demo`, `s3://bucket/oof/demo`), its config or its experiment.

    `oof` is the root of the stores, for a config or an experiment.

    Raises
    ------
    UserError
        There is no such store, or a newer version wrote it.
    """
    found, experiment = _find(store, oof)
    return Store(found.root, experiment)


def train(
    config: Named,
    data: Address = "data",
    oof: Address = "oof",
    engine: str = "ray",
    members: Sequence[str] | str = (),
    timeout: str | None = None,
    budget: str | None = None,
) -> TrainResult:
    """Train every member on every fold that the store does not hold yet, and write the report.

    Parameters
    ----------
    config : path or Experiment
    data : path
        Folder with the archive (or train/, test/) and the two tables; or the archive; or an address of it.
    oof : path
        Root of the stores: this run's is `oof/<name in the config>`.
    engine : {"ray", "inline"}
        A local Ray or the cluster in RAY_ADDRESS; or this process.
    members : sequence of str, or str
        Train only these.
    timeout, budget : str
        End a fold that runs longer; end the run in time. Durations such as "90s" or "1h30m".

    Raises
    ------
    UserError
        The config or the data are faulty, or another run is writing to the store.
    """
    experiment, started = _experiment(config), time.monotonic()
    limits = Limits.parse(timeout, budget, started)
    store = OofStore(location(oof) / experiment.name)
    chosen = choose_members(experiment, members if isinstance(members, str) else ",".join(members))
    complete = train_members(experiment, chosen, location(data), store, engine, limits)
    return TrainResult(complete, Store(store.root, experiment))


def blend(store: Named, oof: Address = "oof", output: Address | None = None) -> BlendResult:
    """Fit the blenders of the config, choose one by its nested score, and write submit.csv and the report.

    `store` and `oof` are those of `open_store`; `output` is where a copy of the submission goes.

    Raises
    ------
    UserError
        No member has a finished fold, or another run is writing to the store.
    """
    found, experiment = _find(store, oof)
    copy = None if output is None else submission_target(location(output))
    with only_writer(found.root, "blend"):
        predictions = load_predictions(found, experiment)
        manifest = blend_predictions(found, experiment, copy, predictions=predictions)
    publish(found, Console(quiet=True), experiment, predictions)
    weights = manifest["weights"]
    scores: dict[str, Any] = {key: math.nan if value is None else value for key, value in manifest["nested"].items()}
    return BlendResult(
        chosen=manifest["chosen"],
        reason=manifest["reason"],
        measured_on=manifest["measured_on"],
        scores=Scores(**scores),
        weights=None if weights is None else dict(zip(manifest["members"], weights, strict=True)),
        submission=copy or found.blend_folder / SUBMISSION,
        manifest=manifest,
        store=Store(found.root, experiment),
    )


def report(store: Named, oof: Address = "oof", data: Address | None = None) -> ReportResult:
    """Write the report, the leaderboard and the members' pages from what the store holds.

    `store` and `oof` are those of `open_store`; `data` is the competition, for photographs that the report shows and
    the store does not hold.

    Raises
    ------
    UserError
        No member has a finished fold, or `data` is not what the store was trained on.
    """
    found, experiment = _find(store, oof)
    predictions = load_predictions(found, experiment)
    competition = None if data is None else competition_of(found, experiment.data, location(data))
    publish(found, Console(quiet=True), experiment, predictions, competition)
    return ReportResult(found.root / PAGE, leaderboard(found, predictions))


def _experiment(config: Named) -> Experiment:
    return config if isinstance(config, Experiment) else load_experiment(location(config))


def _find(store: Named, oof: Address) -> tuple[OofStore, Experiment]:
    if not isinstance(store, Experiment):
        return find_store(location(store), location(oof))
    found = OofStore(location(oof) / store.name)
    finish_replacing(found)
    if not found.exists():
        raise UserError(f"{found.root} is not a store of a trained experiment; train first")
    return found, store


def _with_members(table: pd.DataFrame, members: list[str], probabilities: Any) -> pd.DataFrame:
    return pd.concat([table, pd.DataFrame(probabilities, columns=members)], axis=1)
