"""Bench, report: runs the measurements and prints one table; the same figures go to `var/bench/` as JSON.

It promises that every figure stands beside what it was measured against. Its scope ends at presentation.
"""

import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from typing import Any

from bench.field import write_json
from bench.foreign import CASES, SMALL, foreign
from bench.installing import LOCK, MADE
from bench.intake import intake
from bench.lanes import lanes
from bench.memory import memory
from bench.pickup import pickup
from bench.quota import quota
from bench.throughput import throughput
from bench.urgent import urgent

Row = dict[str, Any]


def report(parts: Sequence[str], runs: int, quick: bool) -> None:
    """Measures, prints as it goes, and keeps the figures."""
    chosen = parts or (["quota", "throughput"] if quick else list(PARTS))
    began = time.monotonic()
    found: dict[str, Any] = {"machine": machine(), "quick": quick}
    print(" · ".join(f"{name} {value}" for name, value in found["machine"].items()), flush=True)
    for part in chosen:
        full, small, lines = PARTS[part]
        found[part] = (small if quick else full)(runs)
        for line in lines(found[part]):
            print(line, flush=True)
    path = write_json(MADE, "quick" if quick else "-".join(chosen), found)
    print(f"\n{time.monotonic() - began:.0f} s; figures in {os.path.relpath(path)}")


def machine() -> dict[str, str]:
    """What the figures depend on."""
    locked = [line.split(" ")[0].split("==") for line in LOCK.read_text(encoding="utf-8").splitlines() if "==" in line]
    peers = {name: number for name, number in locked if name in ("celery", "limits", "dramatiq")}
    own = {"python": platform.python_version(), "processors": str(os.cpu_count()), "redis-py": version("redis")}
    return {"system": platform.system(), **own, **peers}


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns, the first to the left, the others to the right."""
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return ["", title, lines[0], "-" * len(lines[0]), *lines[1:]]


def quota_lines(rows: list[Row]) -> list[str]:
    """One block for each latency."""
    lines = []
    heads = ("", "quota used", "of Paceline's", "refused", "most in a window of 100", "done")
    for latency in dict.fromkeys(row["latency"] for row in rows):
        block = [row for row in rows if row["latency"] == latency]
        shown = [
            (row["subject"], row["skipped"], "", "", "", "")
            if "skipped" in row
            else (
                row["subject"],
                f"{row['used']:.3f}",
                f"{row['used'] / block[0]['used']:.2f} x" if block[0]["used"] else "",
                f"{row['refused']:.0f}",
                str(row["most"]),
                f"{row['done']}/{row['wanted']}",
            )
            for row in block
        ]
        lines += table(f"100 calls a second by 4 processes of 8 threads, latency {latency}", heads, shown)
    return lines


def pickup_lines(rows: list[Row]) -> list[str]:
    """Two lines."""
    heads = ("", "p50 ms", "of stock", "p99 ms", "of stock")
    shown = [
        (
            row["subject"],
            f"{row['p50_ms']:.1f}",
            f"{row['p50_of_stock']:.2f} x",
            f"{row['p99_ms']:.1f}",
            f"{row['p99_of_stock']:.2f} x",
        )
        for row in rows
    ]
    return table(f"Picked up by an idle worker, {rows[0]['jobs']} jobs one at a time", heads, shown)


def throughput_lines(rows: list[Row]) -> list[str]:
    """By number of processes."""
    heads = ("", "processes", "jobs/s", "of stock with results", "asks of the store per job", "its µs per job")
    shown = [
        (
            row["subject"],
            str(row["processes"]),
            f"{row['jobs_per_s']:.0f}",
            f"{row['of_stock']:.2f} x",
            f"{row['asked_per_job']:.2f}",
            f"{row['store_us_per_job']:.0f}",
        )
        for row in rows
    ]
    return table("Jobs that do nothing, without limits", heads, shown)


def intake_lines(rows: list[Row]) -> list[str]:
    """By number of connections."""
    heads = ("", "connections", "posts/s", "per core", "of the echo", "p50 ms", "p99 ms")
    shown = [
        (
            row["subject"],
            row["connections"],
            f"{row['posts_per_s']:.0f}",
            f"{row['per_core']:.0f}",
            f"{row['of_echo']:.2f} x",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
        )
        for row in rows
    ]
    return table("Calls taken in over HTTP by one web process", heads, shown)


def lanes_lines(rows: list[Row]) -> list[str]:
    """What is less beside what is more."""
    heads = ("", "µs", "µs", "ratio", "bytes")
    shown = [
        (
            row["case"],
            f"{row['less_us']:.0f}",
            f"{row['more_us']:.0f}",
            f"{row['ratio']:.2f} x" if "ratio" in row else "",
            str(row.get("bytes", "")),
        )
        for row in rows
    ]
    return table("The store's own time for a take", heads, shown)


def memory_lines(rows: list[Row]) -> list[str]:
    """By number of waiting jobs."""
    heads = ("waiting jobs", "worker's MB", "growth", "asks of the store per s", "store's bytes per job")
    shown = [
        (
            f"{row['waiting']:,}",
            f"{row['resident_bytes'] / 1e6:.1f}",
            f"{row['growth']:.1%}",
            f"{row['asks_per_s']:.2f}",
            f"{row['store_bytes']:.0f}",
        )
        for row in rows
    ]
    return table("A worker of 8 threads whose jobs wait for their limit", heads, shown)


def urgent_lines(rows: list[Row]) -> list[str]:
    """One line."""
    heads = ("bulk jobs in line", "bulk calls between", "most", "taken after it came", "ms to arrive", "most")
    shown = [
        (
            f"{row['bulk']:,}",
            f"{row['median_between']:.0f}",
            str(row["most_between"]),
            str(row["late"]),
            f"{row['median_ms']:.0f}",
            f"{row['most_ms']:.0f}",
        )
        for row in rows
    ]
    return table(f"An urgent job of the same budget, {rows[0]['times']} times", heads, shown)


def foreign_lines(rows: list[Row]) -> list[str]:
    """By limit and pattern."""
    heads = ("", "our calls", "refused", "used of what is left", "used again afterwards")
    shown = [
        (row["case"], str(row["calls"]), f"{row['refused']:.2%}", f"{row['used']:.3f}", f"{row['again']:.3f}")
        for row in rows
    ]
    return table("Somebody else uses half of the same account", heads, shown)


Measure = Callable[[int], list[Row]]
PARTS: dict[str, tuple[Measure, Measure, Callable[[list[Row]], list[str]]]] = {
    "quota": (lambda runs: quota(runs=runs), lambda runs: quota(400, runs, at_most_s=6, latencies=1), quota_lines),
    "pickup": (lambda _: pickup(), lambda _: pickup(100), pickup_lines),
    "intake": (lambda _: intake(), lambda _: intake(1000, 2000), intake_lines),
    "throughput": (lambda _: throughput(), lambda _: throughput(1000, (1, 4)), throughput_lines),
    "lanes": (lambda _: lanes(), lambda _: lanes(1000, 60, 5_000), lanes_lines),
    "memory": (lambda _: memory(), lambda _: memory((1_000, 20_000)), memory_lines),
    "urgent": (lambda _: urgent(), lambda _: urgent(5_000, 10), urgent_lines),
    "foreign": (lambda _: foreign(CASES), lambda _: foreign(SMALL), foreign_lines),
}
"""By name: the measurement, a smaller one, and its lines of the table."""
