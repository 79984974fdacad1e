"""What import-linter does not look at: each test lists all offenders at once."""

from __future__ import annotations

import ast

from tests import ROOT

FILES = sorted([*(ROOT / "ensemble").rglob("*.py"), *(ROOT / "members").rglob("*.py")])


def test_a_file_holds_one_idea() -> None:
    assert not [str(path) for path in FILES if len(path.read_text().splitlines()) > 300]


def test_imports_are_written_out() -> None:
    relative = [
        f"{path}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_packages_export_nothing_of_the_framework() -> None:
    """Imports name the file in which a thing stands, so that it can be searched for."""
    exporting = [
        str(path)
        for path in (ROOT / "ensemble").rglob("__init__.py")
        if any(isinstance(node, ast.ImportFrom) for node in ast.parse(path.read_text()).body)
    ]
    assert not exporting


def test_no_array_is_read_as_a_pickle() -> None:
    assert not [str(path) for path in FILES if "allow_pickle=True" in path.read_text()]
