"""Broker: asking the store for jobs, without losing a reply and without trusting a clock that has stepped.

Promise: a reply that was lost is asked for again under the same nonce and gives the same jobs; a server that restarted
or whose clock stepped hands out nothing before it has been looked at. Scope: one process's takes, one at a time.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

import redis

from worker.broker.card import Card, read_card
from worker.store.connection import Line

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.take")
BACKOFF_S = 0.5
STEP_US = 100_000


class Taker:
    """Takes jobs for the free threads of a broker's process. Used by dramatiq's one consumer thread."""

    def __init__(self, broker: PacelineBroker) -> None:
        self._broker = broker
        self._line = Line(broker.client)
        self._scripts = broker.scripts.over(self._line.client)
        self._nonce: str | None = None
        self._clock: tuple[int, float] | None = None  # the server's µs and our boot-time clock just before we asked
        self._away = False
        self.outbox = 0

    def take(self) -> list[Card]:
        """Jobs for the threads that are free now; sets when to look again. Never raises for an outage."""
        try:
            cards = self._take()
        except redis.RedisError as error:
            if not self._away:
                why = f"{type(error).__name__}: {str(error)[:200]}"
                logger.warning("the store does not hand out jobs (%s); asking on", why)
            self._away = True
            self._look_in(BACKOFF_S)
            return []
        if self._away:
            logger.info("the store hands out jobs again")
        self._away = False
        return cards

    def _take(self) -> list[Card]:
        broker = self._broker
        server = self._line.server()
        self._nonce = self._nonce or uuid.uuid4().hex
        asked_s = broker.clock.boottime()
        taken_s = broker.clock.monotonic()
        facts = {
            "worker": broker.worker_id,
            "nonce": self._nonce,
            "want": min(broker.threads.free, broker.settings.broker.max_want),
            "keep": broker.threads.keep,
            "run": server.run,
            "durable": server.durable,
            "mode": broker.settings.on_empty_store,
            "lease_us": broker.lease_us,
            "transit_us": int(broker.settings.limiter.transit_bound_s * 1_000_000),
        }
        if self._clock is not None and broker.scripts.clock_us is None:
            facts["expect"] = self._clock[0] + int((asked_s - self._clock[1]) * 1_000_000)
        verdict, now_us, next_us, outbox, dealt, more = self._scripts("take", facts)
        if verdict == b"configure":
            broker.hello()
            self._look_in(0)
            return []
        if verdict == b"clock":
            self._compare_clocks(now_us, asked_s)
            return []
        self._clock = (now_us, asked_s)
        self._nonce = None
        self.outbox = outbox
        send_by_s = asked_s + 0.9 * broker.settings.broker.lease_s
        cards = [read_card(card, now_us, send_by_s, taken_s) for card in dealt]
        broker.threads.hold(cards)
        poll_s = broker.settings.broker.idle_poll_s
        self._look_in(poll_s if next_us < 0 else min(poll_s, max(0.0, (next_us - now_us) / 1e6)))
        if broker.threads.left_behind(bool(more)):
            broker.ending.nudge_bell()
        return cards

    def _compare_clocks(self, now_us: int, asked_s: float) -> None:
        """The server's clock is ahead of ours. Only what our own waiting for the reply cannot explain is a step."""
        assert self._clock is not None
        broker = self._broker
        advance_us = now_us - self._clock[0]
        ours_us = (broker.clock.boottime() - self._clock[1]) * 1_000_000
        if advance_us > ours_us + STEP_US:
            logger.error("the store's clock stepped forward by %.1f s; pacing with care", (advance_us - ours_us) / 1e6)
            mode = broker.settings.on_empty_store
            self._scripts("suspect", {"cause": "clock", "lease_us": broker.lease_us, "mode": mode})
        self._clock = (now_us, asked_s)
        self._look_in(0)

    def _look_in(self, seconds: float) -> None:
        self._broker.threads.look_again_at(self._broker.clock.monotonic() + seconds)
