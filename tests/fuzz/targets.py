"""What reads bytes of others: each either reads them or refuses them in a plain sentence."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from starlette.requests import Request

from ensemble.competition.archive import Allowance, read_archive
from ensemble.competition.columns import Split
from ensemble.competition.images import Decoding, decode_one
from ensemble.competition.rows import Problems, SampleTable, read_sample, read_train
from ensemble.competition.submission import read_submission
from ensemble.competition.tables import read_table
from ensemble.config.experiment import DataSettings
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.folds.ledger import FoldLedger
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.linear import LINEAR
from ensemble.predict.bundle.manifest import Reader, parse_manifest
from ensemble.predict.bundle.readers import read_part
from ensemble.predict.photographs.bare import FORMATS, bare
from ensemble.predict.photographs.decoding import decode
from ensemble.predict.unfinished import UnfinishedRows
from ensemble.serve.limits import Limits
from ensemble.serve.refusals import Refusal
from ensemble.serve.uploads import Uploads
from ensemble.store.external.reading import read_external
from ensemble.store.record import FoldRecord, Provenance, from_text, to_text
from tests.bad_input.archives import tarred, zipped
from tests.bad_input.cases import is_plain

NAMES = [f"{number:05d}.png" for number in range(4)]
_SPLIT = Split(NAMES)
_SAMPLE = SampleTable(NAMES, NAMES, "name", "pred", ["name", "pred"], {}, [], True)
_MOST_PIXELS = 250_000
_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """A function that reads bytes, and some to begin with; `documented` are errors besides that of the user."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    documented: tuple[type[Exception], ...] = ()

    def __call__(self, content: bytes) -> None:
        """Read; whatever is raised is a fault."""
        try:
            self.read(content)
        except UserError as error:
            if not is_plain(str(error)):
                raise AssertionError("the sentence is not plain") from error
        except self.documented:
            pass


@cache
def folder() -> Path:
    """A folder for files of this process."""
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


def _written(name: str, content: bytes) -> Path:
    path = folder() / name
    path.write_bytes(content)
    return path


def _golden() -> BundleFiles:
    return BundleFiles(_REPOSITORY / "tests/ensemble/predict/golden/schema-1.zip")


def _archive(content: bytes) -> None:
    found = read_archive(io.BytesIO(content), "data.zip", Allowance(1_000, 2**24))
    for name in found.files:
        assert not name.startswith("/"), name
        assert ".." not in name.split("/"), name


def _archives() -> list[bytes]:
    content = {"train/a.png": b"a" * 600, "train/b.png": b"b", "test/c.png": b""}
    stored, tar = zipped(content), tarred(content)
    packed = [zipped(content, zipfile.ZIP_DEFLATED), gzip.compress(tar), lzma.compress(tar), bz2.compress(b"a")]
    return [stored, tar, zipped({"inner.zip": stored}), *packed]


def _train(content: bytes) -> None:
    problems: Problems = {}
    rows, _ = read_train(read_table(content, "train.csv", NAMES), _SPLIT, DataSettings(), problems, [])
    if not problems:
        assert set(rows.labels) == {0, 1}
        assert set(rows.files) <= set(NAMES)
        assert len(set(rows.files)) == len(rows.files)


def _sample(content: bytes) -> None:
    problems: Problems = {}
    split = Split(NAMES, "test", "train")
    rows = read_sample(read_table(content, "submit.csv", NAMES), split, DataSettings(), problems, [])
    if not problems:
        assert set(rows.files) <= set(NAMES)
        assert len(set(rows.files)) == len(rows.files)


