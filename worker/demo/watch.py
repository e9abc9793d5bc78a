"""Demo: how things stand, read from the store.

Promise: reading changes nothing a worker could notice; a state is read once per look, for all jobs together.
Scope: figures; `table.py` shows them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from worker.demo.stage import Stage

ENDS = ("done", "dead", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class Window:
    """One window as the limiter sees it."""

    account: str
    name: str
    limit: int
    length_s: float
    used: int
    foreign: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Look:
    """Everything at one moment. `lanes`: (account, operation) -> state -> jobs."""

    lanes: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    windows: list[Window] = field(default_factory=list)
    workers: list[tuple[str, str]] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)

    @property
    def states(self) -> Counter[str]:
        return sum(self.lanes.values(), Counter())


class Watch:
    """Looks at a stage. A job that is done is not asked about again."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ended: dict[str, str] = {}

    def look(self) -> Look:
        stage = self._stage
        jobs = stage.all_jobs()
        states = self._states(list(jobs))
        lanes: dict[tuple[str, str], Counter[str]] = {}
        for job, lane in jobs.items():
            lanes.setdefault(lane, Counter())[states[job]] += 1
        holds: Any = stage.client.hkeys(stage.keys("holds"))
        workers = [(worker.name, worker.state) for worker in stage.workers]
        return Look(lanes, self._windows(), workers, sorted(hold.decode() for hold in holds))

    def _states(self, jobs: list[str]) -> dict[str, str]:
        asked = [job for job in jobs if job not in self._ended]
        pipe = self._stage.client.pipeline(transaction=False)
        for job in asked:
            pipe.hget(self._stage.keys("job", job), "state")
        found = {job: (state or b"").decode() for job, state in zip(asked, pipe.execute(), strict=True)}
        self._ended |= {job: state for job, state in found.items() if state == "done"}
        return found | {job: self._ended[job] for job in jobs if job in self._ended}

    def _windows(self) -> list[Window]:
        found = []
        for account in self._stage.settings.accounts().values():
            for budget in account.budgets:
                if budget not in ("other", "control"):
                    found += self._budget(account.name, budget)
        return found

    def _budget(self, account: str, budget: str) -> list[Window]:
        reply = self._stage.scripts("windows", {"group": f"{account}|{budget}"})
        if not reply:
            return []
        now, _, *rows = reply
        return [
            Window(account, name.decode().rpartition("|")[2], limit, length / 1e6, used, foreign, shut > now)
            for name, limit, _ceiling, length, used, _flying, foreign, shut in rows
        ]
