"""Fail: what people do about dead letters: send again, set aside, take back.

Promise: a call that must not be repeated is not sent again unless somebody says that they know; a letter that keeps
coming back is not sent round in a circle by habit; who did what, to how many and why is kept in the audit, also when
the work was interrupted half-way. Scope: the actions. What is sent again waits in its lane like every other job, so the
limits hold for it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.fail.dead_letter import needs_care
from worker.store.partition import Partition

Verb = Literal["redrive", "discard", "restore"]
ROUNDS = 3
"""Redriven this often, a letter is going in a circle."""
NAMED = 20
NO_CALL = (
    "it reports what the other side owed us and is no call of ours; ask its support to deliver that again, then "
    "discard it"
)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asked for, and how much they know about it."""

    verb: Verb
    by: str
    reason: str = ""
    even_if_unknown: bool = False
    again: bool = False
    priority: str | None = None


@dataclass(slots=True)
class Report:
    """What became of it: letters done, and those left alone with the reason."""

    done: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    left_count: int = 0
    first: list[str] = field(default_factory=list)

    def note(self, job_id: str, refusal: str | None) -> None:
        """Counts one; only the first few are kept by name."""
        if refusal is None:
            self.done += 1
            self.first += [job_id] if len(self.first) < NAMED else []
        else:
            self.left_count += 1
            self.left += [(job_id, refusal)] if len(self.left) < NAMED else []

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Redrive:
    """Actions on the letters of a partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def carry_out(
        self,
        order: Order,
        letters: Iterable[Job],
        wanted: dict[str, Any] | None = None,
        told: Callable[[Job, str | None], object] = lambda job, refusal: None,
    ) -> Report:
        """Does it to each letter, in order. `told` hears of each one; `wanted` is the filter, for the audit."""
        report = Report()
        try:
            for job in letters:
                refusal = self.one(order, job)
                report.note(job.id, refusal)
                told(job, refusal)
        finally:
            if report.done:
                more: dict[str, Any] = {"count": report.done, "left": report.left_count, "jobs": report.first}
                if wanted:
                    more["filter"] = wanted
                if order.even_if_unknown:
                    more["even_if_unknown"] = True
                self._partition.audit(order.verb, order.by, order.reason, **more)
        return report

    def one(self, order: Order, job: Job) -> str | None:
        """Does it to one letter; answers with the reason where it was left alone."""
        if order.verb == "redrive":
            return self._redrive(order, job)
        undo = order.verb == "restore"
        facts = {"id": job.id, "by": order.by, "reason": order.reason, "undo": undo}
        answer = self._partition.decide("discard", facts)
        if answer in ("discarded", "restored"):
            return None
        if answer == "already":
            return "it is not discarded" if undo else "it is discarded already"
        return _other(answer)

    def objection(self, order: Order, job: Job) -> str | None:
        """Why this letter would be left alone, as far as can be told without touching it."""
        if order.verb != "redrive":
            return None
        if job.error_class == "undelivered":
            return NO_CALL
        if needs_care(job) and not (order.even_if_unknown and order.reason):
            return (
                "it must not be repeated and nobody knows whether it was carried out; find out first, "
                "then say --even-if-unknown and --reason"
            )
        if job.redrives >= ROUNDS and not order.again:
            return f"it was sent again {job.redrives} times and died each time; mend the cause, then say --again"
        return None

    def _redrive(self, order: Order, job: Job) -> str | None:
        if refusal := self.objection(order, job):
            return refusal
        facts: dict[str, Any] = {"id": job.id, "by": order.by, "reason": order.reason, "unknown": order.even_if_unknown}
        if order.priority is not None:
            facts["prio"] = PRIORITIES[order.priority]
        answer = self._partition.decide("redrive", facts)
        if answer == "waiting":
            return None
        return {
            "unknown": "nobody knows whether it was carried out; say --even-if-unknown and --reason",
            "discarded": "it is discarded; restore it first",
            "undelivered": NO_CALL,
        }.get(answer) or _other(answer)


def _other(state: str) -> str:
    words = {
        "missing": "it is no longer kept",
        "expired": "it expired without having been sent; only dead letters are set aside",
    }
    return words.get(state, f"it is {state} now")
