"""ensemble robustness: what the ensemble still knows of photographs that were altered on their way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location
from ensemble.store.find import find_store
from ensemble.store.results import ROBUSTNESS, file_of
from ensemble.stress.robustness.sample import SAMPLE_SIZE
from ensemble.training.plan import choose_members


def main(
    store: Annotated[
        Location | None,
        typer.Argument(parser=location, metavar="STORE", help="A store or a config; default: the newest store."),
    ] = None,
    data: Annotated[
        Location | None,
        typer.Option(
            parser=location, metavar="PATH", help="The competition; default: where it was when the store was trained."
        ),
    ] = None,
    oof: Annotated[Location, typer.Option(parser=location, metavar="PATH", help="Root of the stores.")] = Path("oof"),
    engine: Annotated[str, typer.Option(help="ray (local, or the cluster in RAY_ADDRESS) or inline.")] = "ray",
    photographs: Annotated[
        int, typer.Option(min=0, help="How many training photographs are altered; 0 for all.")
    ] = SAMPLE_SIZE,
    alterations: Annotated[
        str, typer.Option(help="Only these, or families of them such as jpeg, separated by commas; default: all.")
    ] = "",
    members: Annotated[str, typer.Option(help="Ask only these members, separated by commas; default: all.")] = "",
) -> None:
    """Alter held-out photographs, ask each fold's stored models again, and tell how the scores of all change."""
    found, experiment = find_store(store, oof)
    named = [member.name for member in choose_members(experiment, members)] if members else []
    from ensemble.core.console.progress import ProgressBoard
    from ensemble.report.anew import report_anew
    from ensemble.stress.robustness.page import print_accuracies
    from ensemble.stress.robustness.run import Request, robustness

    board = ProgressBoard()
    wanted = Request(_alterations(alterations), named, photographs)
    table, content, complete = robustness(found, experiment, data, engine, wanted, board)
    print_accuracies(board.console, found, table, content)
    board.console.print(f"AUC, false positives, abstention: {file_of(found, ROBUSTNESS, 'md')}", markup=False)
    report_anew(found, experiment, board.log)
    if not complete:
        raise typer.Exit(1)


def _alterations(text: str) -> list[str]:
    """Keys of alterations, of which a text names some, or families."""
    from ensemble.stress.robustness.alterations import ALTERATIONS

    named = _listed(text)
    families = {each.family for each in ALTERATIONS.values()}
    unknown = [name for name in named if name not in ALTERATIONS and name not in families]
    if unknown:
        raise UserError(
            f"--alterations: there is no {', '.join(unknown)}; there are {', '.join(ALTERATIONS)}, and the families "
            f"{', '.join(sorted(families))}"
        )
    return [name for name, each in ALTERATIONS.items() if not named or name in named or each.family in named]


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
