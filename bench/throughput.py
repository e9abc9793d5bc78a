"""Bench, throughput: jobs a second without any limit, and how often each job asks the store: `python -m bench
throughput`.

The jobs do nothing, so this is the price of queueing alone. They are enqueued before the gate opens (`marks.py`); time
runs from the first beginning to the last end, over all processes. Paceline keeps evidence and a result of every job;
dramatiq is measured without and with results. The store runs scripts one at a time, so its time per job bounds what any
number of processes can reach on one partition. Its scope ends at figures.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.crew import Crew
from bench.field import Field, wanted
from bench.installing import python_of_peers
from bench.quota import enqueue_by
from bench.subjects.marks import read_marks

READY = "ready for action"
SHAPE = ["--processes", "1", "--threads", "8"]
AT_MOST_S = 180.0
Subject = tuple[list[str], dict[str, str], Callable[[Field, int], Any]]
"""Command, variables of its own, and how it is asked for jobs."""


def throughput(jobs: int = 10_000, processes: tuple[int, ...] = (1, 2, 3, 4)) -> list[dict[str, Any]]:
    """Rows for the table."""
    rows = []
    with Field(unlimited=True) as field:
        for count in processes:
            found = [one(field, name, count, jobs) for name in SUBJECTS]
            rows += [{**row, "of_stock": row["jobs_per_s"] / found[-1]["jobs_per_s"]} for row in found]
    return rows


def one(field: Field, name: str, processes: int, jobs: int) -> dict[str, Any]:
    """One subject with that many processes."""
    field.clear()
    marks, gate = field.folder / "marks", field.folder / "gate"
    for path in (marks, gate):
        path.unlink(missing_ok=True)
    command, more, enqueue = SUBJECTS[name]()
    environ = field.environ(BENCH_MARKS=str(marks), BENCH_GATE=str(gate), **more)
    with Crew(command, processes, environ, READY, field.folder):
        enqueue(field, jobs)
        time.sleep(0.5)  # until every process has taken what it takes before the gate
        asked_before, spent_before = field.asked()
        gate.touch()
        until = time.monotonic() + AT_MOST_S
        while not marks.exists() or marks.stat().st_size < 16 * jobs:
            if time.monotonic() > until:
                raise SystemExit(f"bench: {name} was not through with {jobs} jobs after {AT_MOST_S:.0f} s")
            time.sleep(0.02)
        time.sleep(0.2)  # the last acknowledgements
        asked, spent_us = field.asked()
    times = read_marks(marks)
    span_s = (max(ended for _, ended in times) - min(began for began, _ in times)) / 1e9
    return {
        "subject": name,
        "processes": processes,
        "jobs_per_s": jobs / span_s,
        "asked_per_job": (asked - asked_before) / jobs,
        "store_us_per_job": (spent_us - spent_before) / jobs,
    }


def paceline() -> Subject:
    """Two lanes, since one lane may have half of the threads in flight."""
    command = ["dramatiq", "bench.subjects.paceline:broker", "tasks", *SHAPE, "--worker-shutdown-timeout", "28000"]
    return command, {}, lambda field, count: field.desk().enqueue_many(wanted(count, accounts=2))


def stock(results: str) -> Subject:
    """dramatiq with its own broker."""
    python: Path = python_of_peers()
    command = [str(python.with_name("dramatiq")), "bench.subjects.dramatiq_stock:broker", *SHAPE]
    more = {"BENCH_RESULTS": results}

    def enqueue(field: Field, count: int) -> None:
        enqueue_by(python, field, "dramatiq_stock", count, BENCH_MARKS=os.devnull, **more)

    return command, more, enqueue


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "Paceline": paceline,
    "dramatiq RedisBroker": lambda: stock(""),
    "dramatiq RedisBroker with results": lambda: stock("yes"),
}
