"""Bench, pick-up: how long an idle worker needs from a job's enqueueing to its actor's start: `python -m bench pickup`.

One job at a time, each after an idle gap of 10 to 50 ms, to one process of eight threads; Paceline and dramatiq's own
Redis broker by turns on the same store. From just before the call that enqueues to the last middleware's hook before
the actor, on the machine's one monotonic clock. Its scope ends at figures.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.crew import Crew
from bench.field import Field, wanted
from bench.installing import python_of_peers
from bench.subjects.marks import read_marks

SETTLE_S = 2.0
LOST_AFTER_S = 30.0
Ask = Callable[[], object]


def pickup(jobs: int = 400) -> list[dict[str, Any]]:
    """Rows for the table: milliseconds at the median and at the 99th percentile."""
    rows: list[dict[str, Any]] = []
    with Field(unlimited=True) as field:
        for name, started in (("Paceline", paceline), ("dramatiq RedisBroker", stock)):
            field.clear()
            marks = field.folder / f"{name}.marks"
            with started(field, marks) as ask:
                times = one_by_one(ask, marks, jobs)
            rows.append({"subject": name, "jobs": jobs, "p50_ms": share(times, 0.5), "p99_ms": share(times, 0.99)})
    for row in rows:
        row.update({f"{name}_of_stock": row[f"{name}_ms"] / rows[-1][f"{name}_ms"] for name in ("p50", "p99")})
    return rows


@contextmanager
def paceline(field: Field, marks: Path) -> Iterator[Ask]:
    """One worker process of Paceline; what asks it for one job."""
    command = ["dramatiq", "bench.subjects.paceline:broker", "tasks", "--processes", "1", "--threads", "8"]
    with Crew(command, 1, field.environ(BENCH_MARKS=str(marks)), "ready for action", field.folder):
        desk = field.desk()
        calls = wanted(1)
        yield lambda: desk.enqueue_many(calls)


@contextmanager
def stock(field: Field, marks: Path) -> Iterator[Ask]:
    """One worker process of dramatiq with its own broker. The message is put where its own `send` puts it."""
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    command = [str(python_of_peers().with_name("dramatiq")), "bench.subjects.dramatiq_stock:broker"]
    command += ["--processes", "1", "--threads", "8"]
    with Crew(command, 1, field.environ(BENCH_MARKS=str(marks)), "ready for action", field.folder):
        broker = RedisBroker(url=field.store.url, middleware=[])  # type: ignore[no-untyped-call]
        broker.declare_queue("default")
        kwargs = {"account": "stellantis:fleet-1", "params": {"fid": "FLEET-1", "vid": "VEH-00001"}}

        def ask() -> None:
            broker.enqueue(dramatiq.Message("default", "nothing", (), kwargs, {}))

        try:
            yield ask
        finally:
            broker.client.close()


def one_by_one(ask: Ask, marks: Path, jobs: int) -> list[float]:
    """Milliseconds from asking to beginning, in rising order; the first few jobs open connections and do not count."""
    gaps = random.Random(1)
    times = []
    time.sleep(SETTLE_S)
    for number in range(-10, jobs):
        time.sleep(gaps.uniform(0.010, 0.050))
        seen = marks.stat().st_size if marks.exists() else 0
        asked = time.monotonic_ns()
        ask()
        while not marks.exists() or marks.stat().st_size == seen:
            if time.monotonic_ns() - asked > LOST_AFTER_S * 1e9:
                raise SystemExit("bench: a job was not picked up within 30 s")
            time.sleep(0.002)
        if number >= 0:
            times.append((read_marks(marks)[-1][0] - asked) / 1e6)
    return sorted(times)


def share(rising: list[float], part: float) -> float:
    return rising[min(len(rising) - 1, int(part * len(rising)))]
