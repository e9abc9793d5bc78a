"""Console: the last hours as three strips: done, tried again and died, minute by minute.

Promise: each strip has its own height, so a single death can be seen beside ten thousand calls done; where nobody wrote
anything down there is a gap, not a nought. Scope: from history to bars; the counting is `observe/history.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from worker.console.parts import Parts
from worker.errors import Refused
from worker.observe.history import Stretch

RANGES = {"1h": (60, 1), "3h": (180, 1), "24h": (1440, 10)}
"""By its word in the address: minutes, and minutes of each bar."""
USUAL = "3h"
STRIPS = (("done", "done"), ("retried", "tried again"), ("died", "died"))
LEAST = 8.0


@dataclass(frozen=True, slots=True)
class Strip:
    """One kind of event. `bars` are place, height and words, in a hundred parts."""

    name: str
    label: str
    most: int
    total: int
    bars: Sequence[tuple[float, float, str]]


@dataclass(frozen=True, slots=True)
class Flow:
    """What happened, as far as it was written down."""

    span: str
    per: int
    known: bool
    strips: Sequence[Strip]
    stretches: Sequence[Stretch]

    @property
    def width(self) -> float:
        """Of a bar, in a hundred parts."""
        return round(80 / max(1, len(self.stretches)), 3)

    @property
    def edges(self) -> list[int]:
        """When the first bar and the one in the middle begin (µs)."""
        return [self.stretches[at].start_us for at in (0, len(self.stretches) // 2)]

    @property
    def rows(self) -> str:
        """For a script: time (s) and each count, or null."""
        return json.dumps([
            [one.start_us // 1_000_000, *(one.counts[name] if one.counts else None for name, _ in STRIPS)]
            for one in self.stretches
        ], separators=(",", ":"))  # fmt: skip


def flow_of(parts: Parts, span: str, now_us: int) -> Flow:
    """The flow of a range such as `3h`. Raises `Refused`."""
    if span not in RANGES:
        raise Refused(f"hours: expected one of {', '.join(RANGES)}, got {span[:10]!r}.")
    minutes, per = RANGES[span]
    stretches = parts.history.last(minutes, per, now_us)
    known = any(one.counts for one in stretches)
    return Flow(span, per, known, [_strip(name, label, stretches) for name, label in STRIPS], stretches)


def _strip(name: str, label: str, stretches: Sequence[Stretch]) -> Strip:
    counts = [one.counts[name] if one.counts else None for one in stretches]
    most = max((count for count in counts if count), default=0)
    step = 100 / len(counts)
    bars = [
        (round(step * at, 3), max(LEAST, round(100 * count / most, 2)), str(count))
        for at, count in enumerate(counts)
        if count
    ]
    return Strip(name, label, most, sum(count or 0 for count in counts), bars)
