"""Console: what happened to a call, as its evidence tells, in the form the timeline shows.

Promise: a record of any shape makes an event: what is missing is left out, nothing that came from outside decides the
form. Scope: from records to values; the words of the page are in its template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.accept.jobs import Job
from worker.commands.output import utc
from worker.commands.timeline import OURS, moments, sent_again

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One side of an exchange, masked when it was recorded."""

    headers: list[tuple[str, str]]
    body: str
    length: int
    sha256: str

    @property
    def cut(self) -> bool:
        return self.length > len(self.body.encode())


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `attempt` is None for what is no attempt: redriven, crashed, a command's result …"""

    at: str
    title: str
    tone: str
    attempt: str | None
    by: str
    words: str
    decision: str
    why: str
    wait_s: float | None
    latency_ms: float | None
    line: str
    request: Message | None
    response: Message | None
    facts: list[tuple[str, str]]
    again: str = ""
    """Who had sent it again before this attempt."""


def story_of(evidence: Sequence[Record], jobs: Sequence[Job] = ()) -> list[Event]:
    """Oldest first. `jobs` say when each was asked for: without that, its waits after a redrive are not known."""
    created = {job.id: job.created_us for job in jobs}
    return [
        _attempt(record, again, created.get(_text(record.get("job"))))
        if isinstance(record.get("outcome"), Mapping)
        else _event(record)
        for record, again in zip(evidence, sent_again(evidence), strict=True)
    ]


def _attempt(record: Record, again: Record | None, created_us: int | None) -> Event:
    outcome, response, failure = _map(record, "outcome"), _map(record, "response"), _map(record, "failure")
    answered = response.get("status")
    detail = _text(failure.get("detail") or outcome.get("detail"))
    facts = [(name.replace("_", " "), _text(value)) for name, value in _map(record, "ids").items()]
    facts += [(f"vendor's {name.replace('_', ' ')}", _text(v)) for name, v in _map(outcome, "vendor").items()]
    facts += [
        ("waited in line", _waited(record, again, created_us)),
        ("first byte after", f"{_number(record['first_byte_ms']):.0f} ms" if record.get("first_byte_ms") else ""),
        ("failure", detail if failure else ""),
        ("bytes sent", "" if record.get("wrote", True) else "none: nothing left this machine"),
    ]
    code = _text(outcome.get("code"))
    words = _text(outcome.get("class")).replace("_", " ")
    words += f" {code}" if code and not code.startswith("http_") else ""
    return Event(
        at=_at(record),
        title=f"HTTP {answered}" if answered else f"no answer: {_text(failure.get('kind')).replace('_', ' ') or '?'}",
        tone="good" if outcome.get("class") == "success" else "bad",
        attempt=_text(record.get("attempt")) or "?",
        by=_text(record.get("worker")),
        words=words + (f": {_text(outcome.get('message'))}" if outcome.get("message") else ""),
        decision=_text(record.get("decision")),
        why=_text(record.get("why")),
        wait_s=_number(record.get("wait_s")) or None,
        latency_ms=_number(record.get("latency_ms")),
        line=f"{_text(record.get('method'))} {_text(record.get('url'))}".strip(),
        request=_message(_map(record, "request")),
        response=_message(response),
        facts=[(name, value) for name, value in facts if value],
        again=_text(again.get("by")) if again else "",
    )


def _waited(record: Record, again: Record | None, created_us: int | None) -> str:
    """Since it was asked for, or sent again; empty where that is not known."""
    seconds = _number(record.get("queued_ms")) / 1000
    if again:
        if not created_us:
            return ""
        seconds -= (_number(again.get("at_us")) - created_us) / 1e6
    return f"{seconds:.1f} s" if seconds > 0 else ""


def _event(record: Record) -> Event:
    kind = _text(record.get("event")).replace("_", " ") or "note"
    why = _text(record.get("reason") or record.get("why") or record.get("message"))
    more = [(name.replace("_", " "), _text(value)) for name, value in moments(record).items() if name not in OURS]
    error_class = _text(record.get("class")).replace("_", " ")
    if error_class:
        more.append(("it had died of" if kind == "redriven" else "class", f"{error_class} {_text(record.get('code'))}"))
    return Event(
        at=_at(record),
        title=f"{kind} {_text(record.get('result'))}".strip(),
        tone="bad" if kind in ("crashed", "unreadable", "result overdue") else "plain",
        attempt=None,
        by=_text(record.get("by") or record.get("worker")),
        words=why,
        decision="",
        why="",
        wait_s=None,
        latency_ms=None,
        line="",
        request=None,
        response=None,
        facts=[(name, value) for name, value in more if value],
    )


def _message(part: Record) -> Message | None:
    body = _map(part, "body")
    headers = [(str(name), _text(value)) for name, value in _map(part, "headers").items()]
    if not headers and not body.get("length"):
        return None
    return Message(headers, _body(body), int(_number(body.get("length"))), _text(body.get("sha256")))


def _body(body: Record) -> str:
    preview = _text(body.get("preview"))
    try:
        return json.dumps(json.loads(preview), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return preview


def _at(record: Record) -> str:
    at_us = int(_number(record.get("at_us")))
    return _text(record.get("at")).replace("+00:00", "Z") or utc(at_us) or ""


def _map(record: Record, name: str) -> Record:
    value = record.get(name)
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else "yes" if value else "no"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0
