"""The command `ensemble predict`: answers about photographs, from a bundle alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ensemble.core.console.console import make_console
from ensemble.core.console.options import BundleArgument
from ensemble.core.console.status import StatusLine
from ensemble.core.console.text import plural
from ensemble.core.errors import UserError
from ensemble.core.storage.files import location, remove_leftovers
from ensemble.core.storage.lock import only_writer
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.manifest import Manifest
from ensemble.predict.output import STDOUT, Row, check_output, write_rows
from ensemble.predict.photographs.sources import Source, find_sources
from ensemble.predict.unfinished import UnfinishedRows
from ensemble.predict.verdicts import CANNOT, NO, SOME, STRONG, in_words

_CAUTION = (
    "No verdict is a proof. False-positive rates were measured on held-out photographs of the kind that the ensemble "
    "was trained on; the model card in the bundle says what was not tested."
)


def main(
    bundle: BundleArgument,
    photographs: Annotated[
        list[str], typer.Argument(help="Files, folders, patterns, tables that list photographs, or addresses of them.")
    ],
    out: Annotated[
        str,
        typer.Option(
            "-o", "--output", help="Where the answers go: a .csv, .jsonl or .parquet file; - is standard output."
        ),
    ] = STDOUT,
    engine: Annotated[
        str,
        typer.Option(
            help="inline (this process), or ray (copies of the models, here or on the cluster in RAY_ADDRESS)."
        ),
    ] = "inline",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Compute threads; default: all cores, on Ray one for each copy of the models."),
    ] = None,
) -> None:
    """Report for each photograph what evidence there is that it was generated, and how often that is wrong."""
    check_output(out, photographs)
    if engine not in ("inline", "ray"):
        raise UserError(f"--engine takes inline or ray, not {engine!r}")
    sources, files = find_sources(photographs), BundleFiles(bundle)
    console, counts = make_console(stderr=True), Counter[str]()
    with StatusLine(console) as status:
        status.start(f"{plural(len(sources), 'photograph')} to answer about")

        def rows(sources: Sequence[Source]) -> Iterator[Row]:
            return counted(_rows(files, sources, engine, threads))

        def counted(answered: Iterable[Row]) -> Iterator[Row]:
            for row in answered:
                counts[row["verdict"]] += 1
                status.update(counts.total() / len(sources))
                yield row

        path = None if out == STDOUT else location(out)
        if isinstance(path, Path):
            unfinished = UnfinishedRows(path, [files.manifest.model_dump(mode="json"), [s.signature for s in sources]])
            with only_writer(path, "predict"):
                remove_leftovers(path)
                if unfinished.is_of_others:
                    console.print("the unfinished answers are of other photographs or another bundle: starting again")
                done = sum(1 for _ in counted(unfinished.rows()))
                if done:
                    status.start(f"resuming after {done:,} that are answered already", done / len(sources))
                unfinished.add_all(rows(sources[done:]))
                write_rows(path, unfinished.rows())
                unfinished.remove()
        else:
            try:
                write_rows(path, rows(sources))
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    "nothing is stored; with -o and a file on this machine it can be resumed"
                ) from None
    _summarise(console, counts, files.manifest)


def _rows(files: BundleFiles, sources: Sequence[Source], engine: str, threads: int | None) -> Iterator[Row]:
    """Yield the rows of photographs, in order."""
    if not sources:
        return
    if engine == "ray":
        from ensemble.predict.on_ray import rows_on_ray  # Ray takes seconds, and a small installation has none

        yield from rows_on_ray(files, sources, threads)
        return
    from ensemble.predict.predictor import Bundle

    loaded = Bundle(files.manifest, files.content(), files.where, threads)
    for answer in loaded.answers((source.name, source.read) for source in sources):
        yield answer.row(loaded.members)


def _summarise(console: Console, counts: Counter[str], manifest: Manifest) -> None:
    """Print how many photographs got each verdict, and what it means."""
    for verdict in (STRONG, SOME, NO, CANNOT):
        if counts[verdict]:
            console.print(
                f"{verdict}: {plural(counts[verdict], 'photograph')}. {in_words(verdict, manifest.verdicts)}",
                markup=False,
            )
    if manifest.synthetic:
        console.print(
            "The bundle was trained on synthetic demo data: its verdicts mean nothing for other photographs.",
            markup=False,
        )
    console.print(_CAUTION, markup=False)
