"""What the metadata of a file says: EXIF, IPTC's digital source type, and what known generators write into PNG.

Everybody can write and remove these. Read by the child process alone: decoders of metadata can be made to take memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from PIL import ExifTags, Image

Fact = tuple[str, str]  # title, text

LONGEST: Final = 200  # characters of a text
_EXIF: Final = {
    "Camera": (ExifTags.Base.Make, ExifTags.Base.Model),
    "Software": (ExifTags.Base.Software,),
    "Description": (ExifTags.Base.ImageDescription,),
    "Taken": (ExifTags.Base.DateTimeOriginal,),
}
_SOURCE_TYPE: Final = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/(\w{1,60})")
_XMP_TOOL: Final = re.compile(rb"CreatorTool(?:=\"|>)([^\"<]{1,200})")
_XMP_CREDIT: Final = re.compile(rb"photoshop:Credit(?:=\"|>)([^\"<]{1,200})")
GENERATED: Final = {  # of IPTC's vocabulary, what machines make
    "trainedAlgorithmicMedia": "made by a trained model",
    "compositeWithTrainedAlgorithmicMedia": "partly made by a trained model",
    "algorithmicMedia": "made by an algorithm",
    "compositeSynthetic": "composed, with parts that were made",
}
_OTHERS: Final = {
    "digitalCapture": "taken by a digital camera",
    "computationalCapture": "taken by a camera that combines several shots",
    "negativeFilm": "scanned from a negative",
    "positiveFilm": "scanned from a slide",
    "print": "scanned from a print",
    "humanEdits": "edited by people",
}
_MARKS: Final = (b"Exif", b"eXIf", b"EXIF", b"II*\0", b"MM\0*", b"xap/1.0", b"xmp", b"XMP", b"tEXt", b"zTXt", b"iTXt")
_GENERATORS: Final = {  # key of a PNG text: who writes it
    "parameters": "Stable Diffusion web UI",
    "prompt": "ComfyUI",
    "workflow": "ComfyUI",
    "invokeai_metadata": "InvokeAI",
    "sd-metadata": "InvokeAI",
    "Dream": "InvokeAI",
}


def may_have_facts(content: bytes) -> bool:
    """Return whether a file has anything in which it could say something."""
    return any(mark in content for mark in _MARKS)


def facts_of(photograph: Image.Image) -> Iterator[Fact]:
    """Yield what the metadata says, as titles and texts."""
    for title, tags in _EXIF.items():
        values = [text for tag in tags if (text := _text(_exif_of(photograph).get(tag)))]
        if values:
            yield title, " ".join(values)
    for kind in sorted(source_types(photograph)):
        yield "IPTC digital source type", f"{kind} ({meaning_of(kind)})"
    for title, pattern in (("Made with", _XMP_TOOL), ("Credit", _XMP_CREDIT)):
        if found := pattern.search(_xmp_of(photograph)):
            yield title, _text(found[1].decode("utf-8", errors="replace"))
    for key, text in photograph.info.items():
        if key in _GENERATORS and isinstance(text, str):
            yield f"Text “{key}”", f"as {_GENERATORS[key]} writes it: {_text(text)}"


def source_types(photograph: Image.Image) -> set[str]:
    """Return the digital source types that the XMP names."""
    return {found.decode() for found in _SOURCE_TYPE.findall(_xmp_of(photograph))}


def meaning_of(kind: str) -> str:
    """Return what a digital source type means."""
    return GENERATED.get(kind) or _OTHERS.get(kind, "of IPTC's vocabulary")


def _xmp_of(photograph: Image.Image) -> bytes:
    return bytes(photograph.info.get("xmp", b""))


def _exif_of(photograph: Image.Image) -> dict[int, Any]:
    exif = photograph.getexif()
    return {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}


def _text(value: Any) -> str:
    """Return a printable text of limited length; empty for what is no text."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if not isinstance(value, str):
        return ""
    printable = "".join(sign if sign.isprintable() else " " for sign in value[: 4 * LONGEST])
    return " ".join(printable.split())[:LONGEST]
