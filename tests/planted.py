"""Small competitions in memory, clean or with one fault planted, for audits to find."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from ensemble.audit.run import Subject, audit
from ensemble.competition.dataset import Competition
from ensemble.competition.rows import SampleTable, TrainTable
from ensemble.config.experiment import Experiment
from ensemble.config.members import MemberSettings
from ensemble.config.settings import Recipe
from ensemble.core.console.progress import ProgressBoard
from ensemble.engine.inline import InlineEngine
from ensemble.store.checks import Check
from ensemble.store.oof import OofStore
from ensemble.store.opening import cut

SIDE = 64
TRACES = {"usual": 0.30, "other": 0.42}  # cycles a pixel at which a generator leaves its trace
STRONG, FAINT = 3.0, 2.0  # most that a trace adds to a value of 8 bits; the faint one is as hard as real ones
Saved = dict[str, Any]


@dataclass
class Draft:
    """A competition before it is saved: whatever a fault may change."""

    rng: np.random.Generator
    labels: list[int]
    train: list[NDArray[np.uint8]]
    test: list[NDArray[np.uint8]]
    test_labels: list[int]
    names: list[str]
    saved: list[Saved] = field(default_factory=list)  # as Pillow takes it, the training rows first
    trace: float = STRONG

    def each(self, change: Callable[[int, Saved], None], test: bool = True) -> None:
        """Change how each photograph is saved, given its class."""
        rows = self.labels + (self.test_labels if test else [])
        for label, how in zip(rows, self.saved, strict=False):
            change(label, how)


def picture(rng: np.random.Generator, fake: bool, generator: str = "usual", trace: float = STRONG) -> NDArray[np.uint8]:
    """Clouds with noise; a fake one bears a faint wave, at times too faint."""
    blur = rng.uniform(1.5, 3)
    clouds = gaussian_filter(rng.normal(size=(SIDE, SIDE, 3)), (blur, blur, 0))
    pixels = 128 + 40 * clouds / clouds.std() + rng.normal(0, 6, (SIDE, SIDE, 3))
    if fake:
        wave = np.sin(2 * np.pi * (TRACES[generator] * np.arange(SIDE) + rng.uniform()))
        pixels += rng.uniform(0, trace) * wave[:, None, None]
    return np.clip(pixels, 0, 255).astype(np.uint8)


def draft(seed: int, train: int = 240, test: int = 120, fakes: float = 0.5, trace: float = STRONG) -> Draft:
    """A clean one, with a share of fakes: files of one kind, names and classes in no order."""
    rng = np.random.default_rng([seed, 11])
    labels, test_labels = ([int(x) for x in rng.permutation(np.arange(n) < fakes * n)] for n in (train, test))
    pictures = [picture(rng, bool(label), trace=trace) for label in labels + test_labels]
    names = [f"{rng.integers(2**40):010x}.jpg" for _ in range(train)]
    saved = [{"format": "JPEG", "quality": 90, "subsampling": 0} for _ in pictures]
    return Draft(rng, labels, pictures[:train], pictures[train:], test_labels, names, saved, trace)


class Encoded(list[bytes]):
    """Files in memory."""

    def take(self, rows: Iterable[int]) -> Encoded:
        return Encoded(self[row] for row in rows)


def finish(made: Draft) -> Competition:
    """Save all photographs, and put the training rows in the order of their names."""
    order = sorted(range(len(made.names)), key=made.names.__getitem__)
    rows = [*order, *range(len(order), len(order) + len(made.test))]
    pictures = made.train + made.test
    names, test_names = [made.names[row] for row in order], [f"test{row:04d}.jpg" for row in range(len(made.test))]
    labels = np.array([made.labels[row] for row in order], dtype=np.int64)
    train = TrainTable(names, names, labels, [None] * len(names))
    sample = SampleTable(test_names, test_names, "name", "pred", ["name", "pred"])
    encoded = Encoded(_encode(pictures[row], made.saved[row]) for row in rows)
    return Competition("planted", train, sample, encoded, synthetic=True)  # type: ignore[arg-type]


def audited(competition: Competition, folder: Path) -> dict[str, Check]:
    """All checks, by id."""
    member = MemberSettings(name="any", model=Recipe(use="sklearn.dummy.DummyClassifier"))
    experiment = Experiment(name="planted", members=(member,))
    pixels, ledger = cut(experiment, competition)
    subject = Subject(competition, ledger, experiment, OofStore(folder / "planted"))
    with InlineEngine() as engine:
        checks = audit(subject, engine, ProgressBoard(), pixels)
    return {check.id: check for check in checks}


def _encode(pixels: NDArray[np.uint8], how: Saved) -> bytes:
    file = BytesIO()
    how = {key: value for key, value in how.items() if how["format"] == "JPEG" or key == "format"}
    Image.fromarray(pixels).save(file, **how)
    return file.getvalue()


def _png_against_jpeg(made: Draft) -> None:
    made.each(lambda label, how: how.update(format="PNG") if label else None)


def _quality_by_class(made: Draft) -> None:
    made.each(lambda label, how: how.update(quality=95 if label else 75))


def _sampling_by_class(made: Draft) -> None:
    made.each(lambda label, how: how.update(subsampling=2 if label else 0))


def _exif_in_one_class(made: Draft) -> None:
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    made.each(lambda label, how: None if label else how.update(exif=exif.tobytes()))


def _other_quality_in_test(made: Draft) -> None:
    for how in made.saved[len(made.labels) :]:
        how["quality"] = 60


def _copies(change: Callable[[Draft, int, int], None]) -> Callable[[Draft], None]:
    """Some training photographs stand in test, too."""

    def plant(made: Draft) -> None:
        for row in range(6):
            source = int(made.rng.integers(len(made.train)))
            made.test[row] = made.train[source]
            change(made, source, row)

    return plant


def _as_it_is(made: Draft, source: int, row: int) -> None: ...


def _recompressed(made: Draft, source: int, row: int) -> None:
    content = _encode(made.train[source], {"format": "JPEG", "quality": 50})
    made.test[row] = np.asarray(Image.open(BytesIO(content)).convert("RGB"))


def _mirrored(made: Draft, source: int, row: int) -> None:
    made.test[row] = np.ascontiguousarray(made.train[source][:, ::-1])


def _opposite_labels(made: Draft) -> None:
    real, fake = made.labels.index(0), made.labels.index(1)
    made.train[fake] = made.train[real]


def _names_in_class_order(made: Draft) -> None:
    order = np.argsort(made.labels, kind="stable")
    for number, row in enumerate(order):
        made.names[row] = f"img_{number:05d}.jpg"


def _numbers_by_parity(made: Draft) -> None:
    numbers = made.rng.permutation(len(made.labels))
    for label, row in ((label, row) for row, label in enumerate(made.labels)):
        made.names[row] = f"{2 * numbers[row] + label:06d}.jpg"


def _shuffled_labels(made: Draft) -> None:
    made.labels = [made.labels[row] for row in made.rng.permutation(len(made.labels))]


def _other_generator_in_test(made: Draft) -> None:
    made.test = [picture(made.rng, bool(label), "other", made.trace) for label in made.test_labels]


@dataclass(frozen=True)
class Fault:
    """A fault, and the audits that should find it; `also` may well find it, too."""

    plant: Callable[[Draft], None]
    found_by: str
    also: tuple[str, ...] = ()


FAULTS = {
    "PNG against JPEG": Fault(_png_against_jpeg, "formats"),
    "quality 75 against 95": Fault(_quality_by_class, "formats"),
    "4:2:0 against 4:4:4": Fault(_sampling_by_class, "formats"),
    "EXIF in one class": Fault(_exif_in_one_class, "formats"),
    "another JPEG quality in test": Fault(_other_quality_in_test, "formats_of_test", ("adversarial",)),
    "copies in test, same files": Fault(_copies(_as_it_is), "duplicates_across"),
    "copies in test, saved again": Fault(_copies(_recompressed), "duplicates_across"),
    "copies in test, mirrored": Fault(_copies(_mirrored), "duplicates_across"),
    "one picture, two labels": Fault(_opposite_labels, "duplicates"),
    "names in class order": Fault(_names_in_class_order, "names"),
    "odd numbers are fake": Fault(_numbers_by_parity, "names"),
    "shuffled labels": Fault(_shuffled_labels, "permutation"),
    "another generator in test": Fault(_other_generator_in_test, "adversarial"),
}
