"""Deliver: reading that both APIs' wire formats share.

Promise: bytes become values or None, never an exception and never a guess; a failure on the wire becomes its
outcome the same way for both APIs. Scope: bytes, headers and failures; what a vendor's codes mean is in `hub.py`
and `stellantis.py`.
"""

import json
import math
from typing import Any

from worker.deliver.exchange import NOTHING_SENT, Exchange, Failure, Response
from worker.deliver.outcome import (
    CertificateTrouble,
    Fenced,
    ForbiddenAddress,
    NeverSent,
    Outcome,
    OutcomeUnknown,
    Redirected,
    TooLate,
)
from worker.limiter.headers import RateHeaders, read_rate_headers

NOT_JSON = object()
REDIRECTS = (301, 302, 303, 307, 308)
_DEEPEST = 100


def parse_json(body: bytes) -> Any:
    """The value in `body`, or `NOT_JSON`. NaN, infinities and absurd nesting are not JSON here: they could not be
    kept.
    """
    try:
        value = json.loads(body, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return NOT_JSON
    return value if _shallow(value) else NOT_JSON


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def _shallow(value: Any) -> bool:
    """Whether another encoder can walk the value: Python's parser goes deeper than most."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return True
    return False


def rate_headers(exchange: Exchange) -> RateHeaders:
    """The reading of the response's limit headers; an empty one if there is no response."""
    headers = exchange.response.headers if exchange.response else ()
    return read_rate_headers(headers, exchange.ended_utc)


def waiting(exchange: Exchange) -> dict[str, Any]:
    """The fields of an outcome that say how long to wait."""
    read = rate_headers(exchange)
    return {"retry_after_s": read.retry_after_s, "hint": read.hint}


def text(value: Any) -> str:
    """A vendor's text or number as text; anything else is none. Cut, since patterns are matched against it."""
    if isinstance(value, str):
        return value[:4000]
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def from_failure(failure: Failure, wrote: bool) -> Outcome:
    """What it means that there is no whole answer. Unknown, as soon as one byte went out."""
    if failure.kind == "too_late":
        return TooLate(failure.kind, detail=failure.detail)
    if failure.kind == "fenced":
        return Fenced(failure.kind, detail=failure.detail)
    if failure.kind == "private_address":
        return ForbiddenAddress(failure.kind, detail=failure.detail)
    if failure.kind == "certificate":
        return CertificateTrouble(failure.kind, detail=failure.detail)
    if failure.kind in NOTHING_SENT or not wrote:
        return NeverSent(failure.kind, detail=failure.detail)
    return OutcomeUnknown(failure.kind, detail=failure.detail)


def redirected(response: Response) -> Outcome:
    """303 answers a request that was carried out; the others ask for it to be sent elsewhere."""
    return Redirected(
        response.status,
        "the API answered with a redirect",
        executed=None if response.status == 303 else False,
    )


def no_answer() -> Outcome:
    """An exchange with neither response nor failure: nothing that happened on a wire."""
    return OutcomeUnknown("no_answer", detail="the exchange holds neither a response nor a failure")
