"""Broker: the free threads of this process, and the one condition its waiting parts share.

Promise: a thread is counted as taken from the moment a job is asked for until its acknowledgement has succeeded, once;
dramatiq may replace its Consumer at any time without losing count. Scope: counting and waking in one process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from worker.broker.card import Card

KEEPS_ONE_FROM = 4


class Threads:
    """Counts jobs in hand against threads. `wake` means: look at the store now."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._condition = threading.Condition()
        self._held: dict[str, Card] = {}
        self._look_at: float | None = 0.0
        self._more = False
        self._bells: list[str] = []
        self.total = 0
        self.draining = False
        self.stopped = False

    @property
    def free(self) -> int:
        return max(0, self.total - len(self._held))

    @property
    def keep(self) -> int:
        """One thread is kept for urgent work where there are at least four."""
        return 1 if self.total >= KEEPS_ONE_FROM else 0

    def held(self) -> list[Card]:
        with self._condition:
            return list(self._held.values())

    def hold(self, cards: list[Card]) -> None:
        with self._condition:
            for card in cards:
                self._held[card.lease] = card

    def release(self, lease: str) -> bool:
        """A job is out of hand. Looks at the store again only where lack of a thread stood in the way.

        True when the bell thread listens for less than it should by now (the broker then wakes it).
        """
        with self._condition:
            if self._held.pop(lease, None) is None:
                return False
            if self.free == 1 or (self._more and self.free > self.keep):
                self._look_at = 0.0
            self._condition.notify_all()
            return self._lags()

    def left_behind(self, more: bool) -> bool:
        """What the last take said: whether work is left for want of a thread. Answers like `release`."""
        with self._condition:
            self._more = more
            if more and self.free > self.keep:
                self._look_at = 0.0
            return self._lags()

    def _lags(self) -> bool:
        """The bell thread blocks on the urgent bell alone although ordinary work could be run again."""
        if self._more or self._bells != ["urgent"] or self.free <= self.keep or self.draining:
            return False
        self._bells = []
        return True

    def wake(self) -> None:
        with self._condition:
            self._look_at = 0.0
            self._condition.notify_all()

    def look_again_at(self, moment: float) -> None:
        """The next look, in `time.monotonic()` seconds; a wake that came meanwhile stays."""
        with self._condition:
            self._look_at = moment if self._look_at is None else min(self._look_at, moment)

    def drain(self) -> None:
        with self._condition:
            self.draining = True
            self._condition.notify_all()

    def stop(self) -> None:
        with self._condition:
            self.stopped = True
            self._condition.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Waits until no job is in hand; False after `timeout_s`."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._held, timeout_s)

    def wait_to_look(self, timeout_s: float) -> bool:
        """Waits until it is time to look and a thread is free; False after `timeout_s`, or when draining."""
        until = self._monotonic() + timeout_s
        with self._condition:
            while True:
                now = self._monotonic()
                if self.draining:
                    self._condition.wait(max(0.0, until - now))
                    return False
                ready = self._look_at is not None and self._look_at <= now and self.free > 0
                if ready:
                    self._look_at = None
                    return True
                if now >= until:
                    return False
                moment = until
                if self._look_at is not None and self.free > 0:
                    moment = min(moment, self._look_at)
                self._condition.wait(max(0.0, moment - now))

    def wait_to_listen(self, timeout_s: float) -> list[str]:
        """The bells to listen to: waits up to `timeout_s` while no thread is free."""
        with self._condition:
            if not self.stopped and (self.draining or self.free == 0):
                self._condition.wait(timeout_s)
            if self.draining or self.stopped or self.free == 0:
                self._bells = []
            else:
                self._bells = ["urgent", "any"] if self.free > self.keep else ["urgent"]
            return list(self._bells)
