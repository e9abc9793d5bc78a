"""Demo: how things stand, read from the store.

Promise: reading changes nothing a worker could notice; all states are asked for together, and that of a job that is
done only once. Scope: figures; `table.py` shows them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from worker.accept.operation import operations
from worker.demo.stage import Stage
from worker.limiter.holds import Hold, Holds
from worker.limiter.limiter import Limiter
from worker.limiter.window import WindowState
from worker.observe.wording import title_of
from worker.store.partition import Partition, chunks

NOT_SHOWN = ("control",)
"""Budgets for calls that are no jobs."""


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget of an account: its windows as the limiter sees them, and how many of its jobs are in which state."""

    account: str
    name: str
    windows: tuple[WindowState, ...]
    states: Counter[str]


@dataclass(frozen=True, slots=True)
class Told:
    """One alert: what a person reads, how often there was cause for it, whether it is still open."""

    title: str
    count: int
    open: bool


@dataclass(frozen=True, slots=True)
class Look:
    """Everything at one moment."""

    budgets: list[Budget] = field(default_factory=list)
    workers: list[tuple[str, str]] = field(default_factory=list)
    holds: list[tuple[Hold, float]] = field(default_factory=list)
    """Each with its age in seconds."""
    alerts: list[Told] = field(default_factory=list)
    """The one that changed last comes first."""

    @property
    def states(self) -> Counter[str]:
        return sum((budget.states for budget in self.budgets), Counter())


class Watch:
    """Looks at a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._partition = Partition(stage.client, stage.keys, stage.scripts)
        self._limiter = Limiter(self._partition)
        self._holds = Holds(self._partition)
        self._names: dict[str, tuple[str, str]] = {}
        self._done: set[str] = set()

    def look(self) -> Look:
        """Raises redis-py's errors."""
        states = self._states()
        now_us = self._partition.now_us()
        holds = [(hold, max(0.0, (now_us - hold.since_us) / 1e6)) for hold in self._holds.all().values()]
        workers = [(worker.name, worker.state) for worker in self._stage.workers]
        return Look(list(self._budgets(states)), workers, holds, self._alerts())

    def _budgets(self, states: dict[tuple[str, str], Counter[str]]) -> Iterable[Budget]:
        """Those with windows or with jobs, but no account that nobody uses."""
        used = {account for account, _ in states}
        for account in self._stage.settings.accounts().values():
            for name, windows in account.budgets.items():
                jobs = states.get((account.name, name), Counter())
                if account.name not in used or name in NOT_SHOWN or not (jobs or windows):
                    continue
                yield Budget(account.name, name, self._limiter.budget(account.name, name).windows, jobs)

    def _states(self) -> dict[tuple[str, str], Counter[str]]:
        """(account, budget) -> state -> jobs. Found by their records, so that jobs asked for by others count too."""
        above = self._stage.keys("job", "")
        found = (key.decode().removeprefix(above) for key in self._stage.client.scan_iter(f"{above}*", count=1000))
        jobs = list(dict.fromkeys(found))
        counted: dict[tuple[str, str], Counter[str]] = {}
        for job in self._done.intersection(jobs):
            counted.setdefault(self._names[job], Counter())["done"] += 1
        for job, (state, account, operation) in self._ask([job for job in jobs if job not in self._done]):
            if state and operation in operations:
                self._names[job] = (account, operations[operation].budget)
                counted.setdefault(self._names[job], Counter())[state] += 1
                if state == "done":
                    self._done.add(job)
        return counted

    def _ask(self, jobs: list[str]) -> Iterable[tuple[str, Any]]:
        for some in chunks(jobs, 500):
            asked = (("hmget", self._stage.keys("job", job), "state", "acct", "op") for job in some)
            yield from zip(some, self._partition.ask(*asked), strict=True)

    def _alerts(self) -> list[Told]:
        keys = self._partition.one("zrevrange", self._stage.keys("alerts"), 0, -1)
        asked = (("hmget", self._stage.keys("alert", key), "state", "count", "facts") for key in keys)
        answers = zip(keys, self._partition.ask(*asked), strict=True)
        return [
            Told(title_of(key, json.loads(facts or "{}")), int(count or 0), state == "open")
            for key, (state, count, facts) in answers
        ]
