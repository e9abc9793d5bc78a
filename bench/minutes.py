"""Bench, minutes: how much of a limit per minute is used over several windows: `python -m bench minutes`.

Four processes of eight threads, three accounts at once: a hub party's 100 per 60 s; 500 per 60 s; and 500 per 60 s with
20 per 1 s, which is a subscription's day and second at reduced length, every call in both windows. Jobs for four
windows each, of one priority, enqueued at once; the simulated APIs' log judges. `used` is (N - limit) / span / (limit /
window), of the longer window, as if the first windowful cost no time. Where a short window spreads it, the last one is
spread as well, and a limiter without any loss stays below 1; `perfect` is what that one would use, round trips and all
for nothing. Its scope ends at figures.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

from bench.crew import Crew
from bench.field import Field, procfile_line, wanted
from worker.accept.enqueue import Wanted
from worker.accept.operation import operations
from worker.sandbox.options import SUBSCRIPTIONS

LATENCY = {"inbound_jitter_ms": 25.0, "jitter_ms": 25.0}
PROCESSES, POLL_S, LATE_S = 4, 0.5, 30.0
NEVER_FULL = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One account and its limits; `second` is the limit of its short window, 0 where it has none."""

    account: str
    limit: int
    second: int = 0

    def name(self, window_s: float) -> str:
        both = f" and {self.second} per 1 s" if self.second else ""
        return f"{self.account.partition(':')[0]}, {self.limit} per {window_s:g} s{both}"


CASES = (Case("hub:IN-ABC", 100), Case("stellantis:fleet-1", 500), Case("stellantis:fleet-2", 500, 20))


def minutes(window_s: float = 60.0, windows: int = 3, cases: tuple[Case, ...] = CASES) -> list[dict[str, Any]]:
    """Rows for the table. After the first windowful the rest needs `windows` windows at least."""
    with Field(LATENCY, more=options(window_s, cases)) as field:
        field.clear()
        environ = field.environ(PACELINE_THREADS="8")
        with Crew(procfile_line(), PROCESSES, environ, "ready for action", field.folder):
            desk = field.desk()
            total = 0
            for case in cases:
                total += len(desk.enqueue_many(calls(case, case.limit * (windows + 1))))
            until = time.monotonic() + (windows + 1) * window_s + LATE_S
            while field.apis.count(status=200) < total and time.monotonic() < until:
                time.sleep(POLL_S)
        return [row(field, case, window_s, windows) for case in cases]


def options(window_s: float, cases: tuple[Case, ...]) -> dict[str, Any]:
    """For the simulated APIs; Paceline is told the same limits."""
    known = {f"stellantis:{one['name']}": one for one in SUBSCRIPTIONS}
    given = [
        {**known[case.account], "limit_per_day": case.limit, "day_window_s": window_s,
         "limit_per_second": case.second or NEVER_FULL}
        for case in cases if case.account in known
    ]  # fmt: skip
    limits = {f"{case.account}/tokens": [case.limit, window_s] for case in cases if case.account not in known}
    return {"subscriptions": given, "limits": limits}


def calls(case: Case, count: int) -> list[Wanted]:
    """All of one priority, so that nothing is kept back for another."""
    if case.account.startswith("stellantis:"):
        return [replace(call, account=case.account, priority="normal", deadline_s=3600.0) for call in wanted(count)]
    name = "hub.authorize_token"
    params, body = operations[name].example
    return [Wanted(name, case.account, params, body, priority="normal", deadline_s=3600.0)] * count


def perfect(case: Case, count: int, window_s: float) -> float:
    """`used` of calls that arrive as soon as both windows have room, each the moment it is let go."""
    at = [0.0] * count
    for number in range(1, count):
        day = at[number - case.limit] + window_s if number >= case.limit else 0.0
        second = at[number - case.second] + 1.0 if case.second and number >= case.second else 0.0
        at[number] = max(at[number - 1], day, second)
    return (count - case.limit) / at[-1] / (case.limit / window_s)


def row(field: Field, case: Case, window_s: float, windows: int) -> dict[str, Any]:
    """What the remote side saw of one account."""
    log = field.apis.log(limit=1_000_000, account=case.account)
    let_in = [arrival["at"] for arrival in log if arrival["status"] == 200]
    span_s = max(let_in) - min(let_in)
    count = case.limit * (windows + 1)
    found = {one["window"]: one["max"] for one in field.apis.judge(case.account)["windows"]}
    return {
        "case": case.name(window_s),
        "used": (len(let_in) - case.limit) / span_s / (case.limit / window_s),
        "perfect": perfect(case, count, window_s),
        "windows": span_s / window_s,
        "refused": sum(arrival["status"] == 429 for arrival in log),
        "most": max(found.get("tokens", 0), found.get("calls.day", 0)),
        "most_in_second": found.get("calls.second", 0) if case.second else None,
        "done": len(let_in),
        "wanted": count,
    }
