"""Accept: what a job that has not ended waits for, in the words of the person who asks.

Promise: the reasons are those that `take.lua` goes by, asked at this moment; the place counts the jobs before it in
its own line. Scope: explaining; a place can change, since urgent work overtakes and others may be cancelled.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.limiter.holds import Holds, over
from worker.limiter.limiter import Limiter
from worker.store.partition import Partition


@dataclass(frozen=True, slots=True)
class Waiting:
    """`ahead` jobs of its lane and priority go first (None when it is parked until a time); why it is not sent yet."""

    ahead: int | None
    behind: int
    due_s: float | None
    reasons: tuple[str, ...]
    next_permit_s: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def waiting_for(job: Job, partition: Partition, limiter: Limiter, holds: Holds) -> Waiting | None:
    """Why `job` waits; None when it does not."""
    if job.state != "waiting":
        return None
    key, p = partition.key, PRIORITIES[job.priority]
    rank, length, workers, quiet, capped, fleet = partition.ask(
        ("zrank", key("queue", job.lane, p), job.id),
        ("zcard", key("queue", job.lane, p)),
        ("zcard", key("workers")),
        ("hget", key("meta"), "quiet"),
        ("sismember", key("capped"), job.lane),
        ("hget", key("flying"), job.lane),
    )
    now_us = partition.now_us()
    state = limiter.budget(job.account, job.budget, p)
    due_s = (job.due_us - now_us) / 1e6 if rank is None and job.due_us > now_us else None
    reasons = []
    if hold := over(holds.all(), job.account, job.operation, job.budget):
        reasons.append(hold.words())
    if not workers:
        reasons.append("no worker is running")
    elif not state.known:
        reasons.append(f"no running worker has the account {job.account} in its settings")
    if int(float(quiet or 0)) > now_us:
        reasons.append("the store may have forgotten something: nothing is sent until all claims have been renewed")
    if due_s is not None:
        reasons.append(f"parked for another {due_s:.1f} s")
    if capped:
        reasons.append(f"its lane has {fleet or 0} calls in flight, as many as it may")
    if state.known and state.next_s != 0:
        reasons.append(f"the budget {job.budget} of {job.account} is used up: next permit {state.next_words()}")
    if rank:
        reasons.append(f"{rank} jobs are ahead of it in its line")
    behind = 0 if rank is None else max(0, int(length) - int(rank) - 1)
    return Waiting(rank, behind, due_s, tuple(reasons or ["nothing: it is next"]), state.next_s)
