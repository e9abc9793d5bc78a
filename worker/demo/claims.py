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
OF_AN_ATTEMPT = ("at", "job", "worker", "method", "url", "request", "latency_ms", "outcome", "decision", "why")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, whether it is true, and the figure behind it."""

    said: str
    kept: bool
    figure: str


def check(record: Record) -> list[Claim]:
    """Every claim, in the order they are printed."""
    verdict = judge(arrivals_of(record))
    return [
        windows(verdict),
        refusals(verdict),
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
    over = [f"{row['account']} {row['window']} {row['max_ours']}/{row['limit']}" for row in used if row["max_ours"] > row["limit"]]
    figure = f"{verdict['ours']} arrivals in {len(used)} windows" if not over else "exceeded: " + ", ".join(over)
    return Claim("no window was exceeded by our own arrivals", bool(used) and not over, figure)


def refusals(verdict: dict[str, Any]) -> Claim:
    """A call that is refused although our own arrivals, itself included, fit the window, was refused for another's."""
    rows = [row for row in verdict["windows"] if row["refused_ours"]]
    ours = [row for row in rows if row["max_ours"] > row["limit"] or row["arrivals"] == row["ours"]]
    count, foreign = verdict["refusals"]["ours"], verdict["foreign"]
    figure = f"{count} of {verdict['ours']} calls were refused, all while a foreign user made {foreign} on the same account"
    if not count:
        figure = f"no call of ours was refused, beside {foreign} of a foreign user"
    return Claim("no refusal was caused by us alone", not ours, figure if not ours else f"{len(ours)} windows without a foreign user")


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
        figure = f"{len(strangers)} of no job, {unknown} without a record, {answered} answers to calls that never arrived"
    return Claim("every arrival is on the record of its job", kept, figure)


def urgent_first(record: Record) -> Claim:
    """Of the calls that waited before them, no more went ahead than one window and the threads had in hand already."""
    noted = record["noted"].get("urgent", {"jobs": [], "ahead": []})
    first: dict[str, float] = {}
    for row in record["arrivals"]:
        first.setdefault(row["job"], row["at"])
    last = max((first.get(job, float("inf")) for job in noted["jobs"]), default=float("inf"))
    ahead = [job for job in noted["ahead"] if first.get(job, float("inf")) < last]
    limit = min((row["limit"] for row in record["limits"] if row["window"] == "calls.second"), default=0)
    overtaken = len(noted["ahead"]) - len(ahead)
    kept = len(ahead) <= limit < overtaken
    return Claim("urgent calls went first", kept, f"{len(noted['jobs'])} overtook {overtaken} of {len(noted['ahead'])} that waited")


def one_alert_per_problem(record: Record) -> Claim:
    """Told once for each time it opened; and every dead letter that the table alerts belongs to one of them."""
    alerts, told = record["alerts"], Counter(record["told"])
    wrong = [key for key in {*alerts, *told} if told[key] != alerts.get(key, {}).get("opened", 0)]
    dead = [job for job in record["jobs"].values() if job["state"] == "dead"]
    due = {f"problem:{job['fp']}" for job in dead if _alerted(job)}
    causes = sum(alert["count"] for alert in alerts.values())
    kept = not wrong and due <= set(told) and bool(told)
    figure = f"{len(alerts)} problems, {sum(told.values())} alerts, {causes} times there was cause for one"
    if not kept:
        figure = f"told too often or too seldom: {', '.join(sorted([*wrong, *(due - set(told))]))[:200]}"
    return Claim("one problem, one alert", kept, figure)


def _alerted(job: dict[str, Any]) -> bool:
    last: dict[str, Any] = job["evidence"][-1] if job["evidence"] else {}
    return str(last.get("decision", "")).endswith("+ alert") or last.get("event") == "crashed"


def evidence_is_complete(record: Record) -> Claim:
    """A record of what was sent and answered, found again in the other side's log; or of the crash that cut it off."""
    dead = {job: facts for job, facts in record["jobs"].items() if facts["state"] == "dead"}
    known = {row["request_id"] for row in record["arrivals"]}
    lacking = [job for job, facts in dead.items() if not any(_proves(one, known) for one in facts["evidence"])]
    causes = len({facts["fp"] for facts in dead.values()})
    figure = f"{len(dead)} dead letters of {causes} problems" if not lacking else f"missing for {', '.join(lacking[:5])}"
    return Claim("every dead letter has its evidence", bool(dead) and not lacking, figure)


def _proves(one: dict[str, Any], known: set[str]) -> bool:
    if one.get("event") == "crashed":
        return all(one.get(name) is not None for name in OF_A_CRASH)
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
    figure = f"{len(expected) - len(missed)} of {len(expected)} expectations" + (f"; not: {'; '.join(missed)}" if missed else "")
    return Claim("the story went as announced", bool(expected) and not missed, figure)
