"""Plumbing of the store: what the store's clock should show, told by this machine's boot-time clock.

Promise: a step forward of the store's clock is seen by who asks next, by a process that has never asked before as well
when another on the same machine has left word; a slow reply is no step. Scope: the comparison; a step is made known by
who saw it.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from worker.clock import Clock

STEP_US = 100_000
DRIFT = 0.001
"""How much two clocks may go apart while nobody compares them; between two questions of one process that is nothing."""


@cache
def machine() -> str:
    """Names what CLOCK_BOOTTIME counts from: this start of this machine. Empty where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{os.stat('/proc/self/ns/time').st_ino}"
    except OSError:
        return ""


class ServerClock:
    """The last time that one process was told, and when. Asked for by one thread at a time, read by any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: tuple[int, float, float] | None = None  # the store's µs, our boot time just before we asked, drift

    @property
    def word(self) -> dict[str, str] | None:
        """What the next process of this machine should know (`witness.lua`)."""
        if self._seen is None or not machine():
            return None
        now_us, asked_s, _ = self._seen
        return {"machine": machine(), "word": f"{now_us} {int(asked_s * 1_000_000)}"}

    def recall(self, word: str) -> None:
        """Goes by what another process of this machine has left, until the first answer of its own."""
        if self._seen is None and word:
            now_us, boot_us = (int(number) for number in word.split())
            self._seen = (now_us, boot_us / 1e6, DRIFT)

    def expected_us(self, asked_s: float) -> int | None:
        """What the store's clock shows at this boot time, at most."""
        if self._seen is None:
            return None
        now_us, then_s, drift = self._seen
        return now_us + int((asked_s - then_s) * (1 + drift) * 1_000_000)

    def saw(self, now_us: int, asked_s: float) -> None:
        """The store said so to a question asked then."""
        self._seen = (now_us, asked_s, 0.0)

    def step_s(self, now_us: int) -> float:
        """By how much the time just told is ahead of anything our own waiting for the reply can explain; else 0."""
        expected_us = self.expected_us(self._clock.boottime())
        ahead_us = 0 if expected_us is None else now_us - expected_us
        return ahead_us / 1e6 if ahead_us > STEP_US else 0.0
