"""Demo: what it claims, each checked against the record: first of all against what the other side saw.

Promise: pure functions of the record; a claim that cannot be checked is not kept. Scope: the verdict.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from worker.sandbox.judge import judge
from worker.sandbox.log import Arrival

Record = dict[str, Any]
ENDS = ("done", "dead", "cancelled", "expired")
OF_A_CRASH = ("event", "worker", "lease", "at_us")
OF_A_MISTAKE = ("event", "at", "worker", "job", "why")
OF_AN_ATTEMPT = ("at", "job", "worker", "method", "url", "request", "latency_ms", "outcome", "decision", "why")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, whether it is true, and the figure behind it."""

    said: str
    kept: bool
    figure: str


def check(record: Record) -> list[Claim]:
    """Every claim, in the order they are printed."""
    arrivals = arrivals_of(record)
    verdict = judge(arrivals)
    return [
        windows(verdict),
        refusals(arrivals, verdict),
        never_twice(verdict, record),
        all_ended(record),
        arrivals_are_known(record),
        urgent_first(record),
        one_alert_per_problem(record),
        evidence_is_complete(record),
        no_secret(record),
        as_announced(record),
    ]


def arrivals_of(record: Record) -> list[Arrival]:
    """The sandbox's log as the judge reads it."""
    limits = {(row["account"], row["window"]): (row["limit"], round(row["window_s"] * 1e9)) for row in record["limits"]}
    found = []
    for row in record["arrivals"]:
        rest = {name: row[name] for name in Arrival.__slots__ if name not in ("at_ns", "windows", "refused")}
        named = tuple((name, *limits[row["account"], name]) for name in row["windows"])
        found.append(Arrival(at_ns=round(row["at"] * 1e9), windows=named, refused=tuple(row["refused"]), **rest))
    return found


def windows(verdict: dict[str, Any]) -> Claim:
    """Counted by arrival, in exact sliding windows, refused calls included."""
    used = [row for row in verdict["windows"] if row["ours"]]
    over = [row for row in used if row["max_ours"] > row["limit"]]
    figure = f"{verdict['ours']} arrivals of ours in {len(used)} windows, {_full(used)} of them filled to the limit"
    if over:
        figure = ", ".join(f"{row['account']} {row['window']} {row['max_ours']} of {row['limit']}" for row in over)
    return Claim("no window was exceeded by us", bool(used) and not over, figure)


def _full(rows: list[dict[str, Any]]) -> int:
    return sum(row["max_ours"] == row["limit"] for row in rows)


def refusals(arrivals: list[Arrival], verdict: dict[str, Any]) -> Claim:
    """A call that was refused although our own arrivals, itself included, fit the window, was refused for another's."""
    blamed, excused = [], 0
    for one in arrivals:
        if not one.foreign and one.refused:
            caused = any(_fits(one, name, limit, length, arrivals) for name, limit, length in one.windows)
            excused += caused
            blamed += [] if caused else [one.request_id]
    foreign = verdict["foreign"]
    figure = f"{excused} of ours were refused, each in a window with a foreign user's calls ({foreign} in all)"
    if not excused:
        figure = f"none of {verdict['ours']} was refused, beside {foreign} calls of a foreign user"
    if blamed:
        figure = f"{len(blamed)} refused where only our own calls were, such as {blamed[0]}"
    return Claim("no refusal was caused by us", bool(verdict["ours"]) and not blamed, figure)


def _fits(refused: Arrival, name: str, limit: int, length_ns: int, arrivals: list[Arrival]) -> bool:
    """Was this window full of others' calls, and would it have had room for us without them?"""
    if name not in refused.refused:
        return False
    inside = [
        one.foreign
        for one in arrivals
        if one.account == refused.account
        and refused.at_ns - length_ns < one.at_ns <= refused.at_ns
        and any(window == name for window, _, _ in one.windows)
    ]
    return inside.count(False) <= limit < len(inside)


def never_twice(verdict: dict[str, Any], record: Record) -> Claim:
    once = sum(not row["repeatable"] for row in record["arrivals"])
    doubles = verdict["duplicates"]
    figure = f"{once} arrivals" if not doubles else f"{len(doubles)} twice, such as {doubles[0]['operation']}"
    return Claim("no call that must not be repeated arrived twice", not doubles and once > 0, figure)


def all_ended(record: Record) -> Claim:
    counts, states = record["counts"], Counter(job["state"] for job in record["jobs"].values())
    sums = {end: counts.get(end, 0) for end in ENDS}
    agree = counts["accepted"] == sum(sums.values()) == len(record["jobs"]) and all(states[e] == sums[e] for e in ENDS)
    figure = f"{counts['accepted']} = " + " + ".join(f"{count} {end}" for end, count in sums.items())
    return Claim("accepted = done + dead + cancelled + expired", agree, figure)


