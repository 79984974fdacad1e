"""The command `ensemble predict`: answers about photographs, from a bundle alone."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ensemble.core.console.console import make_console
from ensemble.core.console.options import BundleArgument
from ensemble.core.console.status import StatusLine
from ensemble.core.console.text import plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.output import STDOUT, check_output, write_rows
from ensemble.predict.photographs.sources import Source, find_sources
from ensemble.predict.unfinished import UnfinishedRows
from ensemble.predict.verdicts import CANNOT, NO, SOME, STRONG

_CAUTION = (
    "No verdict is a proof. False-positive rates were measured on held-out photographs of the kind that the ensemble "
    "was trained on; the model card in the bundle says what was not tested."
)
_INTERRUPTED = "interrupted; what was answered is kept, run the same command to go on\n"
Row = dict[str, Any]


def main(
    bundle: BundleArgument,
    photographs: Annotated[
        list[str], typer.Argument(help="Files, folders, patterns, tables that list photographs, or addresses of them.")
    ],
    out: Annotated[
        str, typer.Option("-o", "--out", help="Where the answers go: a .csv, .jsonl or .parquet file; - is the screen.")
    ] = STDOUT,
    engine: Annotated[
        str, typer.Option(help="inline (this process), or ray (all cores, or the cluster in RAY_ADDRESS).")
    ] = "inline",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that compute; default: all cores, on Ray one for each copy.")
    ] = None,
) -> None:
    """Say for each photograph what evidence of generation there is, and how often that is wrong."""
    check_output(out)
    if engine not in ("inline", "ray"):
        raise UserError(f"--engine takes inline or ray, not {engine!r}")
    sources, files = find_sources(photographs), BundleFiles(bundle)
    console, counts = make_console(stderr=True), Counter[str]()
    with StatusLine(console) as status:
        status.start(f"{plural(len(sources), 'photograph')} to answer about")
        asking = _Asking(bundle, engine, threads, counts, status, len(sources))
        if out == STDOUT:
            write_rows(None, asking.rows(sources))
        else:
            _write(location(out), [files.manifest.model_dump(mode="json"), [s.name for s in sources]], asking, sources)
    found = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in (STRONG, SOME, NO, CANNOT) if counts[verdict])
    console.print(found, markup=False)
    if files.manifest.synthetic:
        console.print("The bundle was trained on synthetic photographs: it says nothing about real ones.", markup=False)
    console.print(_CAUTION, markup=False)


class _Asking:
    """Asks about photographs on an engine, counts the verdicts, and shows how far it is."""

    def __init__(
        self, bundle: Location, engine: str, threads: int | None, counts: Counter[str], status: StatusLine, total: int
    ) -> None:
        self.bundle, self.engine, self.threads, self.total = bundle, engine, threads, total
        self.counts, self.status = counts, status

    def rows(self, sources: Sequence[Source]) -> Iterator[Row]:
        """Yield the rows of photographs, in order."""
        for row in self._answered(sources):
            self.count(row)
            yield row

    def count(self, row: Row) -> None:
        """Count a row that is done."""
        self.counts[row["verdict"]] += 1
        self.status.update(self.counts.total() / self.total)

    def _answered(self, sources: Sequence[Source]) -> Iterator[Row]:
        if self.engine == "ray":
            from ensemble.predict.on_ray import rows_on_ray  # Ray takes seconds, and a small installation has none

            yield from rows_on_ray(self.bundle, sources, self.threads)
            return
        from ensemble.predict.predictor import Bundle

        loaded = Bundle(self.bundle, self.threads)
        for answer in loaded.answers((source.name, source.read) for source in sources):
            yield answer.row(loaded.members)


def _write(out: Location, made_from: list[Any], asking: _Asking, sources: Sequence[Source]) -> None:
    """Write all rows; those of an interrupted run of the same command are not computed again."""
    if not isinstance(out, Path):
        write_rows(out, asking.rows(sources))
        return
    try:
        with UnfinishedRows(out, made_from) as unfinished:
            for row in unfinished.rows():
                asking.count(row)
            if unfinished.done:
                asking.status.start(f"going on after {unfinished.done:,} that are answered already")
            if unfinished.done < len(sources):
                unfinished.add_all(asking.rows(sources[unfinished.done :]))
        write_rows(out, unfinished.rows())
        unfinished.remove()
    except KeyboardInterrupt:
        sys.stderr.write(_INTERRUPTED)
        raise SystemExit(130) from None
