"""An account that somebody else uses too: hands that take jobs and send calls, calls that travel for a while each way,
and the other side, which counts arrivals in exact sliding windows, refuses what is too much and says what remains.

All of it happens on the desk's clock, so a minute costs no minute and a run repeats itself. What others do is told by
nothing but the remaining count in the answers. Scope: one account; the figures are the other side's.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.desk import ANSWERED, BULK, CAR, Desk, Slip, account, micros

LONG_US = micros(10**6)
AT_ONCE = 8
REASON = {"jitter": 1, "base": micros(1), "cap": micros(300), "reason": "429", "facts": "{}"}


@dataclass(slots=True)
class Counted:
    """One window of the other side: every arrival counts, a refused one too."""

    allowed: int
    length_us: int
    inside: deque[int] = field(default_factory=deque)

    def full(self, at: int) -> bool:
        while self.inside and self.inside[0] <= at - self.length_us:
            self.inside.popleft()
        return len(self.inside) >= self.allowed

    @property
    def remaining(self) -> int:
        return max(0, self.allowed - len(self.inside))

    def wait_us(self, at: int) -> int:
        """Until there is room, as a client is told: whole seconds, at least one."""
        over = self.inside[len(self.inside) - self.allowed] + self.length_us - at
        return max(1, -(-over // 1_000_000)) * 1_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    at: int
    ours: bool
    refused: bool
    priority: int = BULK


@dataclass(slots=True)
class Neighbours:
    """`windows` as (limit, seconds) by name; `there_s` and `back_s` say how long a call and its answer travel."""

    desk: Desk
    windows: Mapping[str, tuple[int, float]]
    seed: int
    headers: bool = True
    threads: int = 32
    there_s: tuple[float, float] = (0.001, 0.011)
    back_s: tuple[float, float] = (0.001, 0.011)
    reserve: tuple[int, int] = (0, 0)
    arrived: list[Arrival] = field(default_factory=list)
    rng: random.Random = field(init=False)
    counted: dict[str, Counted] = field(init=False)
    _agenda: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _number: int = 0
    _free: int = field(init=False)
    _look: int = 0
    _waiting: int = 0
    _others: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.counted = {name: Counted(limit, micros(length)) for name, (limit, length) in self.windows.items()}
        self._free = self.threads
        named = "calls=" + ",".join(self.windows)
        accounts = {CAR: account(named, windows=self.windows, headers=self.headers, reserve=self.reserve)}
        self.desk.hire(accounts=accounts, digest=f"neighbours-{self.seed}", numbers={"lane_cap": 1_000_000})

    # -- what happens -------------------------------------------------------------------------------------------------

    def others(self, per_second: float, *, evenly: bool = False) -> None:
        """From now on somebody else sends as many calls, whatever becomes of them; 0 is nobody."""
        self._others += 1
        turn = self._others

        def arrive() -> None:
            if turn != self._others:
                return
            self._arrive(self.desk.now_us, ours=False)
            gap_s = 1 / per_second if evenly else self.rng.expovariate(per_second)
            self._at(self.desk.now_us + micros(gap_s), arrive)

        if per_second:
            self._at(self.desk.now_us, arrive)

    def put(self, count: int, priority: int = BULK) -> None:
        """Jobs are put in line."""
        self.desk.put(count, dl=LONG_US, prio=priority)
        self._look = self.desk.now_us

    def run(self, seconds: float, backlog: int = 0) -> None:
        """Time passes. There are always at least `backlog` bulk jobs in line."""
        desk = self.desk
        until = desk.now_us + micros(seconds)
        while True:
            if backlog and self._waiting < backlog:
                self.put(2 * backlog)
                self._waiting += 2 * backlog
            moment = min(until, self._look, self._agenda[0][0] if self._agenda else until)
            desk.now_us = max(desk.now_us, moment)
            if self._agenda and self._agenda[0][0] <= desk.now_us:
                heapq.heappop(self._agenda)[2]()
            elif self._look <= desk.now_us < until:
                self._take()
            elif desk.now_us >= until:
                return

    def _at(self, moment: int, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (moment, self._number, what))

    def _take(self) -> None:
        dealt = self.desk.take(min(AT_ONCE, self._free)) if self._free else None
        if dealt and dealt.slips:
            self._free -= len(dealt.slips)
            self._waiting -= len(dealt.slips)
            self._look = self.desk.now_us + micros(0.0005)
            for slip in dealt.slips:
                self._send(slip)
        else:
            self._look = max(dealt.next_us, self.desk.now_us + 1) if dealt and dealt.next_us > 0 else LONG_US * 10**6

    def _send(self, slip: Slip) -> None:
        def arrive() -> None:
            now = self.desk.now_us
            full = self._arrive(now, ours=True, priority=int(slip.facts["priority"]))
            wait_us = max((self.counted[name].wait_us(now) for name in full), default=0)
            told = {name: {"limit": one.allowed, "remaining": one.remaining} for name, one in self.counted.items()}
            self._at(now + micros(self.rng.uniform(*self.back_s)), lambda: self._answer(slip, told, full, wait_us))

        self._at(self.desk.now_us + micros(self.rng.uniform(*self.there_s)), arrive)

    def _arrive(self, now: int, *, ours: bool, priority: int = BULK) -> list[str]:
        full = [name for name, one in self.counted.items() if one.full(now)]
        for one in self.counted.values():
            one.inside.append(now)
        self.arrived.append(Arrival(now, ours, bool(full), priority))
        return full

    def _answer(self, slip: Slip, told: dict[str, Any], full: list[str], wait_us: int) -> None:
        more: dict[str, Any] = {"told": told} if self.headers else {}
        if full:
            close = {**REASON, "windows": full, "after": wait_us}
            assert self.desk.park(slip, ANSWERED, close=close, **more) == "own"
            self._waiting += 1
        else:
            assert self.desk.finish(slip, **more) == "own"
        self._free += 1
        self._look = self.desk.now_us

    # -- what the other side says of it -----------------------------------------------------------------------------

    def ours(self, since_us: int = 0, until_us: int = LONG_US * 10**6) -> list[Arrival]:
        return [one for one in self.arrived if one.ours and since_us <= one.at < until_us]

    def refused(self, since_us: int = 0) -> float:
        """Share of our calls."""
        ours = self.ours(since_us)
        return sum(one.refused for one in ours) / max(1, len(ours))

    def used(self, window: str, since_us: int, until_us: int) -> float:
        """What we were let in with, of what others left over."""
        one = self.counted[window]
        theirs = sum(not arrival.ours and since_us <= arrival.at < until_us for arrival in self.arrived)
        left = one.allowed * (until_us - since_us) / one.length_us - theirs
        return sum(not arrival.refused for arrival in self.ours(since_us, until_us)) / left
