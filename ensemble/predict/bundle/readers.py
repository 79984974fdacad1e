"""The kinds of parts that a bundle may have. Nothing else is read, whatever a bundle says.

A reader takes the content of its files by name, its settings and the number of threads, and is then called with
photographs or columns. What it imports is decided here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from ensemble.core.errors import UserError
from ensemble.predict.bundle.manifest import Reader

Part = Callable[[Any], Any]

READERS: Final = {
    "embedding": "members.bundled.networks.BundledEmbedding",
    "classifier": "members.bundled.networks.BundledClassifier",
    "forensics": "members.bundled.forensics.BundledForensics",
    "log_dct": "members.bundled.forensics.BundledLogDCT",
    "spectra": "members.bundled.forensics.BundledSpectra",
    "linear": "ensemble.predict.bundle.linear.LinearModel",
    "lightgbm": "ensemble.predict.bundle.trees.LightgbmModel",
}


def read_part(part: Reader, files: Mapping[str, bytes], threads: int, where: str) -> Part:
    """Return a part of a bundle.

    Raises
    ------
    UserError
        There is no such kind, what it needs is not installed, or its files or settings are not those of its kind.
    """
    if part.reader not in READERS:
        raise UserError(f"{where}: no reader is called {part.reader!r}; was the bundle made by another version?")
    module, _, name = READERS[part.reader].rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)(files, part.settings, threads)  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        raise UserError(f"{where} needs {error.name}, which is not installed; see configs/serve") from None
    except Exception as error:  # readers call libraries, which document no list of what they raise
        raise UserError(f"{where}: {part.folder} is damaged, or no {part.reader}; copy the bundle again") from error
