"""Accept: what travels. A job is one dramatiq message; its id is the job's, its arguments are the checked call.

Promise: a message written by any version is read by the next; unknown options are kept, missing ones have a default.
Scope: building and reading. Whether a call may be accepted was decided before (`enqueue.py`).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from dramatiq import Message

QUEUE: Final = "paceline"
TRACE: Final = "traceparent"
CALLBACK: Final = "callback"
PRIORITIES: Final = {"urgent": 0, "normal": 1, "bulk": 2}
_TRACE = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


def new_job_id(partition: str) -> str:
    """An id that carries its partition and sorts by time: `<partition>-<48 bits of ms><80 random bits>` in hex."""
    return f"{partition}-{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def page_id(root: str, page: int) -> str:
    """The id of page `page` of the chain that began with `root`: the same however often it is derived."""
    return root if page <= 1 else f"{root}.p{page}"


def page_of(job_id: str) -> int:
    """Which page of its chain a job is, from 1."""
    _, _, page = job_id.partition(".p")
    return int(page) if page.isdigit() else 1


def build(
    job_id: str,
    operation: str,
    account: str,
    params: Mapping[str, Any],
    body: Mapping[str, Any] | None,
    page: int = 1,
    trace: str | None = None,
    callback: str | None = None,
) -> Message[Any]:
    """The message of a job whose values have been checked. `trace` is the caller's `traceparent`; `callback` what the
    store needs to tell its end (`accept/callback.py`), so that what follows this job can be told as well.
    """
    return Message(
        queue_name=QUEUE,
        actor_name=operation,
        args=(),
        kwargs={"account": account, "params": dict(params), "body": None if body is None else dict(body)},
        options={"page": page} | ({TRACE: trace} if trace else {}) | ({CALLBACK: callback} if callback else {}),
        message_id=job_id,
    )


def trace_from(said: str | None) -> str | None:
    """A `traceparent` as W3C Trace Context has it; what is none is left out, as it asks."""
    found = _TRACE.fullmatch((said or "").strip())
    if found is None or found[1] == "ff" or set(found[2]) == {"0"} or set(found[3]) == {"0"}:
        return None
    return f"00-{found[2]}-{found[3]}-{found[4]}"


def trace_of(encoded: bytes) -> str | None:
    """The trace that an encoded message belongs to."""
    if b'"traceparent"' not in encoded:
        return None
    said = json.loads(encoded).get("options", {}).get(TRACE)
    return trace_from(said) if isinstance(said, str) else None


def callback_of(encoded: bytes) -> str | None:
    """What the store needs to tell the end of an encoded message's job; None when nobody is told."""
    if b'"callback"' not in encoded:
        return None
    try:
        said = json.loads(encoded)["options"].get(CALLBACK)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None  # what cannot be read is buried by the consumer
    return said if isinstance(said, str) else None


def next_span(trace: str) -> str:
    """The same trace with a span of its own."""
    version, trace_id, _, flags = trace.split("-")
    return f"{version}-{trace_id}-{os.urandom(7).hex()}01-{flags}"
