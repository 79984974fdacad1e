"""What files say of their origin: metadata and signed manifests, read by a process that can open nothing."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import c2pa
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image, PngImagePlugin

from ensemble.serve.provenance import reading
from ensemble.serve.provenance.metadata import LONGEST
from ensemble.serve.provenance.reading import Provenance, ProvenanceReader

pytestmark = pytest.mark.process
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


def picture(kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def read(content: bytes) -> Provenance:
    async def reading() -> Provenance:
        (found,) = await ProvenanceReader().read([content])
        return found

    with ThreadPoolExecutor(1) as thread:  # the browser of other tests may have left a loop in this one
        return thread.submit(asyncio.run, reading()).result()


@cache
def signer_info() -> c2pa.C2paSignerInfo:
    """A certificate that nobody trusts, of an authority that nobody knows, as the standard wants them."""
    now = datetime.datetime.now(datetime.UTC)

    def certificate(name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey) -> bytes:
        is_authority = name == issuer
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), _ORGANISATION]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer), _ORGANISATION]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=10))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority,
                    content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
                    encipher_only=False, decipher_only=False,
                ),
                critical=True,
            )
        )  # fmt: skip
        if not is_authority:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        return builder.sign(by, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = certificate("A signer", leaf, "An authority", root) + certificate(
        "An authority", root, "An authority", root
    )
    key = leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, key, None)


_ORGANISATION = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests")


def signed(content: bytes, source_type: str, made_from: bytes = b"") -> bytes:
    """The file with a manifest that says what it is, and maybe which file it was made from."""
    created = {"action": "c2pa.created", "digitalSourceType": source_type}
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["before"]}}
    actions = {"actions": [opened if made_from else created]}
    manifest = {
        "claim_generator_info": [{"name": "A camera of tests", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": actions}],
    }
    target = io.BytesIO()
    builder = c2pa.Builder(json.dumps(manifest))
    if made_from:
        ingredient = {"title": "before", "relationship": "parentOf", "label": "before"}
        builder.add_ingredient(json.dumps(ingredient), "image/jpeg", io.BytesIO(made_from))
    builder.sign(c2pa.Signer.from_info(signer_info()), "image/jpeg", io.BytesIO(content), target)
    return target.getvalue()


def test_a_file_without_anything_says_nothing() -> None:
    found = read(picture())
    assert (found.manifest, found.facts, found.says_generated) == ("none", [], False)
    assert "That says nothing" in found.summary


@pytest.mark.parametrize(
    ("source_type", "generated", "words"),
    [(GENERATED, True, "made by a trained model"), (CAPTURED, False, "taken by a digital camera")],
)
def test_a_signed_manifest_is_read(source_type: str, generated: bool, words: str) -> None:
    found = read(signed(picture(), source_type))
    facts = dict(found.facts)
    assert found.manifest == "valid", "and not trusted: nobody knows who signed it"
    assert found.says_generated == generated
    assert words in facts["Action"]
    assert "A signer" in facts["Names as its signer (not verified)"]
    assert "A camera of tests" in facts["Written by"]
    assert ("a machine made the picture" in found.summary) == generated
    assert "under any name" in found.summary


def test_what_a_picture_was_made_from_counts() -> None:
    made = signed(picture(), GENERATED)
    found = read(signed(picture(quality=80), "", made))
    assert found.manifest == "valid"
    assert found.says_generated
    titles = [title for title, _ in found.facts]
    assert titles.count("Action") == 1
    assert titles.count("Action on a picture that it was made from") == 1


def test_several_photographs_in_a_file_are_read_as_the_first() -> None:
    file = io.BytesIO()
    first, second = (Image.open(io.BytesIO(picture(quality=quality))) for quality in (90, 80))
    first.save(file, "MPO", save_all=True, append_images=[second])
    with Image.open(io.BytesIO(signed(file.getvalue(), CAPTURED))) as photograph:
        assert photograph.format == "MPO"
    assert read(signed(file.getvalue(), CAPTURED)).manifest == "valid"


def test_nobody_waits_for_what_cannot_be_read_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SECONDS", 0.01)
    found = read(signed(picture(), GENERATED))
    assert (found.manifest, found.facts, found.says_generated) == ("failed", [], False)
    assert "could not be read in time" in found.summary


def test_a_manifest_of_another_picture_is_invalid() -> None:
    content = bytearray(signed(picture(quality=90), CAPTURED))
    content[-200] ^= 0x10  # of the pixels
    found = read(bytes(content))
    assert (found.manifest, found.facts) == ("invalid", [])
    assert "does not belong to it" in found.summary


def test_a_manifest_that_lies_elsewhere_is_not_fetched() -> None:
    """By a server that would notice: neither where nothing can be opened, nor where it could."""
    reader = "import io, sys; from ensemble.serve.provenance.credentials import read_manifest as read"
    program = f"{reader}; print('begun', flush=True); read(sys.stdin.buffer.read(), 'image/jpeg')"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    xmp += b'<rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="http://127.0.0.1:'
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.5)
        port = str(listening.getsockname()[1]).encode()
        content = picture(xmp=xmp + port + b'/m.c2pa"/></rdf:RDF></x:xmpmeta>')
        assert read(content).manifest in ("none", "unreadable")
        command = [sys.executable, "-c", program]
        result = subprocess.run(command, input=content, capture_output=True, check=False, timeout=60)
        assert result.stdout.startswith(b"begun"), result.stderr
        with pytest.raises(TimeoutError):
            listening.accept()


def test_metadata_is_said_with_who_may_have_written_it() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Maker", "Model 1", "Editor 2\n\x1b[31mred"
    xmp = f'<x:xmpmeta Iptc4xmpExt:DigitalSourceType="{GENERATED}" xmp:CreatorTool="Painter 3"/>'.encode()
    found = read(picture(exif=exif, xmp=xmp))
    assert found.says_generated
    facts = dict(found.facts)
    assert facts["Camera"] == "Maker Model 1"
    assert facts["Software"] == "Editor 2 [31mred"
    assert facts["IPTC digital source type"] == "trainedAlgorithmicMedia (made by a trained model)"
    assert facts["Made with"] == "Painter 3"
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a face, " * 1_000)
    found = read(picture("PNG", pnginfo=info))
    (title, text), *rest = found.facts
    assert title == "Text “parameters”"
    assert text.startswith("as Stable Diffusion web UI writes it: a face")
    assert len(text) < 2 * LONGEST
    assert not rest
    assert "Everybody can write these" in found.summary


@pytest.mark.parametrize("content", [b"", b"c2pa", b"\xff\xd8\xff\xe1\xff\xffc2pa" * 99, b"\x89PNG\r\n\x1a\nc2pa jumb"])
def test_what_cannot_be_read_says_so(content: bytes) -> None:
    assert read(content).manifest in ("none", "unreadable")


def test_the_process_can_open_nothing() -> None:
    program = """
import socket
from ensemble.serve.provenance.child import _confine
_confine()
for attempt in (lambda: open("/etc/hosts"), lambda: socket.create_connection(("127.0.0.1", 9)), socket.socket):
    try:
        attempt()
    except OSError as error:
        assert error.errno == 24, error  # too many open files
    else:
        raise SystemExit("opened")
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
