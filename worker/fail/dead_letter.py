"""Fail: dead letters as people look at them: found by filters, explained by the table, with what can safely be done.

Promise: looking costs what is shown, not what is kept: filters go by the narrowest index, in bounded portions, and a
walk that began is not upset by letters that leave or arrive. Scope: reading; `redrive.py` acts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from worker.accept.jobs import Job, Jobs, read_jobs
from worker.accept.operation import operations
from worker.errors import Conflict
from worker.fail.explaining import row_of
from worker.store.partition import CHUNK, Partition

Which = Literal["dead", "discarded", "expired"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters. `since_us` and `until_us` are times of death; `which` chooses the pile."""

    account: str | None = None
    operation: str | None = None
    error_class: str | None = None
    problem: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    which: Which = "dead"

    def fits(self, job: Job) -> bool:
        """Whether a job, read now, is one of these."""
        pile = "discarded" if job.discarded else job.state
        wanted = (self.account, self.operation, self.error_class, self.problem)
        has = (job.account, job.operation, job.error_class, job.problem)
        return pile == self.which and all(one in (None, other) for one, other in zip(wanted, has, strict=True))

    @property
    def narrow(self) -> bool:
        """Whether it says anything at all."""
        return any((self.account, self.operation, self.error_class, self.problem, self.since_us))

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Advice:
    """What is known of a letter's call, what it means, and what can be done without harm."""

    executed: bool | None
    known: str
    explanation: str
    remedy: str | None
    safe: str
    needs_care: bool


class DeadLetters:
    """The dead letters of a partition, and the expired jobs beside them."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def count(self, which: Which = "dead") -> int:
        """How many lie in a pile."""
        dead, marked, expired = self._partition.ask(
            *(("zcard", self._partition.key(name)) for name in ("dead", "discarded", "expired"))
        )
        return {"dead": int(dead) - int(marked), "discarded": int(marked), "expired": int(expired)}[which]

    def find(self, wanted: Filter, *, newest_first: bool = True, limit: int | None = None) -> Iterator[Job]:
        """The letters that fit, read as the walk goes on."""
        found = 0
        for ids in self._portions(wanted, newest_first):
            for job in read_jobs(self._partition, ids):
                if limit is not None and found >= limit:
                    return
                if wanted.fits(job):
                    found += 1
                    yield job

    def _portions(self, wanted: Filter, newest_first: bool) -> Iterator[list[str]]:
        """Ids by time of death. The cursor is a time and the ids seen at it: others may leave the index meanwhile."""
        key = self._index(wanted)
        low = "-inf" if wanted.since_us is None else str(wanted.since_us)
        high = str(wanted.until_us or self._partition.now_us())
        seen: set[str] = set()
        while True:
            walk = ("zrevrangebyscore", key, high, low) if newest_first else ("zrangebyscore", key, low, high)
            rows = self._partition.one(*walk, 0, CHUNK + len(seen), True)
            fresh = [(job_id, float(score)) for job_id, score in rows if job_id not in seen]
            if not fresh:
                return
            yield [job_id for job_id, _ in fresh]
            edge = fresh[-1][1]
            at_edge = {job_id for job_id, score in rows if float(score) == edge}
            cursor = f"{edge:.0f}"
            seen = seen | at_edge if cursor == (high if newest_first else low) else at_edge
            low, high = (low, cursor) if newest_first else (cursor, high)

    def _index(self, wanted: Filter) -> str:
        """The shortest index that holds every letter that fits."""
        key = self._partition.key
        if wanted.which == "expired" and wanted.account is not None:
            return key("expired_by", "account", wanted.account)
        if wanted.which != "dead":
            return key(wanted.which)
        by = {
            "account": wanted.account,
            "operation": wanted.operation,
            "class": wanted.error_class,
            "problem": wanted.problem,
        }
        keys = [key("dead"), *(key("dead_by", name, value) for name, value in by.items() if value is not None)]
        sizes = self._partition.ask(*(("zcard", one) for one in keys))
        return min(zip(sizes, keys, strict=True))[1]


def require_letter(job: Job) -> Job:
    """The job, if it is a letter. Raises `Conflict`."""
    if job.state not in ("dead", "expired"):
        raise Conflict(f"job {job.id} is {job.state}, not a dead letter; `jobs show {job.id}` shows it.")
    return job


def needs_care(job: Job) -> bool:
    """Whether sending it again might carry out twice what must not be."""
    if job.repeatable or job.state != "dead":
        return False
    return job.error_class == "outcome_unknown" or (job.error_class == "internal" and job.code == "internal")


def advise(job: Job, evidence: list[dict[str, Any]]) -> Advice:
    """What the table and the catalogue say about a letter."""
    row = row_of(job.api, job.error_class, job.code)
    care = needs_care(job)
    executed = None if care else _executed(job, evidence)
    return Advice(
        executed=executed,
        known=_known(job, executed),
        explanation=row.explanation if row else "",
        remedy=row.alert if row else None,
        safe=_safe(job, care),
        needs_care=care,
    )


def _executed(job: Job, evidence: list[dict[str, Any]]) -> bool | None:
    if job.state == "expired":
        return False
    last = next((record for record in reversed(evidence) if "outcome" in record), None)
    if last is None:
        return False if job.error_class == "internal" else None
    executed = last["outcome"].get("executed")
    return executed if isinstance(executed, bool) else None


def _known(job: Job, executed: bool | None) -> str:
    if job.state == "expired":
        return "it was never sent: its deadline passed while it waited."
    if job.error_class == "undelivered":
        return "it is no call of ours: the other side owed it to us, and it did not come, as somebody reports."
    if executed is None:
        harmless = ", which does no harm: it may be repeated" if job.repeatable else ""
        return f"nobody knows whether the other side carried it out{harmless}."
    return "the other side answered it." if executed else "the other side did not carry it out."


def _safe(job: Job, care: bool) -> str:
    operation = operations.get(job.operation)
    why = f" ({operation.why})" if operation else ""
    if care:
        reconcile = operation.reconcile if operation else None
        first = (
            f"find out with the read {reconcile} (`operations {reconcile}` shows how)"
            if reconcile
            else "find out from the other side or its support"
        )
        return (
            f"{first} what became of it. Only if it was not carried out: "
            f"`dlq redrive {job.id} --even-if-unknown --reason …`; otherwise `dlq discard {job.id}`."
        )
    if job.error_class == "undelivered":
        return (
            f"mend our receiver first; `dlq show {job.id} --bundle` writes what support needs to deliver it again. "
            f"Once it has come: `dlq discard {job.id}`."
        )
    if job.discarded:
        return f"it was set aside: `dlq restore {job.id}` takes that back, then it can be sent again."
    if job.state == "expired":
        return f"nothing was sent: `dlq redrive {job.id}` sends it now, with a new deadline, if it is still wanted."
    if job.repeatable:
        return f"it may be sent again at any time{why}: `dlq redrive {job.id}`, once the cause is mended."
    return f"sending it again makes the call anew{why}: `dlq redrive {job.id}` if it is still wanted, else discard it."


def letter(jobs: Jobs, job: Job) -> dict[str, Any]:
    """Everything about a letter, for programs: facts, parameters, evidence, advice."""
    evidence = jobs.evidence(job)
    return job.as_dict() | jobs.params(job) | {"evidence": evidence, "advice": asdict(advise(job, evidence))}