def _tables() -> list[bytes]:
    rows = [f"{name},{number % 2}" for number, name in enumerate(NAMES)]
    plain = "\n".join(["name,target", *rows]) + "\n"
    quoted = plain.replace("00001.png", '"00001.png"').replace("\n", "\r\n")
    return [
        plain.encode(),
        quoted.encode("utf-8-sig"),
        plain.replace(",", ";").encode("utf-16"),
        plain.replace(",", "\t").encode(),
        plain.replace(".png", "").encode(),
        "\n".join(rows).encode(),
        plain.replace("1\n", "fake\n").replace("0\n", "real\n").encode(),
    ]


def _external_csv(content: bytes) -> None:
    read_external(_written("oof.csv", content), _SPLIT, {})


def _external_parquet(content: bytes) -> None:
    read_external(_written("oof.parquet", content), _SPLIT, {})


def _predictions() -> list[bytes]:
    frame = pd.DataFrame({"name": NAMES, "fold": [0, 1, 0, 1], "pred": [0.1, 0.9, 0.2, 0.8]})
    return [frame.to_csv(index=False).encode(), frame.set_index("name").to_csv().encode()]


def _parquets() -> list[bytes]:
    frame = pd.DataFrame({"name": NAMES, "fold": [0, 1, 0, 1], "pred": [0.1, 0.9, 0.2, 0.8]})
    return [frame.to_parquet(), frame.set_index("name").to_parquet()]


def _pixels(content: bytes) -> np.ndarray[Any, Any] | None:
    """Decode as Pillow does; None where that fails, or would take long."""
    with suppress(Exception), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height <= _MOST_PIXELS:
            image.load()
            return np.asarray(image.convert("RGB"))
    return None


def _image(content: bytes) -> None:
    pixels = decode_one(content, Decoding())
    assert isinstance(pixels, str) or (pixels.dtype == np.uint8 and pixels.shape[2:] == (3,))


def _photograph(content: bytes) -> None:
    found = decode(content)
    assert isinstance(found, str) or found.pixels.dtype == np.uint8


def _metadata(content: bytes) -> None:
    """What is left out changes no pixel."""
    before, left = _pixels(content), bare(content)
    if before is not None and not isinstance(left, str):
        after = _pixels(left.content)
        assert after is not None, "what Pillow could decode it cannot any more"
        assert np.array_equal(before, after), "other pixels"


def _images() -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for kind, options in {
        "JPEG": {"exif": exif, "comment": b"a comment"},
        "PNG": {"exif": exif},
        "WEBP": {"exif": exif},
        "BMP": {},
        "GIF": {},
        "TIFF": {"compression": "tiff_lzw"},
        "MPO": {"progressive": True},
    }.items():
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)  # type: ignore[arg-type]
        found.append(file.getvalue())
    short = found[0][:4] + b"\x00\x01" + found[0][6:]  # a segment that is shorter than its length
    return [*found, short]


def _config(content: bytes) -> None:
    load_experiment(_written("c.yaml", content))


def _configs() -> list[bytes]:
    return [path.read_bytes() for path in sorted((_REPOSITORY / "configs").glob("*.yaml"))]


def _ledger(content: bytes) -> None:
    if not (folder() / "folds.json").exists():
        _new_ledger().save(folder())
    _written("folds.parquet", content)
    assert FoldLedger.load(folder()).sha256 == _new_ledger().sha256


def _ledger_summary(content: bytes) -> None:
    if not (folder() / "folds.parquet").exists():
        _new_ledger().save(folder())
    _written("folds.json", content)
    assert FoldLedger.load(folder()).sha256 == _new_ledger().sha256


@cache
def _new_ledger() -> FoldLedger:
    table = pd.DataFrame({"name": NAMES, "label": [0, 1, 0, 1], "group": NAMES, "fold": [0, 0, 1, 1]})
    return FoldLedger(table, 2, 0, 6)


def _ledger_files(name: str) -> list[bytes]:
    with tempfile.TemporaryDirectory() as temporary:
        _new_ledger().save(Path(temporary))
        return [(Path(temporary) / name).read_bytes()]


def _record(content: bytes) -> None:
    from_text(content)


