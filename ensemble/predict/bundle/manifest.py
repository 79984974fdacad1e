"""bundle.json: what a bundle holds, validated before anything of it is used."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ensemble.core.errors import UserError
from ensemble.core.storage.json_file import parse_json

SCHEMA: Final = 1
MANIFEST: Final = "bundle.json"
CARD: Final = "card.md"
LARGEST_MANIFEST: Final = 32 * 2**20  # bytes
LARGEST_FILE, LARGEST_BUNDLE = 2**30, 4 * 2**30  # bytes
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


def _inside(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > 300:
        raise ValueError(f"{name!r} is not the name of a file in a bundle")
    return name


FileName = Annotated[str, AfterValidator(_inside)]
Share = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Side = Annotated[int, Field(ge=8, le=16_384)]


class Section(BaseModel):
    """Section of a manifest. Unknown keys are errors: what they mean could matter."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class File(Section):
    """A file beside the manifest."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, le=LARGEST_FILE)]


class Reader(Section):
    """A transformer or a fitted model, which one of our readers reads."""

    reader: str
    """Its kind; `ensemble.predict.bundle.readers` has the list."""
    folder: FileName
    """Folder of its files."""
    settings: dict[str, Any] = {}
    """What the reader needs beside its files."""


class Member(Section):
    """A member of the blend."""

    name: str
    features: int | None
    """Index among the bundle's features; None where the models read photographs."""
    folds: Annotated[tuple[Reader, ...], Field(min_length=1)]
    """The models of all folds."""


class Blend(Section):
    """How the members' logits become one."""

    blender: dict[str, Any]
    """State of the blender; its columns are the members in their order, then those of `columns`."""
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    shift: Finite
    columns: int | None = None
    """Index among the features of the columns that the blender reads beside the logits."""


class Rate(Section):
    """Errors on held-out photographs that were altered in one way, as they would be by a person's request."""

    variant: str
    title: str
    guaranteed: bool
    """Whether the limits were set so that the stated false-positive rates hold on this variant too."""
    real: Annotated[int, Field(ge=0)]
    fake: Annotated[int, Field(ge=0)]
    strong_false: Annotated[int, Field(ge=0)]
    """Real photographs with strong evidence of generation."""
    some_false: Annotated[int, Field(ge=0)]
    """Real photographs with some or strong evidence."""
    strong_found: Annotated[int, Field(ge=0)]
    some_found: Annotated[int, Field(ge=0)]
    """The same of fakes."""
    undecided_real: Annotated[int, Field(ge=0)]
    undecided_fake: Annotated[int, Field(ge=0)]
    """Photographs of each class about which nothing could be said."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        real = self.strong_false <= self.some_false <= self.real - self.undecided_real
        if not (real and self.strong_found <= self.some_found <= self.fake - self.undecided_fake):
            raise ValueError("it counts more photographs than there are")
        return self


class Verdicts(Section):
    """Limits on the blended logit, and what they were measured to do."""

    strong: Finite
    some: Finite
    strong_rate: Share
    some_rate: Share
    """False-positive rates that the limits hold on the variants for which they are guaranteed."""
    rates: tuple[Rate, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.some > self.strong:
            raise ValueError("the limit of strong evidence is below that of some")
        return self


class Doubt(Section):
    """The doubt gate: how far a photograph's columns lie from those of the training photographs."""

    features: int
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    held_out_share: Share
    """Share of held-out photographs beyond the threshold."""
    folder: FileName


class Scores(Section):
    """Scores on rows that the blend had not seen."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    n: Annotated[int, Field(ge=1)]
    accuracy: Share
    standard_error: Annotated[float, Field(ge=0)]
    log_loss: Annotated[float, Field(ge=0)]
    auc: Share | None


class Spectra(Section):
    """Mean spectra of the classes, and the range of most photographs."""

    reader: Reader | None = None
    """What computes a photograph's own; its first columns are at the `frequencies`."""
    frequencies: tuple[Finite, ...]
    real: tuple[Finite, ...]
    fake: tuple[Finite, ...]
    real_range: tuple[tuple[Finite, ...], tuple[Finite, ...]]
    fake_range: tuple[tuple[Finite, ...], tuple[Finite, ...]]

    @model_validator(mode="after")
    def _check(self) -> Self:
        curves = (self.real, self.fake, *self.real_range, *self.fake_range)
        if any(len(curve) != len(self.frequencies) for curve in curves):
            raise ValueError("a curve has not one value for each frequency")
        return self


class Scope(Section):
    """Photographs about which the ensemble was tested."""

    lowest_quality: Annotated[int, Field(ge=1, le=100)]
    """JPEG's quality, as its quantisation tables show it."""
    largest_scale: Annotated[float, Field(gt=0)]
    """Largest enlargement of a face to the size of the training photographs."""
    largest_angle: Annotated[float, Field(ge=0, le=180)]
    """Degrees by which a face may be rotated."""


class Manifest(Section):
    """The whole of bundle.json."""

    schema_number: Annotated[int, Field(ge=1)]
    name: str
    created: str
    versions: dict[str, str]
    synthetic: bool
    size: tuple[Side, Side]
    """Height and width of the photographs."""
    template: dict[str, Any] | None
    """Where the faces of the training photographs lie; None where they lie in no common place."""
    scope: Scope
    features: tuple[Reader, ...]
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    blend: Blend
    scores: Scores
    """Nested scores of the blend."""
    prior: Share
    """Share of fakes among the training photographs, which the probabilities assume."""
    verdicts: Verdicts
    doubt: Doubt | None
    spectra: Spectra | None
    milliseconds: Annotated[float, Field(gt=0)]
    """Of one thread, for a photograph, where the bundle was made."""
    store: dict[str, str]
    """Hashes of the data, the folds and the blend."""
    files: Annotated[dict[FileName, File], Field(max_length=10_000)]


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Return the manifest of a bundle.

    Raises
    ------
    UserError
        It is no manifest, is of a newer version, or something in it is not as it should be.
    """
    if len(content) > LARGEST_MANIFEST:
        raise UserError(f"{where}: {MANIFEST} is too large to be that of a bundle; copy or make the bundle again")
    try:
        raw = parse_json(content, dict)
    except ValueError:
        raise UserError(f"{where}: {MANIFEST} is not a JSON object; is it damaged?") from None
    number = raw.get("schema_number")
    if not isinstance(number, int) or isinstance(number, bool):
        raise UserError(f"{where}: {MANIFEST} has no schema_number, so it is not a bundle of this program")
    if number > SCHEMA:
        raise UserError(
            f"{where} was made by a newer version (schema {number}); this one reads up to schema {SCHEMA}: update it"
        )
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        why = f": {first['ctx']['error']}" if first["type"] == "value_error" else ""
        raise UserError(f"{where}: {MANIFEST} is damaged or edited ({'.'.join(map(str, first['loc']))}{why})") from None
    _check(manifest, where)
    return manifest


def _check(manifest: Manifest, where: str) -> None:
    """Refuse indices beyond the features, and files that are too large together."""
    indices = [member.features for member in manifest.members] + [manifest.blend.columns]
    indices += [manifest.doubt.features] if manifest.doubt else []
    if any(index is not None and not 0 <= index < len(manifest.features) for index in indices):
        raise UserError(f"{where}: {MANIFEST} is damaged or edited (it names features that it does not have)")
    if sum(file.bytes for file in manifest.files.values()) > LARGEST_BUNDLE:
        raise UserError(f"{where}: the files of a bundle may have at most {LARGEST_BUNDLE // 2**30} GiB together")
