"""Fail: what an operation on many letters would do, told before it does anything.

Promise: letters are counted by the very rules that a run goes by, so what the plan says would be left alone is left
alone; counting costs the store a few milliseconds at a time, and beyond `COUNTED` letters the plan says that there are
more. How long it takes is a least: by the pace, and by what the limits let through. Scope: looking ahead; `bulk.py`
orders.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from worker.accept.envelope import PRIORITIES
from worker.errors import Refused
from worker.fail.dead_letter import Filter
from worker.fail.explaining import futile_because
from worker.fail.redrive import NO_CALL, Verb
from worker.limiter.limiter import Limiter
from worker.limiter.window import BudgetState
from worker.store.partition import Partition

COUNTED = 200_000
PORTION = 250
NAMED = 50
SLOWEST, FASTEST = 0.01, 1000.0
USUAL_MOST, UNLIMITED, MARKED = 50.0, 10.0, 200.0
"""The usual pace is half of what the budgets let through, at most 50 per second; where nothing limits, 10; marking
costs nobody's quota."""
LONG_S = 3600.0
PILES: dict[Verb, tuple[str, ...]] = {"redrive": ("dead", "expired"), "discard": ("dead",), "restore": ("discarded",)}
LEFT = {
    "unknown": "it must not be repeated and nobody knows whether it was carried out",
    "circling": "it was sent again three times and died each time",
    "undelivered": NO_CALL.partition("; ")[0],
    "discarded": "it is discarded",
}
"""Why letters are left alone, by the script's words for it."""
TO_FORCE = {
    "unknown": "find out first, then say --even-if-unknown and --reason",
    "circling": "mend the cause, then say --again",
}


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """What somebody asks to be done to all letters of a filter, and how much they know. Its `wanted.until_us` fixes
    which letters those are. Without a pace the plan chooses one.
    """

    kind: Verb
    wanted: Filter
    by: str
    reason: str = ""
    pace: float | None = None
    keep_priority: bool = False
    even_if_unknown: bool = False
    again: bool = False
    limit: int | None = None

    def check(self) -> None:
        """Raises `Refused` for an order that no run could carry out."""
        if self.wanted.which not in PILES[self.kind]:
            raise Refused(
                f"{self.kind}: expected letters of the pile {' or '.join(PILES[self.kind])}, got those of "
                f"{self.wanted.which}; choose another pile."
            )
        if self.pace is not None and not SLOWEST <= self.pace <= FASTEST:
            raise Refused(
                f"pace: expected {SLOWEST:g} to {FASTEST:g} letters per second, got {self.pace:g}; change it."
            )
        if self.limit is not None and self.limit < 1:
            raise Refused(f"limit: expected at least 1 letter, got {self.limit}; leave it out for all of them.")
        if self.even_if_unknown and not self.reason:
            raise Refused(
                "reason: expected how it is known that nothing was carried out, got none; say it, or leave the calls "
                "of unknown outcome alone."
            )


@dataclass(frozen=True, slots=True)
class PlannedProblem:
    """How many of the letters died of one cause; `fingerprint` is empty for jobs that expired."""

    fingerprint: str
    operation: str
    error_class: str
    code: str
    count: int

    @property
    def futile(self) -> str | None:
        """Why sending these again does not help until something has changed."""
        return futile_because(self.operation.partition(".")[0], self.error_class, self.code)


