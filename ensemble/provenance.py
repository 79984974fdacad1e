"""What made a prediction: content hashes of settings and code, and the versions of the libraries at work."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import pkgutil
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ensemble.errors import UserError
from ensemble.files import Location

PROTOCOL = 1  # raised when the framework itself comes to call members differently: seeds, rows, decoding
DISTRIBUTION = "who-took-this-photo"
LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "lightgbm",
    "torch",
    "timm",
    "pillow",
    "optuna",
    "ray",
)


def digest(value: Any) -> str:
    """Sha256 (hex) of a JSON-able value; the order of keys does not matter."""
    return hashlib.sha256(_canonical(value)).hexdigest()


def digest_of_chunks(chunks: Iterable[list[Any]], *rest: Any) -> str:
    """What `digest([all chunks as one list, *rest])` gives, of chunks that are not empty: never all rows as text."""
    hashed, between = hashlib.sha256(b"[["), b""
    for chunk in chunks:
        hashed.update(between + _canonical(chunk)[1:-1])
        between = b","
    hashed.update(b"]" + b"".join(b"," + _canonical(value) for value in rest) + b"]")
    return hashed.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def file_sha256(path: Location) -> str:
    """Sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that can change a prediction."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in (DISTRIBUTION, *LIBRARIES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def recipe_code(recipe: dict[str, Any]) -> str:
    """Identify what a recipe names, at any depth: all code, and the content of files such as weights."""
    texts = dict(_texts(recipe))
    code = {text: code_version(text) for text, key in texts.items() if key == "use"}
    files = {text: _content(text) for text, key in texts.items() if key != "use" and _is_file(text)}
    return digest([PROTOCOL, code, files])


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts in a nested recipe, each with the key that it stands under."""
    if isinstance(value, str):
        yield value, key
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, key)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a zero byte: some other text
        return False


def _content(text: str) -> str:
    return file_sha256(Path(text))


def code_version(import_path: str) -> str:
    """Identify the code behind `package.module.Name`.

    An installed library is identified by its version. This project's own code, and code that is being worked on, is
    identified by a sha256 over its module and everything that this module imports, however far, short of installed
    libraries; of a sub-package all modules count, since it may find them by name. A change to `members/cnn.py`
    leaves the finished folds of forensic members alone, a new feature family does not.

    Raises
    ------
    UserError
        There is no such module.
    """
    module = import_path.rpartition(".")[0]
    root = module.partition(".")[0]
    installed = _installed_version(root)
    if installed is not None:
        return installed
    if _source(module) is None:
        raise UserError(f"cannot import {import_path}: there is no module {module!r}; is it installed?")
    sources = {name: file_sha256(path) for name, path in _closure(module).items()}
    return f"{root}:{digest(sources)[:16]}"


def libraries_behind(import_path: str) -> set[str]:
    """Top-level modules of installed libraries that an object's own code imports, however far; nothing is imported.

    Of an object of an installed library it is that library alone.
    """
    module = import_path.rpartition(".")[0]
    root = module.partition(".")[0]
    if not root or _installed_version(root) is not None:
        return {root} - {""}
    imported = {other for name, path in _closure(module).items() for other in _imports(name, path)}
    roots = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    return {name for name in roots if _installed_version(name) is not None}


@cache
def distributions_by_module() -> Mapping[str, list[importlib.metadata.Distribution]]:
    """Installed distributions by the top-level modules that they bring (and by other names, that no module has).

    `importlib.metadata.packages_distributions` tells the same in fifteen times as long, a third of a second where much
    is installed: it makes a path of each installed file, and parses what each distribution says of itself.
    """
    found: dict[str, list[importlib.metadata.Distribution]] = {}
    for distribution in importlib.metadata.distributions():
        for module in _top_level(distribution):
            found.setdefault(module, []).append(distribution)
    return found


def _top_level(distribution: importlib.metadata.Distribution) -> set[str]:
    """What a distribution declares, or else the first part of each of its files: `six` of `six.py,sha256=...,34549`."""
    declared = (distribution.read_text("top_level.txt") or "").split()
    files = (distribution.read_text("RECORD") or "").splitlines()
    return set(declared) or {file.partition("/")[0].partition(",")[0].partition(".")[0] for file in files}


@cache
def _installed_version(root: str) -> str | None:
    spec = importlib.util.find_spec(root)
    site_packages = sysconfig.get_paths()["purelib"]
    if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(site_packages):
        return None
    names = {distribution.metadata["Name"] for distribution in distributions_by_module().get(root, [])}
    if DISTRIBUTION in names:
        return None  # installed from a checkout, perhaps, whose version says nothing of later edits
    return ",".join(f"{name}=={importlib.metadata.version(name)}" for name in sorted(names)) or None


def _closure(module: str) -> dict[str, Path]:
    """The module and all that it imports which is not installed, by name."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path is None or name in found:
            continue
        found[name] = path
        if path.name == "__init__.py" and "." in name:
            waiting += [f"{name}.{module.name}" for module in pkgutil.iter_modules([str(path.parent)])]
        waiting += [other for other in _imports(name, path) if _is_own(other.partition(".")[0])]
    return found


def _is_own(root: str) -> bool:
    """Whether a top-level module is neither Python's nor an installed library's."""
    return root not in sys.stdlib_module_names and _installed_version(root) is None


def _source(module: str) -> Path | None:
    """The file of a module, found without importing anything: `find_spec` would import all its parents."""
    root, *parts = module.split(".")
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin)
    for part in parts:
        if path.name != "__init__.py":
            return None  # `from module import Name`: Name is no module
        package = path.parent / part / "__init__.py"
        path = package if package.exists() else path.parent / f"{part}.py"
    return path if path.suffix == ".py" and path.exists() else None


def _imports(module: str, path: Path) -> tuple[str, ...]:
    """What a module imports; parsed again only when its file has changed."""
    stat = path.stat()
    return _parsed(module, path, stat.st_mtime_ns, stat.st_size)


@cache
def _parsed(module: str, path: Path, changed: int, size: int) -> tuple[str, ...]:  # noqa: ARG001  of the key
    package, found = module if path.name == "__init__.py" else module.rpartition(".")[0], []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package) if node.level else relative
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(found)
