"""Exchanges and operations to classify, built without a network."""

import json
from dataclasses import dataclass
from typing import Any

from worker.deliver.exchange import Exchange, Failure, FailureKind, Request, Response


@dataclass(frozen=True)
class Op:
    """As much of an operation as classifiers and policy look at."""

    api: str = "hub"
    meaning: str = "plain"
    repeatable: bool = True
    name: str = "hub.something"
    budget: str = "other"


def answer(
    status: int = 200,
    body: Any = b"",
    headers: tuple[tuple[str, str], ...] = (),
    url: str = "https://api.example/x",
    failure: FailureKind | None = None,
    wrote: bool = True,
) -> Exchange:
    """A response; `body` is bytes, or a value to be sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(
        request=Request("GET", url, (("authorization", "Token abc"),), b""),
        response=Response(status, headers, raw),
        failure=Failure(failure, "as the test wants it") if failure else None,
        wrote=wrote,
        started_at="2026-03-01T12:00:00.000+00:00",
        started=100.0,
        ended_at=100.25,
        sent_at=100.01,
        first_byte_at=100.2,
    )


def no_answer(kind: FailureKind, wrote: bool) -> Exchange:
    """A failure before any response."""
    return Exchange(
        request=Request("GET", "https://api.example/x", (), b""),
        response=None,
        failure=Failure(kind, "as the test wants it"),
        wrote=wrote,
        started_at="2026-03-01T12:00:00.000+00:00",
        started=100.0,
        ended_at=100.25,
    )


def envelope(code: Any, data: Any = None, message: str | None = None) -> dict[str, Any]:
    """The hub's envelope."""
    made = {"status_code": code, "timestamp": "2026-03-01T12:00:00Z"}
    if data is not None:
        made["data"] = data
    if message is not None:
        made["status_message"] = message
    return made
