"""Limiter: looking at budgets, and a single permit for a call that is no job.

Promise: a check of the operators' counts in the account's windows like every other call, and is never sent without a
permit; a store that restarted or whose clock stepped gives none before it has been looked at. Jobs do not come this
way: their permits are taken with them, in `take.lua`. Scope: asking the scripts.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from worker.clock import SYSTEM, Clock
from worker.limiter.window import BudgetState, read_budget
from worker.store.line import Line
from worker.store.partition import Partition
from worker.store.server_clock import ServerClock, machine

logger = logging.getLogger("paceline.limiter")
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call until `send_by_s` (this machine's boot-time clock)."""

    lease: str
    account: str
    budget: str
    send_by_s: float


class Limiter:
    """The shared limiter, from outside of the workers."""

    def __init__(self, partition: Partition, clock: Clock = SYSTEM) -> None:
        self._partition = partition
        self._clock = clock
        self._server_clock = ServerClock(clock)

    def budget(self, account: str, budget: str, priority: int = 1) -> BudgetState:
        """How this budget stands, and when the next permit of `priority` (0 urgent … 2 bulk) can be had."""
        group = f"{account}|{budget}"
        reply = self._partition.decide("windows", {"group": group, "p": priority})
        closed = self._partition.one("hget", self._partition.key("refusals"), f"!{group}")
        return read_budget(account, budget, reply, int(closed or 0))

    def budgets(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], BudgetState]:
        """Several, each asked for once."""
        return {pair: self.budget(*pair) for pair in dict.fromkeys(pairs)}

    def why(self, state: BudgetState) -> str:
        """What holds the next permit of this budget back; empty where that cannot be told."""
        quiet, cause = self._partition.one("hmget", self._partition.key("meta"), "quiet", "suspect")
        if int(float(quiet or 0)) > self._partition.now_us():
            cause = {"empty": "is new", "restart": "was started again"}.get(cause or "", "may have forgotten something")
            return f"the store {cause}: nothing is sent until every process had time to say what it holds"
        return state.why()

    def acquire(
        self,
        account: str,
        budget: str,
        *,
        send_within_s: float,
        call_s: float,
        transit_s: float,
        quiet_s: float,
        mode: str,
        wait_s: float,
    ) -> Permit | float | None:
        """A permit; else the seconds until one may be had, or None when only a call in flight can tell.

        The permit lapses `call_s` after it must have been sent, should this process die with it. `quiet_s` is the
        workers' lease: for so long nothing is handed out after the store has forgotten something.
        """
        until = self._clock.monotonic() + wait_s
        facts = {
            "group": f"{account}|{budget}",
            "worker": "operator",
            "lease_us": int((send_within_s + call_s) * 1e6),
            "transit_us": int(transit_s * 1e6),
            "quiet_us": int(quiet_s * 1e6),
            "mode": mode,
        }
        with self._on_one_line() as (line, partition):
            while True:
                facts["lease"] = f"permit.{uuid.uuid4().hex}"
                asked_s = self._clock.boottime()
                given, again_s = self._ask(line, partition, facts, asked_s)
                if given:
                    return Permit(str(facts["lease"]), account, budget, asked_s + send_within_s)
                left = until - self._clock.monotonic()
                if left <= 0 or (again_s is not None and again_s > left):
                    return again_s
                self._clock.sleep(min(left, POLL_S if again_s is None else max(again_s, 0.01)))

    @contextmanager
    def _on_one_line(self) -> Iterator[tuple[Line, Partition]]:
        """A connection of one's own, so that what answers is known to be what was looked at."""
        self._server_clock.recall(self._partition.one("hget", self._partition.key("clocks"), machine()) or "")
        line = Line(self._partition.client)
        try:
            yield line, self._partition.through(line)
        finally:
            line.close()

    def _ask(
        self, line: Line, partition: Partition, facts: Mapping[str, Any], asked_s: float
    ) -> tuple[bool, float | None]:
        """Whether it was given, and else in how many seconds to ask again, if that can be told."""
        line.open()
        server = line.server()
        expected_us = self._server_clock.expected_us(asked_s)
        expect = {} if expected_us is None or partition.clock_is_replaced else {"expect": expected_us}
        more = {"run": server.run, "durable": server.durable, **expect}
        given, now_us, again_us = partition.decide("permit", {**facts, **more})
        if given < 0:
            if step_s := self._server_clock.step_s(now_us):
                logger.error("the store's clock stepped forward by %.1f s; pacing with care", step_s)
                loss = {"cause": "clock", "lease_us": facts["quiet_us"], "mode": facts["mode"]}
                partition.decide("suspect", loss)
            self._server_clock.saw(now_us, asked_s)
            return self._ask(line, partition, facts, self._clock.boottime())
        self._server_clock.saw(now_us, asked_s)
        return bool(given), None if again_us < 0 else max(0.0, (again_us - now_us) / 1e6)

    def settle(
        self, permit: Permit, settle: Mapping[str, Any], told: Mapping[str, Mapping[str, int]] | None = None
    ) -> bool:
        """Says what became of the permit (`fail/fate.py` has the forms). False when it had lapsed."""
        facts: dict[str, Any] = {"lease": permit.lease, "settle": dict(settle)}
        if told:
            facts["told"] = {name: dict(said) for name, said in told.items()}
        return bool(self._partition.decide("settle", facts))
