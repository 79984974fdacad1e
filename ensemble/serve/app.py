"""The API and the pages as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.security import APIKeyHeader
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from ensemble.core.storage.files import location
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.manifest import CARD
from ensemble.predict.predictor import Bundle, Pending
from ensemble.serve.access import KnownNames, check_key, client_of
from ensemble.serve.batches import Batches
from ensemble.serve.game.pictures import pictures_of
from ensemble.serve.game.routes import GameRoutes
from ensemble.serve.headers import HEADERS, SafeHeaders
from ensemble.serve.patches import CELLS, changes, hidden
from ensemble.serve.provenance.reading import Provenance, ProvenanceReader
from ensemble.serve.rates import Rates
from ensemble.serve.refusals import Refusal
from ensemble.serve.results import Facts, Patches, Result, Results, facts_of, result_of
from ensemble.serve.settings import Settings
from ensemble.serve.uploads import Upload, Uploads, let_finish

Details = tuple[list[float] | None, Provenance | None]

_STATIC = Path(__file__).parent / "static"
_FILE = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"files": {"type": "array", "items": _FILE}}}
_BODY = {
    "required": True,
    "content": {"multipart/form-data": {"schema": _FORM}, "application/octet-stream": {"schema": _FILE}},
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "Not a request that can be read."},
    401: {"description": "No API key, or a wrong one."},
    403: {"description": "By another name of the server, or by a page from elsewhere."},
    408: {"description": "It took too long to arrive."},
    413: {"description": "Too large, or more photographs than are ever taken."},
    422: {"description": "The one photograph of the request cannot be read."},
    429: {"description": "Too many photographs a minute; Retry-After has seconds."},
    503: {"description": "Too much is waiting; Retry-After has seconds."},
}


def make_app(settings: Settings) -> FastAPI:
    """Return the application for a bundle; the models are loaded here.

    Raises
    ------
    UserError
        There is no bundle, or it cannot be read.
    """
    files = BundleFiles(location(settings.bundle))
    content = files.content()
    bundle = Bundle(files.manifest, content, files.where, settings.threads)
    card = content[""].get(CARD, b"").decode("utf-8", errors="replace")
    game = GameRoutes(pictures_of(location(settings.play)), bundle, settings.secret) if settings.play else None
    return _Server(settings, bundle, card, game).app()


class _Server:
    """A bundle, what waits for it, and the routes."""

    def __init__(self, settings: Settings, bundle: Bundle, card: str, game: GameRoutes | None) -> None:
        self.settings, self.bundle, self.card, self.game = settings, bundle, card, game
        self.limits = settings.limits
        self.uploads, self.rates = Uploads(self.limits), Rates(self.limits.per_minute)
        self.batches = Batches(bundle, self.limits.waiting)
        self.origins = ProvenanceReader()
        self.facts = facts_of(bundle.manifest, self.limits, has_game=game is not None)

    def app(self) -> FastAPI:
        """Return the application."""
        app = FastAPI(
            title="Who took this photo?",
            description="Evidence that photographs were generated, with measured error rates.",
            version=self.bundle.manifest.versions.get("who-took-this-photo", "0"),
            openapi_url="/v1/openapi.json",
            docs_url=None,  # its page loads scripts from elsewhere
            redoc_url=None,
            lifespan=self._lifespan,
        )
        asked: dict[str, Any] = {"methods": ["POST"], "responses": _ANSWERS, "openapi_extra": {"requestBody": _BODY}}
        asked["dependencies"] = (
            [Security(APIKeyHeader(name="X-API-Key", auto_error=False))] if self.settings.key else []
        )
        app.add_api_route("/v1/check", self.check, response_model=Results, **asked)
        app.add_api_route("/v1/patches", self.patches, response_model=Patches, **asked)
        app.add_api_route("/v1/ensemble", self.show_facts, methods=["GET"], response_model=Facts)
        app.add_api_route("/v1/health", self.health, methods=["GET"])
        app.add_api_route("/v1/card", self.show_card, methods=["GET"], response_class=PlainTextResponse)
        app.add_api_route("/", self.page, methods=["GET"], include_in_schema=False)
        if self.game:
            app.include_router(self.game.router(), dependencies=[Depends(self._count)])
            app.add_api_route("/play", self.play_page, methods=["GET"], include_in_schema=False)
        app.mount("/static", StaticFiles(directory=_STATIC))
        app.add_exception_handler(Refusal, _refused)
        app.add_exception_handler(HTTPException, _not_found)
        app.add_exception_handler(RequestValidationError, _misspelt)
        app.add_exception_handler(Exception, _failed)
        app.add_middleware(KnownNames, names=self.settings.host_names)
        app.add_middleware(SafeHeaders)
        return app

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG002  as ASGI calls it
        yield
        self.batches.close()

    async def check(self, request: Request, details: bool = False, name: str = "photograph") -> Results:
        """Return the evidence that photographs were generated.

        Send one photograph as the body, with its name as a parameter, or several as the files of a form.
        """
        client = self._client(request)
        async with self.uploads.photographs(request, name) as photographs, self._in_time():
            self.rates.take(client, len(photographs) - 1, 1)
            with self.batches.room(len(photographs)):
                pending = await self.batches.prepare(photographs)
                _refuse_unreadable(pending)
                return Results(results=await self._results(photographs, pending, details), ensemble=self.facts.ensemble)

    async def _results(self, photographs: list[Upload], pending: list[Pending], details: bool) -> list[Result]:
        async with asyncio.TaskGroup() as tasks:  # what is given up is given up whole
            answers = tasks.create_task(self.batches.compute(pending))
            more = tasks.create_task(self._details(photographs, pending)) if details else None
        calls = [
            partial(result_of, answer, content, self.bundle.manifest, *each)
            for answer, (_, content), each in zip(
                answers.result(), photographs, more.result() if more else [(None, None)] * len(pending), strict=True
            )
        ]
        return await self.batches.beside(calls)

    async def _count(self, request: Request) -> None:
        """Count a request of the game, which needs no key: its pictures are for everybody who plays."""
        self.rates.take(client_of(request), 1)

    def _client(self, request: Request) -> str:
        """Identify the client and count one photograph: a client over its limit is refused before it sends."""
        client = client_of(request)
        self.rates.take(client, 1)
        if self.settings.key is not None:
            check_key(request, self.settings.key)
        return client

    async def _details(self, photographs: list[Upload], pending: list[Pending]) -> list[Details]:
        """Return the spectrum and the provenance of each photograph."""
        spectra, origins = await asyncio.gather(
            self.batches.beside([partial(self.bundle.spectrum, each) for each in pending]),
            self.origins.read([content for _, content in photographs]),
        )
        return list(zip(spectra, origins, strict=True))

    async def patches(self, request: Request) -> Patches:
        """Return how the answer about one photograph changes when a part of it is hidden.

        It costs as much as three dozen photographs.
        """
        client = self._client(request)
        seconds = (CELLS * CELLS + 1) * self.bundle.manifest.milliseconds / 1000 / self.settings.threads
        if seconds > self.limits.seconds:
            raise Refusal(
                413,
                f"a map takes about {seconds:.0f} s on this server, longer than its --max-seconds allows",
            )
        async with self.uploads.photographs(request) as photographs, self._in_time():
            if len(photographs) > 1:
                raise Refusal(400, f"send one photograph for a map, not {len(photographs)}")
            self.rates.take(client, CELLS * CELLS, 1)
            with self.batches.room(CELLS * CELLS + 1):
                pending = await self.batches.prepare(photographs)
                _refuse_unreadable(pending)
                asked = hidden(pending[0])
                if not asked:
                    raise Refusal(422, f"{pending[0].name}: {pending[0].prepared.reason}")
                return Patches(changes=changes(await self.batches.compute(asked)))

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.limits.seconds):
                yield
        except TimeoutError:
            raise Refusal(503, f"no answer within {self.limits.seconds:g} s; try again later", 5) from None

    async def health(self) -> dict[str, Any]:
        """Return that the server is up, and how many photographs wait."""
        return {"status": "ok", "waiting": self.batches.waiting, "ensemble": self.facts.ensemble}

    async def show_facts(self) -> Facts:
        """Return what the ensemble was trained on, and what its verdicts were measured to do."""
        return self.facts

    async def show_card(self) -> str:
        """Return the bundle's model card, as Markdown."""
        return self.card

    async def page(self) -> FileResponse:
        """Return the page for checking photographs."""
        return FileResponse(_STATIC / "index.html")

    async def play_page(self) -> FileResponse:
        """Return the page of the game."""
        return FileResponse(_STATIC / "play.html")


def _refuse_unreadable(pending: list[Pending]) -> None:
    """Refuse the one photograph of a request, if it cannot be read; among others it gets an answer with the reason."""
    if len(pending) == 1 and not pending[0].facts:
        raise Refusal(422, f"{pending[0].name}: {pending[0].prepared.reason}")


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)  # noqa: S101  by the table of handlers
    await let_finish(request)
    headers = {} if error.status in (404, 422) else {"Connection": "close"}  # there may be more of its body
    return JSONResponse({"error": error.reason}, error.status, {**error.headers, **headers})


async def _misspelt(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return JSONResponse({"error": f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}"}, 400)


async def _not_found(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    return JSONResponse({"error": str(error.detail).lower()}, error.status_code, error.headers)


async def _failed(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  it is logged, without the photograph
    # It comes from outside of SafeHeaders.
    return JSONResponse({"error": "the server made a mistake; try again, or report it"}, 500, HEADERS)
