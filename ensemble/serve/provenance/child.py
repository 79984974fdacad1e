"""The process that reads what a file says of its origin: the file on stdin, JSON on stdout.

Parsers of metadata and manifests are large, and the files are strangers': here a fault costs this process alone. It can
open nothing, neither files nor connections, and has little time and memory.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from contextlib import suppress
from typing import Any, Final

from PIL import Image

from ensemble.predict.photographs.bare import FORMATS
from ensemble.serve.provenance import credentials, metadata

SECONDS: Final = 5
_MEMORY: Final = 2 * 2**30
_MOST_FACTS: Final = 40


def main() -> None:
    """Read a file, and write what it says."""
    content = sys.stdin.buffer.read()
    has_manifest = credentials.may_have_manifest(content)
    if has_manifest:
        with suppress(ImportError):
            import c2pa  # noqa: F401  while files can be opened
    Image.preinit()
    Image.init()
    _confine()
    sys.stdout.write(json.dumps(_said(content, has_manifest)))


def _confine() -> None:
    """Give up the right to open anything: of what is open already only the pipes are left."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _said(content: bytes, has_manifest: bool) -> dict[str, Any]:
    facts: list[metadata.Fact] = []
    mime, state, generated = "application/octet-stream", "none", False
    # Of any decoder: then there is nothing to be said.
    with suppress(Exception), Image.open(io.BytesIO(content), formats=FORMATS) as photograph:
        mime = Image.MIME.get(photograph.format or "", mime)
        facts += metadata.facts_of(content, photograph)
    if has_manifest:
        state, store = _signed(content, mime)
        facts = [*credentials.facts_of(store), *facts] if store else facts
        generated = credentials.says_generated(store)
    facts = [fact for fact in facts if fact[1]][:_MOST_FACTS]
    return {"manifest": state, "says_generated": generated, "facts": facts}


def _signed(content: bytes, mime: str) -> tuple[str, dict[str, Any]]:
    """Return the state of the manifest, and what is in it."""
    try:
        store = credentials.read_manifest(content, mime)
    except ImportError:
        return "not read", {}
    except Exception:  # of c2pa's errors only the texts differ
        return "unreadable", {}
    return ("none", {}) if store is None else (str(store.get("validation_state", "Invalid")).lower(), store)


if __name__ == "__main__":
    main()
