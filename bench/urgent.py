"""Bench, urgent: how many bulk calls arrive between an urgent job's enqueueing and its own arrival, with a long line of
bulk jobs of the same budget before it: `python -m bench urgent`.

Two processes of eight threads, 100 calls a second. What had been taken when the urgent job came cannot be called back;
`late` counts what was taken between its coming and its own being taken. The simulated API's log is the judge. Its scope
ends at figures.
"""

import time
from dataclasses import replace
from statistics import median
from typing import Any

from bench.crew import Crew
from bench.field import ROOT, Field, wanted
from worker.accept.enqueue import Enqueuer
from worker.store.keys import Keys

LATENCY = {"inbound_jitter_ms": 25.0, "jitter_ms": 25.0}
AT_ONCE, LOST_AFTER_S = 1000, 30.0


def urgent(bulk: int = 100_000, times: int = 20) -> list[dict[str, Any]]:
    """One row."""
    line = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()[0].partition(": ")[2]
    with Field(LATENCY) as field:
        field.clear()
        desk = field.desk()
        calls = [replace(call, priority="bulk") for call in wanted(bulk)]
        for start in range(0, bulk, AT_ONCE):
            desk.enqueue_many(calls[start : start + AT_ONCE])
        environ = field.environ(PACELINE_THREADS="8")
        with Crew(["/bin/sh", "-c", f"exec {line}"], 2, environ, "ready for action", field.folder):
            time.sleep(3.0)
            found = [one(field, desk) for _ in range(times)]
    between = [row["between"] for row in found]
    return [
        {
            "bulk": bulk, "times": times, "median_between": median(between), "most_between": max(between),
            "late": sum(row["late"] for row in found),
            "median_ms": median(row["ms"] for row in found), "most_ms": max(row["ms"] for row in found),
        }
    ]  # fmt: skip


def one(field: Field, desk: Enqueuer) -> dict[str, Any]:
    """One urgent job among the others. `late` are the bulk calls before it that were taken after it had come."""
    seen = field.apis.log(limit=1_000_000)[-1]["number"] + 1
    began = time.monotonic()
    [job] = desk.enqueue_many([replace(wanted(1)[0], priority="urgent")])
    while not field.apis.count(job=job.job_id):
        if time.monotonic() - began > LOST_AFTER_S:
            raise SystemExit("bench: an urgent job did not arrive within 30 s")
        time.sleep(0.002)
    took = time.monotonic() - began
    jobs = [arrival["job"] for arrival in field.apis.log(since=seen, limit=1_000_000)]
    before = jobs[: jobs.index(job.job_id)]
    came, went = (moment(field, job.job_id, name) for name in ("created", "leased"))
    time.sleep(0.3)
    late = sum(came < moment(field, each, "leased") < went for each in before)
    return {"between": len(before), "late": late, "ms": took * 1000}


def moment(field: Field, job: str, name: str) -> int:
    """A time on record (µs)."""
    return int(field.client.hget(Keys()("job", job), name) or 0)
