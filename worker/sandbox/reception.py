"""Sandbox, reception: the order in which both APIs look at a request.

Arrive: who is it, which operation, which windows, is a fault due; all at the moment the head was read. Answer:
refusal, replacement or the real thing, then the fault's spoiling. It promises that every arrival is logged before
anything is answered. Its scope ends at the reply object; connection.py moves the bytes, hub.py and stellantis.py know
the shapes.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from worker.sandbox.faults import REPLACE, SPOIL, Fault, Faults, carried_out
from worker.sandbox.http11 import Reply, Request
from worker.sandbox.latency import Latency
from worker.sandbox.log import Arrival, Log
from worker.sandbox.options import Options
from worker.sandbox.windows import LET_IN, Verdict, Windows

FOREIGN_HEADER = "x-sandbox-foreign"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sent a request: an account that may be known and still not be allowed in."""

    account: str | None
    allowed: bool
    role: str = ""
    owner: tuple[str, str] = ("", "")  # country code and party id


@dataclass(slots=True)
class Visit:
    """One request on its way through."""

    request: Request
    arrival: Arrival
    identity: Identity
    route: Route | None
    params: dict[str, str]
    verdict: Verdict
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of an API."""

    method: str
    pattern: str
    operation: str
    handler: Callable[[Visit], Reply]
    budget: str = ""
    repeatable: bool = True
    role: str = ""
    path_names_us: bool = False


@dataclass(slots=True)
class Routes:
    """Routes by method and number of path segments, `{name}` standing for any one segment."""

    _table: dict[tuple[str, int], list[tuple[list[str], Route]]] = field(default_factory=dict)

    def add(self, route: Route) -> None:
        """Know one more operation; earlier ones match first."""
        parts = route.pattern.split("/")
        self._table.setdefault((route.method, len(parts)), []).append((parts, route))

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        """The operation of this call and the values in its path."""
        parts = path.split("/")
        for pattern, route in self._table.get((method, len(parts)), ()):
            if all(wanted == part or (wanted[:1] == "{" and part) for wanted, part in zip(pattern, parts, strict=True)):
                return route, {w[1:-1]: p for w, p in zip(pattern, parts, strict=True) if w[:1] == "{"}
        return None, {}


class Api(Protocol):
    """What reception needs to know of an API."""

    name: str

    def find(self, request: Request) -> tuple[Route | None, dict[str, str]]: ...
    def identify(self, request: Request) -> Identity: ...
    def unauthorized(self, visit: Visit) -> Reply: ...
    def refuse(self, visit: Visit) -> Reply: ...
    def wrong_path(self, visit: Visit) -> Reply: ...
    def forbid(self, visit: Visit) -> Reply | None: ...
    def finish(self, visit: Visit, reply: Reply) -> None: ...


@dataclass(slots=True)
class Front:
    """What both APIs share: limits, log, faults, latency."""

    options: Options
    windows: Windows = field(default_factory=Windows)
    log: Log = field(default_factory=Log)
    faults: Faults = field(default_factory=Faults)
    latency: dict[str, Latency] = field(default_factory=lambda: {"hub": Latency(), "stellantis": Latency()})
    rng: random.Random = field(default_factory=random.Random)

    def arrive(self, api: Api, request: Request, connection: int) -> Visit:
        """Count, judge and log one arrival; from here on it has happened."""
        now = time.monotonic_ns()
        headers = request.headers
        identity = api.identify(request)
        route, params = api.find(request)
        budget = (route.budget if route else "") or ("calls" if api.name == "stellantis" else "")
        arrival = Arrival(
            at_ns=now,
            api=api.name,
            account=identity.account,
            method=request.method,
            path=request.path,
            operation=route.operation if route else "",
            job=headers.get("x-correlation-id", ""),
            request_id=headers.get("x-request-id", ""),
            foreign=FOREIGN_HEADER in headers,
            repeatable=route.repeatable if route else True,
            unauthorized=not identity.allowed,
            connection=connection,
        )
        verdict, fault = LET_IN, None
        if identity.allowed and identity.account and budget:
            arrival.windows = self.windows.described(identity.account, budget)
            verdict = self.windows.arrive(identity.account, budget, now, self.options.count_refused)
            arrival.refused = verdict.refused
        if not verdict.refused:
            fault = self.faults.strike(arrival)
            arrival.fault = fault.action if fault else ""
        self.log.add(arrival)
        return Visit(request, arrival, identity, route, params, verdict, fault)

    def answer(self, api: Api, visit: Visit) -> Reply:
        """The reply to one arrival whose body has been read."""
        arrival, fault = visit.arrival, visit.fault
        if not arrival.repeatable:
            arrival.digest = hashlib.sha256(visit.request.body).hexdigest()[:16]
        if fault and fault.action in REPLACE:
            reply = REPLACE[fault.action](fault)
            arrival.executed = carried_out(fault, reply)
        else:
            reply = self._really(api, visit)
        api.finish(visit, reply)
        if fault and fault.action in SPOIL:
            SPOIL[fault.action](fault, reply)
        arrival.status = reply.status
        reply.delay_s += self.latency[api.name].answer_s(self.rng)
        return reply

    def _really(self, api: Api, visit: Visit) -> Reply:
        if visit.arrival.unauthorized:
            return api.unauthorized(visit)
        if visit.verdict.refused:
            return api.refuse(visit)
        if visit.route is None:
            return api.wrong_path(visit)
        forbidden = api.forbid(visit)
        if forbidden is not None:
            return forbidden
        visit.arrival.executed = "yes"  # the handler takes it back where it turns the call down
        return visit.route.handler(visit)


def retry_after(kind: str, wait_ns: int, http_date: Callable[[float], str]) -> str | None:
    """The value of Retry-After in the chosen form; seconds are rounded up, as a whole number cannot be early then."""
    seconds = -(-wait_ns // 1_000_000_000)
    values: dict[str, Any] = {
        "seconds": str(max(1, seconds)),
        "date": http_date(time.time() + max(1, seconds)),
        "nonsense": "soon",
        "negative": "-5",
        "absurd": "31536000",
    }
    return values.get(kind)
