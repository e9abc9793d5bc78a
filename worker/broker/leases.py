"""Broker: the thread that keeps this process's claims alive, and notices when the process should not go on.

Promise: every job in hand is renewed, by name, until it is acknowledged or is long past any deadline it could have; a
claim that the store has forgotten is made again from this process's memory. The process leaves when its master has
died. Scope: renewal and the errands that share its beat (changed credentials, retention).
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis

from worker.broker.card import Card
from worker.broker.errands import run

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.leases")
MARGIN_S = 15.0
PARENT_EVERY_S = 1.0


class Renewer(threading.Thread):
    """Renews every `renew_s` seconds. `errands` run after each renewal; an errand that fails is logged."""

    def __init__(self, broker: PacelineBroker, errands: list[Callable[[], None]]) -> None:
        super().__init__(name="paceline-leases", daemon=True)
        self._broker = broker
        self._errands = errands
        self._leaving = threading.Event()
        self._away = False

    def run(self) -> None:
        beat = self._broker.settings.broker.renew_s
        waited = 0.0
        while not self._leaving.wait(min(PARENT_EVERY_S, beat)):
            self._leave_with_master()
            waited += min(PARENT_EVERY_S, beat)
            if waited >= beat - 0.001:
                waited = 0.0
                self._renew_once()
                self._run_errands()
            elif self._away:  # whoever comes back first takes lapsed claims back: that should be their holder
                self._renew_once()

    def stop(self) -> None:
        self._leaving.set()

    def _leave_with_master(self) -> None:
        """SIGKILL of dramatiq's master would otherwise leave an orphan that goes on taking jobs. One that drains
        already must not hear of it again: dramatiq takes a second order for impatience.
        """
        master = multiprocessing.parent_process()
        if master is not None and os.getppid() != master.pid and not self._broker.threads.draining:
            self._broker.threads.drain()
            logger.error("the master process is gone; this worker leaves")
            os.kill(os.getpid(), signal.SIGTERM)

    def _run_errands(self) -> None:
        for errand in self._errands:
            run(errand)

    def _renew_once(self) -> None:
        try:
            self.renew()
            if self._away:
                logger.info("the store is back; claims are renewed")
            self._away = False
        except redis.RedisError as error:
            if not self._away:
                logger.warning("claims cannot be renewed now: %s", type(error).__name__)
            self._away = True

    def renew(self) -> None:
        """One renewal of everything in hand. Raises redis-py's errors."""
        cards = self._alive(self._broker.threads.held())
        answers = self._call([{"lease": card.lease, "id": card.job_id} for card in cards], [])
        unknown = [card for card, answer in zip(cards, answers, strict=True) if answer == "unknown"]
        for card, answer in zip(cards, answers, strict=True):
            if answer == "lost":
                self._drop(card, "somebody else has it now")
        if unknown:
            self._broker.hello()  # an emptied store knows no windows to charge either
            again = self._call([self._full(card) for card in unknown], [card.encoded for card in unknown])
            for card, answer in zip(unknown, again, strict=True):
                logger.warning("job %s: the store had forgotten its claim; %s", card.job_id, answer)
                if answer == "lost":
                    self._drop(card, "the store had forgotten it")

    def _full(self, card: Card) -> dict[str, Any]:
        return {"lease": card.lease, "id": card.job_id, "full": self._broker.ending.full_record(card)}

    def _alive(self, cards: list[Card]) -> list[Card]:
        """Without those whose thread must have been over long ago: renewing them would hide a stuck thread."""
        longest = self._broker.settings.deliver.total_deadline_s + MARGIN_S
        now = self._broker.clock.monotonic()
        return [card for card in cards if not card.lost and now - card.taken_s < longest]

    def _drop(self, card: Card, why: str) -> None:
        card.lost = True
        logger.warning("job %s: its claim is lost (%s)", card.job_id, why)

    def _call(self, leases: list[dict[str, Any]], blobs: list[bytes]) -> list[str]:
        broker = self._broker
        facts = {
            "worker": broker.worker_id,
            "digest": broker.digest,
            "lease_us": broker.lease_us,
            "silent_us": broker.silent_us,
            "leases": leases,
        }
        return [answer.decode() for answer in broker.scripts("renew", facts, *blobs)[1]]
