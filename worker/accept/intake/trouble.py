"""Accept, over HTTP: everything that can be wrong with a request, as RFC 9457 problems.

Promise: every refusal has a type of its own, listed here and served at `/v1/errors/<type>`; its detail says what was
expected, what came and how to mend it; nothing of the inside is in it. Scope: wording and status codes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from starlette.responses import Response

from worker.errors import Conflict, NotFound, PacelineError, Refused, StoreUnavailable
from worker.store.connection import is_outage

PROBLEM = "application/problem+json"
WHERE = "/v1/errors/"
STORE_BACK_S = 5
FULL_BACK_S = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of problem."""

    status: int
    title: str
    mend: str


KINDS = {
    "malformed": Kind(400, "The request cannot be read", "Correct its form; the detail names the place."),
    "key-missing": Kind(
        400,
        "An idempotency key is missing",
        "Send the header Idempotency-Key (or `key` in the body) with a value of your own, new for each call and the "
        "same when you repeat it: this call must not be made twice.",
    ),
    "key-malformed": Kind(
        400, "The idempotency key cannot be used", "Send 1 to 255 visible ASCII characters, once, bare or quoted."
    ),
    "unauthorized": Kind(
        401, "A key is needed", "Send `Authorization: Bearer <key>`; ask whoever runs this service for a key."
    ),
    "forbidden": Kind(403, "This key may not do that", "Use a key with one of the roles that the detail names."),
    "outside": Kind(
        403,
        "Only this machine is served",
        "No key exists yet. Whoever runs this service makes one there with `python -m worker keys create`; send it.",
    ),
    "not-found": Kind(404, "There is no such thing", "Check the id and the address."),
    "method-not-allowed": Kind(405, "This address has other methods", "Use one that the header Allow names."),
    "conflict": Kind(409, "Its state does not allow this", "Read it again; the detail says how it stands."),
    "too-large": Kind(413, "The request is too long", "Send less at once."),
    "unsupported": Kind(415, "The body has another form", "Send the content type that the detail names."),
    "refused": Kind(422, "The call cannot be accepted", "Correct what the detail names; nothing was stored."),
    "key-reused": Kind(
        422,
        "The idempotency key stands for another call",
        "Use a new key for a new call; send the same content with the same key.",
    ),
    "too-many-requests": Kind(429, "This key asks too often", "Wait as long as Retry-After says."),
    "internal": Kind(500, "Something broke here", "Try again; if it stays, tell the operators the time."),
    "unavailable": Kind(503, "The store does not answer", "Repeat it with the same idempotency key after Retry-After."),
    "full": Kind(503, "No more jobs are taken in", "Repeat it with the same idempotency key after Retry-After."),
}
"""The closed set. Names are stable."""


class Trouble(PacelineError):
    """A request that is answered with a problem of this kind."""

    def __init__(self, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.headers = dict(headers or {})
        self.more = more

    @property
    def status(self) -> int:
        return KINDS[self.kind].status

    def as_dict(self) -> dict[str, Any]:
        """The problem's members."""
        kind = KINDS[self.kind]
        return {
            "type": WHERE + self.kind, "title": kind.title, "status": kind.status, "detail": str(self), **self.more,
        }  # fmt: skip

    def response(self) -> Response:
        """The problem as an answer."""
        return Response(
            json.dumps(self.as_dict()).encode(),
            self.status,
            {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **self.headers},
            PROBLEM,
        )


def trouble_of(error: Exception) -> Trouble | None:
    """The problem behind an error that means something; None for any other."""
    match error:
        case Trouble():
            return error
        case Refused():
            return Trouble("refused", error.over_http)
        case NotFound():
            return Trouble("not-found", error.over_http)
        case Conflict():
            return Trouble("conflict", error.over_http)
        case StoreUnavailable():
            return _unavailable(str(error))
        case redis.RedisError() if is_outage(error):
            return _unavailable("the store does not answer; nothing was changed by this request: try again later.")
    return None


def _unavailable(detail: str) -> Trouble:
    full = " full;" in detail
    seconds = FULL_BACK_S if full else STORE_BACK_S
    return Trouble("full" if full else "unavailable", detail, headers={"Retry-After": str(seconds)})


def described(name: str) -> dict[str, Any]:
    """A type of problem, for whoever follows its address. Raises `Trouble`."""
    if name not in KINDS:
        raise Trouble("not-found", f"expected one of {', '.join(KINDS)}, got {name[:40]!r}; choose one of them.")
    kind = KINDS[name]
    return {"type": WHERE + name, "title": kind.title, "status": kind.status, "mend": kind.mend}
