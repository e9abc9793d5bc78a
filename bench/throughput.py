"""Bench, throughput: jobs a second without any limit, and how often each job asks the store: `python -m bench
throughput`.

The jobs do nothing, so this is the price of queueing alone. They are enqueued before the gate opens (`marks.py`); time
runs from the first beginning to the last end, over all processes. Paceline keeps evidence and a result of every job;
dramatiq has its defaults, and is measured without and with its results. All run by turns, each turn beginning with
another one; `of_stock` is the median over the turns of the ratio to dramatiq with results. The store runs scripts one
at a time, so its time per job bounds what any number of processes can reach on one partition. Its scope ends at
figures.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.crew import Crew
from bench.field import Field
from bench.installing import python_of_peers
from bench.quota import enqueue_by
from bench.subjects.marks import read_marks
from worker.accept.enqueue import Wanted
from worker.sandbox.options import PARTIES

READY = "ready for action"
SHAPE = ["--processes", "1", "--threads", "8"]
AT_MOST_S = 180.0
Subject = tuple[list[str], dict[str, str], Callable[[Field, int], Any]]
"""Command, variables of its own, and how it is asked for jobs."""


def throughput(
    jobs: int = 6_000, processes: tuple[int, ...] = (1, 2, 4), pairs: int = 5, without_results: bool = True
) -> list[dict[str, Any]]:
    """Rows for the table: `pairs` turns for each number of processes."""
    names = [name for name in SUBJECTS if without_results or name != PLAIN]
    rows = []
    with Field(unlimited=True) as field:
        for count in processes:
            found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
            for turn in range(pairs):
                first = turn % len(names)
                for name in names[first:] + names[:first]:
                    found[name].append(one(field, name, count, jobs))
            rows += [middle(found[name], found[STOCK]) for name in names]
    return rows


def middle(turns: list[dict[str, Any]], stock: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of a subject's turns, and of its ratios to stock in the same turn."""
    ratios = [mine["jobs_per_s"] / theirs["jobs_per_s"] for mine, theirs in zip(turns, stock, strict=True)]
    figures = ("jobs_per_s", "asked_per_job", "store_us_per_job")
    return {
        "subject": turns[0]["subject"],
        "processes": turns[0]["processes"],
        **{figure: median(turn[figure] for turn in turns) for figure in figures},
        "of_stock": median(ratios),
        "least_of_stock": min(ratios),
        "most_of_stock": max(ratios),
        "turns": turns,
    }


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
    return command, {}, lambda field, count: field.desk().enqueue_many(unlimited(count))


def unlimited(count: int) -> list[Wanted]:
    """Reads of locations, for which the hub documents no limit, so no window is kept. Three parties, since one lane may
    have half of the fleet's threads in flight, and two would be at that all the time.
    """
    accounts = [f"hub:{party['country_code']}-{party['party_id']}" for party in PARTIES]
    owner = {"country_code": "NL", "party_id": "CPO"}
    return [
        Wanted("hub.get_location", accounts[number % 3], {**owner, "location_id": f"LOC-{number % 130 + 1:05d}"})
        for number in range(count)
    ]


def dramatiq(results: str) -> Subject:
    """dramatiq with its own broker."""
    python: Path = python_of_peers()
    command = [str(python.with_name("dramatiq")), "bench.subjects.dramatiq_stock:broker", *SHAPE]
    more = {"BENCH_RESULTS": results}

    def enqueue(field: Field, count: int) -> None:
        enqueue_by(python, field, "dramatiq_stock", count, BENCH_MARKS=os.devnull, **more)

    return command, more, enqueue


PLAIN, STOCK = "dramatiq RedisBroker", "dramatiq RedisBroker with results"
SUBJECTS: dict[str, Callable[[], Subject]] = {
    "Paceline": paceline,
    PLAIN: lambda: dramatiq(""),
    STOCK: lambda: dramatiq("yes"),
}
