"""Sandbox, faults: what goes wrong on request, for which calls, how often or how long.

A fault matches on api, operation, account, method, job (correlation id) and a regular expression over the path. Three
groups of actions exist. REPLACE answers instead of the API: nothing is carried out. SPOIL lets the API carry the call
out and ruins the answer. `close_on_accept` strikes before a byte is read, so it can only match on the api. It promises
that a call refused by a limit never uses a fault up. Its scope ends at choosing and shaping: bytes are moved by
connection.py. What each action takes is in DETAILS.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from worker.sandbox.http11 import Manner, Reply, json_reply
from worker.sandbox.log import Arrival, Executed
from worker.sandbox.stellantis_errors import error_reply

MATCHED = ("api", "operation", "account", "method", "job")
DETAILS = {
    "status": "status, body, content_type, headers, retry_after",
    "ocpi": "code, message, status=200",
    "error_body": "shape=standard, status=500, code, message",
    "html": "status=502",
    "redirect": "status=302, location",
    "delay": "delay_s=1",
    "drip": "interval_s=0.05",
    "huge_body": "megabytes=8",
    "huge_header": "bytes=1000000",
    "foreign_link": "origin=http://other.invalid",
}
"""What an action may be told besides, with defaults; the others take nothing."""


@dataclass(slots=True)
class Fault:
    """One scripted fault."""

    number: int
    action: str
    match: dict[str, str]
    times: int | None
    until_ns: int | None
    probability: float = 1.0
    details: dict[str, Any] = field(default_factory=dict)
    used: int = 0

    def matches(self, arrival: Arrival) -> bool:
        """Is this arrival one of those the fault is for?"""
        for name, wanted in self.match.items():
            if name == "path":
                if not re.search(wanted, arrival.path):
                    return False
            elif getattr(arrival, name) != wanted:
                return False
        return True

    def over(self, now: int) -> bool:
        """Used up, or past its time?"""
        return (self.times is not None and self.used >= self.times) or (
            self.until_ns is not None and now >= self.until_ns
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"number": self.number, "action": self.action, "match": self.match, "used": self.used, **self.details}


class Faults:
    """The faults in force, oldest first: the first that matches strikes."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._rng = random.Random(seed)

    def add(
        self,
        action: str,
        match: dict[str, str] | None,
        times: int | None,
        seconds: float | None,
        probability: float,
        details: dict[str, Any],
    ) -> int:
        """Script one fault; its number is what `clear` takes."""
        if action not in ACTIONS:
            raise ValueError(f"there is no fault '{action}'; the faults are {', '.join(ACTIONS)}")
        wanted = {("job" if name == "correlation_id" else name): value for name, value in (match or {}).items()}
        unknown = set(wanted) - {*MATCHED, "path"}
        if unknown:
            raise ValueError(
                f"a fault cannot match on {', '.join(sorted(unknown))}; it can on {', '.join(MATCHED)}, path"
            )
        until = None if seconds is None else time.monotonic_ns() + round(seconds * 1e9)
        fault = Fault(next(self._numbers), action, wanted, times, until, probability, details)
        self._faults.append(fault)
        return fault.number

    def clear(self, number: int | None = None) -> None:
        """Remove one fault, or all."""
        self._faults = [fault for fault in self._faults if number is not None and fault.number != number]

    def listed(self) -> list[dict[str, Any]]:
        """The faults that may still strike."""
        now = time.monotonic_ns()
        return [fault.as_dict() for fault in self._faults if not fault.over(now)]

    def _first(self, fits: Callable[[Fault], bool]) -> Fault | None:
        if not self._faults:
            return None
        now = time.monotonic_ns()
        self._faults = [fault for fault in self._faults if not fault.over(now)]
        for fault in self._faults:
            if fits(fault) and (fault.probability >= 1 or self._rng.random() < fault.probability):
                fault.used += 1
                return fault
        return None

    def strike(self, arrival: Arrival) -> Fault | None:
        """The fault for this arrival, used up by one."""
        return self._first(lambda fault: fault.action != "close_on_accept" and fault.matches(arrival))

    def strikes_accept(self, api: str) -> bool:
        """Is this new connection to be closed before anything is read?"""
        return (
            bool(self._faults)
            and self._first(lambda fault: fault.action == "close_on_accept" and fault.match.get("api", api) == api)
            is not None
        )


