"""What a signed manifest (C2PA) says, read without any request to elsewhere."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, Final

from ensemble.serve.provenance.metadata import LONGEST, Fact, meaning_of

# A manifest may name addresses: of itself, of a list of revoked certificates. None of them is called.
_SETTINGS: Final = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "core": {"allowed_network_hosts": []},
}
_SIGNERS: Final = {"Trusted": "Signed by", "Valid": "Names as its signer (not verified)"}


def may_have_manifest(content: bytes) -> bool:
    """Return whether a file names a manifest at all."""
    return b"c2pa" in content or b"dcterms:provenance" in content


def read_manifest(content: bytes, mime: str) -> dict[str, Any] | None:
    """Return the manifests of a file as c2pa writes them; None if there are none."""
    import c2pa  # takes a quarter of a second, and most files have no manifest

    context = c2pa.Context.from_dict(_SETTINGS)
    try:
        with c2pa.Reader(mime, io.BytesIO(content), context=context) as reader:
            found: dict[str, Any] = json.loads(reader.json())
            return found
    except c2pa.C2paError.ManifestNotFound:  # type: ignore[attr-defined]  # it is set when c2pa is imported
        return None


def facts_of(store: dict[str, Any]) -> Iterator[Fact]:
    """Yield what the active manifest says, and what was done to the pictures that it was made from."""
    manifests = store.get("manifests") or {}
    active = store.get("active_manifest")
    manifest = manifests.get(active, {})
    signature = manifest.get("signature_info") or {}
    if signed := [str(signature[key]) for key in ("common_name", "issuer", "time") if signature.get(key)]:
        yield _SIGNERS.get(str(store.get("validation_state")), "Names as its signer"), ", ".join(signed)[:LONGEST]
    makers = [str(each.get("name", "")) for each in manifest.get("claim_generator_info") or []]
    if maker := ", ".join(filter(None, makers)) or str(manifest.get("claim_generator") or ""):
        yield "Written by", maker[:LONGEST]
    for name, each in manifests.items():
        for action, kind in _actions(each):
            text = action.removeprefix("c2pa.")
            title = "Action" if name == active else "Action on a picture that it was made from"
            yield title, f"{text}: {kind} ({meaning_of(kind)})" if kind else text


def source_types(store: dict[str, Any]) -> set[str]:
    """Return the digital source types of the picture, and of the pictures that it was made from."""
    return {kind for manifest in (store.get("manifests") or {}).values() for _, kind in _actions(manifest) if kind}


def _actions(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield actions with the last part of their digital source type; empty without one."""
    for assertion in manifest.get("assertions") or []:
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            for action in (assertion.get("data") or {}).get("actions") or []:
                kind = str(action.get("digitalSourceType") or "").rpartition("/")[2]
                yield str(action.get("action", ""))[:LONGEST], kind[:LONGEST]
