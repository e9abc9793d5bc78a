"""Observe: how many jobs were done, tried again and buried in each minute of the last day.

Promise: history costs a job nothing: once a minute one process of the fleet writes down the counters that are kept
anyway, and the differences are the history; a day of it is kept, and no more. Scope: writing it down and reading it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from worker.store.partition import Partition

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

MINUTE_US = 60_000_000
KEPT = 1_440
FIELDS = ("accepted", "done", "died", "retried", "expired", "cancelled")
"""In the order of `minute.lua`."""


class Scribe:
    """The errand of one process; somebody else's writing counts as ours."""

    def __init__(self, broker: PacelineBroker) -> None:
        self._broker = broker
        self._again_s = float("-inf")

    def write(self) -> None:
        """Writes a minute down, if one has begun. Raises redis-py's errors."""
        now_s = self._broker.clock.monotonic()
        if now_s < self._again_s:
            return
        again_us = self._broker.scripts("minute", {"every": MINUTE_US, "keep": KEPT})
        self._again_s = now_s + again_us / 1_000_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened from `start_us` on, for `minutes`. None: nobody wrote anything down."""

    start_us: int
    minutes: int
    counts: dict[str, int] | None


class History:
    """Reads a partition's."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def last(self, minutes: int, per: int, now_us: int) -> list[Stretch]:
        """Stretches of `per` minutes, oldest first; the last one is still going on."""
        key = self._partition.key
        lines, counts = self._partition.ask(("lrange", key("minutes"), 0, KEPT - 1), ("hgetall", key("counts")))
        rows = [row for line in lines if (row := _row(line)) is not None]
        now = (now_us, tuple(_whole(counts.get(name)) for name in FIELDS))
        gone = _by_minute([now, *rows])
        width_us = per * MINUTE_US
        end = now_us // width_us + 1
        starts = [at * width_us for at in range(end - minutes // per, end)]
        return [Stretch(start, per, _sum(gone, start, per)) for start in starts]


Row = tuple[int, tuple[int, ...]]


def _row(line: str) -> Row | None:
    words = line.split()
    if len(words) != len(FIELDS) + 1 or not all(word.isdecimal() for word in words):
        return None
    at_us, *counts = (int(word) for word in words)
    return at_us, tuple(counts)


def _by_minute(rows: Sequence[Row]) -> dict[int, dict[str, int]]:
    """Differences by the minute in which they began; where nobody wrote for long, all of it happened right after."""
    found: dict[int, dict[str, int]] = {}
    for (_, later), (at_us, before) in pairwise(rows):
        counts = {name: max(0, b - a) for name, a, b in zip(FIELDS, before, later, strict=True)}
        minute = found.setdefault(at_us // MINUTE_US, dict.fromkeys(FIELDS, 0))
        for name, count in counts.items():
            minute[name] += count
    return found


def _sum(gone: dict[int, dict[str, int]], start_us: int, per: int) -> dict[str, int] | None:
    first = start_us // MINUTE_US
    minutes = [gone[at] for at in range(first, first + per) if at in gone]
    return {name: sum(one[name] for one in minutes) for name in FIELDS} if minutes else None


def _whole(text: str | None) -> int:
    return int(float(text or 0))
