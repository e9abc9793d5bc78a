"""Accept, over HTTP: waiting for the ends of jobs, for many requests at once.

Promise: however many wait, the store is asked in one question for all of them, and not at all when nobody waits; who
cannot be waited with any more is answered at once. Scope: noticing; the answer itself is read anew by who waited.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.concurrency import run_in_threadpool

from worker.accept.jobs import ENDED
from worker.store.connection import is_outage
from worker.store.partition import Partition, chunks

EVERY_S = 0.1
MOST = 2_000
"""Requests that may wait in this process."""


class Watching:
    """Watches jobs for the whole process."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self._wanted: Counter[str] = Counter()
        self._turn = asyncio.Condition()
        self._ended: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._leaving = False

    @property
    def leaving(self) -> bool:
        """Whether this process ends."""
        return self._leaving

    def leave(self) -> None:
        """Nobody is waited with any more: the process ends."""
        self._leaving = True

    async def until_ended(self, job_id: str, seconds: float) -> None:
        """Waits until the call (with all its pages) has ended, or is not known; no longer than this process serves."""
        if self._leaving or self._wanted.total() >= MOST:
            return
        self._wanted[job_id] += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(seconds), self._turn:
                await self._turn.wait_for(lambda: self._leaving or job_id in self._ended)
        except TimeoutError:
            return
        finally:
            self._wanted[job_id] -= 1
            self._wanted += Counter()  # drops what nobody wants any more

    async def _run(self) -> None:
        try:
            while self._wanted:
                await asyncio.sleep(EVERY_S)
                asked = list(self._wanted)
                ended = await run_in_threadpool(self._ended_of, asked)
                async with self._turn:
                    self._ended = ended
                    self._turn.notify_all()
        finally:
            self._task = None

    def _ended_of(self, ids: list[str]) -> set[str]:
        """Those whose last page has ended, or is gone."""
        found: set[str] = set()
        try:
            for some in chunks(ids):
                found |= self._some(list(some))
        except Exception as error:
            if not is_outage(error):
                raise
        return found

    def _some(self, ids: list[str]) -> set[str]:
        key = self._partition.key
        last = self._partition.ask(*(("lindex", key("chain", one), -1) for one in ids))
        pages = [page or one for page, one in zip(last, ids, strict=True)]
        states = self._partition.ask(*(("hget", key("job", page), "state") for page in pages))
        return {one for one, state in zip(ids, states, strict=True) if state is None or state in ENDED}
