"""Console: the worker processes that live, and what has been done to the system by people.

Promise: both are read whole from bounded records. Scope: the pages Workers and Audit.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from worker.console.parts import Parts
from worker.console.rendering import parts_of, render
from worker.errors import Refused

MOST = 10_000
AUDITED = 100


@dataclass(frozen=True, slots=True)
class Worker:
    """One process. `silent` when it has not been heard of for longer than a lease."""

    name: str
    host: str
    pid: int
    threads: int
    in_flight: int
    version: str
    started_us: int
    seen_us: int
    silent: bool


def workers_of(parts: Parts, now_us: int) -> list[Worker]:
    """Every process that said hello and has not said goodbye."""
    key, partition = parts.partition.key, parts.partition
    beats = partition.one("zrange", key("workers"), 0, -1, False, True)
    records = partition.ask(*(("hgetall", key("worker", name)) for name, _ in beats))
    flying = Counter(row[3] for row in partition.decide("running", {"limit": MOST})) if beats else Counter()
    lease_us = parts.settings.broker.lease_s * 1e6
    return [
        Worker(
            name=name,
            host=facts.get("host", ""),
            pid=int(facts.get("pid") or 0),
            threads=int(facts.get("threads") or 0),
            in_flight=flying[name],
            version=facts.get("version", ""),
            started_us=int(float(facts.get("started") or 0)) * 1_000_000,
            seen_us=int(float(beat)),
            silent=now_us - float(beat) > lease_us,
        )
        for (name, beat), facts in zip(beats, records, strict=True)
    ]


def workers(request: Request) -> Response:
    parts = parts_of(request)
    now_us = parts.partition.now_us()
    return render(request, "workers.html", now_us=now_us, crew=workers_of(parts, now_us), live="auto")


def audit(request: Request) -> Response:
    """Who did what, newest first."""
    partition = parts_of(request).partition
    start = _start(request.query_params.get("after", "0"))
    texts = partition.one("lrange", partition.key("audit"), start, start + AUDITED)
    entries = [entry_of(text) for text in texts[:AUDITED]]
    more = start + AUDITED if len(texts) > AUDITED else None
    return render(request, "audit.html", entries=entries, start=start, more=more, live="offer", on="audit")


def _start(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise Refused("after: expected a number of entries to pass over, got something else.")
    return int(text)


def entry_of(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    known = {name: said.pop(name, "") for name in ("what", "by", "reason", "scope", "count")}
    at_us = said.pop("at_us", 0)
    jobs, wanted = said.pop("jobs", []), said.pop("filter", {})
    return known | {
        "at_us": int(float(at_us or 0)),
        "jobs": [str(one) for one in jobs] if isinstance(jobs, list) else [],
        "filter": {str(k): str(v) for k, v in wanted.items()} if isinstance(wanted, dict) else {},
        "more": {str(k): str(v) for k, v in said.items() if v not in (0, "", None)},
    }
