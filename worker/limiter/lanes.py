"""Limiter: the lanes as people look at them: who waits, what is in flight, what is stopped, when it goes on.

Promise: the cost of looking depends on the number of lanes, never on the number of jobs. Scope: reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.accept.envelope import PRIORITIES
from worker.limiter.holds import Hold, Holds, over
from worker.limiter.limiter import Limiter
from worker.limiter.window import BudgetState
from worker.store.partition import Partition, chunks


@dataclass(frozen=True, slots=True)
class Lane:
    """An account and an operation. `waiting` and `due` count jobs by priority; `due` are parked until a time."""

    account: str
    operation: str
    budget: str
    waiting: dict[str, int]
    due: dict[str, int]
    in_flight: int
    capped: bool
    oldest: str | None
    oldest_s: float | None
    hold: Hold | None
    state: BudgetState

    @property
    def busy(self) -> bool:
        return self.hold is not None or self.in_flight > 0 or any(self.waiting.values()) or any(self.due.values())

    def as_dict(self) -> dict[str, Any]:
        return {
            "account": self.account, "operation": self.operation, "budget": self.budget, "waiting": self.waiting,
            "due_later": self.due, "in_flight": self.in_flight, "at_cap": self.capped, "oldest": self.oldest,
            "oldest_s": self.oldest_s, "hold": self.hold.as_dict() if self.hold else None,
            "next_permit_s": self.state.next_s, "windows": [window.as_dict() for window in self.state.windows],
        }  # fmt: skip


class Lanes:
    """Every lane that ever held a job."""

    def __init__(self, partition: Partition, limiter: Limiter, holds: Holds) -> None:
        self._partition = partition
        self._limiter = limiter
        self._holds = holds

    def names(self, account: str | None = None, operation: str | None = None) -> list[tuple[str, str, str]]:
        """Account, operation and budget of each lane, in order."""
        members = self._partition.one("smembers", self._partition.key("lanes"))
        found = [(one, two, three) for one, two, three in (member.split("|") for member in members)]
        return sorted(
            lane for lane in found if account in (None, lane[0]) and operation in (None, lane[1])
        )  # fmt: skip

    def all(self, account: str | None = None, operation: str | None = None) -> list[Lane]:
        """The lanes as they are now."""
        names = self.names(account, operation)
        holds = self._holds.all()
        states = self._limiter.budgets((one, three) for one, _, three in names)
        now_us = self._partition.now_us()
        lanes = []
        for some in chunks(names):
            lanes += self._some(list(some), holds, states, now_us)
        return lanes

    def _some(
        self,
        names: list[tuple[str, str, str]],
        holds: dict[str, Hold],
        states: dict[tuple[str, str], BudgetState],
        now_us: int,
    ) -> list[Lane]:
        counted = self._counted(names)
        heads = sorted({head for facts in counted for head in facts["heads"]})
        created = dict(zip(heads, self._created(heads), strict=True))
        lanes = []
        for (account, operation, budget), facts in zip(names, counted, strict=True):
            oldest = min(
                (head for head in facts["heads"] if created[head]), key=lambda head: created[head], default=None
            )
            lanes.append(
                Lane(
                    account=account,
                    operation=operation,
                    budget=budget,
                    waiting=facts["waiting"],
                    due=facts["due"],
                    in_flight=facts["in_flight"],
                    capped=facts["capped"],
                    oldest=oldest,
                    oldest_s=None if oldest is None else max(0.0, round((now_us - created[oldest]) / 1e6, 1)),
                    hold=over(holds, account, operation, budget),
                    state=states[account, budget],
                )
            )
        return lanes

    def _counted(self, names: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
        key = self._partition.key

        questions: list[tuple[Any, ...]] = []
        for account, operation, _ in names:
            lane = f"{account}|{operation}"
            questions += [("hget", key("flying"), lane), ("sismember", key("capped"), lane)]
            for family in ("queue", "due"):
                for p in PRIORITIES.values():
                    queue = key(family, lane, p)
                    questions += [("zcard", queue), ("zrange", queue, 0, 0)]
        answers = iter(self._partition.ask(*questions))
        found = []
        for _ in names:
            facts: dict[str, Any] = {"in_flight": int(next(answers) or 0), "capped": bool(next(answers)), "heads": []}
            for family in ("waiting", "due"):
                facts[family] = {}
                for name in PRIORITIES:
                    facts[family][name] = int(next(answers))
                    facts["heads"] += next(answers)
            found.append(facts)
        return found

    def _created(self, heads: list[str]) -> list[int]:
        key = self._partition.key
        answers = self._partition.ask(*(("hget", key("job", head), "created") for head in heads))
        return [int(float(answer or 0)) for answer in answers]
