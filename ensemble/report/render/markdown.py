"""The report as Markdown: the same sections and numbers, without figures and photographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

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
from ensemble.report.render.formats import shown_cell
from ensemble.report.text import markdown_table, without_html


def to_markdown(title: str, sections: Sequence[Section], warning: str = "") -> str:
    """The whole report as Markdown text; `warning` is what a reader must know before any number."""
    parts = [f"# {title}", f"> Mind: {warning}." if warning else ""]
    for section in sections:
        parts += [f"## {section.title}", section.lead]
        parts += [text for block in section.blocks for text in _block(block, 3)]
    return without_html("\n\n".join(part for part in parts if part)) + "\n"


def _block(block: Block, level: int) -> Iterator[str]:
    if isinstance(block, Text):
        yield from _text(block, level)
    elif isinstance(block, Listing):
        yield f"{block.title}:"
        yield f"```yaml\n{block.lines}\n```"
    elif isinstance(block, Facts):
        yield "\n".join(f"- {f.label}: **{f.value}**{f' ({f.note})' if f.note else ''}" for f in block.facts)
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Figure):
        yield f"{'#' * level} {block.title}"
        yield block.description
        yield from _table(block.table)
    elif isinstance(block, Findings):
        yield from _findings(block)
    elif isinstance(block, Gallery):
        yield from _gallery(block, level)
    elif isinstance(block, Details):
        yield f"{'#' * level} {block.title}"
        yield block.summary
        for inner in block.blocks:
            yield from _block(inner, level + 1)


def _text(block: Text, level: int) -> Iterator[str]:
    if block.title:
        yield f"{'#' * level} {block.title}"
    yield from block.paragraphs
    if block.items:
        yield "\n".join(f"- {item}" for item in block.items)


def _table(table: Table) -> Iterator[str]:
    if len(table.frame):
        yield table.caption
        yield markdown_table(as_text(table))


def as_text(table: Table) -> pd.DataFrame:
    """A table as it is shown: titles above, values written out."""
    rows = table.frame.to_dict("records")
    return pd.DataFrame({c.title: [shown_cell(row, c) for row in rows] for c in table.columns})


def _findings(block: Findings) -> Iterator[str]:
    for finding in block.findings:
        remedy = f" {finding.remedy}" if finding.remedy else ""
        yield f"**{finding.verdict}**: {finding.title} {finding.sentence}{remedy}"
        for table in finding.tables:
            yield from _table(table)


def _gallery(block: Gallery, level: int) -> Iterator[str]:
    yield f"{'#' * level} {block.title}"
    yield block.caption
    if block.exhibits:
        yield markdown_table(as_text(block.table))
