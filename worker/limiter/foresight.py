"""Limiter: when jobs that were just accepted will be sent, many at once.

Promise: the same count and the same forecast as `estimate.py` makes for one job; of many jobs of one line only the
first and the last are forecast, those between by their place. Nothing is foretold while a hold, a missing worker or a
doubtful store has no known end. Scope: one moment; the cost is that of the lines, not of the jobs.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from worker.limiter.estimate import CALL_S
from worker.limiter.holds import over, read_hold
from worker.store.partition import Partition

LANES_KEPT_S = 1.0


class Foresight:
    """Foretells for one partition. Safe to use from any thread."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._lanes: tuple[tuple[str, str, str], ...] = ()
        self._read_at = -LANES_KEPT_S

    def expected(self, jobs: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[int, list[float | None]]:
        """The store's time (µs), and the seconds until each `(id, facts)` is sent; None where nobody can tell."""
        key = self._partition.key
        (workers, quiet, holds, clock), ranks = self._look(jobs)
        now_us = int(clock[0]) * 1_000_000 + int(clock[1])
        found: list[float | None] = [None] * len(jobs)
        if not workers or int(float(quiet or 0)) > now_us:
            return now_us, found
        stopped = {scope: read_hold(scope, text) for scope, text in holds.items()}
        lines: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
        for at, (_, facts) in enumerate(jobs):
            held = stopped and over(stopped, facts["acct"], facts["op"], facts["budget"])
            if ranks[at] is not None and not held:
                lines[facts["acct"], facts["op"], facts["budget"], facts["prio"]].append(at)
        for (account, operation, budget, p), places in lines.items():
            lane = f"{account}|{operation}"
            beside = sorted({lane, *self._beside(account, budget)})
            cards = [("zcard", key("queue", one, q)) for one in beside for q in range(p)]
            cards += [("zcard", key("queue", one, p)) for one in beside if one != lane]
            lengths = [int(length) for length in self._partition.ask(*cards)] if cards else []
            urgent, peers = lengths[: p * len(beside)], lengths[p * len(beside) :]
            ahead = {
                at: ranks[at] + sum(urgent) + sum(min(length, ranks[at]) for length in peers) for at in places
            }
            told = self._forecast(f"{account}|{budget}", p, sorted({min(ahead.values()), max(ahead.values())}))
            for at in places:
                found[at] = between(told, ahead[at])
        return now_us, found

    def _look(self, jobs: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[list[Any], list[Any]]:
        key = self._partition.key
        answers = self._partition.ask(
            ("zcard", key("workers")),
            ("hget", key("meta"), "quiet"),
            ("hgetall", key("holds")),
            ("time",),
            *(("zrank", key("queue", f"{facts['acct']}|{facts['op']}", facts["prio"]), one) for one, facts in jobs),
        )
        return answers[:4], answers[4:]

    def _beside(self, account: str, budget: str) -> list[str]:
        """The lanes of one budget. Lanes are only ever added, so a list that is a second old will do."""
        if time.monotonic() - self._read_at > LANES_KEPT_S:
            members = self._partition.one("smembers", self._partition.key("lanes"))
            self._lanes = tuple((one, two, three) for one, two, three in (member.split("|") for member in members))
            self._read_at = time.monotonic()
        return [f"{one}|{two}" for one, two, three in self._lanes if (one, three) == (account, budget)]

    def _forecast(self, group: str, p: int, places: Sequence[int]) -> list[tuple[int, float]]:
        """Seconds until the job at each of these places in the budget's line is sent."""
        told = []
        for ahead in places:
            facts = {"group": group, "p": p, "n": ahead + 1, "call_us": int(CALL_S * 1e6)}
            reply = self._partition.decide("forecast", facts)
            if reply:
                told.append((ahead, max(0.0, (int(reply[1]) - int(reply[0])) / 1e6)))
        return told


def between(told: Sequence[tuple[int, float]], ahead: int) -> float | None:
    """What is told of the first and the last, in proportion."""
    if not told:
        return None
    (low, soon), (high, late) = told[0], told[-1]
    return soon if high == low else soon + (late - soon) * (ahead - low) / (high - low)


def seconds_to_look(expected_s: float | None) -> int:
    """When asking again is worth while: a second after it is sent; a minute when nobody can tell."""
    return 60 if expected_s is None else min(3600, int(expected_s) + 1)


