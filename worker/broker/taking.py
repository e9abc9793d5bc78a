"""Broker: asking the store for jobs, without losing a reply and without trusting a clock that has stepped.

Promise: a reply that was lost is asked for again under the same nonce and gives the same jobs; a server that restarted
or whose clock stepped hands out nothing before it has been looked at. Scope: what is asked, and what an answer means
for one process; when it is asked, and over what, is `turn.py`'s.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import redis

from worker.broker.card import Card, read_card
from worker.store.connection import Server, describe_server, is_outage
from worker.store.server_clock import ServerClock

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker
    from worker.broker.turn import Turn

logger = logging.getLogger("paceline.take")
BACKOFF_S = 0.5


@dataclass(slots=True)
class Question:
    """One asking for jobs: the facts of `take.lua`, when it was put (this machine's clocks), and what came back."""

    facts: dict[str, Any]
    asked_s: float
    taken_s: float
    reply: Any = None


class Taker:
    """Puts the questions of a broker's process, and hands what they bring to its threads."""

    def __init__(self, broker: PacelineBroker) -> None:
        self._broker = broker
        self._nonce: str | None = None
        self._number = 0
        self.clock = ServerClock(broker.clock)
        self._away = False
        self.outbox = 0

    def take(self, turn: Turn) -> None:
        """Looks for jobs now, from dramatiq's one consumer thread. Never raises for an outage."""
        try:
            question = turn.look()
            if question is None:
                return
            self._see_to(question)
        except Exception as error:
            self.look_later()
            if not isinstance(error, redis.RedisError):
                raise
            if not self._away:
                why = f"{type(error).__name__}: {str(error)[:200]}"
                logger.warning("the store does not hand out jobs (%s); asking on", why)
            self._away = True
            return
        if self._away:
            logger.info("the store hands out jobs again")
        self._away = False

    def question(self, server: Server) -> Question:
        """What is asked now of `server`; again under the same nonce while the last reply is missing."""
        broker = self._broker
        if self._nonce is None:
            self._nonce, self._number = uuid.uuid4().hex, self._number + 1
        asked_s = broker.clock.boottime()
        facts = {
            "worker": broker.worker_id,
            "nonce": self._nonce,
            "number": self._number,
            "want": broker.threads.room,
            "most": broker.settings.broker.max_want,
            "keep": broker.threads.keep,
            "run": server.run,
            "durable": server.durable,
            "mode": broker.settings.on_empty_store,
            "lease_us": broker.lease_us,
            "transit_us": int(broker.settings.limiter.transit_bound_s * 1_000_000),
        }
        expected_us = self.clock.expected_us(asked_s)
        if expected_us is not None and broker.scripts.clock_us is None:
            facts["expect"] = expected_us
        return Question(facts, asked_s, broker.clock.monotonic())

    def told(self, question: Question, over: Sequence[str], *, by_look: bool) -> bool:
        """Hands over what a reply deals, to threads that are free, or are so with the leases that are `over` now. What
        needs more than that is for the consumer thread: the one that looked, or will at once. Called before the next
        question is put. Whether the bell thread is to listen anew.
        """
        broker = self._broker
        if isinstance(question.reply, Exception):
            broker.threads.release(*over, look=False)
            self.failed(question.reply)
            return False
        verdict, now_us, next_us, outbox, dealt, more = question.reply
        if verdict in (b"configure", b"clock"):
            broker.threads.release(*over, look=False)
            if not by_look:
                self._look_in(0)
            return False
        self.clock.saw(now_us, question.asked_s)
        self._nonce = None
        self.outbox = outbox
        poll_s = broker.settings.broker.idle_poll_s
        self._look_in(poll_s if next_us < 0 else min(poll_s, max(0.0, (next_us - now_us) / 1e6)))
        return broker.threads.deal(self._cards(question, now_us, dealt), bool(more), over)

    def _cards(self, question: Question, now_us: int, dealt: list[list[bytes]]) -> list[Card]:
        send_by_s = question.asked_s + 0.9 * self._broker.settings.broker.lease_s
        return [read_card(card, now_us, send_by_s, question.taken_s) for card in dealt]

    def unheard(self) -> list[Card]:
        """What a lost reply dealt to a process that asks for nothing more. Raises redis-py's errors."""
        if self._nonce is None:
            return []
        question = self.question(describe_server(self._broker.client))
        _, now_us, _, _, dealt, _ = self._broker.scripts("take", question.facts | {"want": 0})
        return self._cards(question, now_us, dealt)

    def failed(self, error: BaseException) -> None:
        """A question without an answer. What was refused for good may have been carried out in part: claims it has made
        lapse, and must not be made for other jobs under the same names.
        """
        if isinstance(error, redis.ResponseError) and not is_outage(error):
            self._nonce = None
        self.look_later()

    def look_later(self) -> None:
        self._look_in(BACKOFF_S)

    def nudge_bell(self) -> None:
        self._broker.ending.nudge_bell()

    def pass_on(self) -> None:
        """A bell that was heard for a thread which has a job by now rings for somebody else."""
        if bell := self._broker.threads.unheeded():
            with contextlib.suppress(redis.RedisError):
                self._broker.client.rpush(bell, "1")

    def _see_to(self, question: Question) -> None:
        """What a reply asks for before jobs are dealt."""
        verdict, now_us = question.reply[:2]
        if verdict == b"configure":
            self._broker.hello()
            self._look_in(0)
        elif verdict == b"clock":
            self._compare_clocks(now_us, question.asked_s)

    def _compare_clocks(self, now_us: int, asked_s: float) -> None:
        """The server's clock is ahead of ours. Only what our own waiting for the reply cannot explain is a step."""
        broker = self._broker
        if step_s := self.clock.step_s(now_us):
            logger.error("the store's clock stepped forward by %.1f s; pacing with care", step_s)
            mode = broker.settings.on_empty_store
            broker.scripts("suspect", {"cause": "clock", "lease_us": broker.lease_us, "mode": mode})
        self.clock.saw(now_us, asked_s)
        self._look_in(0)

    def _look_in(self, seconds: float) -> None:
        self._broker.threads.look_again_at(self._broker.clock.monotonic() + seconds)
