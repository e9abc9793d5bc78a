"""Bench, intake: calls taken in over HTTP a second, beside a FastAPI that only echoes: `python -m bench intake`.

One web process of each, and one process of load with 1 and with 32 connections. What a core can do is posts by the
seconds that the process itself computed (Linux tells them; elsewhere the time that passed): the median of three, taken
by turns. Paceline's posts are checked, stored and foretold; a batch is JSON lines, set beside the echo and beside the
same calls posted one by one. Its scope ends at figures.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.crew import ROOT, Crew
from bench.field import Field
from bench.pickup import share
from bench.subjects.posts import CALL

READY = "Application startup complete"
OURS = "Paceline"
TURNS = 3


def intake(posts: int = 6_000, lines: int = 10_000) -> list[dict[str, Any]]:
    """Rows for the table."""
    subjects = {"a FastAPI echo": [sys.executable, "bench/subjects/echo.py"], OURS: serve()}
    rows: list[dict[str, Any]] = []
    with Field(unlimited=True) as field:
        for connections in (1, 32):
            turns = [[single(field, *one, connections, posts) for one in subjects.items()] for _ in range(TURNS)]
            found = [middle(rows) for rows in zip(*turns, strict=True)]
            rows += [{**row, "of_echo": row["per_core"] / found[0]["per_core"]} for row in found]
        echo = rows[-2]["per_core"]
        row = middle([batch(field, lines) for _ in range(TURNS)])
        rows.append({**row, "of_echo": row["per_core"] / echo})
    one_by_one = next(row for row in rows if row["subject"] == OURS)
    return [row | {"of_single": row["per_core"] / one_by_one["per_core"]} for row in rows]


def middle(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The turn that is the median by what a core did."""
    return sorted(rows, key=lambda row: float(row["per_core"]))[len(rows) // 2]


def serve() -> list[str]:
    return [sys.executable, "-m", "worker", "serve", "--port"]


def single(field: Field, name: str, command: list[str], connections: int, posts: int) -> dict[str, Any]:
    """One call in each request."""

    def load(port: int) -> tuple[int, list[float]]:
        words = [sys.executable, "bench/subjects/posts.py", str(port), str(connections), str(posts)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
        told = json.loads(done.stdout)
        if told["good"] != posts // connections * connections:
            raise SystemExit(f"bench: {name} accepted {told['good']} of {posts} posts")
        return told["good"], told["times"]

    return measured(field, name, command, f"{connections}", load)


def batch(field: Field, lines: int) -> dict[str, Any]:
    """Many calls in one request."""

    def load(port: int) -> tuple[int, list[float]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        began = time.perf_counter()
        text = b"\n".join([json.dumps(CALL).encode()] * lines)
        connection.request("POST", "/v1/jobs", text, {"Content-Type": "application/jsonl"})
        good = sum(json.loads(line)["status"] == 202 for line in connection.getresponse().read().splitlines())
        connection.close()
        if good != lines:
            raise SystemExit(f"bench: Paceline accepted {good} of {lines} lines")
        return good, [time.perf_counter() - began]

    return measured(field, f"{OURS}, {lines} lines at once", serve(), "1", load)


def measured(
    field: Field, name: str, command: list[str], connections: str, load: Callable[[int], tuple[int, list[float]]]
) -> dict[str, Any]:
    """What the load says, and what it cost the process."""
    field.clear()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with Crew([*command, str(port)], 1, field.environ(), READY, field.folder) as crew:
        load_until_warm(port)
        before, began = computed_s(crew.pids[0]), time.perf_counter()
        count, times = load(port)
        passed = time.perf_counter() - began
        spent = computed_s(crew.pids[0]) - before or passed
    return {
        "subject": name,
        "connections": connections,
        "posts_per_s": count / max(passed if len(times) == 1 else sum(times) / int(connections), 1e-9),
        "per_core": count / spent,
        "p50_ms": share(times, 0.5) * 1e3,
        "p99_ms": share(times, 0.99) * 1e3,
    }


def load_until_warm(port: int) -> None:
    """The first posts open connections and fill caches."""
    words = [sys.executable, "bench/subjects/posts.py", str(port), "4", "200"]
    subprocess.run(words, cwd=ROOT, capture_output=True, check=True, timeout=60)


def computed_s(pid: int) -> float:
    """Seconds that a process has computed; 0 where the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
