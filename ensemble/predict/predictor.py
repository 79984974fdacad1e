"""Answers about photographs from a bundle, a few at a time, in the order in which they were asked about."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from ensemble.core.errors import UserError
from ensemble.core.metrics.scores import to_probabilities
from ensemble.core.storage.files import location
from ensemble.core.threads import threads
from ensemble.predict.answers import Answer
from ensemble.predict.bundle.files import BundleFiles, Content
from ensemble.predict.bundle.manifest import Manifest
from ensemble.predict.bundle.readers import Part, read_part
from ensemble.predict.bundled_ensemble import BlendedLogits, BundledEnsemble
from ensemble.predict.faces.template import Template
from ensemble.predict.photographs.decoding import Photograph, decode
from ensemble.predict.photographs.preparing import Preparation, Prepared
from ensemble.predict.verdicts import CANNOT, false_positives, verdict_of

AT_ONCE: Final = 16  # photographs: more are no faster, and take memory

Read = Callable[[], bytes | str]  # returns a photograph's bytes, or why they cannot be read
Asked = tuple[str, Read | Photograph]


@dataclass(frozen=True)
class Pending:
    """A photograph that was decoded and prepared, and waits for the models. Its own pixels, maybe many, are let go.

    Attributes
    ----------
    facts : dict
        `width`, `height` and `format` of the file; empty if it could not be decoded.
    """

    name: str
    prepared: Prepared
    facts: dict[str, Any]


class Bundle:
    """A trained ensemble, ready to be asked about photographs; `load_bundle` reads one.

    Parameters
    ----------
    manifest : Manifest
        What it holds, and what was measured.
    content : dict
        Its files, by folder and name.
    where : str
        Its name, for messages.
    threads : int or None
        Threads that compute; default: all cores.

    Raises
    ------
    UserError
        A file is not as it should be, or something that it needs is not installed.
    """

    def __init__(self, manifest: Manifest, content: Content, where: str, threads: int | None = None) -> None:
        self.manifest, self.threads = manifest, threads or os.cpu_count() or 1
        self._ensemble = BundledEnsemble(manifest, content, where, self.threads)
        self._spectrum = _spectrum_of(manifest, where)
        self._prepare = Preparation(manifest.size, _template(manifest, where), manifest.scope)
        self._check_shapes(where)

    def _check_shapes(self, where: str) -> None:
        """Ask about a blank photograph, so that parts which do not fit together are noticed at once."""
        try:
            blank = np.zeros((1, *self.manifest.size, 3), np.uint8)
            self._ensemble(blank)
            if self.manifest.spectra is not None and self._spectrum is not None:
                assert self._spectrum(blank).shape[1] >= len(self.manifest.spectra.frequencies)  # noqa: S101
        except Exception as error:  # of any library
            raise UserError(f"{where}: its parts do not fit together; make the bundle again") from error

    @property
    def members(self) -> list[str]:
        """Names of the members."""
        return [member.name for member in self.manifest.members]

    def predict(self, photographs: Iterable[Any]) -> list[Answer]:
        """Return an answer for each photograph, in order.

        Parameters
        ----------
        photographs : iterable
            Paths, addresses, bytes of files, or uint8 arrays (height, width, 3). One that cannot be read gets an answer
            with the reason.
        """
        return list(self.answers((_name_of(each, n), _content_of(each)) for n, each in enumerate(photographs)))

    def answers(self, photographs: Iterable[Asked]) -> Iterator[Answer]:
        """Yield an answer for each photograph, given by name, and by content or decoded; few are in memory at once."""
        asked = iter(photographs)
        with ThreadPoolExecutor(self.threads) as pool:
            coming = self._start(asked, pool)
            while coming:
                pending = [future.result() for future in coming]
                coming = self._start(asked, pool)  # decoded while the models compute
                yield from self.compute(pending)

    def _start(self, asked: Iterator[Asked], pool: ThreadPoolExecutor) -> list[Future[Pending]]:
        return [pool.submit(self.prepare, name, content) for name, content in islice(asked, AT_ONCE)]

    def prepare(self, name: str, content: Read | Photograph) -> Pending:
        """Read, decode and prepare a photograph; an error of a library costs this one alone.

        Raises
        ------
        UserError
            Its object store cannot be reached or refuses.
        """
        facts: dict[str, Any] = {}
        try:
            photograph = content if isinstance(content, Photograph) else _decoded(content())
            if isinstance(photograph, str):
                return Pending(name, Prepared(None, photograph), facts)
            height, width = photograph.pixels.shape[:2]
            facts = {"width": width, "height": height, "format": photograph.format}
            return Pending(name, self._prepare(photograph), facts)
        except UserError:  # the place of the photographs cannot be reached: not this one's fault
            raise
        except Exception as error:  # libraries document no list of what they raise
            return Pending(name, Prepared(None, f"it cannot be used ({type(error).__name__})"), facts)

    def spectrum(self, pending: Pending) -> list[float] | None:
        """Return a photograph's spectrum at the manifest's frequencies; None where the bundle or it has none."""
        spectra, pixels = self.manifest.spectra, pending.prepared.pixels
        if self._spectrum is None or spectra is None or pixels is None:
            return None
        found: list[float] = self._spectrum(pixels[None])[0, : len(spectra.frequencies)].tolist()
        return found

    def compute(self, pending: Sequence[Pending]) -> list[Answer]:
        """Return the answers about a few prepared photographs, from one call of each model."""
        answers = {at: Answer(each.name, reason=each.prepared.reason, **each.facts) for at, each in enumerate(pending)}
        pixels = {at: each.prepared.pixels for at, each in enumerate(pending) if each.prepared.pixels is not None}
        if pixels:
            with threads(self.threads):
                logits = self._ensemble(np.stack(list(pixels.values())))
            for row, at in enumerate(pixels):
                answers[at] = self._answer(pending[at], logits, row)
        return list(answers.values())

    def _answer(self, pending: Pending, logits: BlendedLogits, row: int) -> Answer:
        verdicts, gate = self.manifest.verdicts, self.manifest.doubt
        doubt = None if gate is None else float(logits.doubt[row]) / gate.threshold
        logit = float(logits.blended[row])
        reason = pending.prepared.reason or _reason(logit, doubt)
        verdict = CANNOT if reason else verdict_of(logit, verdicts)
        members = to_probabilities(logits.members[row])
        return Answer(
            pending.name,
            verdict,
            reason,
            float(to_probabilities(logits.blended[row])) if math.isfinite(logit) else None,
            false_positives(verdict, verdicts),
            doubt,
            dict(zip(self.members, members.tolist(), strict=True)),
            **pending.facts,
        )


def _reason(logit: float, doubt: float | None) -> str:
    """Return why the models' answer does not count; empty if it does."""
    if not math.isfinite(logit):
        return "the models gave no finite number"
    if doubt is not None and not doubt <= 1:
        return "unlike the photographs that the ensemble was trained and tested on"
    return ""


