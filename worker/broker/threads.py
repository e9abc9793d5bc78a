"""Broker: the free threads of this process, and the one condition its waiting parts share.

Promise: a thread is counted as taken from the moment a job is asked for until its acknowledgement has succeeded, once;
dramatiq may replace its Consumer at any time without losing count. Scope: counting and waking in one process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from worker.broker.card import Card

KEEPS_ONE_FROM = 4


class Threads:
    """Counts jobs in hand against threads. `wake` means: look at the store now."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._condition = threading.Condition()
        self._held: dict[str, Card] = {}
        self._dealt: list[Card] = []
        self._look_at: float | None = 0.0
        self._more = False
        self._bells: list[str] = []
        self._rung: str | None = None
        self.total = 0
        self.draining = False
        self._drains_since = 0.0
        self.stopped = False

    @property
    def room(self) -> int:
        """Free threads; below 0 while more jobs are in hand than there are threads."""
        return self.total - len(self._held)

    @property
    def free(self) -> int:
        return max(0, self.room)

    @property
    def may_take(self) -> bool:
        """Whether a job that is taken now has a thread, which will not be stopped before."""
        return self.free > 0 and not (self.draining or self.stopped)

    @property
    def keep(self) -> int:
        """One thread is kept for urgent work where there are at least four."""
        return 1 if self.total >= KEEPS_ONE_FROM else 0

    def held(self) -> list[Card]:
        with self._condition:
            return list(self._held.values())

    def deal(self, cards: list[Card], more: bool, over: Iterable[str] = ()) -> bool:
        """Cards for threads that are free, or are with the leases that are `over` now: in one step, so that nobody sees
        a process without a job between two of them. They are fetched with `dealt`; `more`: work is left for want of a
        thread. Answers like `release`.
        """
        with self._condition:
            for lease in over:
                self._held.pop(lease, None)
            for card in cards:
                self._held[card.lease] = card
            self._dealt += cards
            self._more = more
            if more and self.free > self.keep:
                self._look_at = 0.0
            self._condition.notify_all()
            return self._lags()

    def dealt(self) -> list[Card]:
        """The cards that were dealt since it was last asked."""
        with self._condition:
            cards, self._dealt = self._dealt, []
            return cards

    def in_hand(self, leases: Iterable[str]) -> set[str]:
        """Those whose end frees a thread: an end that is said once more frees none."""
        with self._condition:
            return self._held.keys() & set(leases)

    def lacking(self, ending: int) -> bool:
        """Whether nothing but the lack of a thread kept this process from looking, and `ending` threads mend that now.
        Whoever is told so looks: the look that was due is theirs.
        """
        with self._condition:
            will_be_free = max(0, self.room + ending)
            lacking = self._stood_in_way(self.free, will_be_free) and not (self.draining or self.stopped)
            if lacking:
                self._look_at = self._rung = None
            return lacking

    def _stood_in_way(self, were_free: int, are_free: int) -> bool:
        return are_free > were_free and (were_free == 0 or (self._more and are_free > self.keep))

    def release(self, *leases: str, look: bool = True) -> bool:
        """Jobs are out of hand. Looks at the store again only where lack of a thread stood in the way, and never where
        somebody has just looked (`look`).

        True when the bell thread listens for less than it should by now (the broker then wakes it).
        """
        with self._condition:
            were_free = self.free
            for lease in leases:
                self._held.pop(lease, None)
            if self.free == were_free:
                return False
            if look and self._stood_in_way(were_free, self.free):
                self._look_at = 0.0
            self._condition.notify_all()
            return look and self._lags()

    def _lags(self) -> bool:
        """The bell thread blocks on the urgent bell alone although ordinary work could be run again."""
        if self._more or self._bells != ["urgent"] or self.free <= self.keep or self.draining:
            return False
        self._bells = []
        return True

    def wake(self, bell: str | None = None) -> None:
        """Look now; `bell`: the key of the one that was heard."""
        with self._condition:
            self._look_at = 0.0
            self._rung = bell or self._rung
            self._condition.notify_all()

    def unheeded(self) -> str | None:
        """The bell that was heard, where nobody has looked since and nobody can: what it rang for is for others."""
        if self._rung is None:  # as at nearly every turn
            return None
        with self._condition:
            if self.free > 0 and not self.draining:
                return None
            bell, self._rung = self._rung, None
            return bell

    def look_again_at(self, moment: float) -> None:
        """The next look, in `time.monotonic()` seconds; a wake that came meanwhile stays."""
        with self._condition:
            self._look_at = moment if self._look_at is None else min(self._look_at, moment)

    @property
    def drained_s(self) -> float:
        """For how long this process has been leaving."""
        return self._monotonic() - self._drains_since if self.draining else 0.0

    def drain(self) -> None:
        with self._condition:
            if not self.draining:
                self._drains_since = self._monotonic()
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
        """Waits until it is time to look and a thread is free: whoever is told so looks. False when there are cards,
        after `timeout_s`, or when draining.
        """
        until = self._monotonic() + timeout_s
        with self._condition:
            while True:
                now = self._monotonic()
                if self._dealt:
                    return False
                if self.draining:
                    self._condition.wait(max(0.0, until - now))
                    return False
                ready = self._look_at is not None and self._look_at <= now and self.free > 0
                if ready:
                    self._look_at = self._rung = None
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
