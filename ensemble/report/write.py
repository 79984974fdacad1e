"""The report as files: report.html, report.md, a CSV file for each table, and the model card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from ensemble.core.storage.files import Location, new_folder, remove_unfinished, write_text
from ensemble.core.storage.lock import taking_turns
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Section, Table, Text, blocks_of
from ensemble.report.render.html import render
from ensemble.report.render.markdown import to_markdown
from ensemble.report.signature import is_signed, report_signature
from ensemble.report.text import CARD_SECTION, SYNTHETIC

PAGE, MARKDOWN, TABLES, INDEX = "report.html", "report.md", "report", "index.csv"
MODEL_CARD = "model_card.md"


def write_report(material: Material) -> None:
    """Write the report into its store, unless the one that is there was made from the same things."""
    page, signature = material.store.root / PAGE, report_signature(material)
    if is_signed(page, signature):
        return
    with taking_turns(material.store.root, "report"):
        if not is_signed(page, signature):  # somebody else has just written it
            _write_report(material, signature)


def _write_report(material: Material, signature: str) -> None:
    from ensemble.report.contents import SECTIONS  # its imports take a second

    sections = [section for title, make in SECTIONS.items() if (section := _make(title, make, material))]
    title, root = f"Who took these photos? {material.store.name}", material.store.root
    warning = SYNTHETIC if material.facts["synthetic"] else ""
    _write_card(root / MODEL_CARD, material.store.name, sections, warning)
    write_sections(root, title, warning, sections, signature)  # the page last: it bears the signature


def write_sections(root: Location, title: str, warning: str, sections: list[Section], signature: str) -> None:
    """Write sections as `report.html`, `report.md` and `report/*.csv`; the page last, since it bears the signature.

    Nothing is written before all is rendered; a section that cannot be rendered is replaced by a note that says so.
    """
    try:
        page, text = render(title, warning, sections, signature), to_markdown(title, sections, warning)
    except Exception:
        sections = [_renderable(section) for section in sections]
        page, text = render(title, warning, sections, signature), to_markdown(title, sections, warning)
    _write_tables(root, list(blocks_of(sections, Table)))
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
    """Return a note in place of a section that failed: a run of hours must not end in a figure's fault."""
    why = f"This part could not be made ({type(error).__name__}: {error}). Is a file of the store damaged?"
    return Section(name, title, "", (Text((why,)),))


def _write_card(path: Location, name: str, sections: list[Section], warning: str) -> None:
    """Write the model card as a file of its own, so that it can travel with the model; remove that of an old blend."""
    cards = [replace(section, title="About this card") for section in sections if section.id == CARD_SECTION]
    if cards:
        write_text(path, to_markdown(f"Model card: {name}", cards, warning))
    else:
        path.unlink(missing_ok=True)


def _write_tables(root: Location, tables: list[Table]) -> None:
    """Write a CSV file for each table, numbers unrounded, and an index of them."""
    remove_unfinished(root, TABLES)
    with new_folder(root / TABLES, INDEX) as folder:
        for table in tables:
            table.frame.map(_no_formula).to_csv(folder / f"{table.id}.csv", index=False)
        index = pd.DataFrame({"table": [table.id for table in tables], "shows": [table.caption for table in tables]})
        index.to_csv(folder / INDEX, index=False)


def _no_formula(value: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would run, such as a photograph's name."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _make(title: str, make: Callable[[Material], Section | None], material: Material) -> Section | None:
    try:
        return make(material)
    except Exception as error:
        return _apology(title.lower().replace(" ", "-").replace(",", ""), title, error)
