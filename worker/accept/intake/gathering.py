"""Accept, over HTTP: calls of many callers, stored together.

Promise: whoever waits is stored with the next step, up to a hundred in one: many callers cost the store no more than a
few, and a single one waits for nobody. Each is answered after it is stored, or told that it is not. More than may wait
is refused at once, never kept in memory only. Scope: one process; what a step does is `accept/enqueue.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from worker.accept.enqueue import BATCH, Enqueuer, Prepared
from worker.accept.intake.trouble import FULL_BACK_S, Trouble
from worker.errors import Conflict, StoreUnavailable
from worker.limiter.foresight import Foresight
from worker.store.connection import is_outage
from worker.store.partition import Partition

MOST = 5_000
"""Calls that may wait in this process; the store has seen none of them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that is stored. `expected_s` is when it will be sent, as far as can be told."""

    job_id: str
    duplicate: bool
    now_us: int
    expected_s: float | None


class Gathering:
    """Stores calls for the whole process."""

    def __init__(self, enqueuer: Enqueuer, partition: Partition, max_waiting: int | None) -> None:
        self._enqueuer = enqueuer
        self._partition = partition
        self._foresight = Foresight(partition)
        self._max_waiting = max_waiting
        self._line: deque[tuple[Prepared, asyncio.Future[Placed]]] = deque()
        self._step: asyncio.Task[None] | None = None

    async def put(self, prepared: Prepared) -> Placed:
        """Stores one call, with those of others. Raises `StoreUnavailable`, `Trouble`."""
        if len(self._line) >= MOST:
            raise full(f"at most {MOST} calls wait for the store in one process, and as many do")
        stored: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._line.append((prepared, stored))
        if self._step is None:
            self._step = asyncio.create_task(self._run())
        return await stored

    async def put_all(self, prepared: Sequence[Prepared]) -> list[Placed | Exception]:
        """Stores the calls of one caller in one step of their own; what became of each."""
        return await run_in_threadpool(self._store, list(prepared))

    async def _run(self) -> None:
        """Step by step, until nobody waits."""
        try:
            while self._line:
                some = [self._line.popleft() for _ in range(min(BATCH, len(self._line)))]
                try:
                    answers = await run_in_threadpool(self._store, [prepared for prepared, _ in some])
                except Exception as error:
                    answers = [error] * len(some)
                for (_, stored), answer in zip(some, answers, strict=True):
                    if stored.done():
                        continue
                    if isinstance(answer, Exception):
                        stored.set_exception(answer)
                    else:
                        stored.set_result(answer)
        finally:
            self._step = None

    def _store(self, prepared: list[Prepared]) -> list[Placed | Exception]:
        """In a thread: all of them or none are refused for want of room; each alone for a conflict."""
        try:
            self._check_line(len(prepared))
            answers = self._enqueuer.store_each(prepared)
        except (StoreUnavailable, Trouble) as error:
            return [error] * len(prepared)
        stored = [
            (answer.job_id, each.facts)
            for answer, each in zip(answers, prepared, strict=True)
            if not isinstance(answer, Conflict)
        ]
        now_us, expected = self._foretell(stored)
        told = iter(expected)
        return [
            answer if isinstance(answer, Conflict) else Placed(answer.job_id, answer.duplicate, now_us, next(told))
            for answer in answers
        ]

    def _foretell(self, stored: list[tuple[str, dict[str, object]]]) -> tuple[int, list[float | None]]:
        """What was stored stays stored, whether or not somebody can tell when it is sent."""
        try:
            return self._foresight.expected(stored) if stored else (0, [])
        except Exception as error:
            if not is_outage(error):
                raise
            return 0, [None] * len(stored)

    def _check_line(self, more: int) -> None:
        if self._max_waiting is None:
            return
        try:
            waiting = int(self._partition.one("zcard", self._partition.key("deadlines")))
        except Exception as error:
            if is_outage(error):
                return  # storing says what is wrong
            raise
        if waiting + more > self._max_waiting:
            raise full(f"at most {self._max_waiting} jobs may wait here, and {waiting} do")


def full(why: str) -> Trouble:
    """No more is taken in for now."""
    return Trouble(
        "full",
        f"the call was not accepted: {why}; send it again later with the same idempotency key.",
        headers={"Retry-After": str(FULL_BACK_S)},
    )
