"""The game's part of the API. Nothing of a game is kept: the page counts, and asks for the score at the end."""

from __future__ import annotations

import asyncio
import hmac
import io
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache, partial
from typing import Annotated, Final, TypeVar

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from pydantic import Field, ValidationError

from ensemble.predict.bundle.manifest import Section
from ensemble.predict.photographs.decoding import decode
from ensemble.predict.predictor import Bundle
from ensemble.serve.game.pictures import Picture, Pictures
from ensemble.serve.game.score import Round, Score, score_of
from ensemble.serve.refusals import Refusal
from ensemble.serve.uploads import small_body

T = TypeVar("T")

_GAIN: Final = 6  # of the residual, which has a few grey levels
_ENLARGED: Final = 3
_MOST_SIDE: Final = 192  # pixels of the middle
_MOST_ROUNDS: Final = 500
_SCREEN: Final = 1_024  # pixels a side
_KEPT: Final = 64  # pictures as PNG
_MOST_WAITING: Final = 64
_RANDOM: Final = random.SystemRandom()


class Game(Section):
    """What can be played."""

    pictures: list[str]
    """Identifiers, as many of real ones as of generated ones, in a random order."""
    most: int
    """Pictures that a game may have."""
    source: str
    synthetic: bool
    """Whether the real ones were drawn by a program too."""
    unseen: bool
    """Whether the ensemble's answers are known to be by models that had not seen the pictures."""


class Truth(Section):
    """What is known of a picture."""

    fake: bool
    probability: float | None
    """Probability of fake, by the ensemble."""
    spectrum: list[float] | None
    """Log10 of the power at the frequencies of /v1/ensemble."""


class Rounds(Section):
    """A game that was played."""

    rounds: list[Round] = Field(min_length=1, max_length=_MOST_ROUNDS)


class GameRoutes:
    """Routes of the game.

    Parameters
    ----------
    secret : str
        From which the identifiers of pictures are made, the same in every worker.
    """

    def __init__(self, pictures: Pictures, bundle: Bundle, secret: str) -> None:
        self._origin = pictures
        self._pictures = {_identifier(picture, secret): picture for picture in pictures.pictures}
        self._kinds = [[name for name, each in self._pictures.items() if each.fake == kind] for kind in (False, True)]
        self._truth = cache(partial(_truth_of, bundle))
        self._shown, self._fine = lru_cache(_KEPT)(_shown), lru_cache(_KEPT)(_fine_structure)
        self._thread, self._waiting = ThreadPoolExecutor(1, "game"), 0  # photographs of one's own may be large

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/v1/game")
        router.add_api_route("", self.game, methods=["GET"])
        router.add_api_route("/pictures/{identifier}", self.picture, methods=["GET"], response_class=Response)
        router.add_api_route("/pictures/{identifier}/residual", self.residual, methods=["GET"], response_class=Response)
        router.add_api_route("/pictures/{identifier}/truth", self.truth, methods=["GET"])
        router.add_api_route("/score", self.score, methods=["POST"])
        return router

    async def game(self, pictures: Annotated[int, Query(ge=2)] = 20) -> Game:
        """Return pictures for a game of so many, or as many as there are."""
        each = min(pictures // 2, *map(len, self._kinds))
        chosen = [identifier for kind in self._kinds for identifier in _RANDOM.sample(kind, each)]
        _RANDOM.shuffle(chosen)
        most = 2 * min(map(len, self._kinds))
        origin = self._origin
        return Game(pictures=chosen, most=most, source=origin.source, synthetic=origin.synthetic, unseen=origin.unseen)

    async def picture(self, identifier: str) -> Response:
        """Return a picture's pixels, without what its file says besides."""
        return Response(await self._made(self._shown, identifier), media_type="image/png")

    async def residual(self, identifier: str) -> Response:
        """Return the finest structure of a picture's middle, amplified and enlarged."""
        return Response(await self._made(self._fine, identifier), media_type="image/png")

    async def truth(self, identifier: str) -> Truth:
        """Return what is known of a picture: for after the answer."""
        return await self._made(self._truth, identifier)

    async def score(self, request: Request) -> Score:
        """Return how well a game was played: `{"rounds": [...]}`. Nothing of it is kept."""
        try:
            return score_of(Rounds.model_validate_json(await small_body(request)).rounds)
        except ValidationError as error:
            first = error.errors()[0]
            raise Refusal(400, f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None

    async def _made(self, make: Callable[[Picture], T], identifier: str) -> T:
        """Return what a function makes of a picture: one at a time, beside what is asked about photographs."""
        if identifier not in self._pictures:
            raise Refusal(404, "there is no such picture")
        if self._waiting >= _MOST_WAITING:
            raise Refusal(503, "too many are playing; try again later", 1)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, make, self._pictures[identifier])
        finally:
            self._waiting -= 1


def _identifier(picture: Picture, secret: str) -> str:
    return hmac.digest(secret.encode(), picture.content, "sha256").hex()[:16]


def _shown(picture: Picture) -> bytes:
    """Return the picture as PNG, no larger than a screen shows it."""
    shown = Image.fromarray(_upright(picture))
    shown.thumbnail((_SCREEN, _SCREEN))
    return _png(shown)


def _fine_structure(picture: Picture) -> bytes:
    pixels = _upright(picture)
    top, left = (max(side // 4, (side - _MOST_SIDE) // 2) for side in pixels.shape[:2])
    middle = Image.fromarray(pixels[top : pixels.shape[0] - top, left : pixels.shape[1] - left])
    fine = np.asarray(middle, np.float32) - np.asarray(middle.filter(ImageFilter.GaussianBlur(1)), np.float32)
    amplified = np.clip(128 + _GAIN * fine, 0, 255).astype(np.uint8)
    return _png(Image.fromarray(amplified.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)))


def _upright(picture: Picture) -> NDArray[np.uint8]:
    found = decode(picture.content)
    if isinstance(found, str):
        raise Refusal(404, f"the picture cannot be shown: {found}")
    return np.ascontiguousarray(found.upright)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _truth_of(bundle: Bundle, picture: Picture) -> Truth:
    pending = bundle.prepare("picture", lambda: picture.content)
    return Truth(fake=picture.fake, probability=picture.probability, spectrum=bundle.spectrum(pending))
