"""Plumbing: the clocks of this process, in one object that tests replace.

Promise: nothing else in the core reads a clock, so a unit test can move time without sleeping. `boottime` goes on while
the machine is suspended; it is the clock for "may this still be sent?". Scope: reading and sleeping.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _boottime() -> float:
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _utcnow() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds from `monotonic` and `boottime`, an aware UTC time from `utcnow`."""

    monotonic: Callable[[], float] = time.monotonic
    boottime: Callable[[], float] = _boottime
    utcnow: Callable[[], datetime] = _utcnow
    sleep: Callable[[float], None] = time.sleep


SYSTEM = Clock()