def arrivals_are_known(record: Record) -> Claim:
    """By request id: an arrival without an attempt on record is one that a crash cut off, and at most one per crash."""
    unknown, answered, crashes = 0, 0, 0
    seen: dict[str, set[str]] = {}
    for row in record["arrivals"]:
        if not row["foreign"]:
            seen.setdefault(row["job"], set()).add(row["request_id"])
    strangers = set(seen) - set(record["jobs"])
    for job, facts in record["jobs"].items():
        attempts = {one["ids"].get("request_id"): one for one in facts["evidence"] if "ids" in one}
        crashed = sum(one.get("event") == "crashed" for one in facts["evidence"])
        crashes += crashed
        unknown += max(0, len(seen.get(job, set()) - set(attempts)) - crashed)
        answered += sum(bool(one["response"]) and ident not in seen.get(job, ()) for ident, one in attempts.items())
    kept = not strangers and not unknown and not answered and bool(seen)
    figure = f"{sum(map(len, seen.values()))} arrivals of {len(seen)} jobs, {crashes} attempts cut off by accidents"
    if not kept:
        figure = f"{len(strangers)} of no job, {unknown} not on record, {answered} answers to calls that never came"
    return Claim("every arrival is on the record of its job", kept, figure)


def urgent_first(record: Record) -> Claim:
    """Of the calls that waited before them, no more went ahead than one window and the threads had in hand already."""
    noted = record["noted"]["urgent"]
    first: dict[str, float] = {}
    for row in record["arrivals"]:
        first.setdefault(row["job"], row["at"])
    never = float("inf")
    last = max((first.get(job, never) for job in noted["jobs"]), default=never)
    arrived = [first.get(job, never) for job in noted["ahead"]]
    ahead = sum(noted["asked_at"] < at < last for at in arrived)
    overtaken = sum(at >= last for at in arrived)
    limit = min((row["limit"] for row in record["limits"] if row["window"] == "calls.second"), default=0)
    kept = last < never and ahead <= limit < overtaken
    figure = f"{len(noted['jobs'])} overtook {overtaken} of the {len(arrived)} that waited before them"
    return Claim("urgent calls went first", kept, figure)


def one_alert_per_problem(record: Record) -> Claim:
    """Told once for each time it opened; and every dead letter that the table alerts belongs to one of them."""
    alerts: dict[str, dict[str, Any]] = record["alerts"]
    told: Counter[str] = Counter(record["told"])
    wrong = [key for key in {*alerts, *told} if told[key] != alerts.get(key, {}).get("opened", 0)]
    dead = [job for job in record["jobs"].values() if job["state"] == "dead"]
    due = {f"problem:{job['fp']}" for job in dead if _alerted(job)}
    causes = sum(alert["count"] for alert in alerts.values())
    kept = not wrong and due <= set(told) and bool(told)
    figure = f"{len(alerts)} problems, {sum(told.values())} alerts, although there was cause {causes} times"
    if not kept:
        figure = f"told too often or too seldom: {', '.join(sorted([*wrong, *(due - set(told))]))[:200]}"
    return Claim("one problem, one alert", kept, figure)


def _alerted(job: dict[str, Any]) -> bool:
    last: dict[str, Any] = job["evidence"][-1] if job["evidence"] else {}
    told = ("crashed", "internal", "result_overdue")
    return str(last.get("decision", "")).endswith("+ alert") or last.get("event") in told


def evidence_is_complete(record: Record) -> Claim:
    """A record of what was sent and answered, found in the other side's log; or of what cut it off before that."""
    dead = {job: facts for job, facts in record["jobs"].items() if facts["state"] == "dead"}
    known = {row["request_id"] for row in record["arrivals"]}
    lacking = [job for job, facts in dead.items() if not any(_proves(one, known) for one in facts["evidence"])]
    causes = len({facts["fp"] for facts in dead.values()})
    figure = f"{len(dead)} dead letters of {causes} problems"
    if lacking:
        figure = f"missing for {len(lacking)}, such as {lacking[0]}"
    return Claim("every dead letter has its evidence", bool(dead) and not lacking, figure)


def _proves(one: dict[str, Any], known: set[str]) -> bool:
    if own := {"crashed": OF_A_CRASH, "internal": OF_A_MISTAKE}.get(one.get("event", "")):
        return all(one.get(name) is not None for name in own)
    whole = all(one.get(name) is not None for name in OF_AN_ATTEMPT)
    return whole and one["ids"].get("request_id") in known and bool(one["response"] or one["failure"])


def no_secret(record: Record) -> Claim:
    looked = record["secrets"]
    figure = f"{looked['looked_for']} spellings looked for in {looked['bytes'] / 1e6:.1f} MB of logs and store"
    if looked["found_in"]:
        figure = f"found in {', '.join(looked['found_in'])}"
    return Claim("no secret was written anywhere", not looked["found_in"] and looked["bytes"] > 0, figure)


def as_announced(record: Record) -> Claim:
    expected = record["noted"]["expected"]
    missed = [one["what"] for one in expected if not one["ok"]]
    figure = f"{len(expected) - len(missed)} of {len(expected)} expectations came about"
    if missed:
        figure += f"; not: {'; '.join(missed)}"
    return Claim("the story went as announced", bool(expected) and not missed, figure)
