"""The process that reads what a file says of its origin: the file on stdin, JSON on stdout.

Parsers of metadata and manifests are large, and the files are strangers': here a fault costs this process alone. It
gives up the right to open files and connections, and has little time and memory. That holds what a parser can be led to
do, such as to fetch an address. It is no prison for a program: the operating system's means for that are yours to add.
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

_SECONDS: Final = 5  # of a processor
_MEMORY: Final = 2 * 2**30
_MOST_FACTS: Final = 40
_SAME: Final = {"MPO": "JPEG"}  # several photographs in a file, of which the first is a JPEG


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
    limits = {
        resource.RLIMIT_CPU: _SECONDS,
        resource.RLIMIT_AS: _MEMORY,
        resource.RLIMIT_CORE: 0,  # it would hold the photograph
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    for limit, most in limits.items():
        resource.setrlimit(limit, (most, most))


def _said(content: bytes, has_manifest: bool) -> dict[str, Any]:
    facts, kinds = list[metadata.Fact](), set[str]()
    mime, state = "application/octet-stream", "none"
    # Of any decoder: then there is nothing to be said.
    with suppress(Exception), Image.open(io.BytesIO(content), formats=FORMATS) as photograph:
        mime = Image.MIME.get(_SAME.get(str(photograph.format), str(photograph.format)), mime)
        facts += metadata.facts_of(photograph)
        kinds |= metadata.source_types(photograph)
    if has_manifest:
        state, store = _signed(content, mime)
        facts = [*credentials.facts_of(store), *facts]
        kinds |= credentials.source_types(store)
    facts = [fact for fact in facts if fact[1]][:_MOST_FACTS]
    return {"manifest": state, "says_generated": bool(kinds & metadata.GENERATED.keys()), "facts": facts}


def _signed(content: bytes, mime: str) -> tuple[str, dict[str, Any]]:
    """Return the state of the manifest, and what is in it: nothing if it does not belong to the file."""
    try:
        store = credentials.read_manifest(content, mime)
    except ImportError:
        return "not read", {}
    except Exception:  # of c2pa's errors only the texts differ
        return "unreadable", {}
    if store is None:
        return "none", {}
    state = str(store.get("validation_state", "Invalid")).lower()
    return state, {} if state == "invalid" else store


if __name__ == "__main__":
    main()
