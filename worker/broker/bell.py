"""Broker: the thread that hears when work has become ready earlier than expected.

Promise: a process with a free thread is woken at once, without polling; a token heard when no thread is free any more
is passed on. It blocks on the store with a long time-out and waits for nothing exact there, because a server wakes
timed-out clients up to 100 ms late; exact waiting is done on the local condition. Scope: hearing.
"""

from __future__ import annotations

import logging
import threading

import redis

from worker.broker.threads import Threads
from worker.store.keys import Keys

logger = logging.getLogger("paceline.bell")
BACKOFF_S = 1.0


class Bell(threading.Thread):
    """Blocks on the wake keys of one partition. `client` must allow reads longer than `listen_s`."""

    def __init__(self, client: redis.Redis, keys: Keys, threads: Threads, worker: str, listen_s: float) -> None:
        super().__init__(name="paceline-bell", daemon=True)
        self._client = client
        self._keys = keys
        self._threads = threads
        self._own = keys("bell", worker)
        self._listen_s = listen_s
        self._leaving = threading.Event()

    def run(self) -> None:
        away = False
        while not self._leaving.is_set():
            bells = self._threads.wait_to_listen(self._listen_s)
            if not bells:
                continue
            try:
                listened = [self._own, *(self._keys("bell", bell) for bell in bells)]
                heard = self._client.blpop(listened, timeout=self._listen_s)
                away = False
                if heard is not None:
                    self._heard(bytes(heard[0]))  # type: ignore[arg-type]
            except redis.RedisError as error:
                if not away:
                    logger.warning("the store does not answer the bell (%s); polling meanwhile", type(error).__name__)
                away = True
                self._leaving.wait(BACKOFF_S)

    def _heard(self, key: bytes) -> None:
        if key.decode() == self._own:
            return  # only to listen anew, now to the other bells as well
        if self._threads.free == 0 or self._threads.draining:
            self._client.rpush(key, "1")
            # whoever listens gets it; without this pause we might be the one again
            self._leaving.wait(0.005)
        else:
            self._threads.wake(key.decode())

    def stop(self) -> None:
        self._leaving.set()
