"""Bench, foreign: somebody else uses the same account, half of it: `python -m bench foreign`.

Their arrivals are told by nothing but the remaining count in the answers' headers. The simulated API's log judges:
`refused` is the share of our calls that were refused, `used` what we were let in with, of what they left over, from one
window after the start until they stop; `again` what we use of the whole limit from one window after that. Four
processes, always more jobs than the limit lets through. Its scope ends at figures.
"""

import time
from dataclasses import dataclass
from typing import Any

from bench.field import Field
from bench.quota import paceline

ACCOUNT = "stellantis:fleet-1"
LATENCY = {"inbound_jitter_ms": 10.0, "jitter_ms": 10.0}


@dataclass(frozen=True, slots=True)
class Case:
    """One limit, and how somebody else uses half of it."""

    limit: int
    window_s: float
    pattern: str
    turns: int

    @property
    def name(self) -> str:
        return f"{self.limit} per {self.window_s:g} s, {self.pattern}"


CASES = (
    Case(500, 60.0, "steady", 3),
    Case(500, 60.0, "random", 3),
    Case(100, 1.0, "steady", 20),
    Case(100, 1.0, "random", 20),
)
SMALL = (Case(100, 6.0, "steady", 4), Case(100, 1.0, "steady", 8), Case(100, 1.0, "random", 8))


def foreign(cases: tuple[Case, ...] = CASES) -> list[dict[str, Any]]:
    """Rows for the table."""
    return [measure(case) for case in cases]


def measure(case: Case) -> dict[str, Any]:
    """One case, on a field of its own."""
    limits = {"limit_per_day": case.limit, "day_window_s": case.window_s}
    with Field(LATENCY, limits=limits) as field:
        field.clear()
        with paceline(field) as enqueue:
            began = time.monotonic()
            field.apis.foreign(ACCOUNT, case.limit / case.window_s / 2, case.pattern)
            enqueue(round(case.limit * (case.turns + 5)))
            time.sleep((case.turns + 1) * case.window_s)
            stopped_s = time.monotonic() - began
            field.apis.stop_foreign(ACCOUNT)
            time.sleep(3 * case.window_s + 1.0)
        return figures(case, field.apis.log(limit=1_000_000), stopped_s)


def figures(case: Case, log: list[dict[str, Any]], stopped_s: float) -> dict[str, Any]:
    """From the remote side's own log, times of which start with the first arrival."""
    first = min(arrival["at"] for arrival in log)
    for arrival in log:
        arrival["s"] = arrival["at"] - first
    ours = [arrival for arrival in log if not arrival["foreign"]]
    refused = sum(arrival["status"] == 429 for arrival in ours)

    def let_in(arrivals: list[dict[str, Any]], since_s: float, until_s: float) -> int:
        return sum(one["status"] == 200 and since_s <= one["s"] < until_s for one in arrivals)

    since_s, until_s = case.window_s, stopped_s
    theirs = sum(one["foreign"] and since_s <= one["s"] < until_s for one in log)  # a refused call takes its place too
    left = case.limit / case.window_s * (until_s - since_s) - theirs
    again = let_in(ours, stopped_s + case.window_s, stopped_s + 3 * case.window_s) / 2
    return {
        "case": case.name,
        "refused": refused / max(1, len(ours)),
        "refused_calls": refused,
        "calls": len(ours),
        "used": let_in(ours, since_s, until_s) / left,
        "again": again / case.limit,
    }
