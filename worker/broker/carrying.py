"""Broker: the thread of a worker process that carries out operations on many letters, step by step.

Promise: any process may carry any operation, and one at a time does; one that is killed half-way leaves its claim, and
another goes on where it was within seconds. Each step is one decision of the store, so nothing is done twice. While
nothing is to be carried out this costs one short question every five seconds. Scope: asking for steps; what a step
does, and when the next is due, says `bulk_step.lua`.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import redis

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.operations")
IDLE_S, TROUBLE_S, SHORTEST_S = 5.0, 2.0, 0.005


class Carrier(threading.Thread):
    """Asks for a step whenever one is due."""

    def __init__(self, broker: PacelineBroker) -> None:
        super().__init__(name="paceline-operations", daemon=True)
        self._broker = broker
        self._leaving = threading.Event()
        self._away = False

    def run(self) -> None:
        pause_s = 0.0
        while not self._leaving.wait(pause_s) and not self._broker.threads.draining:
            pause_s = self._step()

    def stop(self) -> None:
        """No further step; one that is being decided is decided."""
        self._leaving.set()

    def _step(self) -> float:
        """Seconds until it is worth while to ask again."""
        try:
            now_us, again_us = self._broker.scripts("bulk_step", {"worker": self._broker.worker_id})
        except redis.RedisError as error:
            if not self._away:
                logger.warning("operations rest: %s", type(error).__name__)
            self._away = True
            return TROUBLE_S
        self._away = False
        return IDLE_S if again_us < 0 else min(IDLE_S, max(SHORTEST_S, (again_us - now_us) / 1e6))
