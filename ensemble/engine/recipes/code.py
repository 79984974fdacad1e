"""What made a prediction: content hashes of settings and code, and the versions of the libraries at work."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import pkgutil
import platform
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ensemble
from ensemble.config.settings import Recipe
from ensemble.core.errors import UserError
from ensemble.core.storage.hashing import digest, file_sha256

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
    "onnxruntime",
    "pillow",
    "optuna",
    "ray",
)
_CODE = ("use", "import")  # keys of a recipe whose values are import paths
_SOURCES = {".py", ".html", ".css", ".js"}


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python, this package and the libraries that can change a prediction."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in (DISTRIBUTION, *LIBRARIES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def recipe_code(recipe: dict[str, Any]) -> str:
    """Identify what a recipe names, at any depth: all code, and the content of files such as weights."""
    code = code_versions(recipe)
    texts = {text for text, key in _texts(recipe) if key not in _CODE}
    files = {text: file_sha256(file) for text in texts if (file := _file(text)) is not None}
    return digest([PROTOCOL, code, files])


def code_versions(recipe: dict[str, Any]) -> dict[str, str]:
    """Return the `code_version` of every object that a recipe names, at any depth, by its import path."""
    return {text: code_version(text) for text, key in set(_texts(recipe)) if key in _CODE}


OTHER_CODE = (
    "the member's code, or a file that its config names, changed during the run, or this node has another one or none; "
    "put the same on every node, and run again"
)


def check_code(recipe: dict[str, Any], code: str) -> None:
    """Raise where a worker, which imports code from its own node when it starts, has other code than the driver."""
    if recipe_code(recipe) != code:
        raise RuntimeError(OTHER_CODE)


def features_key(features: Recipe) -> str:
    """Identify a feature table: recipe and code. Equal keys mean equal columns for equal photographs."""
    recipe = features.model_dump(mode="json")
    return digest([recipe, recipe_code(recipe)])


def libraries_key(recipe: Recipe) -> str:
    """Identify the installed libraries behind the code that a recipe names, by their versions."""
    roots = {root for path in code_versions(recipe.model_dump(mode="json")) for root in libraries_behind(path)}
    return digest(sorted(str(_installed_version(root)) for root in roots))


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield all texts in a nested recipe, each with the key that it stands under."""
    if isinstance(value, str):
        yield value, key
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, key)


def _file(text: str) -> Path | None:
    """Return the file that a text names; None if it names none."""
    try:
        path = Path(text).expanduser()
        return path if path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long for a name, a zero byte, ~nobody: some other text
        return None


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
    sources = {name: _source_sha256(path) for name, path in _closure(module).items()}
    return f"{root}:{digest(sources)[:16]}"


def _source_sha256(path: Path) -> str:
    """Return the sha256 of a source; of one whose comments and docstrings alone were edited, that of before."""
    found = file_sha256(path)
    return _reworded().get(found, found)


@cache
def _reworded() -> dict[str, str]:
    """Return earlier hashes of edited sources whose finished folds stay valid, so that nobody trains them again.

    They do the same, but for two. In `members/training/arithmetic.py` `auto` became float32 on CPUs: a member that was
    half trained in bfloat16 goes on in float32, as it did before when a store moved to another processor. In
    `members/cnn.py` it became float32 for predictions on GPUs.
    """
    hashes: dict[str, str] = json.loads(Path(__file__).with_name("reworded.json").read_text(encoding="utf-8"))
    return hashes


@cache
def framework_code() -> str:
    """Identify the framework's own code by every source file of the package.

    What the framework itself has computed and kept (audits, searches, pages) is as old as this hash says. Following
    imports would find nearly the same files in fifteen times as long, and a list of names breaks when files move.
    """
    package = Path(ensemble.__file__).parent
    return digest([file_sha256(path) for path in sorted(package.rglob("*")) if path.suffix in _SOURCES])


