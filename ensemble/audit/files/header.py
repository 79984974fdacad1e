"""Facts from the header of a photograph's file, without decoding a pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import pandas as pd
from PIL import Image

from ensemble.competition.quality import jpeg_quality
from ensemble.core.parallel import in_threads

_SAMPLING = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
_METADATA = {
    "exif": "EXIF",
    "icc_profile": "ICC profile",
    "xmp": "XMP",
    "photoshop": "Photoshop",
    "dpi": "resolution",
    "jfif": "JFIF",
    "adobe": "Adobe marker",
}
_TECHNICAL = {  # of how the pixels are packed, or facts of their own
    "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression", "adobe_transform", "interlace",
    "mp", "mpoffset", "background", "transparency", "loop", "duration", "timestamp", "compression",
    "Raw profile type exif",
}  # fmt: skip
_SHOWN = 24  # characters of a comment


def facts_of(encoded: Sequence[bytes], identities: Sequence[str]) -> pd.DataFrame:
    """Return a row of facts for each file.

    Columns: `name`; `format`, `mode`, `sampling` (such as 4:2:0; empty but for JPEG), `tables` (8 hex digits of a hash
    over the quantisation tables; empty but for JPEG) and `metadata` (names, joined by commas) are text; `width`,
    `height`, `bytes` int64; `bits_per_pixel` and `quality` (of JPEG as libjpeg counts it, 1 to 100, nearest; NaN
    for others) float64; `progressive` bool.
    """
    table = pd.DataFrame(in_threads(file_facts, encoded))
    table.insert(0, "name", list(identities))
    return table


def file_facts(content: bytes) -> dict[str, Any]:
    """Return the facts of one file."""
    with Image.open(BytesIO(content)) as image:
        tables = getattr(image, "quantization", None) or {}
        return {
            "format": image.format or "unknown",
            "mode": image.mode,
            "width": image.width,
            "height": image.height,
            "bytes": len(content),
            "bits_per_pixel": 8 * len(content) / max(image.width * image.height, 1),
            "quality": jpeg_quality(tables),
            "sampling": _sampling(getattr(image, "layer", ()) or ()),
            "progressive": bool(image.info.get("progressive", False)),
            "tables": hashlib.sha256(repr(sorted(tables.items())).encode()).hexdigest()[:8] if tables else "",
            "metadata": ", ".join(_metadata(image)),
        }


def _sampling(layers: Sequence[tuple[int, int, int, int]]) -> str:
    """Name the sub-sampling of JPEG components (id, horizontal factor, vertical factor, table)."""
    if not layers:
        return ""
    if len(layers) == 1:
        return "grey"
    (_, across, down, _), (_, chroma_across, chroma_down, _) = layers[:2]
    ratio = (across // max(chroma_across, 1), down // max(chroma_down, 1))
    return _SAMPLING.get(ratio, f"{ratio[0]} x {ratio[1]}")


def _metadata(image: Image.Image) -> list[str]:
    """Return the names of a file's metadata, sorted; of comments and software also the beginning of the text."""
    names = {_name(str(key), value) for key, value in image.info.items() if str(key) not in _TECHNICAL}
    return sorted(names)


def _name(key: str, value: object) -> str:
    if key.lower() in ("comment", "software"):
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        return f"{key.lower()} {text[:_SHOWN].strip().replace(',', ' ')!r}"
    return _METADATA.get(key) or f"text {key}"
