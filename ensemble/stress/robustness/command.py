"""The command `ensemble robustness`: the scores on altered photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console

from ensemble.core.console.console import say
from ensemble.core.console.options import EngineOption, MembersOption, OofOption, StoreArgument, StoredDataOption
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.console.text import listed
from ensemble.core.errors import UserError
from ensemble.report.text import heading, print_table
from ensemble.store.oof import OofStore
from ensemble.store.opening import find_store
from ensemble.store.results import ROBUSTNESS, file_of
from ensemble.stress.robustness.sample import SAMPLE_SIZE
from ensemble.training.plan import choose_members


def main(
    store: StoreArgument = None,
    data: StoredDataOption = None,
    oof: OofOption = Path("oof"),
    engine: EngineOption = "ray",
    photographs: Annotated[
        int, typer.Option(min=0, help="How many training photographs are altered; 0 for all.")
    ] = SAMPLE_SIZE,
    alterations: Annotated[
        str, typer.Option(help="Only these, or families of them such as jpeg, separated by commas; default: all.")
    ] = "",
    members: MembersOption = "",
) -> None:
    """Alter held-out photographs, predict them with the stored models, and report how the scores change."""
    found, experiment = find_store(store, oof, say)
    named = [member.name for member in choose_members(experiment, members)] if members else []
    from ensemble.blend.inputs import has_unseen_answers
    from ensemble.report.publish import update_report
    from ensemble.stress.robustness.run import RobustnessRequest, robustness

    board = ProgressBoard()
    wanted = RobustnessRequest(_alterations(alterations), named, photographs)
    table, content, complete = robustness(found, experiment, data, engine, wanted, board)
    _print(board.console, found, table, content)
    board.console.print(f"AUC, false positives, abstention: {file_of(found, ROBUSTNESS, 'md')}", markup=False)
    if has_unseen_answers(found, experiment):
        board.console.print("ensemble blend chooses the blender by these answers too, if you call it again")
    update_report(found, experiment, board.log)
    if not complete:
        raise typer.Exit(1)


def _alterations(text: str) -> list[str]:
    """Return the keys of the named alterations and families; all if none is named."""
    from ensemble.stress.robustness.alterations import ALTERATIONS

    named = listed(text)
    families = {each.family for each in ALTERATIONS.values()}
    unknown = [name for name in named if name not in ALTERATIONS and name not in families]
    if unknown:
        raise UserError(
            f"--alterations: there is no {', '.join(unknown)}; there are {', '.join(ALTERATIONS)}, and the families "
            f"{', '.join(sorted(families))}"
        )
    return [name for name, each in ALTERATIONS.items() if not named or name in named or each.family in named]


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy ± standard error as text: a row for each alteration, a column for each member."""
    cells = [f"{a:.3f} ± {e:.3f}" for a, e in zip(table["accuracy"], table["standard_error"], strict=True)]
    long = table.assign(cell=cells)
    wide = long.pivot_table(index="title", columns="member", values="cell", aggfunc="first")
    wide = wide.reindex(index=pd.unique(long["title"]), columns=pd.unique(long["member"])).fillna("")
    wide.index.name, wide.columns.name = "photographs", None
    return wide.reset_index()


def _print(console: Console, store: OofStore, table: pd.DataFrame, content: dict[str, Any]) -> None:
    """Print the accuracies by alteration, and the notes."""
    sample = content["sample"]
    on = f"{sample['photographs']} of {sample['of']} training photographs"
    print_table(console, f"{heading(store)}; accuracy of {on}", _as_text(table))
    for note in content["notes"]:
        console.print(note, markup=False)
