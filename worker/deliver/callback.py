"""Deliver: what the receiver of a callback answers, as Standard Webhooks describes it.

Promise: `classify` gives every exchange exactly one outcome and raises for none. The status alone counts: a receiver
has confirmed with any 2xx, whatever its body holds and whether or not all of it came. Scope: one exchange; its fate is
in `worker/fail/policy.py`, what is told to the receiver in `job_event.py`.
"""

import re
from typing import Any

from worker.accept.paging import PageLink
from worker.deliver import wire
from worker.deliver.exchange import Asked, Exchange, Response
from worker.deliver.outcome import (
    Outcome,
    RateLimited,
    ReceiverGone,
    ReceiverRefused,
    ServerTrouble,
    Success,
    Undocumented,
)

TRY_AGAIN = (408, 425)
"""Refusals that are about the moment: too slow, too early."""
_TAGS = re.compile(r"<[^<>]*>")


def classify(operation: Asked, exchange: Exchange) -> Outcome:
    """The one outcome of `exchange`."""
    response = exchange.response
    if response is None:
        return wire.from_failure(exchange.failure, exchange.wrote) if exchange.failure else wire.no_answer()
    said, wait, status = _said(response), wire.waiting(exchange), response.status
    if 200 <= status < 300:
        return Success(**said)
    if 300 <= status < 400:
        return wire.redirected(response)
    if status == 410:
        return ReceiverGone(**said)
    if status == 429:
        return RateLimited(**said, **wait)
    if 500 <= status < 600 or status in TRY_AGAIN:
        refused = status == 503 and wire.rate_headers(exchange).after_s is not None
        return ServerTrouble(**said, **wait, executed=False if refused else None)
    if 400 <= status < 500:
        return ReceiverRefused(**said)
    return Undocumented(**said, detail="a status no receiver should answer with")


def page_link(exchange: Exchange) -> PageLink | None:
    """There is nothing to read on."""
    return None


def _said(response: Response) -> dict[str, Any]:
    """The status, and of a refusal the words."""
    well = 200 <= response.status < 300
    words = "" if well else _TAGS.sub(" ", response.body[:4000].decode("utf-8", "replace"))
    return {"code": f"http_{response.status}", "message": words, "vendor": {"http_status": str(response.status)}}
