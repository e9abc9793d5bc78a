"""Calls of the deliver stage with times of the tests' choice, against peers of theirs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.deliver.http_call import Exchange, Timing, send


@dataclass(frozen=True)
class Spec:
    """One HTTP request."""

    url: str
    method: str = "GET"
    query: list[tuple[str, str]] = field(default_factory=list)
    json: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Files:
    """An account's TLS files."""

    client_certificate: Path | None = None
    client_key: Path | None = None
    ca_bundle: Path | None = None


def call(
    spec: Spec | str,
    *,
    fresh: bool = False,
    fence: Callable[[], bool] | None = None,
    tls: Files | None = None,
    deadline: float = 30.0,
    connect: float = 20.0,
    send_by: float | None = None,
    max_body: int = 100_000,
    credentials: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> Exchange:
    return send(
        Spec(spec) if isinstance(spec, str) else spec,
        credentials_headers=credentials or {"Authorization": "Token top-secret"},
        query=query or {},
        timing=Timing(send_by, deadline, connect),
        fresh_connection=fresh,
        fence=fence,
        tls=tls,
        max_body=max_body,
    )


def kind(exchange: Exchange) -> str | None:
    return exchange.failure.kind if exchange.failure else None
