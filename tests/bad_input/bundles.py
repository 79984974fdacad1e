"""Faults of a bundle: each value of its manifest exchanged, and each file damaged, with and without its hash."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ensemble.predict.bundle.manifest import MANIFEST
from tests.bad_input.cases import flipped
from tests.ensemble.predict.golden import GOLDEN

BUNDLE = "faces.bundle"
_GOLDEN = GOLDEN / "schema-1.zip"
_VALUES: tuple[Any, ...] = (None, "no such thing", -1, 10**30, 1e308, [], {}, True, 0, [[[]]], "../outside")
_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped": flipped,
    "no end": lambda content: content * 2,
    "zeros": lambda content: bytes(len(content)),
}


def manifest() -> Any:
    """Return the manifest of the golden bundle."""
    with zipfile.ZipFile(_GOLDEN) as archive:
        return json.loads(archive.read(MANIFEST))


def unpack(folder: Path) -> Path:
    """Write the golden bundle as a folder."""
    shutil.unpack_archive(_GOLDEN, folder / BUNDLE)
    return folder / BUNDLE


def edits() -> Iterator[tuple[str, Any]]:
    """Yield a name and a whole manifest with one value exchanged, or left out; the hashes of files only as one."""
    whole = manifest()
    for path in _paths({key: value for key, value in whole.items() if key != "files"}):
        name = ".".join(map(str, path))
        yield f"without {name}", _edited(whole, path)
        for value in _VALUES:
            yield f"{name} is {json.dumps(value)}", _edited(whole, path, value)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value; of lists, the first two entries only."""
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 2)) if isinstance(value, list) else ()
    if path:
        yield path
    for key in keys:
        yield from _paths(value[key], (*path, key))


def _edited(whole: Any, path: tuple[Any, ...], *new: Any) -> Any:
    copy = json.loads(json.dumps(whole))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    if new and isinstance(inner, list):
        inner.insert(path[-1], new[0])
    elif new:
        inner[path[-1]] = new[0]
    return copy


def damages() -> Iterator[tuple[str, str, Callable[[bytes], bytes], bool]]:
    """Yield a name, a file, what becomes of its content, and whether the manifest is forged to match."""
    for file in manifest()["files"]:
        for name, change in _DAMAGES.items():
            for forged in (False, True):
                yield f"{file} is {name}{', and its hash' if forged else ''}", file, change, forged


def damage(bundle: Path, file: str, change: Callable[[bytes], bytes], forged: bool) -> None:
    """Change a file of a bundle, and what the manifest says of it, if it is forged."""
    content = change((bundle / file).read_bytes())
    (bundle / file).write_bytes(content)
    if forged:
        whole = json.loads((bundle / MANIFEST).read_text())
        whole["files"][file] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        (bundle / MANIFEST).write_text(json.dumps(whole))