def _status(fault: Fault) -> Reply:
    get = fault.details.get
    body = get("body", "")
    text = body if isinstance(body, str) else json.dumps(body)
    reply = Reply(int(get("status", 500)), text.encode(), str(get("content_type", "application/json")))
    reply.headers += [(str(name), str(value)) for name, value in get("headers", {}).items()]
    if "retry_after" in fault.details:
        reply.headers.append(("Retry-After", str(fault.details["retry_after"])))
    return reply


def _ocpi(fault: Fault) -> Reply:
    code = int(fault.details.get("code", 2000))
    message = fault.details.get("message", "scripted by the sandbox")
    envelope = {"status_code": code, "status_message": message, "timestamp": "2026-01-01T00:00:00Z"}
    return json_reply(int(fault.details.get("status", 200)), envelope)


def _html(fault: Fault) -> Reply:
    status = int(fault.details.get("status", 502))
    return Reply(status, b"<html><body><h1>Bad Gateway</h1></body></html>", "text/html; charset=utf-8")


def _redirect(fault: Fault) -> Reply:
    location = str(fault.details.get("location", "http://other.invalid/elsewhere"))
    return Reply(int(fault.details.get("status", 302)), b"", "text/plain", [("Location", location)])


def _error_body(fault: Fault) -> Reply:
    get = fault.details.get
    status = int(get("status", 500))
    return error_reply(get("shape", "standard"), status, get("code", status * 100), get("message", "scripted"))


REPLACE: dict[str, Callable[[Fault], Reply]] = {
    "status": _status,
    "ocpi": _ocpi,
    "error_body": _error_body,
    "html": _html,
    "redirect": _redirect,
}


def carried_out(fault: Fault, reply: Reply) -> Executed:
    """Must the caller reckon with the call having been carried out, going by what the answer says?"""
    code = int(fault.details.get("code", 0)) if fault.action == "ocpi" else 0
    if code:
        return "maybe" if code == 2000 or code // 1000 == 3 or code == 4002 else "no"
    waits = any(name == "Retry-After" for name, _ in reply.headers)
    return "maybe" if reply.status < 300 or (reply.status >= 500 and not (reply.status == 503 and waits)) else "no"


def _body(body: bytes, content_type: str | None = None) -> Callable[[Fault, Reply], None]:
    def spoil(_: Fault, reply: Reply) -> None:
        reply.body = body
        reply.content_type = content_type or reply.content_type

    return spoil


def _manner(manner: Manner) -> Callable[[Fault, Reply], None]:
    def spoil(fault: Fault, reply: Reply) -> None:
        reply.manner = manner
        reply.interval_s = float(fault.details.get("interval_s", reply.interval_s))

    return spoil


def _delay(fault: Fault, reply: Reply) -> None:
    reply.delay_s += float(fault.details.get("delay_s", 1))


def _huge_body(fault: Fault, reply: Reply) -> None:
    filler = b"x" * round(float(fault.details.get("megabytes", 8)) * 1_000_000)
    reply.body = b'{"status_code":1000,"timestamp":"2026-01-01T00:00:00Z","data":"' + filler + b'"}'


def _huge_header(fault: Fault, reply: Reply) -> None:
    reply.headers.append(("X-Huge", "x" * int(fault.details.get("bytes", 1_000_000))))


def _foreign_link(fault: Fault, reply: Reply) -> None:
    origin = str(fault.details.get("origin", "http://other.invalid"))
    reply.headers = [
        (name, re.sub(r"<https?://[^/>]+", f"<{origin}", value) if name == "Link" else value)
        for name, value in reply.headers
    ]
    reply.body = re.sub(rb'("next":\{"href":")https?://[^/"]+', rb"\g<1>" + origin.encode(), reply.body)


SPOIL: dict[str, Callable[[Fault, Reply], None]] = {
    "delay": _delay,
    "hang": _manner("hang"),
    "drip": _manner("drip"),
    "close_before_reply": _manner("close"),
    "close_mid_reply": _manner("half-close"),
    "reset": _manner("reset"),
    "reset_mid_reply": _manner("half-reset"),
    "huge_body": _huge_body,
    "huge_header": _huge_header,
    "wrong_type": _body(b"all is well", "text/plain"),
    "invalid_json": _body(b'{"status_code": 1000, "data": [}'),
    "empty_body": _body(b""),
    "wrong_envelope": _body(b'{"ok": true, "result": []}'),
    "foreign_link": _foreign_link,
}
ACTIONS = (*REPLACE, *SPOIL, "close_on_accept")
