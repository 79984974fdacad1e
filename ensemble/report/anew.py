"""The whole report written again, after something that it tells of has been found out."""

from __future__ import annotations

from collections.abc import Callable

from ensemble.config import Experiment
from ensemble.report.facts.material import Material
from ensemble.report.write import PAGE, write_report
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions


def report_anew(store: OofStore, experiment: Experiment, log: Callable[[str], None]) -> None:
    """Write it and say where; that it could not be written is said too, for what was found out is kept all the same."""
    try:
        write_report(Material.of(store, experiment, load_predictions(store, experiment)))
    except Exception as error:
        log(f"the report could not be written ({type(error).__name__}: {error}); run ensemble report")
    else:
        log(f"report: {store.root / PAGE}")
