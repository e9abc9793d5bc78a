"""Accept, over HTTP: the web process as one ASGI application.

Promise: the store is asked in a thread, so a slow store never stops the process from answering; every error is a
problem (RFC 9457) that says what to do, and none shows what is inside; at the door for results of commands errors are
OCPI's.
Scope: serving the table of `routes.py` and that door; what they do is beside this module.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from typing import Any

import redis
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from worker import VERSION
from worker.accept.intake.callers import Caller
from worker.accept.intake.command_results import LONGEST
from worker.accept.intake.describing import document
from worker.accept.intake.guard import DOOR, Guard
from worker.accept.intake.parts import Parts
from worker.accept.intake.routes import Way, ways
from worker.accept.intake.trouble import Trouble, trouble_of
from worker.console.mount import mount
from worker.errors import NotFound, Refused
from worker.observe import log

SUCCESS, INVALID, UNKNOWN, TROUBLE = 1000, 2001, 2003, 3000
"""OCPI status codes: the hub reads these in our answers to it."""


def create_app(parts: Parts) -> FastAPI:
    """The application of one process."""
    app = FastAPI(
        title="Paceline", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    table: dict[str, dict[str, Way]] = {}
    for way in ways(parts, cache(lambda: document(parts.settings.intake.require_key))):
        table.setdefault(way.path, {})[way.method] = way
    for path, methods in table.items():
        app.add_api_route(path, _serve(methods), methods=list(methods))

    @app.post(DOOR + "{job_id}/{door}")
    async def command_result(job_id: str, door: str, request: Request) -> JSONResponse:
        """The result of a hub command; bare, or in an OCPI envelope."""
        body = await _read(request, LONGEST)
        return await run_in_threadpool(_told, lambda: parts.results.take(job_id, door, body))

    app.add_exception_handler(HTTPException, _no_way)
    app.add_middleware(Guard, callers=parts.callers)
    mount(app, parts)
    return app


def _serve(methods: dict[str, Way]) -> Callable[[Request], Any]:
    """What answers at one address."""

    async def answer(request: Request) -> Response:
        way = methods[request.method]
        caller: Caller | None = request.scope["caller"]
        try:
            if way.roles and (caller is None or not caller.may(*way.roles)):
                raise Trouble(
                    "forbidden",
                    f"expected a key with the role {' or '.join(way.roles)}, got one without; use another key.",
                )
            return await way.answer(request, caller)  # type: ignore[arg-type]  # None only where anybody may
        except Exception as error:
            trouble = trouble_of(error)
            if trouble is None:
                _report(error, way)
                trouble = Trouble("internal", "something broke here; it is in the log. Try again later.")
            return trouble.response()

    return answer


def _report(error: Exception, way: Way) -> None:
    """Where it broke, for whoever has to mend it. An error's own words may hold what was sent, so they stay out."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "unknown"
    log.logger().error("request_broke", method=way.method, path=way.path, error=type(error).__name__, where=where)


async def _no_way(request: Request, error: Exception) -> Response:
    """An address or a method that does not exist."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        detail = f"expected the method {allowed or 'of another address'}, got {request.method[:20]!r}; use that."
        return Trouble("method-not-allowed", detail, headers={"Allow": allowed}).response()
    came = request.scope["path"][:80]
    near = " or ".join(get_close_matches(came, [route.path for route in request.app.routes], n=3, cutoff=0.6))
    hint = f"near is {near}; " if near else ""
    said = f"expected an address of this service, got {came!r}; {hint}/openapi.json lists all."
    return Trouble("not-found", said).response()


async def _read(request: Request, most: int) -> bytes:
    """The body; one byte too many is as good as all of them."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            break
    return body[: most + 1]


def _told(take: Callable[[], Any]) -> JSONResponse:
    """An OCPI answer: its own code, and the HTTP status that goes with it."""
    try:
        take()
    except Refused as error:
        return _envelope(INVALID, 400, str(error))
    except NotFound as error:
        return _envelope(UNKNOWN, 404, str(error))
    except redis.RedisError:
        return _envelope(TROUBLE, 503, "the result could not be stored; send it again.")
    return _envelope(SUCCESS, 200, "Success")


def _envelope(code: int, status: int, message: str) -> JSONResponse:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return JSONResponse({"status_code": code, "status_message": message, "timestamp": now}, status_code=status)
