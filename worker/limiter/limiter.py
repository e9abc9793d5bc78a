"""Limiter: looking at budgets, and a single permit for a call that is no job.

Promise: a check of the operators' counts in the account's windows like every other call, and is never sent without a
permit. Jobs do not come this way: their permits are taken with them, in `take.lua`. Scope: asking the scripts.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.clock import SYSTEM, Clock
from worker.limiter.window import BudgetState, read_budget
from worker.store.partition import Partition

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

    def budget(self, account: str, budget: str, priority: int = 1) -> BudgetState:
        """How this budget stands, and when the next permit of `priority` (0 urgent … 2 bulk) can be had."""
        group = f"{account}|{budget}"
        reply = self._partition.decide("windows", {"group": group, "p": priority})
        closed = self._partition.one("hget", self._partition.key("refusals"), f"!{group}")
        return read_budget(account, budget, reply, int(closed or 0))

    def budgets(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], BudgetState]:
        """Several, each asked for once."""
        return {pair: self.budget(*pair) for pair in dict.fromkeys(pairs)}

    def acquire(
        self,
        account: str,
        budget: str,
        *,
        send_within_s: float,
        call_s: float,
        transit_s: float,
        mode: str,
        wait_s: float,
    ) -> Permit | float | None:
        """A permit; else the seconds until one may be had, or None when only a call in flight can tell.

        The permit lapses `call_s` after it must have been sent, should this process die with it.
        """
        until = self._clock.monotonic() + wait_s
        while True:
            lease = f"permit.{uuid.uuid4().hex}"
            asked_s = self._clock.boottime()
            facts = {
                "group": f"{account}|{budget}",
                "lease": lease,
                "worker": "operator",
                "lease_us": int((send_within_s + call_s) * 1e6),
                "transit_us": int(transit_s * 1e6),
                "mode": mode,
            }
            given, now_us, again_us = self._partition.decide("permit", facts)
            if given:
                return Permit(lease, account, budget, asked_s + send_within_s)
            left = until - self._clock.monotonic()
            again_s = None if again_us < 0 else max(0.0, (again_us - now_us) / 1e6)
            if left <= 0 or (again_s is not None and again_s > left):
                return again_s
            self._clock.sleep(min(left, POLL_S if again_s is None else max(again_s, 0.01)))

    def settle(
        self, permit: Permit, settle: Mapping[str, Any], told: Mapping[str, Mapping[str, int]] | None = None
    ) -> bool:
        """Says what became of the permit (`fail/fate.py` has the forms). False when it had lapsed."""
        facts: dict[str, Any] = {"lease": permit.lease, "settle": dict(settle)}
        if told:
            facts["told"] = {name: dict(said) for name, said in told.items()}
        return bool(self._partition.decide("settle", facts))
