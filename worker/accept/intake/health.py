"""Accept, over HTTP: is this process alive, and can it take work in?

Promise: `/healthz` asks nobody; `/readyz` fails exactly while the store does not answer, and tells figures only to
those who may look. Scope: the state of things; numbers over time are `metrics.py`'s.
"""

from __future__ import annotations

from typing import Any

import redis
from starlette.responses import JSONResponse

from worker import VERSION
from worker.accept.enqueue import FULL_SHARE
from worker.accept.intake.callers import Caller
from worker.accept.intake.parts import Parts
from worker.store.partition import Partition


def alive() -> JSONResponse:
    """This process answers."""
    return JSONResponse({"status": "ok", "version": VERSION})


def ready(parts: Parts, caller: Caller | None) -> JSONResponse:
    """The store answers too."""
    try:
        figures = _figures(parts.partition)
    except redis.RedisError as error:
        said = {"status": "unavailable", "store": type(error).__name__}
        return JSONResponse(said, 503, {"Retry-After": "5"})
    said = {"status": "ok", "store": "ok"}
    if caller is None or not caller.may("view", "operate"):
        return JSONResponse(said)
    most = parts.intake.max_waiting
    full = figures["memory_share"] is not None and figures["memory_share"] > FULL_SHARE
    accepting = not full and (most is None or figures["waiting"] < most)
    return JSONResponse(said | {"accepting": accepting, "figures": figures})


def _figures(partition: Partition) -> dict[str, Any]:
    """What is in the store, and who works on it."""
    key = partition.key
    names = {
        "waiting": "deadlines",
        "running": "leases",
        "awaiting_results": "awaiting",
        "dead": "dead",
        "discarded": "discarded",
        "expired": "expired",
        "workers": "workers",
    }
    *counts, holds, alerts, memory = partition.ask(
        *(("zcard", key(name)) for name in names.values()),
        ("hlen", key("holds")),
        ("zcard", key("outbox")),
        ("info", "memory"),
    )
    figures: dict[str, Any] = dict(zip(names, (int(count) for count in counts), strict=True))
    figures["dead"] -= figures["discarded"]
    limit = int(memory.get("maxmemory", 0))
    share = round(int(memory.get("used_memory", 0)) / limit, 3) if limit else None
    return figures | {"holds": int(holds), "alerts_to_tell": int(alerts), "memory_share": share}
