"""Broker: telling the store how a job's attempt ended, and asking it before an unrepeatable call goes out.

Promise: an answer is said until the store has it; saying it twice changes nothing. Only errors that time can mend are
waited for; any other error buries the job as `internal`, or lets its lease lapse, so that no thread is stuck for good.
A process that leaves waits no longer than a call of its could last: what the store has not heard by then, it finds out
when the lease lapses. A job the store has lost is brought back from this process's memory before its end is said.
Scope: jobs in hand.
"""

from __future__ import annotations

import contextlib
import logging
import math
from typing import TYPE_CHECKING, Any

import redis
from dramatiq.errors import ConnectionClosed

from worker.accept.envelope import callback_of, page_of
from worker.accept.operation import operations
from worker.broker.card import Card, JobMessage
from worker.fail.fate import Fate, internal, refund, unanswered
from worker.store.connection import is_outage

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.acknowledge")
PATIENCE_S = 3.0
PAUSE_S = 0.1
ONCE_MORE_S = 8.0
"""What asking once more may take: dramatiq's pause of 5 s, and our own patience."""
LAST_PATIENCE_S = 1.0
"""How long the end of a call is said that took all of the time a process had to leave."""


class Acknowledger:
    """Ends jobs for the threads of one process; safe to use from all of them."""

    def __init__(self, broker: PacelineBroker) -> None:
        self._broker = broker

    def acknowledge(self, message: JobMessage) -> None:
        """Tells the store a job's fate, and frees its thread once that has succeeded.

        Raises `ConnectionClosed` when the store is away (dramatiq asks again in 5 s, for as long as it takes, and a
        process that leaves would stay for that).
        """
        card = message.card
        fate = message.fate or self._undecided(card)
        try:
            self._tell_patiently(card, fate)
        except Exception as error:
            if not is_outage(error):
                self._bury_instead(card, fate, error)
            elif self._time_left_s() > ONCE_MORE_S:
                raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
            else:
                why = type(error).__name__
                logger.warning("job %s: this process leaves, and its end could not be said (%s)", card.job_id, why)
        self.let_go(card)

    def _time_left_s(self) -> float:
        """For how long the store may still be waited for: without end, but in a process that leaves."""
        threads = self._broker.threads
        if not threads.draining:
            return math.inf
        return self._broker.settings.deliver.total_deadline_s - threads.drained_s

    def end(self, card: Card, fate: Fate) -> None:
        """Ends a job that never reached a thread. When the store is away its lease lapses instead."""
        try:
            self._tell(card, fate)
        except Exception as error:
            logger.warning("job %s: could not be ended now (%s); its lease lapses", card.job_id, type(error).__name__)
        self.let_go(card)

    def say(self, card: Card, fate: Fate) -> None:
        """Says an end that frees no thread. Raises redis-py's errors of an outage; any other is only logged."""
        try:
            self._tell(card, fate)
        except Exception as error:
            if is_outage(error):
                raise
            logger.warning("job %s: its end could not be said (%s)", card.job_id, type(error).__name__)

    def let_go(self, card: Card) -> None:
        """The job is out of hand: its thread is free."""
        if self._broker.threads.release(card.lease):
            self.nudge_bell()

    def nudge_bell(self) -> None:
        """Makes our own bell thread listen anew. Missing it costs one idle poll at most."""
        with contextlib.suppress(redis.RedisError):
            self._broker.client.rpush(self._broker.keys("bell", self._broker.worker_id), "1")

    def may_send(self, card: Card, door: str) -> bool:
        """The fence before an unrepeatable call's first byte. An outage or a lost lease means: stay silent."""
        try:
            facts = {"id": card.job_id, "lease": card.lease, "door": door}
            card.sent = bool(self._broker.scripts("sending", facts))
            card.door = door if card.sent else None
        except redis.RedisError as error:
            why = type(error).__name__
            logger.warning("job %s: not sent, the store did not confirm its lease (%s)", card.job_id, why)
            return False
        return card.sent

    def full_record(self, card: Card) -> dict[str, Any]:
        """Everything the store needs to make a forgotten claim again."""
        operation = operations.get(card.operation)
        facts = {
            "id": card.job_id,
            "op": card.operation,
            "acct": card.account,
            "api": card.account.partition(":")[0],
            "budget": card.budget,
            "prio": card.priority,
            "rep": 1 if operation is None or operation.repeatable else 0,
            "dl": max(1, card.deadline_us - card.created_us),
            "chain": card.chain,
            "page": page_of(card.job_id),
        }
        if (told := callback_of(card.encoded)) is not None:
            facts["callback"] = told
        return {
            "facts": facts, "group": card.group, "sent": card.sent, "door": card.door, "probe": card.probe,
            "taken": card.taken_us,
        }  # fmt: skip

    def _undecided(self, card: Card) -> Fate:
        settle = unanswered(self._broker.settings.limiter.transit_bound_s) if card.began else refund()
        return internal("no middleware decided about this job", settle)

    def _tell_patiently(self, card: Card, fate: Fate) -> None:
        clock = self._broker.clock
        until = clock.monotonic() + max(LAST_PATIENCE_S, min(PATIENCE_S, self._time_left_s()))
        while True:
            try:
                self._tell(card, fate)
                return
            except redis.RedisError as error:
                if not is_outage(error) or clock.monotonic() > until:
                    raise
                clock.sleep(PAUSE_S)

    def _tell(self, card: Card, fate: Fate) -> None:
        status = self._call(card, fate)
        if status in ("missing", "forgotten"):
            self._bring_back(card)
            status = self._call(card, fate)
        if status not in ("own", "already"):
            logger.warning("job %s: its answer came after its lease (%s)", card.job_id, status)

    def _call(self, card: Card, fate: Fate) -> str:
        facts = {"id": card.job_id, "lease": card.lease, "group": card.group, "taken": card.taken_us}
        facts |= {"settle": fate.settle, **fate.facts}
        if fate.successors:
            facts["successors"] = [successor for successor, _ in fate.successors]
        blobs: list[str | bytes] = [fate.evidence, fate.result, *(blob for _, blob in fate.successors)]
        reply: bytes = self._broker.turn.end(fate.decision, facts, *blobs)
        return reply.decode()

    def _bring_back(self, card: Card) -> None:
        broker = self._broker
        broker.hello()  # an emptied store knows no windows to charge either
        entry = {"lease": card.lease, "id": card.job_id, "full": self.full_record(card)}
        facts = {
            "worker": broker.worker_id,
            "lease_us": broker.lease_us,
            "silent_us": broker.silent_us,
            "leases": [entry],
        }
        broker.scripts("renew", facts, card.encoded)

    def _bury_instead(self, card: Card, fate: Fate, error: Exception) -> None:
        """A decision the store refuses for good: say at least that, with what is known; else let the lease lapse."""
        logger.error("job %s: the store refused its %s: %s", card.job_id, fate.decision, str(error)[:300])
        instead = internal(f"the store refused its {fate.decision}: {str(error)[:200]}", fate.settle, fate.evidence)
        try:
            self._call(card, instead)
        except Exception:
            logger.exception("job %s: could not be buried either; its lease will lapse", card.job_id)
