"""Limiter: when a waiting job will be sent, as far as can be told now.

Promise: counted from the line and the buckets, never from a guess at traffic: urgent jobs of the budget go first, lanes
of one priority take turns, and everybody who waits now is served. Whoever comes later and is more urgent delays it; a
hold, an outage or too few threads are not foreseen. Scope: one job, one moment.
"""

from __future__ import annotations

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job
from worker.store.partition import Partition

CALL_S = 0.2
"""Seconds that a call is taken to last, where turns of a window are counted."""


def expected_s(job: Job, partition: Partition) -> float | None:
    """Seconds until `job` is sent; None when it is not in a line or its budget is unknown."""
    ahead = jobs_ahead(job, partition)
    if ahead is None:
        return None
    facts = {
        "group": f"{job.account}|{job.budget}",
        "p": PRIORITIES[job.priority],
        "n": ahead + 1,
        "call_us": int(CALL_S * 1e6),
    }
    reply = partition.decide("forecast", facts)
    if not reply:
        return None
    now_us, at_us = (int(moment) for moment in reply)
    return max(0.0, (at_us - now_us) / 1e6)


def jobs_ahead(job: Job, partition: Partition) -> int | None:
    """Jobs of the same budget that go first: all more urgent ones, and of each other lane as many as take turns with
    those ahead in its own. None when the job stands in no line (parked, or no longer waiting).
    """
    p = PRIORITIES[job.priority]
    rank = partition.one("zrank", partition.key("queue", job.lane, p), job.id)
    if rank is None:
        return None
    members = (member.split("|") for member in partition.one("smembers", partition.key("lanes")))
    lanes = [f"{one}|{two}" for one, two, three in members if (one, three) == (job.account, job.budget)]
    urgent = [("zcard", partition.key("queue", lane, q)) for lane in lanes for q in range(p)]
    peers = [("zcard", partition.key("queue", lane, p)) for lane in lanes if lane != job.lane]
    lengths = [int(length) for length in partition.ask(*urgent, *peers)] if urgent or peers else []
    before, beside = lengths[: len(urgent)], lengths[len(urgent) :]
    return int(rank) + sum(before) + sum(min(length, int(rank)) for length in beside)
