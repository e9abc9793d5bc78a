"""Bench, report: runs the measurements and prints one table; the same figures go to `var/bench/` as JSON.

It promises that every figure stands beside what it was measured against. Its scope ends at presentation.
"""

import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from bench.decisions import SHAPES, decisions
from bench.field import write_json
from bench.foreign import CASES, SMALL, foreign
from bench.installing import LOCK, MADE
from bench.intake import intake
from bench.lanes import lanes
from bench.memory import memory
from bench.minutes import minutes
from bench.pickup import pickup
from bench.quota import quota
from bench.throughput import throughput
from bench.urgent import urgent

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; None is the part's own."""

    quick: bool = False
    runs: int | None = None
    pairs: int | None = None
    processes: tuple[int, ...] | None = None


def report(parts: Sequence[str], size: Size) -> None:
    """Measures, prints as it goes, and keeps the figures."""
    chosen = parts or (["quota", "throughput"] if size.quick else list(PARTS))
    began = time.monotonic()
    found: dict[str, Any] = {"machine": machine(), "quick": size.quick}
    print(" · ".join(f"{name} {value}" for name, value in found["machine"].items()), flush=True)
    for part in chosen:
        full, small, lines = PARTS[part]
        found[part] = (small if size.quick else full)(size)
        for line in lines(found[part]):
            print(line, flush=True)
    path = write_json(MADE, "quick" if size.quick else "all" if len(chosen) == len(PARTS) else "-".join(chosen), found)
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
    cells = [row + [""] * (len(heads) - len(row)) for row in cells]
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
    heads = (
        "", "quota used", "least", "of its reach", "of Paceline's", "refused", "most", "in a window of 100", "done",
        "store ms/1000", "workers ms/1000",
    )  # fmt: skip
    for latency in dict.fromkeys(row["latency"] for row in rows):
        block = [row for row in rows if row["latency"] == latency]
        shown = [
            (row["subject"], row["skipped"])
            if "skipped" in row
            else (
                row["subject"],
                f"{row['used']:.3f}",
                f"{row['least_used']:.3f}",
                f"{row['of_reach']:.3f}",
                f"{row['of_paceline']:.2f} x",
                f"{row['refused']:.0f}",
                str(row["most_refused"]),
                str(row["most"]),
                f"{row['done']:.0f}/{row['wanted']}",
                *(f"{row[name]:.0f}" if name in row else "" for name in ("store_ms", "workers_ms")),
            )
            for row in block
        ]
        runs = len(block[0].get("runs", []))
        lines += table(f"100 calls a second by 4 processes of 8 threads, latency {latency}, {runs} runs", heads, shown)
    return lines


def minutes_lines(rows: list[Row]) -> list[str]:
    """By account."""
    heads = ("", "quota used", "perfect", "of perfect", "windows", "refused", "most in it", "most in 1 s", "done")
    shown = [
        (
            row["case"],
            f"{row['used']:.4f}",
            f"{row['perfect']:.4f}",
            f"{row['used'] / row['perfect']:.4f}",
            f"{row['windows']:.2f}",
            str(row["refused"]),
            str(row["most"]),
            str(row["most_in_second"] or ""),
            f"{row['done']}/{row['wanted']}",
        )
        for row in rows
    ]
    return table("Limits per minute, jobs of one priority for several windows", heads, shown)


def decisions_lines(rows: list[Row]) -> list[str]:
    """One block for each window, number of callers and group."""
    lines = []
    columns = (("per_s", "permits/s"), ("store_ms", "store ms/1000"), ("client_ms", "client ms/1000"))
    for window_s, callers, group in dict.fromkeys((row["window_s"], row["callers"], row["group"]) for row in rows):
        block = [row for row in rows if (row["window_s"], row["callers"], row["group"]) == (window_s, callers, group)]
        shown: list[Sequence[str]] = []
        for row in block:
            pairs = ((f"{row[name]:,.1f}", f"{row[f'{name}_ratio']:.3f} x") for name, _ in columns if name in row)
            shown.append((row["subject"], *(cell for pair in pairs for cell in pair), row.get("skipped", "")))
        heads = ("", *(cell for _, head in columns for cell in (head, "of the first")), "")
        who = f"{callers} caller{'s' if callers > 1 else ''}"
        lines += table(f"Let through: {group}, window {window_s} s, {who}, {turns_of(block)} turns", heads, shown)
    return lines


