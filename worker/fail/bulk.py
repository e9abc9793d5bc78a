"""Fail: operations on many letters: ordered by a person, kept, carried out by workers step by step, told about after.

Promise: an operation covers the letters that were there when it was planned, each once, whoever carries it on; it can
be stopped at any time and says what was done; it remembers what became of what it sent again. Which step does what is
decided in the store (`bulk_step.lua`); worker processes ask for steps (`broker/carrying.py`). Scope: ordering and
reading. In the catalogue "operation" is a call; here the type is `BulkAction`, and only people's words say operation.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from worker.errors import Conflict, NotFound
from worker.fail.bulk_plan import BulkOrder, Plan, Planner, filter_facts
from worker.fail.dead_letter import Filter, Which
from worker.fail.redrive import Verb
from worker.limiter.limiter import Limiter
from worker.store.partition import CHUNK, Partition

State = Literal["planned", "running", "cancelled", "done"]
ENDED = ("cancelled", "done")
FRESH = 1_000
SILENT_US, STUCK_US = 15_000_000, 500_000
BULK_ID = re.compile(r"op-[0-9a-f]{20}")
ENDS = ("done", "dead", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One operation. Times are the store's clock (µs). `done` letters were sent again, set aside or taken back; of
    those sent again `ends` says how many ended how by now, and `failed` of which problem they died this time.
    """

    id: str
    kind: Verb
    state: State
    by: str
    reason: str
    wanted: Filter
    limit: int | None
    pace: float
    keep_priority: bool
    even_if_unknown: bool
    again: bool
    plan: Plan
    total: int
    done: int
    left: Mapping[str, int]
    some: tuple[tuple[str, str], ...]
    ends: Mapping[str, int]
    failed: Mapping[str, int]
    waits: str
    rest_us: int
    claim_us: int
    created_us: int
    started_us: int
    started_by: str
    ended_us: int
    ended_by: str
    ended_why: str

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def left_alone(self) -> int:
        return sum(self.left.values())

    @property
    def under_way(self) -> int:
        """Sent again and not ended yet."""
        return max(0, self.done - sum(self.ends.values())) if self.kind == "redrive" else 0

    @property
    def remaining(self) -> int:
        """Still to be dealt with, as far as the plan has counted; what others did meanwhile is among it until then."""
        return 0 if self.state == "done" else max(0, self.total - self.done - self.left_alone)

    @property
    def gone(self) -> int:
        """Planned, but no longer there when their turn came: somebody else had dealt with them."""
        return max(0, self.total - self.done - self.left_alone) if self.state == "done" else 0

    def rests(self, now_us: int) -> str:
        """Why it does not move now; empty where it does."""
        if self.state != "running":
            return ""
        if now_us - max(self.claim_us, self.started_us) > SILENT_US:
            return "no worker process carries it out now"
        if self.waits == "open":
            return f"{self.under_way} of its calls have not ended yet"
        word, _, where = self.waits.partition("|")
        if word == "live":
            return f"live calls of {where.replace('|', ' ')} go first"
        stuck = word == "full" and self.rest_us >= STUCK_US  # for a moment a full lane is as it should be
        return f"the lane {where.replace('|', ' ')} takes no more before what waits there has gone" if stuck else ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {
            "wanted": self.wanted.as_dict(), "plan": self.plan.as_dict(), "left": dict(self.left),
            "ends": dict(self.ends), "failed": dict(self.failed), "left_alone": self.left_alone,
            "under_way": self.under_way, "remaining": self.remaining, "gone": self.gone,
        }  # fmt: skip


