"""The report as Markdown: the same sections and numbers, without figures and photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch

from ensemble.core.console.markdown import markdown_rows, without_html
from ensemble.report.render.blocks import (
    Block,
    Details,
    Facts,
    Figure,
    Findings,
    Gallery,
    Listing,
    Section,
    Table,
    Text,
)
from ensemble.report.render.formats import format_cell


def to_markdown(title: str, sections: Sequence[Section], warning: str = "") -> str:
    """Return the report as Markdown; `warning` is what a reader must know before any number."""
    parts = [f"# {title}", f"> Note: {warning}." if warning else ""]
    for section in sections:
        parts += [f"## {section.title}", section.lead]
        parts += [text for block in section.blocks for text in _block(block, 3)]
    return without_html("\n\n".join(part for part in parts if part)) + "\n"


@singledispatch
def _block(block: Block, _level: int) -> Iterator[str]:
    """Yield the paragraphs of a block, whose headings have this level."""
    raise TypeError(f"{type(block).__name__} has no Markdown")


@_block.register
def _text(block: Text, level: int) -> Iterator[str]:
    if block.title:
        yield f"{'#' * level} {block.title}"
    yield from block.paragraphs
    if block.items:
        yield "\n".join(f"- {item}" for item in block.items)


@_block.register
def _listing(block: Listing, _level: int) -> Iterator[str]:
    yield f"{block.title}:"
    yield f"```yaml\n{block.lines}\n```"


@_block.register
def _facts(block: Facts, _level: int) -> Iterator[str]:
    yield "\n".join(f"- {f.label}: **{f.value}**{f' ({f.note})' if f.note else ''}" for f in block.facts)


@_block.register
def _table(block: Table, _level: int) -> Iterator[str]:
    if len(block.frame):
        yield block.caption
        yield _as_markdown(block)


@_block.register
def _figure(block: Figure, level: int) -> Iterator[str]:
    yield f"{'#' * level} {block.title}"
    yield block.description
    yield from _table(block.table, level)


@_block.register
def _findings(block: Findings, level: int) -> Iterator[str]:
    for finding in block.findings:
        remedy = f" {finding.remedy}" if finding.remedy else ""
        yield f"**{finding.verdict}**: {finding.title} {finding.sentence}{remedy}"
        for table in finding.tables:
            yield from _table(table, level)


@_block.register
def _gallery(block: Gallery, level: int) -> Iterator[str]:
    yield f"{'#' * level} {block.title}"
    yield block.caption
    if block.exhibits:
        yield _as_markdown(block.table)


@_block.register
def _details(block: Details, level: int) -> Iterator[str]:
    yield f"{'#' * level} {block.title}"
    yield block.summary
    for inner in block.blocks:
        yield from _block(inner, level + 1)


def _as_markdown(table: Table) -> str:
    """Return a table with titles above and its values written out."""
    rows = ([format_cell(row, column) for column in table.columns] for row in table.frame.to_dict("records"))
    return markdown_rows([column.title for column in table.columns], rows)
