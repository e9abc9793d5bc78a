"""Bench, quota: how much of a limit is used and how many calls are refused on the way: `python -m bench quota`.

One subscription of 100 calls a second, four processes of eight threads, jobs enqueued at once. The simulated API's log
is the judge: it counts every arrival in exact sliding windows. `used` is (let in - limit) / time / limit per second,
since the first `limit` calls cost no time. Part of the delay lies before the arrival, as it does in life. The last row
is computed: a limiter that gives each permit out again in the very moment its window has passed after the answer.
Where latencies differ it, too, stays below the limit, the more so the shorter the run. Its scope ends at figures.
"""

import heapq
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.crew import Crew
from bench.field import ROOT, Field, wanted
from bench.installing import folder_of_bullmq, python_of_peers
from worker.sandbox.latency import Latency

PROCESSES, LIMIT = 4, 100
SHAPE = ("--processes", "1", "--threads", "8")
LATENCIES = {
    "0-50 ms": {"inbound_jitter_ms": 25.0, "jitter_ms": 25.0},
    "log-normal, median 40, p95 200 ms": {"inbound_jitter_ms": 25.0, "median_ms": 40.0, "p95_ms": 200.0},
}
Enqueue = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Subject:
    """How it is started and asked. `reason` says why it is left out on this machine."""

    name: str
    start: Callable[[Field], Any] | None
    reason: str = ""


def quota(calls: int = 2000, runs: int = 1, at_most_s: float = 40.0, latencies: int = 2) -> list[dict[str, Any]]:
    """Rows for the table. A subject that is not through after `at_most_s` is judged by what it has done until then."""
    rows: list[dict[str, Any]] = []
    for latency, milliseconds in list(LATENCIES.items())[:latencies]:
        with Field(milliseconds) as field:
            for subject in subjects():
                if subject.start is None:
                    rows.append({"latency": latency, "subject": subject.name, "skipped": subject.reason})
                    continue
                found = [measure(field, subject.start, calls, at_most_s) for _ in range(runs)]
                middle = sorted(found, key=lambda one: one["used"])[len(found) // 2]
                refused = median(one["refused"] for one in found)
                rows.append({"latency": latency, "subject": subject.name, **middle, "refused": refused, "runs": found})
        rows.append({"latency": latency, "subject": "perfect, computed", **perfect(calls, Latency(**milliseconds))})
    return rows


def perfect(calls: int, latency: Latency) -> dict[str, Any]:
    """The same figures for permits that come back without any loss, and threads without end."""
    rng = random.Random(1)
    free, arrived = [0.0] * LIMIT, []
    for _ in range(calls):
        taken = free[0]
        inbound = latency.inbound_s(rng)
        arrived.append(taken + inbound)
        heapq.heapreplace(free, taken + inbound + latency.answer_s(rng) + 1.0)
    used = (calls - LIMIT) / (max(arrived) - min(arrived)) / LIMIT
    return {"used": used, "refused": 0, "most": LIMIT, "done": calls, "wanted": calls}


def measure(field: Field, start: Callable[[Field], Any], calls: int, at_most_s: float) -> dict[str, Any]:
    """One run."""
    field.clear()
    with start(field) as enqueue:
        began = time.monotonic()
        enqueue(calls)
        while field.apis.count(status=200) < calls and time.monotonic() - began < at_most_s:
            time.sleep(0.2)
    log = field.apis.log(limit=1_000_000)
    let_in = [arrival["at"] for arrival in log if arrival["status"] == 200]
    window = next((one for one in field.apis.judge()["windows"] if one["window"] == "calls.second"), {"max": 0})
    span_s = let_in[-1] - let_in[0] if len(let_in) > 1 else 0.0
    return {
        "used": (len(let_in) - LIMIT) / span_s / LIMIT if span_s and len(let_in) > LIMIT else 0.0,
        "refused": sum(arrival["status"] == 429 for arrival in log),
        "most": window["max"],
        "done": len(let_in),
        "wanted": calls,
    }


def subjects() -> Iterator[Subject]:
    """Who takes part, Paceline first."""
    yield Subject("Paceline", paceline)
    yield Subject("dramatiq, its window limiter", lambda field: in_dramatiq(field, "dramatiq_window"))
    yield Subject("dramatiq, `limits` moving window", lambda field: in_dramatiq(field, "dramatiq_limits"))
    yield Subject("Celery, rate_limit 25/s each", celery)
    folder = folder_of_bullmq()
    if isinstance(folder, Path):
        yield Subject("BullMQ, its limiter", lambda field: bullmq(field, folder))
    else:
        yield Subject("BullMQ, its limiter", None, folder)


@contextmanager
def paceline(field: Field) -> Iterator[Enqueue]:
    """By the Procfile's own line."""
    line = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()[0].partition(": ")[2]
    command = ["/bin/sh", "-c", f"exec {line}"]
    with Crew(command, PROCESSES, field.environ(PACELINE_THREADS="8"), "ready for action", field.folder):
        desk = field.desk()
        yield lambda count: desk.enqueue_many(wanted(count))


@contextmanager
def in_dramatiq(field: Field, module: str) -> Iterator[Enqueue]:
    """Four processes, as Paceline has them."""
    python = python_of_peers()
    command = [str(python.with_name("dramatiq")), f"bench.subjects.{module}:broker", *SHAPE]
    with Crew(command, PROCESSES, field.environ(), "ready for action", field.folder):
        yield lambda count: enqueue_by(python, field, module, count)


@contextmanager
def celery(field: Field) -> Iterator[Enqueue]:
    """Its limit is counted in each worker, so each gets a quarter. With threads it uses less still."""
    python = python_of_peers()
    command = [str(python), "-m", "celery", "-A", "bench.subjects.celery_rate", "worker", "--concurrency", "8"]
    command += ["--loglevel", "INFO", "--hostname", "bench-{number}@localhost"]
    share = f"{LIMIT // PROCESSES}/s"
    with Crew(command, PROCESSES, field.environ(BENCH_SHARE=share), " ready.", field.folder):
        yield lambda count: enqueue_by(python, field, "celery_rate", count)


@contextmanager
def bullmq(field: Field, folder: Path) -> Iterator[Enqueue]:
    """Its limit is counted in the store, for all workers of a queue."""
    with Crew(["node", "work.mjs"], PROCESSES, field.environ(), "ready", field.folder, folder):
        yield lambda count: subprocess.run(
            ["node", "work.mjs", str(count)], cwd=folder, env=field.environ(), check=True, capture_output=True
        )


def enqueue_by(python: Path, field: Field, module: str, count: int, **environ: str) -> None:
    """In the subject's own environment."""
    command = [str(python), "-m", "bench.subjects.enqueueing", module, str(count)]
    subprocess.run(command, cwd=ROOT, env=field.environ(**environ), check=True, capture_output=True)