class BulkActions:
    """The operations of one partition."""

    def __init__(self, partition: Partition, limiter: Limiter, keep_s: int) -> None:
        self._partition = partition
        self._planner = Planner(partition, limiter)
        self._keep_s = keep_s

    def plan(self, order: BulkOrder) -> Plan:
        """What it would do; nothing is kept. Raises `Refused`."""
        return self._planner.plan(order)

    def make(self, order: BulkOrder, plan: Plan | None = None) -> BulkAction:
        """Keeps the order with its plan, to be confirmed. Raises `Refused`."""
        plan = plan or self.plan(order)
        made = new_id()
        facts = {
            "id": made, "kind": order.kind, "by": order.by, "reason": order.reason,
            "filter": filter_facts(order.wanted, self._partition.now_us()), "limit": order.limit or 0,
            "pace": plan.pace, "keep": order.keep_priority, "unknown": order.even_if_unknown, "again": order.again,
            "total": plan.letters, "plan": json.dumps(plan.as_dict()), "ttl": self._keep_s,
        }  # fmt: skip
        self._partition.decide("bulk_make", facts)
        return self.read(made)

    def start(self, bulk_id: str, by: str, reason: str = "") -> BulkAction:
        """Somebody confirms the plan. Raises `NotFound` and `Conflict`."""
        answer = self._partition.decide("bulk_start", {"id": bulk_id, "by": by, "reason": reason})
        if answer == "missing":
            raise _unknown(bulk_id)
        if answer in ENDED:
            raise Conflict(f"operation {bulk_id} is {answer}; make a new plan, which covers what lies dead now.")
        return self.read(bulk_id)

    def cancel(self, bulk_id: str, by: str, reason: str) -> BulkAction:
        """Stops it where it is. Raises `NotFound`, and `Conflict` when it is done."""
        answer = self._partition.decide("bulk_cancel", {"id": bulk_id, "by": by, "reason": reason})
        if answer == "missing":
            raise _unknown(bulk_id)
        if answer == "done":
            raise Conflict(f"operation {bulk_id} is done; there is nothing to cancel.")
        return self.read(bulk_id)

    def read(self, bulk_id: str) -> BulkAction:
        """One. Raises `NotFound`."""
        for found in self._some([bulk_id] if BULK_ID.fullmatch(bulk_id) else []):
            return found
        raise _unknown(bulk_id)

    def find(self, limit: int | None = None, before: tuple[int, str] | None = None) -> Iterator[BulkAction]:
        """Last planned first; `before` is a place: when one was planned, and its id."""
        found, start = 0, 0
        high = "+inf" if before is None else str(before[0])
        while True:
            key = self._partition.key("bulks")
            ids = self._partition.one("zrevrangebyscore", key, high, "-inf", start, CHUNK)
            for action in self._some(ids):
                if before is not None and (action.created_us, action.id) >= before:
                    continue
                if limit is not None and found >= limit:
                    return
                found += 1
                yield action
            if len(ids) < CHUNK:
                return
            start += CHUNK

    def fresh(self, action: BulkAction) -> tuple[int, bool]:
        """How many such letters died since the plan, without those that it sent itself; and whether that is all."""
        wanted = Filter(
            account=action.wanted.account, operation=action.wanted.operation, error_class=action.wanted.error_class,
            problem=action.wanted.problem, since_us=(action.wanted.until_us or 0) + 1, which=action.wanted.which,
        )  # fmt: skip
        order = BulkOrder(action.kind, wanted, "")
        found = self._planner.count(order, FRESH, apart=action.id)
        return found.letters, found.complete

    def step(self, worker: str) -> float | None:
        """Carries out one step of whatever is due; the seconds until the next, None when nothing runs."""
        now_us, again_us = self._partition.decide("bulk_step", {"worker": worker})
        return None if again_us < 0 else max(0.0, (again_us - now_us) / 1e6)

    def _some(self, ids: list[str]) -> Iterator[BulkAction]:
        key = self._partition.key
        records = self._partition.ask(*(("hgetall", key("bulk", one)) for one in ids)) if ids else []
        return (action_of(one, facts) for one, facts in zip(ids, records, strict=True) if facts.get("plan"))


def new_id() -> str:
    """Sorts by time."""
    return f"op-{time.time_ns() // 1_000_000:012x}{os.urandom(4).hex()}"


def _unknown(bulk_id: str) -> NotFound:
    said = f"no operation {bulk_id[:40]!r} is known;"
    return NotFound(
        f"{said} `ops list` shows those that are kept.",
        over_http=f"{said} GET /v1/operations lists those that are kept.",
    )


def action_of(bulk_id: str, facts: Mapping[str, str]) -> BulkAction:
    """An operation from its hash."""

    def number(name: str) -> int:
        return int(float(facts.get(name) or 0))

    def tally(start: str) -> dict[str, int]:
        return {name.removeprefix(start): int(n) for name, n in facts.items() if name.startswith(start) and int(n) > 0}

    def text(name: str) -> str | None:
        return facts.get(name) or None

    return BulkAction(
        id=bulk_id,
        kind=cast(Verb, facts["kind"]),
        state=cast(State, facts["state"]),
        by=facts.get("by", ""),
        reason=facts.get("reason", ""),
        wanted=Filter(
            account=text("account"), operation=text("operation"), error_class=text("class"), problem=text("problem"),
            since_us=number("since") or None, until_us=number("until"), which=cast(Which, facts["pile"]),
        ),
        limit=number("limit") or None,
        pace=float(facts["pace"]),
        keep_priority=facts.get("keep") == "1",
        even_if_unknown=facts.get("unknown") == "1",
        again=facts.get("again") == "1",
        plan=Plan.read(facts["plan"]),
        total=number("total"),
        done=number("done"),
        left=tally("left:"),
        some=tuple((str(one), str(word)) for one, word in json.loads(facts.get("some") or "[]") or ()),
        ends={state: number(f"end:{state}") for state in ENDS},
        failed=tally("again:"),
        waits=facts.get("waits", ""),
        rest_us=number("rest"),
        claim_us=number("claim"),
        created_us=number("created"),
        started_us=number("started"),
        started_by=facts.get("started_by", ""),
        ended_us=number("ended"),
        ended_by=facts.get("ended_by", ""),
        ended_why=facts.get("ended_why", ""),
    )  # fmt: skip
