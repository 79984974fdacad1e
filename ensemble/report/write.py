"""The whole report: report.html, report.md and a CSV file for each table, from what the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from ensemble.core.storage.files import Location, new_folder, remove_unfinished, write_text
from ensemble.core.storage.hashing import digest, file_sha256
from ensemble.engine.recipes.code import framework_code
from ensemble.report.exhibits.kept import EXHIBITS
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Details, Figure, Findings, Gallery, Section, Table, Text
from ensemble.report.render.html import render
from ensemble.report.render.markdown import to_markdown
from ensemble.report.text import BASELINE, CARD, SYNTHETIC
from ensemble.store.columns import SPECTRA

PAGE, MARKDOWN, TABLES, INDEX = "report.html", "report.md", "report", "index.csv"
MODEL_CARD = "model_card.md"
_READ = (  # what sections read beside the predictions, relative to the store
    "blend/blend.json", "audit/audit.json", "robustness/robustness.json", "generators/generators.json", "runs.json",
    "data.json", "robustness/robustness.parquet", "generators/generators.parquet", EXHIBITS,
)  # fmt: skip


def write_report(material: Material) -> None:
    """Write the report beside what it tells of, unless the one that is there was made from the very same things."""
    root, signature = material.store.root, signature_of(material)
    if _is_written(root / PAGE, signature):
        return
    from ensemble.report.contents import SECTIONS  # what they compute with takes a second to import

    sections = [section for title, make in SECTIONS.items() if (section := _made(title, make, material))]
    title = f"Who took these photos? {material.store.name}"
    warning = SYNTHETIC if material.facts["synthetic"] else ""
    write_sections(root, title, warning, sections, signature)
    _write_card(root / MODEL_CARD, material.store.name, sections, warning)


def write_sections(root: Location, title: str, warning: str, sections: list[Section], signature: str) -> None:
    """Write sections as `report.html`, `report.md` and `report/*.csv`; the page last, for it bears the signature.

    Nothing is written before all is rendered; a section that cannot be is left out, and says so in its place.
    """
    try:
        page, text = render(title, warning, sections, signature), to_markdown(title, sections, warning)
    except Exception:
        sections = [_renderable(section) for section in sections]
        page, text = render(title, warning, sections, signature), to_markdown(title, sections, warning)
    _write_tables(root, list(tables_of(sections)))
    write_text(root / MARKDOWN, text)
    write_text(root / PAGE, page)


def _renderable(section: Section) -> Section:
    try:
        render("", "", [section], "")
        to_markdown("", [section])
    except Exception as error:
        return _apology(section.id, section.title, error)
    return section


def _apology(name: str, title: str, error: Exception) -> Section:
    """In the place of a section that could not be made: a run of hours must not end in a figure's fault."""
    why = f"This part could not be made ({type(error).__name__}: {error}). Is a file of the store damaged?"
    return Section(name, title, "", (Text((why,)),))


def _write_card(path: Location, name: str, sections: list[Section], warning: str) -> None:
    """The model card by itself, so that it can travel with the model; none where there is nothing to tell."""
    cards = [replace(section, title="About this card") for section in sections if section.id == CARD]
    if cards:
        write_text(path, to_markdown(f"Model card: {name}", cards, warning))
    else:
        path.unlink(missing_ok=True)  # of an earlier blend


def _write_tables(root: Location, tables: list[Table]) -> None:
    """A CSV file for each table, numbers unrounded, and an index of them."""
    remove_unfinished(root, TABLES)
    with new_folder(root / TABLES, INDEX) as folder:
        for table in tables:
            table.frame.map(_no_formula).to_csv(folder / f"{table.id}.csv", index=False)
        index = pd.DataFrame({"table": [table.id for table in tables], "shows": [table.caption for table in tables]})
        index.to_csv(folder / INDEX, index=False)


def _no_formula(value: Any) -> Any:
    """A text that a spreadsheet would run, such as a photograph's name, gets an apostrophe in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _made(title: str, make: Callable[[Material], Section | None], material: Material) -> Section | None:
    try:
        return make(material)
    except Exception as error:
        return _apology(title.lower().replace(" ", "-").replace(",", ""), title, error)


def signature_of(material: Material) -> str:
    """Identifies everything that the report is made from, its own code too."""
    root = material.store.root
    read = [_hash(root / name) for name in _READ] + [_hash(root.with_name(BASELINE) / "leaderboard.csv")]
    predictions = material.predictions
    seen = [predictions.hashes, predictions.left_out, predictions.partial, predictions.ledger.sha256]
    spectra = [material.experiment.report.spectra.model_dump(mode="json"), _stamp(material.store.root / SPECTRA)]
    return digest([material.store.name, seen, read, spectra, framework_code()])


def _stamp(path: Location) -> list[float]:
    """Size and time of a file that is too large to be read only to see whether it is another."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime]


def _hash(path: Location) -> str:
    try:
        return file_sha256(path)
    except OSError:
        return ""


def _is_written(path: Location, signature: str) -> bool:
    try:
        with path.open("rb") as file:
            return signature.encode() in file.read(4096)
    except OSError:
        return False


def tables_of(sections: list[Section]) -> Iterator[Table]:
    """Every table of the report, those of figures and findings too."""
    for section in sections:
        for block in section.blocks:
            yield from _tables(block)


def _tables(block: Block) -> Iterator[Table]:
    if isinstance(block, Table):
        yield block
    elif isinstance(block, Figure | Gallery):
        yield block.table
    elif isinstance(block, Findings):
        for finding in block.findings:
            yield from finding.tables
    elif isinstance(block, Details):
        for inner in block.blocks:
            yield from _tables(inner)