def load_bundle(path: str | Path, threads: int | None = None) -> Bundle:
    """Return the bundle at a path or an address; `threads` is how many compute (default: all cores).

    Raises
    ------
    UserError
        There is no bundle, it is damaged, or something that it needs is not installed.

    Examples
    --------
    >>> bundle = load_bundle("faces.bundle")  # doctest: +SKIP
    >>> bundle.predict(["a.jpg", "b.png"])[0].verdict  # doctest: +SKIP
    'no evidence of generation'
    """
    files = BundleFiles(location(path))
    return Bundle(files.manifest, files.content(), files.where, threads)


def _decoded(read: bytes | str) -> Photograph | str:
    return read if isinstance(read, str) else decode(read)


def _spectrum_of(manifest: Manifest, where: str) -> Part | None:
    reader = manifest.spectra and manifest.spectra.reader
    return read_part(reader, {}, 1, where) if reader else None


def _template(manifest: Manifest, where: str) -> Template | None:
    if manifest.template is None:
        return None
    try:
        return Template.from_json(manifest.template)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{where}: the template of faces is damaged or edited; copy the bundle again") from None


def _name_of(photograph: Any, number: int) -> str:
    return str(photograph) if isinstance(photograph, str | os.PathLike) or hasattr(photograph, "open") else str(number)


def _content_of(photograph: Any) -> Read | Photograph:
    """Return what reads a photograph, or the photograph itself where it is an array."""
    if isinstance(photograph, np.ndarray):
        if photograph.dtype != np.uint8 or photograph.ndim != 3 or photograph.shape[2] != 3 or not photograph.size:
            return lambda: f"an array of {photograph.dtype} {photograph.shape}, not uint8 (height, width, 3)"
        return Photograph(photograph, "", float("nan"), 1)
    if isinstance(photograph, bytes | bytearray | memoryview):
        return lambda: bytes(photograph)
    from ensemble.predict.photographs.sources import Source

    try:
        path = photograph if hasattr(photograph, "open") else location(os.fspath(photograph))
    except (TypeError, ValueError, UserError):
        return lambda: f"a {type(photograph).__name__}, not a photograph, a path or an address that can be read"
    return Source(str(photograph), path).read
