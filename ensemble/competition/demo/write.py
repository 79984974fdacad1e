"""The demo as the files of a competition, marked as synthetic."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from ensemble.competition.demo.camera import photograph
from ensemble.competition.demo.generator import generate
from ensemble.competition.demo.plan import Photo, check_sizes, plan
from ensemble.competition.demo.scene import draw_scene
from ensemble.competition.layout import SYNTHETIC_MARKER
from ensemble.core.errors import UserError
from ensemble.core.storage.hashing import file_sha256

TOP = "data256faces"
ARCHIVE, TRAIN_CSV, SUBMIT_CSV = f"{TOP}.tar.gz", "train.csv", "submit.csv"
COMPETITION_FILES = (ARCHIVE, TRAIN_CSV, SUBMIT_CSV)
_WORTH_PROCESSES = 200  # photographs
JPEG_QUALITY, JPEG_SUBSAMPLING = 92, "4:2:0"  # of both classes, so that the file format gives nothing away

NOTICE = """\
This is synthetic demo data. Nobody in it exists, and neither a camera nor a trained generator made it.
Formulas drew the faces, the "real" ones through a simulated camera and the "fake" ones through simulated
up-sampling. It shows that the programs run. A score on it says nothing about real photographs.

Made by: ensemble demo DIR --train {train} --test {test} --seed {seed}
"""


def write_demo(
    folder: Path, train: int = 240, test: int = 120, seed: int = 0, report: Callable[[int], None] = lambda _: None
) -> None:
    """Write a synthetic competition in the organisers' format, byte-identical for the same numbers.

    Parameters
    ----------
    folder : Path
        For the archive, `train.csv`, `submit.csv` and `SYNTHETIC.txt`; created if it does not exist.
    train, test : int
        Photographs of each split, at least 20 and 2; half of each are fake.
    seed : int
        0 or more; every seed gives other people.
    report : callable
        Takes the number of photographs that are made, after each.

    Raises
    ------
    UserError
        For sizes that are too small, a folder that cannot be written to, or one with another competition.
    """
    check_sizes(train, test, seed)
    _check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".demo-", dir=folder) as staging:
            notice = NOTICE.format(train=train, test=test, seed=seed)
            _write_files(Path(staging), plan("train", train, seed), plan("test", test, seed), notice, report)
            _publish(Path(staging), folder)
    except OSError as error:
        raise UserError(f"the demo cannot be written to {folder}: {error.strerror or error}") from error


def render(photo: Photo) -> bytes:
    """Make one photograph, as the bytes of a 256 x 256 px RGB JPEG file."""
    rng = np.random.default_rng(photo.stream)
    scene = draw_scene(rng)
    pixels = generate(scene, rng) if photo.fake else photograph(scene, rng)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=JPEG_SUBSAMPLING)
    return file.getvalue()


def _check_folder(folder: Path) -> None:
    """Refuse to overwrite anything but a demo, whose marker lists the sha256 of every file of the competition."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file, and the demo needs a folder: give another DIR")
    marker = folder / SYNTHETIC_MARKER
    listed = marker.read_text(encoding="utf-8", errors="replace") if marker.is_file() else ""
    for path in (folder / name for name in COMPETITION_FILES):
        if path.exists() and _mark(path) not in listed:
            raise UserError(f"{path} is not from a demo and is not overwritten: give another DIR, or move it away")


def _write_files(
    folder: Path, train: list[Photo], test: list[Photo], notice: str, report: Callable[[int], None]
) -> None:
    _write_archive(folder / ARCHIVE, train + test, notice, report)
    targets = [f"{photo.name},{int(photo.fake)}" for photo in train]
    _write_lines(folder / TRAIN_CSV, ["name,target", *targets])
    _write_lines(folder / SUBMIT_CSV, ["name,pred", *(f"{photo.name},0" for photo in test)])
    marks = [_mark(folder / name) for name in COMPETITION_FILES]
    _write_lines(folder / SYNTHETIC_MARKER, [notice, *marks])


def _publish(staging: Path, folder: Path) -> None:
    """Rename the finished files into place, the marker first, so that no demo is ever without it."""
    for name in (SYNTHETIC_MARKER, *COMPETITION_FILES):
        os.replace(staging / name, folder / name)


def _write_archive(path: Path, photos: list[Photo], notice: str, report: Callable[[int], None]) -> None:
    with _reproducible_tar(path) as archive, _pool(len(photos)) as pool:
        _add(archive, SYNTHETIC_MARKER, notice.encode())
        contents = pool.map(render, photos, chunksize=16)
        for done, (photo, content) in enumerate(zip(photos, contents, strict=True), start=1):
            _add(archive, f"{photo.split}/{photo.name}", content)
            report(done)


def _pool(photos: int) -> Executor:
    """Return threads for a few photographs, and for many processes, which take a second to start."""
    if photos < _WORTH_PROCESSES:
        return ThreadPoolExecutor(os.cpu_count())
    return ProcessPoolExecutor(os.cpu_count(), get_context("spawn"))


@contextmanager
def _reproducible_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a `.tar.gz` whose bytes depend on its contents only: its header has no file name and no time."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        yield archive


def _add(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"{TOP}/{path}")  # its time and owner are 0 unless set
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def _mark(path: Path) -> str:
    """Return the line that `sha256sum` prints for a file."""
    return f"{file_sha256(path)}  {path.name}"
