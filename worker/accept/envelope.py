"""Accept: what travels. A job is one dramatiq message; its id is the job's, its arguments are the checked call.

Promise: a message written by any version is read by the next; unknown options are kept, missing ones have a default.
Scope: building and reading. Whether a call may be accepted was decided before (`enqueue.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final

from dramatiq import Message

QUEUE: Final = "paceline"
PRIORITIES: Final = {"urgent": 0, "normal": 1, "bulk": 2}


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
    job_id: str, operation: str, account: str, params: Mapping[str, Any], body: Mapping[str, Any] | None, page: int = 1
) -> Message[Any]:
    """The message of a job whose values have been checked."""
    return Message(
        queue_name=QUEUE,
        actor_name=operation,
        args=(),
        kwargs={"account": account, "params": dict(params), "body": None if body is None else dict(body)},
        options={"page": page},
        message_id=job_id,
    )
