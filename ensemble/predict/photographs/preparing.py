"""A photograph of any size, brought to the size and the pose that a bundle was made for, or the reason why not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ensemble.predict.bundle.manifest import Scope
from ensemble.predict.faces.alignment import align
from ensemble.predict.faces.mtcnn import Face, FaceFinder, FacesNotAvailable, dominant
from ensemble.predict.faces.template import Template
from ensemble.predict.photographs.decoding import Photograph

Pixels = NDArray[np.uint8]

_MAKING = Lock()


@dataclass(frozen=True)
class Prepared:
    """A photograph as the models take it.

    Attributes
    ----------
    pixels : uint8 (height, width, 3) or None
        None where there is nothing that the models could be asked about.
    reason : str
        Why nothing can be said about it; empty where something can be.
    """

    pixels: Pixels | None
    reason: str = ""


@dataclass(frozen=True)
class Preparation:
    """Preparation of photographs, which brings them to the size of a bundle.

    Photographs of that size pass untouched. Of others the face is aligned as the training faces are.

    Attributes
    ----------
    size : (int, int)
        Height and width.
    template : Template or None
        Where the faces of the training photographs lie.
    make_finder : callable
        Returns the finder of faces; is called when the first photograph of another size comes.
    """

    size: tuple[int, int]
    template: Template | None
    scope: Scope
    make_finder: Callable[[], FaceFinder] = FaceFinder

    def __call__(self, photograph: Photograph) -> Prepared:
        """Return the pixels that the models are asked about, and why they may not be trusted."""
        quality = photograph.quality
        poor = not math.isnan(quality) and quality < self.scope.lowest_quality
        reason = f"saved as JPEG of quality {quality:.0f}; qualities below {self.scope.lowest_quality} were not tested"
        if photograph.pixels.shape[:2] == self.size:
            turned = f"it is rotated or mirrored (EXIF orientation {photograph.orientation})"
            return Prepared(photograph.pixels, turned if photograph.orientation != 1 else reason if poor else "")
        aligned = self._aligned(np.ascontiguousarray(photograph.upright))
        return Prepared(aligned.pixels, reason) if poor and not aligned.reason else aligned

    @cached_property
    def _found(self) -> FaceFinder | str:
        try:
            return self.make_finder()
        except FacesNotAvailable as error:
            return str(error)

    @property
    def _finder(self) -> FaceFinder | str:
        with _MAKING:  # photographs are prepared in threads
            return self._found

    def _aligned(self, pixels: Pixels) -> Prepared:
        """Return the most prominent face, or why there is none that the models could be asked about."""
        another = f"{pixels.shape[1]} x {pixels.shape[0]} pixels instead of {self.size[1]} x {self.size[0]}"
        if self.template is None:
            return Prepared(None, f"{another}, and the faces of the training photographs lie in no common place")
        if isinstance(self._finder, str):
            return Prepared(None, f"{another}, and no face can be looked for: {self._finder}")
        faces = self._finder(pixels)
        if not faces:
            return Prepared(None, f"{another}, and no face was found")
        face = dominant(faces)
        if face is None:
            return Prepared(None, f"{another}, and {len(faces)} faces were found; cut out the one that is meant")
        return self._one(pixels, face, self.template)

    def _one(self, pixels: Pixels, face: Face, template: Template) -> Prepared:
        found = align(pixels, face, template)
        if isinstance(found, str):
            return Prepared(None, found)
        if found.scale > self.scope.largest_scale:
            return Prepared(found.photograph, f"the face is too small: it had to be enlarged by {found.scale:.2f}")
        if abs(found.angle) > self.scope.largest_angle:
            return Prepared(found.photograph, f"the face is rotated by {abs(found.angle):.0f} degrees")
        return Prepared(found.photograph)
