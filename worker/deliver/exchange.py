"""Deliver: what passed over the wire in one attempt, as plain values.

Promise: nothing here talks to the network or interprets an answer, so classifiers, evidence and tests can build and
read an exchange freely. The scope ends at the facts: `http_call.py` records them, `hub.py` and `stellantis.py` give
them meaning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

FailureKind = Literal[
    "refused", "dns", "private_address", "tls", "certificate", "connect_timeout", "pool_timeout", "too_late", "fenced",
    "read_timeout", "write_error", "reset", "closed", "truncated", "protocol", "oversized", "header_too_large",
]  # fmt: skip

NOTHING_SENT: frozenset[FailureKind] = frozenset(
    {"refused", "dns", "private_address", "tls", "connect_timeout", "pool_timeout", "too_late", "fenced"}
)
"""Kinds that can only happen before the request's first byte.

`certificate` is in neither set: a TLS 1.3 peer refuses our certificate after it let us write, but before it reads
what we wrote. `write_error` is decided by `Exchange.wrote`. Every other kind means that at least one byte went out.
"""


class Call(Protocol):
    """One HTTP request without credentials (see `CallSpec` in the accept stage)."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def query(self) -> Sequence[tuple[str, str]]: ...
    @property
    def json(self) -> Mapping[str, Any] | None: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class Asked(Protocol):
    """What classifiers and policy need to know of an operation."""

    @property
    def name(self) -> str: ...
    @property
    def api(self) -> str: ...
    @property
    def budget(self) -> str: ...
    @property
    def repeatable(self) -> bool: ...
    @property
    def meaning(self) -> str: ...


class TlsFiles(Protocol):
    """Where an account's certificate, its key and the other side's authority lie."""

    @property
    def client_certificate(self) -> Any: ...
    @property
    def client_key(self) -> Any: ...
    @property
    def ca_bundle(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Timing:
    """`send_by_boottime_s` is on the clock that also runs while the machine sleeps; None means any time."""

    send_by_boottime_s: float | None
    total_deadline_s: float
    connect_timeout_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """The request as it was, or would have been, written. Holds credentials: shown only through the redactor."""

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """Status and headers as received. With a failure beside it, `body` is only the part that came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    http_version: str = "HTTP/1.1"

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no whole answer."""

    kind: FailureKind
    detail: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One attempt. `started`, `sent_at`, `first_byte_at` and `ended_at` are `time.monotonic()` of this process."""

    request: Request
    response: Response | None
    failure: Failure | None
    wrote: bool
    started_at: str
    started: float
    ended_at: float
    sent_at: float | None = None
    first_byte_at: float | None = None

    @property
    def ended_utc(self) -> datetime:
        """The end in UTC, from the start and the steady clock, so a stepped wall clock cannot put it before the
        start.
        """
        return datetime.fromisoformat(self.started_at).astimezone(UTC) + timedelta(seconds=self.ended_at - self.started)
