"""ensemble blend: write the submission and its score, or import predictions that were made elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from ensemble.competition.submission import submission_target
from ensemble.config.experiment import Experiment
from ensemble.core.console.console import make_console, say, start, verbs
from ensemble.core.console.options import STORE_HELP, OofOption, StoreArgument, parsed_location
from ensemble.core.console.text import listed
from ensemble.core.metrics.scores import correct_probabilities
from ensemble.core.storage.files import Location
from ensemble.core.storage.lock import only_writer
from ensemble.store.oof import SUBMISSION, OofStore
from ensemble.store.opening import find_store


def main(
    store: StoreArgument = None,
    oof: OofOption = Path("oof"),
    output: Annotated[
        Location | None,
        typer.Option("--output", "-o", parser=parsed_location, metavar="PATH", help="Also write the submission here."),
    ] = None,
    without: Annotated[str, typer.Option(help="Leave these members out, separated by commas.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Use only blenders that do not search with Optuna.")] = False,
    correct_prior: Annotated[
        bool,
        typer.Option(
            "--correct-prior",
            help="Correct the submission for the estimated share of fakes among the test photographs.",
        ),
    ] = False,
    rebuild_from: Annotated[
        Location | None,
        typer.Option(
            "--rebuild",
            parser=parsed_location,
            metavar="BLEND.JSON",
            help="Rebuild the submission that this blend.json describes.",
        ),
    ] = None,
) -> None:
    """Fit several blenders on the out-of-fold predictions, choose one by its nested score, and write submit.csv."""
    if output is not None:
        submission_target(output)
    if rebuild_from is not None:
        _rebuild(rebuild_from, *find_store(store or _store_of(rebuild_from), oof, say), output)
        return
    found, experiment = find_store(store, oof, say)
    _blend(found, _adjusted(experiment, quick, correct_prior), output, listed(without))


def import_member(
    name: Annotated[str, typer.Argument(help="Name of the member.")],
    oof_file: Annotated[
        Location,
        typer.Option(
            "--train-predictions",
            parser=parsed_location,
            metavar="FILE",
            help="Its out-of-fold predictions (CSV or Parquet): name, pred, optionally fold.",
        ),
    ],
    test_file: Annotated[
        Location,
        typer.Option(
            "--test-predictions",
            parser=parsed_location,
            metavar="FILE",
            help="Its predictions of the test photographs (CSV or Parquet): name, pred.",
        ),
    ],
    store: Annotated[Location | None, typer.Option(parser=parsed_location, metavar="STORE", help=STORE_HELP)] = None,
    oof: OofOption = Path("oof"),
    same_folds: Annotated[
        bool,
        typer.Option(
            "--same-folds", help="State that the folds of the store were used, for a file without a column fold."
        ),
    ] = False,
    scale: Annotated[
        str,
        typer.Option(
            help="probability, logit, or auto: logit if a tenth are negative, and not nearly all near [0, 1]."
        ),
    ] = "auto",
    flip: Annotated[bool, typer.Option("--flip", help="The predictions are those of real, not of fake.")] = False,
) -> None:
    """Import the predictions of a member that was trained elsewhere on the same folds."""
    from ensemble.store.external.importing import import_predictions

    found, _ = find_store(store, oof, say)
    with only_writer(found.root, "blend"):
        lines = import_predictions(found, name, oof_file, test_file, same_folds=same_folds, scale=scale, flip=flip)
    for line in (*lines, f"to blend it: ensemble blend {found.root}"):
        make_console().print(line, markup=False)


def list_members(store: StoreArgument = None, oof: OofOption = Path("oof")) -> None:
    """List the members that can be blended, with their scores and where they were made."""
    from ensemble.store.predictions import load_predictions, measured_on

    found, experiment = find_store(store, oof, say)
    predictions, imported = load_predictions(found, experiment), found.imported()
    for column, name in enumerate(predictions.members):
        probabilities = predictions.probabilities(column)
        rows = ~np.isnan(probabilities)
        right = correct_probabilities(probabilities[rows], predictions.ledger.labels[rows])
        facts = [
            f"{measured_on(predictions, name)} accuracy {right.mean():.4f}",
            "imported" if name in imported else "",
        ]
        say(f"{name}: {', '.join(filter(None, facts))}")
    for name, reason in predictions.left_out.items():
        say(f"{name}: left out, {reason}")


def remove_member(
    name: Annotated[str, typer.Argument(help="Name of an imported member.")],
    store: Annotated[Location | None, typer.Option(parser=parsed_location, metavar="STORE", help=STORE_HELP)] = None,
    oof: OofOption = Path("oof"),
) -> None:
    """Remove an imported member from the store. One that was trained here is taken out of the config instead."""
    from ensemble.store.external.importing import remove_import

    found, _ = find_store(store, oof, say)
    with only_writer(found.root, "blend"):
        remove_import(found, name)
    say(f"{name} is removed; to blend without it: ensemble blend {found.root}")


VERBS: dict[str, Callable[..., Any]] = {
    "run": main,
    "import": import_member,
    "list": list_members,
    "remove": remove_member,
}
ABOUT = "Write submit.csv from the members' predictions; `import` adds predictions that were made elsewhere."
app = verbs(VERBS, ABOUT, default="run")


def _adjusted(experiment: Experiment, quick: bool, correct_prior: bool) -> Experiment:
    from ensemble.blend.blenders.roster import SEARCHING

    settings = experiment.blend
    methods = tuple(method for method in settings.methods if method not in SEARCHING) if quick else settings.methods
    changes = {"methods": methods or ("mean",), "correct_prior": correct_prior or settings.correct_prior}
    return experiment.model_copy(update={"blend": settings.model_copy(update=changes)})


_EVERY_SECONDS = 10.0


class SparseLog:
    """Progress of a long blend, printed at most every ten seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last = time.monotonic()

    def __call__(self, line: str) -> None:
        """Print a line, if it is time."""
        if time.monotonic() - self.last >= _EVERY_SECONDS:
            self.last = time.monotonic()
            self.console.print(line, markup=False)