def turns_of(block: list[Row]) -> int:
    return max(len(row.get("turns", [])) for row in block)


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
    heads = (
        "", "processes", "jobs/s", "of stock with results", "least", "most", "asks of the store per job",
        "its µs per job",
    )  # fmt: skip
    shown = [
        (
            row["subject"],
            str(row["processes"]),
            f"{row['jobs_per_s']:.0f}",
            f"{row['of_stock']:.2f} x",
            f"{row['least_of_stock']:.2f}",
            f"{row['most_of_stock']:.2f}",
            f"{row['asked_per_job']:.2f}",
            f"{row['store_us_per_job']:.0f}",
        )
        for row in rows
    ]
    return table(f"Jobs that do nothing, without limits, {turns_of(rows)} turns", heads, shown)


def intake_lines(rows: list[Row]) -> list[str]:
    """By number of connections."""
    heads = ("", "connections", "calls/s", "per core", "of the echo", "of one by one", "p50 ms", "p99 ms")
    shown = [
        (
            row["subject"],
            row["connections"],
            f"{row['posts_per_s']:.0f}",
            f"{row['per_core']:.0f}",
            f"{row['of_echo']:.2f} x",
            f"{row['of_single']:.2f} x",
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
    """By what is kept back for it."""
    heads = ("", "bulk calls between", "most", "taken after it came", "ms to arrive", "most")
    shown = [
        (
            row["case"],
            f"{row['median_between']:.0f}",
            str(row["most_between"]),
            str(row["late"]),
            f"{row['median_ms']:.1f}",
            f"{row['most_ms']:.1f}",
        )
        for row in rows
    ]
    title = f"An urgent job, {rows[0]['bulk']:,} bulk jobs of the same budget in line, {rows[0]['times']} times"
    return table(title, heads, shown)


def foreign_lines(rows: list[Row]) -> list[str]:
    """By limit and pattern."""
    heads = ("", "our calls", "refused", "used of what is left", "used again afterwards")
    shown = [
        (row["case"], str(row["calls"]), f"{row['refused']:.2%}", f"{row['used']:.3f}", f"{row['again']:.3f}")
        for row in rows
    ]
    return table("Somebody else uses half of the same account", heads, shown)


def quick_throughput(size: Size) -> list[Row]:
    return throughput(2500, size.processes or (1,), size.pairs or 2, without_results=False)


Measure = Callable[[Size], list[Row]]
PARTS: dict[str, tuple[Measure, Measure, Callable[[list[Row]], list[str]]]] = {
    "quota": (
        lambda size: quota(runs=size.runs or 3),
        lambda size: quota(400, size.runs or 1, at_most_s=6, latencies=1),
        quota_lines,
    ),
    "minutes": (lambda _: minutes(), lambda _: minutes(6.0, 2), minutes_lines),
    "decisions": (
        lambda size: decisions(turns=size.runs or 5),
        lambda size: decisions(500, size.runs or 1, SHAPES[:1]),
        decisions_lines,
    ),
    "pickup": (lambda _: pickup(), lambda _: pickup(100), pickup_lines),
    "intake": (lambda _: intake(), lambda _: intake(1000, 2000), intake_lines),
    "throughput": (
        lambda size: throughput(processes=size.processes or (1, 2, 4), pairs=size.pairs or 5),
        quick_throughput,
        throughput_lines,
    ),
    "lanes": (lambda _: lanes(), lambda _: lanes(1000, 60, 5_000), lanes_lines),
    "memory": (lambda _: memory(), lambda _: memory((1_000, 20_000)), memory_lines),
    "urgent": (lambda _: urgent(), lambda _: urgent(5_000, 10), urgent_lines),
    "foreign": (lambda _: foreign(CASES), lambda _: foreign(SMALL), foreign_lines),
}
"""By name: the measurement, a smaller one, and its lines of the table."""
