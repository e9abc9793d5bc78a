"""Sandbox, foreign user: somebody else who uses the same credential, without sockets.

Its arrivals enter the same windows and the same log as real ones, marked foreign; what a window refuses is logged as a
refusal of the foreign user. Patterns: steady (even gaps), random (exponential gaps), bursts (a second's worth at
once). A polite one stops where nothing remains; the default knocks on, as a program that ignores headers would. It
promises its rate on average, however late the loop wakes it. Its scope ends at producing arrivals.
"""

from __future__ import annotations

import asyncio
import random
import time

from worker.sandbox.log import Arrival
from worker.sandbox.reception import Front

PATTERNS = ("steady", "random", "bursts")


class Foreign:
    """The foreign users at work, one per account and budget."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def start(self, account: str, budget: str, rate: float, pattern: str, polite: bool) -> None:
        """Begin, or go on at another rate."""
        if pattern not in PATTERNS:
            raise ValueError(f"the patterns are {', '.join(PATTERNS)}, not {pattern!r}")
        if rate <= 0:
            raise ValueError("the rate of a foreign user is more than 0 calls a second")
        self.stop(account, budget)
        task = asyncio.get_running_loop().create_task(self._run(account, budget, rate, pattern, polite))
        self._tasks[account, budget] = task

    def stop(self, account: str | None = None, budget: str | None = None) -> None:
        """End one, or all."""
        for key in list(self._tasks):
            if account in (None, key[0]) and budget in (None, key[1]):
                self._tasks.pop(key).cancel()

    async def _run(self, account: str, budget: str, rate: float, pattern: str, polite: bool) -> None:
        rng = random.Random(self.front.options.seed)
        due = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for _ in range(max(1, round(rate)) if pattern == "bursts" else 1):
                self.arrive(account, budget, time.monotonic_ns(), polite)
            due += {"steady": 1 / rate, "random": rng.expovariate(rate), "bursts": max(1.0, 1 / rate)}[pattern]

    def arrive(self, account: str, budget: str, now: int, polite: bool = False) -> None:
        """One call of the foreign user."""
        front = self.front
        if polite and front.windows.full(account, budget, now):
            return
        described = front.windows.described(account, budget)
        verdict = front.windows.arrive(account, budget, now, front.options.count_refused)
        front.log.add(self._record(account, now, described, verdict.refused))

    def past(self, account: str, window: str, count: int, age_s: float) -> None:
        """As if the foreign user had made that many calls, spread over the last `age_s` seconds."""
        front = self.front
        now = time.monotonic_ns()
        gap = age_s * 1e9 / max(1, count)
        times = [now - round(gap * (count - number)) for number in range(count)]
        for owner, one in front.windows.each():
            if owner == account and one.name == window:
                one.prefill(times)
                shown = ((one.name, one.limit, one.length_ns),)
                front.log.arrivals += [self._record(account, at, shown, ()) for at in times]

    @staticmethod
    def _record(account: str, at: int, windows: tuple[tuple[str, int, int], ...], refused: tuple[str, ...]) -> Arrival:
        return Arrival(
            at_ns=at,
            api=account.partition(":")[0],
            account=account,
            method="",
            path="",
            operation="foreign",
            job="",
            request_id="",
            foreign=True,
            repeatable=True,
            windows=windows,
            refused=refused,
            status=429 if refused else 200,
        )