def _rebuild(manifest: Location, store: OofStore, experiment: Experiment, output: Location | None) -> None:
    from ensemble.blend.manifest import rebuild

    target = output or manifest.with_name(SUBMISSION)
    with only_writer(store.root, "blend"):
        sha256 = rebuild(manifest, store, target, experiment)
    make_console().print(f"{target} rebuilt, sha256 {sha256}", markup=False)


def _store_of(manifest: Location) -> Location | None:
    """Return the store that a manifest lies in, if it does: that is the one it was made from."""
    folder = (manifest.resolve() if isinstance(manifest, Path) else manifest).parent.parent
    return folder if OofStore(folder).exists() else None


def _blend(store: OofStore, experiment: Experiment, output: Location | None, without: list[str]) -> None:
    from ensemble.blend.page import score_line, submission_lines
    from ensemble.blend.run import PAGE, blend
    from ensemble.report.publish import publish
    from ensemble.store.predictions import load_predictions

    console = make_console()
    with only_writer(store.root, "blend"), console.status("reading the store") as status:
        predictions = load_predictions(store, experiment).without(without)
        log = status.update if console.is_terminal else SparseLog(console)
        content = blend(store, experiment, output, log, predictions)
    unread = experiment.blend.columns is not None and content["columns_sha256"] is None
    for line in (
        *(["the columns of blend.columns are not in the store, so no blender reads them: run ensemble train"] * unread),
        content["reason"],
        score_line(content),
        *submission_lines(content),
        f"all blenders, the decision, the worth of each member: {store.blend_folder / PAGE}",
        f"submission: {output or store.blend_folder / SUBMISSION}",
    ):
        console.print(line, markup=False)
    publish(store, console, experiment, predictions)  # takes longer than the blend


if __name__ == "__main__":
    start(app)
