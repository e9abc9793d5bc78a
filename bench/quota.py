"""Bench, quota: how much of a limit is used, how many calls are refused on the way, and what that costs:
`python -m bench quota`.

One subscription of 100 calls a second, four processes of eight threads, jobs enqueued at once. The simulated API's log
is the judge: it counts every arrival in exact sliding windows. `used` is (let in - limit) / time / limit per second,
since the first `limit` calls cost no time. Part of the delay lies before the arrival, as it does in life. A permit
cannot be used again before its answer and a window have passed, so `of_reach` compares with limit / (window + mean
round trip). `store_ms` and `workers_ms` are what their processes computed for a thousand calls that were let in: asking
in vain is in it, and for the store the enqueueing. All run by turns; the medians count, and the worst is told. The last
row is computed: a limiter that gives each permit out again in the very moment its window has passed after the answer.
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
from statistics import fmean, median
from typing import Any

from bench.crew import Crew
from bench.field import ROOT, Field, procfile_line, wanted
from bench.installing import folder_of_bullmq, python_of_peers
from worker.sandbox.latency import Latency

PROCESSES, LIMIT = 4, 100
SHAPE = ("--processes", "1", "--threads", "8")
LATENCIES = {
    "0-50 ms": {"inbound_jitter_ms": 25.0, "jitter_ms": 25.0},
    "log-normal, median 40, p95 200 ms": {"inbound_jitter_ms": 25.0, "median_ms": 40.0, "p95_ms": 200.0},
}


@dataclass(frozen=True, slots=True)
class Started:
    """The workers of a subject, ready; called with a number, it enqueues that many jobs."""

    crew: Crew
    ask: Callable[[int], object]

    def __call__(self, count: int) -> None:
        self.ask(count)


@dataclass(frozen=True, slots=True)
class Subject:
    """How it is started and asked. `reason` says why it is left out on this machine."""

    name: str
    start: Callable[[Field], Any] | None
    reason: str = ""


def quota(calls: int = 4000, runs: int = 3, at_most_s: float = 45.0, latencies: int = 2) -> list[dict[str, Any]]:
    """Rows for the table. A subject that is not through after `at_most_s` is judged by what it has done until then."""
    rows: list[dict[str, Any]] = []
    for latency, milliseconds in list(LATENCIES.items())[:latencies]:
        taking_part = list(subjects())
        found: dict[str, list[dict[str, Any]]] = {subject.name: [] for subject in taking_part}
        with Field(milliseconds) as field:
            for run in range(runs):
                first = run % len(taking_part)
                for subject in taking_part[first:] + taking_part[:first]:
                    if subject.start is not None:
                        found[subject.name].append(measure(field, subject.start, calls, at_most_s))
        reach = 1 / (1 + mean_s(Latency(**milliseconds)))
        ours = found[taking_part[0].name]
        for subject in taking_part:
            own = {"skipped": subject.reason} if subject.start is None else middle(found[subject.name], ours, reach)
            rows.append({"latency": latency, "subject": subject.name, **own})
        best = perfect(calls, Latency(**milliseconds))
        rows.append({"latency": latency, "subject": "perfect, computed", **middle([best], ours, reach)})
    return rows


def middle(runs: list[dict[str, Any]], ours: list[dict[str, Any]], reach: float) -> dict[str, Any]:
    """The medians of several runs and the worst of them; compared with Paceline run by run."""
    used, refused = [run["used"] for run in runs], [run["refused"] for run in runs]
    costs = {
        name: median(run[name] for run in runs)
        for name in ("store_ms", "workers_ms")
        if all(name in run for run in runs)
    }
    return {
        "used": median(used),
        "least_used": min(used),
        "of_reach": median(used) / reach,
        "of_paceline": median(run["used"] / (our["used"] or 1) for run, our in zip(runs, ours, strict=False)),
        "refused": median(refused),
        "most_refused": max(refused),
        "most": max(run["most"] for run in runs),
        "done": median(run["done"] for run in runs),
        "wanted": runs[0]["wanted"],
        **costs,
        "runs": runs,
    }


def mean_s(latency: Latency) -> float:
    """The mean round trip, without what the machine adds."""
    rng = random.Random(1)
    return fmean(latency.inbound_s(rng) + latency.answer_s(rng) for _ in range(100_000))


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
    with start(field) as started:
        computed_s, store_s, began = started.crew.computed_s(), field.computed_s(), time.monotonic()
        started(calls)
        while field.apis.count(status=200) < calls and time.monotonic() - began < at_most_s:
            time.sleep(0.2)
        computed_s, store_s = started.crew.computed_s() - computed_s, field.computed_s() - store_s
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
        "store_ms": store_s * 1e6 / max(1, len(let_in)),  # of a thousand calls
        "workers_ms": computed_s * 1e6 / max(1, len(let_in)),
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
def paceline(field: Field) -> Iterator[Started]:
    """By the Procfile's own line."""
    with Crew(
        procfile_line(), PROCESSES, field.environ(PACELINE_THREADS="8"), "ready for action", field.folder
    ) as crew:
        desk = field.desk()
        yield Started(crew, lambda count: desk.enqueue_many(wanted(count)))


@contextmanager
def in_dramatiq(field: Field, module: str) -> Iterator[Started]:
    """Four processes, as Paceline has them."""
    python = python_of_peers()
    command = [str(python.with_name("dramatiq")), f"bench.subjects.{module}:broker", *SHAPE]
    with Crew(command, PROCESSES, field.environ(), "ready for action", field.folder) as crew:
        yield Started(crew, lambda count: enqueue_by(python, field, module, count))


@contextmanager
def celery(field: Field) -> Iterator[Started]:
    """Its limit is counted in each worker, so each gets a quarter. With threads it uses less still."""
    python = python_of_peers()
    command = [str(python), "-m", "celery", "-A", "bench.subjects.celery_rate", "worker", "--concurrency", "8"]
    command += ["--loglevel", "INFO", "--hostname", "bench-{number}@localhost"]
    share = f"{LIMIT // PROCESSES}/s"
    with Crew(command, PROCESSES, field.environ(BENCH_SHARE=share), " ready.", field.folder) as crew:
        yield Started(crew, lambda count: enqueue_by(python, field, "celery_rate", count))


@contextmanager
def bullmq(field: Field, folder: Path) -> Iterator[Started]:
    """Its limit is counted in the store, for all workers of a queue."""
    with Crew(["node", "work.mjs"], PROCESSES, field.environ(), "ready", field.folder, folder) as crew:
        ask = ["node", "work.mjs"]
        yield Started(
            crew,
            lambda count: subprocess.run(
                [*ask, str(count)], cwd=folder, env=field.environ(), check=True, capture_output=True
            ),
        )


def enqueue_by(python: Path, field: Field, module: str, count: int, **environ: str) -> None:
    """In the subject's own environment."""
    command = [str(python), "-m", "bench.subjects.enqueueing", module, str(count)]
    subprocess.run(command, cwd=ROOT, env=field.environ(**environ), check=True, capture_output=True)