def libraries_behind(import_path: str) -> set[str]:
    """Return the top-level modules of installed libraries that an object's code imports, however far.

    Nothing is imported. Of an object of an installed library it is that library alone.
    """
    module = import_path.rpartition(".")[0]
    root = module.partition(".")[0]
    if not root or _installed_version(root) is not None:
        return {root} - {""}
    imported = {other for name, path in _closure(module).items() for other in _imports(name, path)}
    roots = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    return {name for name in roots if _installed_version(name) is not None}


@cache
def _installed_version(root: str) -> str | None:
    """Return the distributions that own a top-level module, as `name==version`; None for code that is not installed.

    A distribution owns a module only where the module's file lies below the folder that the distribution was installed
    into, be that the environment's, the system's or the user's. So an editable install and a folder beside the script
    that is called like a library are code that is being worked on.
    """
    origins = _origins(root)
    if not origins:
        return None
    owners = {importlib.metadata.distribution(name) for name in _owners().get(root, ()) if name != DISTRIBUTION}
    installed = {
        f"{owner.metadata['Name']}=={owner.version}" for owner in owners if all(_holds(owner, o) for o in origins)
    }
    return ",".join(sorted(installed)) or None


_owners = cache(importlib.metadata.packages_distributions)  # a quarter of a second where much is installed


def _locate(module: str) -> tuple[Path | None, list[Path]]:
    """Find a module's file, and the folders of its modules if it is a package, without importing anything.

    `importlib.util.find_spec` would import all parents of a module. A package without `__init__.py` has no file.
    """
    root, *parts = module.split(".")
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):  # `__main__`, say, which has no spec
        spec = None
    if spec is None:
        return None, []
    file, folders = Path(spec.origin) if spec.origin else None, list(map(Path, spec.submodule_search_locations or ()))
    for part in parts:  # without folders: `from module import Name`, and Name is no module
        packages = [folder / part / "__init__.py" for folder in folders]
        files = [path for path in (*packages, *(folder / f"{part}.py" for folder in folders)) if path.exists()]
        file = files[0] if files else None
        inside = [folder / part for folder in folders if (folder / part).is_dir()]
        folders = inside if file is None else [file.parent] if file.name == "__init__.py" else []
    return file, folders


def _origins(root: str) -> list[Path]:
    """Return the file of a top-level module, or the folders of one that has no `__init__.py`."""
    file, folders = _locate(root)
    return folders if file is None else [file]


def _holds(distribution: importlib.metadata.Distribution, origin: Path) -> bool:
    """Return whether a module's file lies where a distribution was installed; a source tree built in place does not."""
    if distribution.read_text("SOURCES.txt") is not None:
        return False
    return origin.resolve().is_relative_to(Path(str(distribution.locate_file(""))).resolve())


def _closure(module: str) -> dict[str, Path]:
    """Return the module and all that it imports which is not installed, by name."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if path is None or name in found:
            continue
        found[name] = path
        if path.name == "__init__.py" and "." in name:
            waiting += [f"{name}.{child.name}" for child in pkgutil.iter_modules([str(path.parent)])]
        waiting += [other for other in _imports(name, path) if _is_own(other.partition(".")[0])]
    return found


def _is_own(root: str) -> bool:
    """Return whether a top-level module is neither Python's nor an installed library's."""
    return root not in sys.stdlib_module_names and _installed_version(root) is None


def _source(module: str) -> Path | None:
    """Return the file of a module; None if there is no such module, or none in Python."""
    path = _locate(module)[0]
    return path if path is not None and path.suffix == ".py" and path.exists() else None


def _imports(module: str, path: Path) -> tuple[str, ...]:
    """Return what a module imports; its file is parsed again only when it has changed."""
    stat = path.stat()
    return _parsed(module, path, stat.st_mtime_ns, stat.st_size)


@cache
def _parsed(module: str, path: Path, changed: int, size: int) -> tuple[str, ...]:  # noqa: ARG001  of the key
    package, found = module if path.name == "__init__.py" else module.rpartition(".")[0], []
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # a draft, or for another Python: who imports it will see, and its bytes count
        return ()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            try:
                base = importlib.util.resolve_name(relative, package) if node.level else relative
            except ImportError:  # from a package that there is not: so it is not done, or who imports it will see
                continue
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(found)
