"""Accept, over HTTP: the web process as one ASGI application.

Promise: the store is asked in a thread, so a slow store never stops the process from answering; an error is a short
JSON body and never shows what is inside. Scope: routes and status codes; what they do is beside this module.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from worker import VERSION
from worker.accept.intake.command_results import LONGEST, CommandResults
from worker.errors import NotFound, Refused
from worker.store.partition import Partition

SUCCESS, INVALID, UNKNOWN, TROUBLE = 1000, 2001, 2003, 3000
"""OCPI status codes: the hub reads these in our answers to it."""


def create_app(partition: Partition, results: CommandResults) -> FastAPI:
    """The application of one process."""
    app = FastAPI(title="Paceline", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok", "version": VERSION}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """The store answers too."""
        trouble = await run_in_threadpool(_trouble_of, partition)
        body = {"status": "unavailable", "store": trouble} if trouble else {"status": "ok", "store": "ok"}
        return JSONResponse(body, status_code=503 if trouble else 200)

    @app.post("/v1/command-results/{job_id}/{door}")
    async def command_result(job_id: str, door: str, request: Request) -> JSONResponse:
        """The result of a hub command; bare, or in an OCPI envelope."""
        body = await _read(request, LONGEST)
        return await run_in_threadpool(_told, lambda: results.take(job_id, door, body))

    return app


async def _read(request: Request, most: int) -> bytes:
    """The body; one byte too many is as good as all of them."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            break
    return body[: most + 1]


def _trouble_of(partition: Partition) -> str | None:
    try:
        partition.one("ping")
    except redis.RedisError as error:
        return type(error).__name__
    return None


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
