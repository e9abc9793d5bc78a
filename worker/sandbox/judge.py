"""Sandbox, judge: conclusions from the log alone.

Counts every arrival, refused ones included, in exact sliding windows (t - length, t], once for everybody and once
without the foreign user; a limit that changed is judged by its value at each arrival. It promises that `ok` is true
only if no arrival of ours found its window full, none was refused, and no unrepeatable call can have been carried out
twice. Its scope ends at arithmetic.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from worker.sandbox.log import Arrival

SHOWN = 50


def judge(arrivals: Iterable[Arrival], account: str | None = None) -> dict[str, Any]:
    """The verdict over a log, or over one account's part of it."""
    seen = sorted((one for one in arrivals if account in (None, one.account)), key=lambda one: one.at_ns)
    ours = [one for one in seen if not one.foreign]
    windows = _windows(seen)
    violations = [violation for window in windows for violation in window.pop("violations")]
    duplicates = _duplicates(ours)
    refused = sum(1 for one in ours if one.refused)
    over = [violation for violation in violations if violation["ours"]]
    return {
        "ok": not over and not refused and not duplicates,
        "arrivals": len(seen),
        "ours": len(ours),
        "foreign": len(seen) - len(ours),
        "refusals": {"ours": refused, "foreign": sum(1 for one in seen if one.foreign and one.refused)},
        "unauthorized": sum(1 for one in ours if one.unauthorized),
        "windows": windows,
        "violations": violations[:SHOWN],
        "jobs": _jobs(ours),
        "duplicates": duplicates[:SHOWN],
        "operations": dict(Counter(one.operation for one in ours)),
        "statuses": dict(Counter(str(one.status) for one in ours)),
        "faults": dict(Counter(one.fault for one in ours if one.fault)),
    }


def _windows(seen: list[Arrival]) -> list[dict[str, Any]]:
    grouped: dict[tuple[str, str], list[tuple[Arrival, int, int]]] = defaultdict(list)
    for one in seen:
        for name, limit, length_ns in one.windows:
            grouped[one.account or "", name].append((one, limit, length_ns))
    return [_window(account, name, entries) for (account, name), entries in sorted(grouped.items())]


def _window(account: str, name: str, entries: list[tuple[Arrival, int, int]]) -> dict[str, Any]:
    _, limit, length_ns = entries[-1]
    counts = sliding([(one.at_ns, length) for one, _, length in entries])
    mine = [(one.at_ns, length) for one, _, length in entries if not one.foreign]
    violations = [
        {
            "account": account,
            "window": name,
            "at": one.at_ns / 1e9,
            "count": count,
            "limit": bound,
            "ours": not one.foreign,
        }
        for (one, bound, _), count in zip(entries, counts, strict=True)
        if count > bound
    ]
    span_s = (mine[-1][0] - mine[0][0]) / 1e9 if mine else 0.0
    return {
        "account": account,
        "window": name,
        "limit": limit,
        "window_s": length_ns / 1e9,
        "arrivals": len(entries),
        "ours": len(mine),
        "max": max(counts),
        "max_ours": max(sliding(mine), default=0),
        "ratio": max(count / bound for (_, bound, _), count in zip(entries, counts, strict=True)),
        "over_limit": len(violations),
        "refused_ours": sum(1 for one, _, _ in entries if name in one.refused and not one.foreign),
        "refused_foreign": sum(1 for one, _, _ in entries if name in one.refused and one.foreign),
        "span_s": span_s,
        "usage": usage(len(mine), limit, length_ns / 1e9, span_s),
        "violations": violations,
    }


def sliding(times: list[tuple[int, int]]) -> list[int]:
    """For each arrival (time, window length), how many are in the window that ends with it, itself included."""
    counts, start, before = [], 0, 0
    for number, (at, length) in enumerate(times):
        if length > before:  # a window that grew reaches back to arrivals already left behind
            start = 0
        before = length
        while times[start][0] <= at - length:
            start += 1
        counts.append(number - start + 1)
    return counts


def usage(count: int, limit: int, window_s: float, span_s: float) -> float | None:
    """Share of the limit that was used under steady demand: the first `limit` calls cost no time, the others do."""
    if count <= limit or span_s <= 0:
        return None
    return (count - limit) * window_s / (span_s * limit)


def _jobs(ours: list[Arrival]) -> dict[str, Any]:
    by_job = Counter(one.job for one in ours if one.job)
    repeated = {job: count for job, count in by_job.items() if count > 1}
    shown = dict(sorted(repeated.items(), key=lambda item: -item[1])[:SHOWN])
    return {
        "count": len(by_job),
        "arrivals": sum(by_job.values()),
        "without_id": sum(1 for one in ours if not one.job),
        "repeated": len(repeated),
        "most_repeated": shown,
    }


def _duplicates(ours: list[Arrival]) -> list[dict[str, Any]]:
    """Unrepeatable calls that may have been carried out more than once: one job twice, or one content in two jobs.

    Content tells only where it must differ between calls: at the hub a `response_url` or a CDR id is unique. Two equal
    remote actions for one car may both be meant.
    """
    groups: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
    for one in ours:
        if one.repeatable or one.executed == "no":
            continue
        if one.job:
            groups["job", one.job].append(one)
        if one.api == "hub":
            groups["content", f"{one.account} {one.path} {one.digest}"].append(one)
    return [
        {"by": by, "key": key, "operation": found[0].operation, "times": [one.at_ns / 1e9 for one in found]}
        for (by, key), found in groups.items()
        if len(found) > 1 and (by == "job" or len({one.job for one in found}) > 1 or not found[0].job)
    ]
