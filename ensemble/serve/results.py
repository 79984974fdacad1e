"""What the API answers about a photograph, as JSON."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from ensemble.core.storage.hashing import digest
from ensemble.predict.answers import Answer
from ensemble.predict.bundle.manifest import Manifest, Scores, Spectra, Verdicts
from ensemble.predict.verdicts import CANNOT, NO, SOME, STRONG, in_words, weight_of
from ensemble.serve.limits import MEBIBYTE, Limits
from ensemble.serve.provenance.reading import Provenance

CAUTION: Final = (
    "No verdict is a proof, and none says that a photograph is real. Do not act on one alone: ask where the picture "
    "comes from, and look at other copies of it."
)


_EVIDENCE: Final[dict[str, Literal["strong", "some", "none", "unknown"]]] = {
    STRONG: "strong",
    SOME: "some",
    NO: "none",
    CANNOT: "unknown",
}


class Section(BaseModel):
    """Section of an answer."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class FalsePositiveRate(Section):
    """How often real photographs got such a verdict: of the worst of the variants that the limits hold for."""

    share: float
    low: float
    high: float
    """95 % interval."""
    photographs: int
    """Held-out real photographs that it was counted on."""
    variant: str


class VerdictWeight(Section):
    """How often exactly this verdict is given, by the worst of the variants that the limits hold for."""

    fakes: float
    """Share of fakes like those of training that get this verdict: lower end of the 95 % interval."""
    reals: float
    """Share of real photographs that get it: upper end of the 95 % interval."""


class Result(Section):
    """The answer about one photograph."""

    name: str
    sha256: str
    """SHA-256 of the file."""
    evidence: Literal["strong", "some", "none", "unknown"]
    """The verdict in a word, for programs; unknown where nothing can be said."""
    verdict: str
    """Strong evidence, some evidence or no evidence of generation, or: cannot say."""
    reason: str
    """Why nothing can be said; empty where something is."""
    meaning: str
    """The verdict's error rate, in a sentence."""
    probability: float | None
    """Probability that it is generated, if a share `prior` of all photographs is; null where no model could
    be asked."""
    prior: float
    false_positives: FalsePositiveRate | None
    """Null where the verdict accuses nobody."""
    weight: VerdictWeight | None
    """How often this verdict is given; null where nothing is said."""
    doubt: float | None
    """Distance from the training photographs, in units of the limit: above 1 nothing is said."""
    members: dict[str, float]
    """Probability of each member."""
    width: int | None
    height: int | None
    format: str
    spectrum: list[float] | None = None
    """Log10 of the power at the frequencies of /v1/ensemble; only with `details`."""
    provenance: Provenance | None = None
    """Only with `details`."""


class Patches(Section):
    """How the answer about a photograph changes when a part of it is hidden."""

    changes: list[list[float]]
    """By how much the logit falls when a cell of a grid is hidden: rows from the top, each from the left."""
    warning: str = (
        "This shows where the models looked, not which parts are generated. It makes a verdict look surer than it is."
    )


class Ensemble(Section):
    """Which bundle has answered."""

    name: str
    sha256: str
    """SHA-256 of its manifest, which has that of every file."""
    created: str
    synthetic: bool
    """Whether it was trained on synthetic demo data, so that its verdicts mean nothing for other photographs."""


class Facts(Section):
    """What the ensemble was trained on, and what its verdicts were measured to do."""

    ensemble: Ensemble
    size: tuple[int, int]
    """Height and width of the training photographs."""
    finds_faces: bool
    """Whether photographs of other sizes are answered."""
    members: list[str]
    prior: float
    scores: Scores
    """Nested scores of the blend on the training photographs."""
    verdicts: Verdicts
    """Limits on the blended logit, and the counts of held-out photographs for each variant."""
    spectra: Spectra | None
    """Mean spectra of real and fake training photographs."""
    photographs: int
    """Most photographs of a request."""
    megabytes: int
    """Most mebibytes of a request."""
    has_game: bool
    """Whether there is a game at /play."""


class Results(Section):
    """The answers about the photographs of one request, in its order."""

    results: list[Result]
    ensemble: Ensemble
    caution: str = CAUTION


def facts_of(manifest: Manifest, limits: Limits, *, has_game: bool) -> Facts:
    """Return what is to be known of a bundle."""
    sha256 = digest(manifest.model_dump(mode="json"))
    in_time = int(1000 * limits.seconds / (2 * manifest.milliseconds))  # in half of a request's time
    return Facts(
        ensemble=Ensemble(name=manifest.name, sha256=sha256, created=manifest.created, synthetic=manifest.synthetic),
        size=manifest.size,
        finds_faces=manifest.template is not None,
        members=[member.name for member in manifest.members],
        prior=manifest.prior,
        scores=manifest.scores,
        verdicts=manifest.verdicts,
        spectra=manifest.spectra and manifest.spectra.model_copy(update={"reader": None}),
        photographs=max(min(limits.at_once, in_time), 1),
        megabytes=limits.request_bytes // MEBIBYTE,
        has_game=has_game,
    )


def result_of(
    answer: Answer,
    content: bytes,
    manifest: Manifest,
    spectrum: list[float] | None = None,
    provenance: Provenance | None = None,
) -> Result:
    """Return an answer as the API gives it."""
    rate, weight = answer.false_positives, weight_of(answer.verdict, manifest.verdicts)
    return Result(
        name=answer.name,
        sha256=hashlib.sha256(content).hexdigest(),
        evidence=_EVIDENCE[answer.verdict],
        verdict=answer.verdict,
        reason=answer.reason,
        meaning=in_words(answer.verdict, manifest.verdicts),
        probability=answer.probability,
        prior=manifest.prior,
        false_positives=rate
        and FalsePositiveRate(
            share=rate.share, low=rate.low, high=rate.high, photographs=rate.real, variant=rate.variant
        ),
        weight=weight and VerdictWeight(fakes=weight.fakes, reals=weight.reals),
        doubt=answer.doubt,
        members=dict(answer.members),
        width=answer.width,
        height=answer.height,
        format=answer.format,
        spectrum=spectrum,
        provenance=provenance,
    )