@dataclass(frozen=True, slots=True)
class PlannedLane:
    """How many go through one lane, and how long the limits of its budget alone make that take."""

    account: str
    operation: str
    budget: str
    count: int
    least_s: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `left` is by the words of `LEFT`; `letters` are all that fit, also those."""

    letters: int
    complete: bool
    pace: float
    least_s: float
    problems: tuple[PlannedProblem, ...] = ()
    lanes: tuple[PlannedLane, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    @property
    def to_do(self) -> int:
        """Those that would not be left alone."""
        return max(0, self.letters - sum(self.left.values()))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"left": dict(self.left), "to_do": self.to_do}

    @classmethod
    def read(cls, text: str) -> Plan:
        """The plan as it was kept with its operation."""
        said = json.loads(text)
        said.pop("to_do", None)
        said["problems"] = tuple(PlannedProblem(**one) for one in said["problems"])
        said["lanes"] = tuple(PlannedLane(**one) for one in said["lanes"])
        said["examples"] = tuple(said["examples"])
        return cls(**said)


@dataclass(slots=True)
class Count:
    """Letters, counted."""

    letters: int = 0
    complete: bool = True
    problems: Counter[str] = field(default_factory=Counter)
    lanes: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class Planner:
    """Plans for one partition."""

    def __init__(self, partition: Partition, limiter: Limiter) -> None:
        self._partition = partition
        self._limiter = limiter

    def plan(self, order: BulkOrder) -> Plan:
        """What this order would do. Raises `Refused`."""
        order.check()
        count = self.count(order, order.limit or COUNTED)
        lanes = {name: lane_of(name) for name in count.lanes}
        pairs = Counter[tuple[str, str]]()
        for name, (account, _, budget) in lanes.items():
            pairs[account, budget] += count.lanes[name]
        states = {
            pair: self._limiter.budget(*pair, PRIORITIES["bulk"]) for pair in pairs if order.kind == "redrive"
        }
        least = {pair: least_s(state, pairs[pair]) for pair, state in states.items()}
        pace = order.pace or (usual_pace(list(states.values())) if order.kind == "redrive" else MARKED)
        to_do = max(0, count.letters - sum(count.left.values()))
        return Plan(
            letters=count.letters,
            complete=count.complete,
            pace=pace,
            least_s=max([to_do / pace, *(one for one in least.values() if one is not None)]),
            problems=self._problems(count.problems),
            lanes=tuple(
                PlannedLane(*lanes[name], number, least.get((lanes[name][0], lanes[name][2])))
                for name, number in count.lanes.most_common(NAMED)
            ),
            left=dict(count.left),
            examples=tuple(count.examples),
        )

    def count(self, order: BulkOrder, most: int, *, apart: str | None = None) -> Count:
        """The letters of an order, at most so many; `apart` from those that an operation has sent itself."""
        found, over = Count(), False
        at, past = order.wanted.since_us or 0, ""
        facts: dict[str, Any] = {"kind": order.kind, "filter": filter_facts(order.wanted, self._partition.now_us())}
        facts |= {"unknown": order.even_if_unknown, "again": order.again, "most": PORTION}
        facts |= {"apart": apart} if apart else {}
        while not over and found.letters < most:
            want = most - found.letters
            said = json.loads(self._partition.decide("bulk_count", facts | {"at": at, "past": past, "want": want}))
            at, past, over = int(said["at"]), said["past"], said["over"]
            found.letters += said["n"]
            for name, more in (("problems", found.problems), ("lanes", found.lanes), ("left", found.left)):
                more.update(said["against" if name == "left" else name] or {})
            found.examples = (found.examples + list(said["first"] or []))[:5]
        found.complete = order.limit is not None or found.letters < most
        return found

    def _problems(self, counted: Counter[str]) -> tuple[PlannedProblem, ...]:
        most = counted.most_common(NAMED)
        key = self._partition.key
        facts = self._partition.ask(*(("hmget", key("problem", one), ["op", "class", "code"]) for one, _ in most))
        return tuple(
            PlannedProblem(one, *(said[0] or "", said[1] or ("" if one else "expired"), said[2] or ""), number)
            for (one, number), said in zip(most, facts, strict=True)
        )


def filter_facts(wanted: Filter, now_us: int) -> dict[str, Any]:
    """The filter as the scripts take it; its end is fixed."""
    said = {"account": wanted.account, "operation": wanted.operation, "class": wanted.error_class,
            "problem": wanted.problem}  # fmt: skip
    until_us = now_us if wanted.until_us is None else min(wanted.until_us, now_us)
    return {name: value for name, value in said.items() if value} | {
        "pile": wanted.which, "since": wanted.since_us or 0, "until": until_us,
    }  # fmt: skip


def least_s(state: BudgetState, count: int) -> float | None:
    """How long the limits alone make `count` calls take from now; None where there are none."""
    waits = []
    for window in state.windows:
        free = max(0, window.limit - window.used - window.foreign)
        if window.limit:
            waits.append(max(window.shut_s, math.ceil(max(0, count - free) / window.limit) * window.length_s))
    return max(waits, default=None)


def usual_pace(states: list[BudgetState]) -> float:
    """Half of what the budgets let through together. A day's window says how long it takes, not how fast."""
    rates = []
    for state in states:
        short = [w for w in state.windows if w.limit and w.length_s < LONG_S] or [w for w in state.windows if w.limit]
        rates.append(min((w.limit / w.length_s for w in short), default=UNLIMITED))
    return float(max(1, min(USUAL_MOST, round(sum(rates) / 2))))


def lane_of(name: str) -> tuple[str, str, str]:
    """Account, operation and budget."""
    lane, _, budget = name.rpartition("|")
    account, _, operation = lane.rpartition("|")
    return account, operation, budget
