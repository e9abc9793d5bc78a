"""Broker: the jobs this process has done lately, told to the store in portions, so that they can be listed.

Promise: a job's end pays nothing for it: its id is kept here and told with the next beat of the renewals, or when the
process leaves. What a killed process had not told is missing from that list alone; its records are where they always
are. Scope: which jobs, and when; the list is `lua/parts/recent.lua`.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import redis
from dramatiq import Broker, MessageProxy, Middleware

from worker.broker.card import JobMessage
from worker.store.scripts import Scripts

MOST = 1_000
"""Of one beat: at more than that a person sees the newest."""


class Recent(Middleware):
    """Hears of every job that was done here."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._done: deque[tuple[str, float]] = deque(maxlen=MOST)

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        """In the thread that ran it, after the store has its result."""
        assert isinstance(message, JobMessage)
        if message.fate is not None and message.fate.decision == "finish":
            self._done.append((message.card.job_id, self._monotonic()))

    def tell(self, scripts: Scripts) -> None:
        """Names them to the store. Raises redis-py's errors; they are named again with the next beat then."""
        told = [self._done.popleft() for _ in range(len(self._done))]
        if not told:
            return
        now = self._monotonic()
        try:
            scripts("recent", {"jobs": [[job_id, int((now - at) * 1e6)] for job_id, at in told]})
        except redis.RedisError:
            room = MOST - len(self._done)
            self._done.extendleft(reversed(told[max(0, len(told) - room) :]))
            raise

    def after_worker_shutdown(self, broker: Any, worker: Any) -> None:
        """The last ones; without a store they are not listed."""
        with contextlib.suppress(redis.RedisError):
            self.tell(broker.scripts)
