"""YAML as people write it: numbers as in YAML 1.2, and a key that stands twice is an error."""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Safe loader of PyYAML, which reads YAML 1.1: there 1e-3 is a text, and of equal keys the last one counts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag != "tag:yaml.org,2002:merge":
                key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
                if isinstance(key, str | int | float) and key in seen:
                    raise yaml.MarkedYAMLError(problem=f"the key {key} stands twice, in lines {seen[key]} and {line}")
                if isinstance(key, str | int | float):
                    seen[key] = line
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Dumper that puts a text in quotes where it would be read as a number."""


for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )


def dump_yaml(value: Any) -> str:
    """Format nested plain values; tuples become lists."""
    text: str = yaml.dump(_plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def load_yaml(text: str) -> Any:
    """Parse a document.

    Raises
    ------
    ValueError
        It is not YAML, or a mapping has a key twice; says what is wrong, and in which line.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = str(error.problem or error.context).replace("could not determine a constructor for the", "unknown")
        raise ValueError(f"{problem}{where}") from None
    except yaml.reader.ReaderError as error:
        raise ValueError(f"the character {chr(error.character)!r} is not allowed") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (ValueError, KeyError, AttributeError, TypeError, IndexError):  # of constructors, such as that of !!bool
        raise ValueError("a value is not of the kind that it looks like, or that its tag names") from None
