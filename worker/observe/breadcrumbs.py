"""Observe: the attempts of a job as the trail of crumbs under its alert.

Promise: one line per attempt, the last ones, from the records that the redactor has passed; neither an address nor a
body. Scope: words; the whole record is on the page of the dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

MOST = 10


def breadcrumbs_of(attempts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Oldest first, as they happened."""
    return [_breadcrumb(record) for record in list(attempts)[-MOST:]]


def _breadcrumb(record: Mapping[str, Any]) -> dict[str, Any]:
    outcome = record.get("outcome") or {}
    data = {
        "attempt": record.get("attempt"),
        "class": outcome.get("class"),
        "code": outcome.get("code"),
        "latency_ms": record.get("latency_ms"),
        "wait_s": record.get("wait_s"),
        "worker": record.get("worker"),
        **(record.get("ids") or {}),
    }
    return {
        "category": str(record.get("event") or "attempt"),
        "level": "info" if outcome.get("class") == "success" else "warning",
        "message": _said(record),
        "timestamp": _time(record),
        "data": {name: value for name, value in data.items() if value not in (None, "")},
    }


def _said(record: Mapping[str, Any]) -> str:
    """`GET: 503; retry, then dead letter (HTTP 5xx)`."""
    response, failure = record.get("response") or {}, record.get("failure") or {}
    came = response.get("status") or failure.get("kind") or record.get("event") or "no answer"
    decided = f"; {record['decision']}" if record.get("decision") else ""
    why = f" ({record['why']})" if record.get("why") else ""
    return f"{record.get('method') or record.get('by') or 'paceline'}: {came}{decided}{why}"[:300]


def _time(record: Mapping[str, Any]) -> str:
    at = record.get("at")
    return str(at) if at else datetime.fromtimestamp(float(record.get("at_us") or 0) / 1e6, UTC).isoformat()
