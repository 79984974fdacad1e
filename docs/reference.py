"""What mkdocs fills in: the settings from the pydantic models, the commands from typer, and the pages of folders.

A page asks for them by a line of its own: `<!-- configuration -->`, `<!-- commands -->`, or a sentence that links to
the file whose text is the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ensemble.cli import make_app
from ensemble.config.experiment import Experiment
from ensemble.config.settings import Recipe

ROOT = Path(__file__).parents[1]
INCLUDED = re.compile(r"^The text of this page is \[.*?\]\(\.\./(.*?)\)\.$", re.MULTILINE)
PAGES = {  # where the files that are included, and those that they link to, can be read
    "README.md": "index.md",
    "ensemble/blend/README.md": "blend.md",
    "members/README.md": "members.md",
    "members/forensics/README.md": "forensics.md",
    "oof/README.md": "store.md",
    "docs/extending.md": "extending.md",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what a page asks for; mkdocs calls this for every page."""
    if "<!-- configuration -->" in markdown:
        markdown = markdown.replace("<!-- configuration -->", configuration())
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", commands())
    return INCLUDED.sub(lambda found: included(found[1]), markdown)


def included(path: str) -> str:
    """Return the text of a Markdown file, its links led to the pages of this site."""

    def link(found: re.Match[str]) -> str:
        target = ((ROOT / path).parent / found[1]).resolve().relative_to(ROOT).as_posix()
        return f"]({PAGES[target]}{found[2] or ''})"

    return re.sub(r"\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)", link, (ROOT / path).read_text(encoding="utf-8"))


def configuration() -> str:
    """Return a table of keys for each part of the YAML, in the order of the file."""
    return "\n\n".join(_section(place, model) for place, model in settings(Experiment))


def settings(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield each part of the YAML with its place: "", "data", "members[]", "members[].resources"."""
    yield place, model
    for name, field in model.model_fields.items():
        inner = _part(field)
        if inner is not None:
            many = "[]" if get_origin(field.annotation) is tuple else ""
            yield from settings(inner, f"{place}.{name}{many}".lstrip("."))


def _part(field: FieldInfo) -> type[BaseModel] | None:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Recipe:
            return kind
    return None


def _section(place: str, model: type[BaseModel]) -> str:
    about = (model.__doc__ or "").strip()
    rows = [
        f"| `{name}` | {_kind(f.annotation)} | {_default(f)} | {_cell(f.description)} |" for name, f in fields(model)
    ]
    table = "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows])
    return f"## {f'`{place}`' if place else 'The file'}\n\n{about}\n\n{table}"


def fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Return the keys of a part of the YAML."""
    return list(model.model_fields.items())


def _kind(annotation: Any) -> str:
    """Return a type as a reader of YAML would name it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is tuple:
        return f"list of {_kind(inner[0])}"
    if origin is dict:
        return f"mapping of {_kind(inner[0])} to {_kind(inner[1])}"
    if origin is Union or type(annotation).__name__ == "UnionType":
        return " or ".join(_kind(kind) for kind in inner if kind is not NoneType)
    if origin is not None:  # Annotated
        return _kind(inner[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "[recipe](#recipes)" if annotation is Recipe else "mapping"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`"}[annotation.__name__]


def _default(field: FieldInfo) -> str:
    value = field.default if field.default_factory is None else None
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, Recipe):
        return f"`{{use: {value.use}}}`"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple):
        return "see the meaning" if value else "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def commands() -> str:
    """Return every verb with its usage, its arguments and its options."""
    return "\n\n".join(_command(command, f"ensemble {path}") for path, command in verbs())


def verbs() -> Iterator[tuple[str, Any]]:
    """Yield each verb as it is typed, such as "blend import", with its command."""
    top = typer.main.get_command(make_app())
    for name, command in _commands(top).items():
        below = _commands(command)
        if not below:
            yield name, command
        for verb, inner in below.items():
            is_default = verb == "run" or (name, verb) == ("bundle", "make")
            yield (name if is_default else f"{name} {verb}"), inner


def _commands(command: Any) -> dict[str, Any]:
    return dict(getattr(command, "commands", {}))


def _command(command: Any, path: str) -> str:
    context = command.context_class(command, info_name=path)
    pieces = (piece.strip("{}").upper() for piece in command.collect_usage_pieces(context))
    usage = " ".join([path, *pieces])
    parts = [f"## {path}", f"```text\n{usage}\n```", command.help]
    for kind in ("argument", "option"):
        rows = [_parameter(each, context) for each in command.params if each.param_type_name == kind]
        if rows:
            parts.append("\n".join([f"| {kind} | default | meaning |", "| --- | --- | --- |", *rows]))
    return "\n\n".join(parts)


def _parameter(parameter: Any, context: Any) -> str:
    if parameter.param_type_name == "argument":
        written = parameter.get_usage_pieces(context)[0].strip("[]{}").upper()
    else:
        written = (
            re.sub(r"\s+\[.*", "", parameter.get_help_record(context)[0]).replace(" RANGE", "").replace(" range>", ">")
        )
    default = "" if parameter.default in (None, "") or parameter.default is False else f"`{parameter.default}`"
    shown = "required" if parameter.required else default
    return f"| `{written}` | {shown} | {_cell(parameter.help)} |"


def _cell(text: str | None) -> str:
    """Return a text as a cell of a table, which is one line."""
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")
