"""A small world for the limiter's properties: workers that take whatever they can, calls that end in every way there
is, and a remote side that counts arrivals.

A call arrives somewhere between its take and its answer; one without an answer arrives before its transit bound is
over; a worker that dies may have sent until its lease ran out. Everything happens on the desk's clock.
"""

import heapq
import random
from dataclasses import dataclass, field
from typing import Any

from tests.integration.desk import CAR, LEASE_S, NORMAL, READ, TRANSIT_S, Desk, Slip, micros
from tests.integration.meter import Remote, limit

WINDOWS = {"minute": (12, 6.0), "second": (5, 1.0)}
ENDS = ("answered", "answered", "answered", "refused", "unanswered", "refund", "dies", "dies unsent", "late")
LONG_US = micros(10**6)


@dataclass(slots=True)
class World:
    """`asking` are facts of every take; `accounts` are the settings of the workers."""

    desk: Desk
    rng: random.Random
    ends: tuple[str, ...]
    slowest_s: float
    asking: dict[str, Any] = field(default_factory=dict)
    windows: dict[str, Any] = field(default_factory=lambda: dict(WINDOWS))
    headers: bool = False
    agenda: list[tuple[int, str, str, Slip]] = field(default_factory=list)
    arrivals: dict[str, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    remote: Remote = field(init=False)

    def __post_init__(self) -> None:
        self.remote = Remote([(n, micros(s)) for n, s in self.windows.values()])
        self.desk.client.flushall()
        self.desk.now_us += micros(10**5)
        self.settle_in()

    def settle_in(self) -> None:
        limit(self.desk, headers=self.headers, digest="the same", **self.windows)

    def run(self, seconds: float, jobs: int = 0) -> None:
        desk = self.desk
        desk.put(jobs, dl=LONG_US)
        until = desk.now_us + micros(seconds)
        look = beat = desk.now_us
        while desk.now_us < until:
            moment = min(look, beat, self.agenda[0][0] if self.agenda else until)
            desk.now_us = max(desk.now_us, moment)
            if self.agenda and self.agenda[0][0] <= desk.now_us:
                self._answer()
                look = desk.now_us
            elif beat <= desk.now_us:
                self.renew()
                beat = desk.now_us + micros(LEASE_S / 4)
            else:
                look = self._take()

    def renew(self) -> None:
        """Who works renews what it has in hand, and reminds the store of what that has lost."""
        self.desk.renew(digest="the same")
        for _, _, end, slip in self.agenda:
            if end != "late" and self.desk.renew(slip) == ["unknown"]:
                self._remind(slip)

    def _take(self) -> int:
        """Takes what can be had; returns when to look again."""
        desk = self.desk
        dealt = desk.take(self.rng.choice((1, 3, 20)), **self.asking)
        for slip in dealt.slips:
            self._send(slip)
        if dealt.slips:
            return desk.now_us
        return max(dealt.next_us, desk.now_us + 1) if dealt.next_us > 0 else desk.now_us + micros(5)

    def _send(self, slip: Slip) -> None:
        end = self.rng.choice(self.ends)
        now = self.desk.now_us
        took = micros(self.rng.uniform(0.001, self.slowest_s))
        arrives = now + self.rng.choice((0, took, self.rng.randrange(took + 1)))
        if end == "unanswered":
            arrives = now + took + self.rng.choice((micros(TRANSIT_S) - 1, self.rng.randrange(micros(TRANSIT_S))))
        elif end == "dies":
            arrives = now + self.rng.randrange(micros(LEASE_S + TRANSIT_S))
        elif end == "late":
            took = micros(self.rng.uniform(LEASE_S + 0.1, LEASE_S + TRANSIT_S))
            arrives = now + self.rng.randrange(micros(LEASE_S * 0.9))
        if end not in ("refund", "dies unsent"):
            self.remote.arrived.append(arrives)
            self.arrivals[slip.lease] = arrives
        if not end.startswith("dies"):
            heapq.heappush(self.agenda, (now + took, slip.lease, end, slip))

    def _answer(self) -> None:
        """The next answer in time is told, a little after its first byte came."""
        at, _, end, slip = heapq.heappop(self.agenda)
        desk = self.desk
        desk.now_us = max(desk.now_us, at)
        if end == "refund":
            self._tell("park", slip, {"mode": "refund"})
        elif end == "unanswered":
            self._tell("park", slip, {"mode": "unanswered", "more": micros(TRANSIT_S)})
        elif end == "refused":
            self._tell("park", slip, {"mode": "answered", "age": 0})
        else:
            body = self.rng.randrange(micros(0.2))
            desk.now_us += body
            self.done.append(slip.id)
            self._tell("finish", slip, {"mode": "answered", "age": body}, **self._told(slip))

    def _told(self, slip: Slip) -> dict[str, Any]:
        """The rate headers of this answer, written when its call arrived."""
        if not self.headers:
            return {}
        at = self.arrivals[slip.lease]
        told = {}
        for name, (allowed, seconds) in self.windows.items():
            used = sum(at - micros(seconds) < arrived <= at for arrived in self.remote.arrived)
            told[name] = {"limit": allowed, "remaining": max(0, allowed - used)}
        return {"told": told}

    def _tell(self, decision: str, slip: Slip, settle: dict[str, Any], **facts: Any) -> None:
        """As a worker does: what the store does not know any more it is reminded of first."""
        say = getattr(self.desk, decision)
        status = say(slip, settle, taken=int(slip.facts["taken"]), **facts)
        if status in ("missing", "forgotten"):
            self._remind(slip)
            say(slip, settle, taken=int(slip.facts["taken"]), **facts)

    def _remind(self, slip: Slip) -> None:
        job = self.desk.job(slip.id, op=READ, acct=CAR, prio=NORMAL, dl=LONG_US)
        self.desk.remember(slip, job)