def _records() -> list[bytes]:
    made_by = Provenance({"name": "a", "model": {"use": "a.B"}}, "0" * 64, "1" * 64, "members:2")
    record = FoldRecord(
        "a", 0, made_by, 1.0, 0.5, 0.1, 0.0, 2.0, 10.0, 1, {"numpy": "2.0"}, "", "3" * 64, [{"epoch": 1}], {"a": "4"}
    )
    return [to_text(record).encode()]


def _submission(content: bytes) -> None:
    read_submission(_written("submit.csv", content), _SAMPLE)


def _submissions() -> list[bytes]:
    return ["\n".join(["name,pred", *(f"{name},0.25" for name in NAMES)]).encode()]


def _unfinished(content: bytes) -> None:
    rows = UnfinishedRows(folder() / "answers.csv", ["a bundle"])
    rows.path.write_bytes(_SIGNED + content)
    kept = list(rows.rows())
    rows.add_all(iter([{"name": "new"}]))
    assert list(rows.rows()) == [*kept, {"name": "new"}]


def _signature() -> bytes:
    rows = UnfinishedRows(folder() / "answers.csv", ["a bundle"])
    rows.add_all(iter([]))
    return rows.path.read_bytes()


_SIGNED = _signature()


def _manifest(content: bytes) -> None:
    parse_manifest(content, "faces.bundle")


def _bundle(content: bytes) -> None:
    BundleFiles(_written("faces.bundle", content)).content()


def _part(content: bytes) -> None:
    read_part(Reader(reader="linear", folder="members/linear"), {LINEAR: content}, 1, "faces.bundle")


def _linear_parts() -> list[bytes]:
    return [files[LINEAR] for files in _golden().content().values() if LINEAR in files]


def _http(content: bytes) -> None:
    """A request: the kind of its content in the first line, and its body."""
    kind, _, body = content.partition(b"\n")
    chunks = [body[start : start + 50] for start in range(0, len(body), 50)]

    async def receive() -> dict[str, Any]:
        chunk = chunks.pop(0) if chunks else b""
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    scope = {"type": "http", "method": "POST", "path": "/v1/check", "headers": [(b"content-type", kind)]}
    asyncio.run(_upload(Request(scope, receive)))


async def _upload(request: Request) -> None:
    async with Uploads(Limits()).photographs(request) as photographs:
        assert all(len(name) <= 200 and isinstance(content, bytes) for name, content in photographs)


def _requests() -> list[bytes]:
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nabc\r\n'
    return [b"image/png\nabc", b"multipart/form-data; boundary=b\n" + part + part + b"--b--\r\n"]


TARGETS = {
    "archives": Target(_archive, _archives),
    "train.csv": Target(_train, _tables),
    "the sample submission": Target(_sample, _tables),
    "external predictions, CSV": Target(_external_csv, _predictions),
    "external predictions, Parquet": Target(_external_parquet, _parquets),
    "photographs of a competition": Target(_image, _images),
    "photographs of anybody": Target(_photograph, _images),
    "metadata of photographs": Target(_metadata, _images),
    "configs": Target(_config, _configs),
    "folds.parquet": Target(_ledger, lambda: _ledger_files("folds.parquet")),
    "folds.json": Target(_ledger_summary, lambda: _ledger_files("folds.json")),
    "fold.json": Target(_record, _records, (ValueError, TypeError, KeyError)),
    "submit.csv": Target(_submission, _submissions, (OSError, ValueError)),
    "unfinished answers": Target(_unfinished, lambda: [b'{"name": "a"}\n{"name": "b"}\n', b'{"na']),
    "bundle.json": Target(_manifest, lambda: [_golden().manifest.model_dump_json().encode()]),
    "bundles": Target(_bundle, lambda: [Path(_golden().where).read_bytes()]),
    "linear models": Target(_part, _linear_parts),
    "requests": Target(_http, _requests, (Refusal,)),
}
