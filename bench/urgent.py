"""Bench, urgent: how long an urgent job takes from its enqueueing to its arrival, with a long line of bulk jobs of the
same budget before it, and how many bulk calls arrive in between: `python -m bench urgent`.

Two processes of eight threads. First 100 calls a second, where nothing is kept back: an urgent job waits for the next
permit. Then windows of 60 s, where a share is kept for urgent demand: once with bulk calls that wait at their share of
600, once with bulk calls that run without end. What had been taken when the urgent job came cannot be called back;
`late` counts what was taken between its coming and its own being taken. The simulated API's log is the judge, by the
clock that all processes of a machine share. Its scope ends at figures.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from bench.crew import Crew
from bench.field import Field, procfile_line, wanted
from worker.accept.enqueue import Accepted, Enqueuer
from worker.store.keys import Keys

AT_ONCE, LOST_AFTER_S, WARM = 1000, 30.0, 3
LATENCY = {"inbound_jitter_ms": 25.0, "jitter_ms": 25.0}
NO_WAY_IN = {"fixed_ms": 10.0, "jitter_ms": 30.0}
"""All of the time passes after the arrival."""


@dataclass(frozen=True, slots=True)
class Case:
    """`name` says what bulk jobs meet; `limits` are the subscription's, as documented where there are none."""

    name: str
    latency: Mapping[str, float]
    limits: Mapping[str, float] = field(default_factory=dict)


CASES = (
    Case("100 per 1 s, none kept back", LATENCY),
    Case(
        "600 per 60 s, bulk waits at its share",
        NO_WAY_IN,
        {"limit_per_day": 600, "day_window_s": 60, "limit_per_second": 1_000_000},
    ),
    Case(
        "100,000 per 60 s, bulk runs",
        NO_WAY_IN,
        {"limit_per_day": 100_000, "day_window_s": 60, "limit_per_second": 1_000_000},
    ),
)


def urgent(bulk: int = 100_000, times: int = 20, cases: tuple[Case, ...] = CASES) -> list[dict[str, Any]]:
    """Rows for the table."""
    return [measure(case, bulk, times) for case in cases]


def measure(case: Case, bulk: int, times: int) -> dict[str, Any]:
    """One case, on a field of its own."""
    with Field(dict(case.latency), limits=case.limits or None) as ground:
        ground.clear()
        desk = ground.desk()
        environ = ground.environ(PACELINE_THREADS="8")
        with Crew(procfile_line(), 2, environ, "ready for action", ground.folder):
            for _ in range(WARM):
                one(ground, desk)  # a share is kept as soon as there is urgent demand
            calls = [replace(call, priority="bulk", deadline_s=3600.0) for call in wanted(bulk)]
            for start in range(0, bulk, AT_ONCE):
                desk.enqueue_many(calls[start : start + AT_ONCE])
            time.sleep(3.0)
            pauses = random.Random(1)
            found = []
            for _ in range(times):
                time.sleep(pauses.uniform(0.2, 1.2))  # whatever the bulk calls' rhythm is, it is met everywhere
                found.append(one(ground, desk))
    between, took = [row["between"] for row in found], [row["ms"] for row in found]
    return {
        "case": case.name, "bulk": bulk, "times": times, "median_between": median(between),
        "most_between": max(between), "late": sum(row["late"] for row in found), "median_ms": median(took),
        "most_ms": max(took), "found": found,
    }  # fmt: skip


def one(ground: Field, desk: Enqueuer) -> dict[str, Any]:
    """One urgent job among the others. `late` are the bulk calls before it that were taken after it had come."""
    seen = ground.apis.count()
    began = time.monotonic()
    [job] = desk.enqueue_many([replace(wanted(1)[0], priority="urgent")])
    accepted = time.monotonic()
    arrived = arrival_of(ground, job)
    arrivals = ground.apis.log(since=seen, limit=1_000_000)
    before = [arrival["job"] for arrival in arrivals if began <= arrival["at"] < arrived]
    came, went = (moment(ground, job.job_id, name) for name in ("created", "leased"))
    late = sum(came < moment(ground, each, "leased") < went for each in before)
    return {
        "between": len(before), "late": late, "ms": (arrived - began) * 1000, "accept_ms": (accepted - began) * 1000,
        "take_ms": (went - came) / 1000,
    }  # fmt: skip


def arrival_of(ground: Field, job: Accepted) -> float:
    """When it came to the API, which is not asked while the job is on its way: that would keep it busy."""
    until = time.monotonic() + LOST_AFTER_S
    while time.monotonic() < until:
        time.sleep(0.1)
        if found := ground.apis.log(job=job.job_id):
            return float(found[0]["at"])
    raise SystemExit("bench: an urgent job did not arrive within 30 s")


def moment(ground: Field, job: str, name: str) -> int:
    """A time on record (µs)."""
    return int(ground.client.hget(Keys()("job", job), name) or 0)
