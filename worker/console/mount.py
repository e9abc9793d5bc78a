"""Console: its routes, and its place in the web process.

Promise: the console answers its own paths, and a browser that is lost, with its own pages for everything that goes
wrong; the API beside it keeps its own answers, keys and errors. Scope: putting together.
"""

from __future__ import annotations

from collections.abc import Callable

import redis
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.accept.intake.parts import Parts as IntakeParts
from worker.console import (
    acting,
    alerts,
    crew,
    exporting,
    jobs,
    lanes,
    letters,
    noting,
    operations,
    overview,
    policy,
    problems,
    signing_in,
    views,
)
from worker.console.guard import Guard
from worker.console.parts import Parts
from worker.console.rendering import FOLDER, bare
from worker.errors import Conflict, NotFound, Refused, StoreUnavailable

Page = Callable[[Request], Response]
READ: tuple[tuple[str, Page], ...] = (
    ("/", overview.overview),
    ("/alerts", alerts.alerts),
    ("/alerts/one", alerts.alert),
    ("/problems", problems.problems),
    ("/problems/{fingerprint}", problems.problem),
    ("/problems/{fingerprint}/bundle.{form}", problems.problem_bundle),
    ("/dead-letters", letters.letters),
    ("/dead-letters/plan", operations.plan),
    ("/dead-letters/{job_id}", letters.letter),
    ("/dead-letters/{job_id}/bundle.{form}", letters.letter_bundle),
    ("/operations", operations.operations),
    ("/operations/{bulk_id}", operations.operation),
    ("/jobs", jobs.jobs),
    ("/jobs/{job_id}", jobs.job),
    ("/lanes", lanes.lanes),
    ("/workers", crew.workers),
    ("/audit", crew.audit),
    ("/policy", policy.policy),
    ("/export/{name}.{form}", exporting.export),
    ("/sign-in", signing_in.form),
)
CHANGE: tuple[tuple[str, Page], ...] = (
    ("/operations", operations.make),
    ("/operations/{bulk_id}/start", operations.start),
    ("/operations/{bulk_id}/cancel", operations.cancel),
    ("/dead-letters/{job_id}/note", noting.note_of_letter),
    ("/dead-letters/{job_id}/{verb}", acting.act),
    ("/problems/{fingerprint}/note", noting.note_of_problem),
    ("/problems/{fingerprint}/mark", problems.mark),
    ("/alerts/acknowledge", alerts.acknowledge),
    ("/alerts/resolve", alerts.resolve),
    ("/views/keep", views.keep),
    ("/views/drop", views.drop),
    ("/jobs/{job_id}/cancel", jobs.cancel),
    ("/lanes/hold", lanes.hold),
    ("/lanes/release", lanes.release),
    ("/lanes/relearn", lanes.forget),
    ("/sign-in", signing_in.sign_in),
    ("/sign-out", signing_in.sign_out),
)
PLACES = frozenset(path.split("/")[1] for path, _ in (*READ, *CHANGE)) | {"static", "live"}

API = ("v1", "healthz", "readyz", "metrics", "openapi.json")
"""Where programs ask: there a browser is told what a program is."""


def mount(app: FastAPI, parts: IntakeParts) -> None:
    """Puts the console before everything that was added to `app` so far: it has a door of its own."""
    app.add_middleware(Beside, console=console(Parts.of(parts)))


class Beside:
    """Middleware that hands the console's paths to the console, and everything else on."""

    def __init__(self, app: ASGIApp, console: ASGIApp) -> None:
        self._app = app
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and _is_ours(scope)
        await (self._console if ours else self._app)(scope, receive, send)


def _is_ours(scope: Scope) -> bool:
    """Whether it is a page; also one that there is not, where a browser asks for it."""
    place = next(iter(scope["path"].split("/")[1:2]), "")
    looks = scope["method"] in ("GET", "HEAD") and "text/html" in Headers(scope=scope).get("accept", "")
    return place in PLACES or (looks and place not in API)


def console(parts: Parts) -> Starlette:
    """The console as an application of its own."""
    reading = [Route(path, parts.shared.page(page), methods=["GET"]) for path, page in READ]
    telling = Route("/live", parts.live.stream, methods=["GET"])
    changing = [Route(path, page, methods=["POST"]) for path, page in CHANGE]
    static = Mount("/static", StaticFiles(directory=FOLDER / "static"))
    app = Starlette(
        routes=[*reading, telling, *changing, static],
        middleware=[Middleware(Guard, parts=parts)],
        exception_handlers={
            Refused: _page(400, "That cannot be done so"),
            NotFound: _page(404, "Not here"),
            Conflict: _page(409, "It stands differently now"),
            StoreUnavailable: _page(503, "The store does not answer"),
            redis.RedisError: _store_away,
            HTTPException: _no_such_page,
        },
    )
    app.state.parts = parts
    return app


def _page(status: int, title: str) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        return bare(request, "trouble.html", status, title=title, sorry=str(error))

    return answer


def _store_away(request: Request, error: Exception) -> Response:
    sorry = f"It did not answer just now ({type(error).__name__}). Nothing was lost by that; this page tries again."
    return bare(request, "trouble.html", 503, title="The store does not answer", sorry=sorry, live="auto")


def _no_such_page(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    sorry = "There is no such page. The list above has them all."
    return bare(request, "trouble.html", status, title="Not here", sorry=sorry)
