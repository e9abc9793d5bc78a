"""Accept: what a job that has not ended waits for, in the words of the person who asks.

Promise: the reasons are those that `take.lua` goes by, asked at this moment; the place counts the jobs before it in
its own line. Scope: explaining; a place can change, since urgent work overtakes and others may be cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.limiter.estimate import expected_s
from worker.limiter.holds import Holds, over
from worker.limiter.limiter import Limiter
from worker.limiter.window import BudgetState
from worker.store.partition import Partition


@dataclass(frozen=True, slots=True)
class Waiting:
    """`ahead` jobs of its lane and priority go first (None when it is parked until a time); why it is not sent yet;
    when it will be, as far as can be told (None while something stops it that has no known end).
    """

    ahead: int | None
    behind: int
    due_s: float | None
    reasons: tuple[str, ...]
    next_permit_s: float | None
    expected_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def waiting_for(job: Job, partition: Partition, limiter: Limiter, holds: Holds) -> Waiting | None:
    """Why `job` waits; None when it does not."""
    if job.state == "awaiting":
        return _result_of(job, partition)
    if job.state != "waiting":
        return None
    key, p = partition.key, PRIORITIES[job.priority]
    rank, length, workers, suspicion, capped, fleet, trouble = partition.ask(
        ("zrank", key("queue", job.lane, p), job.id),
        ("zcard", key("queue", job.lane, p)),
        ("zcard", key("workers")),
        ("hmget", key("meta"), "quiet", "unsure", "suspect"),
        ("sismember", key("capped"), job.lane),
        ("hget", key("flying"), job.lane),
        ("hget", key("trouble"), job.lane),
    )
    now_us = partition.now_us()
    state = limiter.budget(job.account, job.budget, p)
    due_s = (job.due_us - now_us) / 1e6 if rank is None and job.due_us > now_us else None
    reasons = []
    hold = over(holds.all(), job.account, job.operation, job.budget)
    if hold:
        reasons.append(hold.words())
    if not workers:
        reasons.append("no worker is running")
    elif not state.known:
        reasons.append(f"no running worker has the account {job.account} in its settings")
    care = list(_care(suspicion, state, _told(state, partition), now_us))
    reasons += care
    if due_s is not None:
        reasons.append(f"parked for another {due_s:.1f} s")
    reasons += _trouble(trouble, now_us)
    if capped:
        reasons.append(f"its lane has {fleet or 0} calls in flight, as many as it may")
    if state.known and state.next_s != 0 and not care:
        reasons.append(f"the budget {job.budget} of {job.account} is used up: next permit {state.next_words()}")
    if rank:
        reasons.append(f"{rank} jobs are ahead of it in its line")
    behind = 0 if rank is None else max(0, int(length) - int(rank) - 1)
    stopped = hold is not None or not workers or bool(care)
    expected = None if stopped or rank is None else expected_s(job, partition)
    return Waiting(rank, behind, due_s, tuple(reasons or ["nothing: it is next"]), state.next_s, expected)


def _told(state: BudgetState, partition: Partition) -> list[int]:
    """For each window, when headers last told about it (µs of the store)."""
    names = [partition.key("window", f"{state.account}|{window.name}") for window in state.windows]
    return [int(float(one or 0)) for one in partition.ask(*(("hget", name, "sure") for name in names))] if names else []


def _care(suspicion: Sequence[str | None], state: BudgetState, told_us: Sequence[int], now_us: int) -> Iterator[str]:
    """What holds back while the store may have forgotten something (`parts/suspect.lua`). The cause is cleared when the
    quiet time is over; a window stays unsure until it was told of, or has passed.
    """
    quiet_us, unsure_us = (int(float(one or 0)) for one in suspicion[:2])
    if quiet_us > now_us:
        yield "the store may have forgotten something: nothing is sent until all claims have been renewed"
    unsure = [window for window, sure_us in zip(state.windows, told_us, strict=True) if sure_us <= unsure_us]
    left_s = max((quiet_us / 1e6 + window.length_s - now_us / 1e6 for window in unsure), default=0.0)
    if unsure_us and left_s > 0:
        yield (
            "the store may have forgotten earlier calls, or is new: until the API's headers, if it sends any, have "
            f"told how many there were, this budget is paced with care, for {left_s:.0f} s at most"
        )


def _trouble(text: str | None, now_us: int) -> Iterator[str]:
    """What holds back while the calls of its lane fail one after another (`parts/trouble.lua`)."""
    failures, allowed, till_us, _ = (int(number) for number in (text or "0 0 0 0").split())
    if allowed and till_us > now_us:
        left_s = (till_us - now_us) / 1e6
        yield f"the calls of its lane fail, {failures} in a row by now: the next one is tried in {left_s:.1f} s"
    elif allowed:
        yield f"the calls of its lane have failed for a while: no more than {allowed} at a time until it has recovered"


def _result_of(job: Job, partition: Partition) -> Waiting:
    """A command that was accepted: its result is still to come, to the web process."""
    overdue_us = partition.one("zscore", partition.key("awaiting"), job.id)
    left_s = 0.0 if overdue_us is None else max(0.0, (float(overdue_us) - partition.now_us()) / 1e6)
    reason = f"the result of the command, which the other side reports to us within {left_s:.0f} s"
    return Waiting(None, 0, left_s, (reason,), None)
