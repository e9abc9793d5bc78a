"""Bench, decisions: how many permits a second a limiter gives, and what a thousand cost its store and its callers:
`python -m bench decisions`.

Callers ask for one permit after another, under a limit that is never reached; the store's time is the server
process's own, its log included. Two groups. A permit alone: Paceline's is held from before the call until its answer,
which takes two questions; the others note that a call begins, which takes one. An operator's check is no worker's way:
it looks anew at the server each time. A job together with its permit: BullMQ has nothing else, and Paceline's workers
do nothing else. All by turns; a ratio is the median over the turns. Its scope ends at figures.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

from bench.field import ROOT, Field
from bench.installing import folder_of_bullmq, python_of_peers

LIMIT = 1_000_000
SHAPES = ((1, 1), (60, 1), (60, 4))
"""The window in seconds, and how many callers at once."""
FIGURES = ("per_s", "store_ms", "client_ms")


@dataclass(frozen=True, slots=True)
class Subject:
    """One kind of caller. `reason` says why it is left out on this machine."""

    group: str
    name: str
    command: tuple[str, ...]
    folder: Path = ROOT
    reason: str = ""


ALONE, JOB = "a permit", "a job and its permit"


def subjects(permits: int, window_s: int) -> list[Subject]:
    """Who takes part; the first of each group is what the others of it are compared with."""
    theirs = (str(python_of_peers()), "-m", "bench.subjects.deciding")
    asked, window = str(permits), str(window_s)
    found = [
        *ours(permits),
        Subject(ALONE, "dramatiq, WindowRateLimiter", (*theirs, "dramatiq_window", asked, window)),
        Subject(ALONE, "`limits`, moving window", (*theirs, "limits_moving", asked, window)),
        Subject(ALONE, "Celery's bucket, not shared", (*theirs, "celery_bucket", asked, window)),
    ]
    folder = folder_of_bullmq()
    if isinstance(folder, Path):
        return [*found, Subject(JOB, "BullMQ, its limiter", ("node", "decide.mjs", asked, window), folder)]
    return [*found, Subject(JOB, "BullMQ, its limiter", (), reason=folder)]


def ours(permits: int) -> list[Subject]:
    """Paceline's own; their window is in the settings that they are started with."""
    command = (sys.executable, "-m", "bench.subjects.deciding_paceline")
    return [
        Subject(ALONE, "Paceline, asked and settled", (*command, "permit", str(permits), "1")),
        Subject(ALONE, "Paceline, an operator's check", (*command, "check", str(permits), "1")),
        Subject(JOB, "Paceline, for eight free threads", (*command, "job", str(permits), "8")),
        Subject(JOB, "Paceline, for one free thread", (*command, "job", str(permits), "1")),
    ]


def decisions(permits: int = 2000, turns: int = 5, shapes: Sequence[tuple[int, int]] = SHAPES) -> list[dict[str, Any]]:
    """Rows for the table."""
    rows: list[dict[str, Any]] = []
    with Field() as field:
        for window_s, callers in shapes:
            taking_part = subjects(permits, window_s)
            found: dict[str, list[dict[str, float]]] = {subject.name: [] for subject in taking_part}
            for turn in range(turns):
                first = turn % len(taking_part)
                for subject in taking_part[first:] + taking_part[:first]:
                    if subject.command:
                        found[subject.name].append(measure(field, subject, permits, window_s, callers))
            shape = {"window_s": window_s, "callers": callers}
            rows += [{**shape, **row(subject, found, taking_part)} for subject in taking_part]
    return rows


def row(subject: Subject, found: dict[str, list[dict[str, float]]], taking_part: list[Subject]) -> dict[str, Any]:
    """The medians of one subject, and of its ratios to the first of its group."""
    named = {"group": subject.group, "subject": subject.name}
    if subject.reason:
        return {**named, "skipped": subject.reason}
    first = next(other.name for other in taking_part if other.group == subject.group)
    own, others = found[subject.name], found[first]
    middles = {figure: median(turn[figure] for turn in own) for figure in FIGURES}
    ratios = {
        f"{figure}_ratio": median(mine[figure] / theirs[figure] for mine, theirs in zip(own, others, strict=True))
        for figure in FIGURES
    }
    return {**named, **middles, **ratios, "turns": own}


def measure(field: Field, subject: Subject, permits: int, window_s: int, callers: int) -> dict[str, float]:
    """One turn: callers begin together, once all of them are warm."""
    field.client.flushall()
    with ExitStack() as stack:
        processes = [stack.enter_context(started(field, subject, window_s)) for _ in range(callers)]
        for process in processes:
            if said(process, subject) != "ready":
                raise SystemExit(f"bench: {subject.name} did not get ready")
        before_s = field.computed_s()
        for process in processes:
            written(process.stdin).write("go\n")
            written(process.stdin).flush()
        told = [json.loads(said(process, subject)) for process in processes]
        store_s = field.computed_s() - before_s
    thousands = permits * callers / 1000
    return {
        "per_s": sum(permits / one["seconds"] for one in told),
        "store_ms": store_s * 1000 / thousands,
        "client_ms": sum(one["cpu_s"] for one in told) * 1000 / thousands,
    }


def started(field: Field, subject: Subject, window_s: int) -> subprocess.Popen[str]:
    """One caller."""
    environ = field.environ(PACELINE_BROKER__LANE_CAP="1000")  # all of them draw on one lane
    parties = json.loads(environ["PACELINE_HUB__PARTIES"])
    parties[0]["limits"] = {"tokens": {"limit": LIMIT, "window_s": window_s}}
    environ["PACELINE_HUB__PARTIES"] = json.dumps(parties)
    return subprocess.Popen(
        subject.command, cwd=subject.folder, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(process: subprocess.Popen[str], subject: Subject) -> str:
    """Its next line."""
    line = written(process.stdout).readline().strip()
    if not line:
        raise SystemExit(f"bench: {subject.name} ended with {process.wait()} before it was through")
    return line


def written(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
