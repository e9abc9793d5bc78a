"""Bench, memory: what jobs that wait cost a worker and the store: `python -m bench memory`.

One worker process by the Procfile's own line, an account whose day is used up, and more and more jobs of it: all wait,
none is due. Resident memory of the process that runs jobs, requests it sends meanwhile, bytes the store needs for each
job. Its scope ends at figures.
"""

import time
from pathlib import Path
from typing import Any

from bench.crew import Crew
from bench.field import Field, procfile_line, wanted

USED_UP = {"limit_per_day": 1, "limit_per_second": 1}
SETTLE_S, WATCHED_S = 6.0, 10.0
AT_ONCE = 1000


def memory(steps: tuple[int, ...] = (1_000, 100_000, 1_000_000)) -> list[dict[str, Any]]:
    """Rows for the table, one for each number of waiting jobs; `growth` is against the first."""
    rows: list[dict[str, Any]] = []
    with Field(limits=USED_UP) as field:
        field.clear()
        environ = field.environ(PACELINE_THREADS="8")
        with Crew(procfile_line(), 1, environ, "ready for action", field.folder) as crew:
            empty = used_by(field)
            desk, waiting = field.desk(), 0
            for step in steps:
                while waiting < step:
                    waiting += len(desk.enqueue_many(wanted(min(AT_ONCE, step - waiting))))
                rows.append(
                    {"waiting": step, **watch(field, crew.pids[0]), "store_bytes": (used_by(field) - empty) / step}
                )
    return [{**row, "growth": row["resident_bytes"] / rows[0]["resident_bytes"] - 1} for row in rows]


def watch(field: Field, master: int) -> dict[str, Any]:
    """A worker that has nothing it may do."""
    time.sleep(SETTLE_S)
    before, _ = field.asked()
    began = time.monotonic()
    time.sleep(WATCHED_S)
    asked, _ = field.asked()
    return {"resident_bytes": resident(master), "asks_per_s": (asked - before) / (time.monotonic() - began)}


def resident(master: int) -> int:
    """Of the child that runs jobs."""
    [child, *_] = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
    status = Path(f"/proc/{child}/status").read_text(encoding="ascii")
    [kilobytes] = [int(text.split()[1]) for text in status.splitlines() if text.startswith("VmRSS:")]
    return kilobytes * 1024


def used_by(field: Field) -> int:
    told: dict[str, Any] = field.client.info("memory")
    return int(told["used_memory"])
