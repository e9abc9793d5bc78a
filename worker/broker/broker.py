"""Broker: dramatiq's Broker over the store. The path of a job through a worker process begins and ends here.

Promise: one script decides each transition; this module only asks it and passes on the answer. Only errors that time
can mend are waited for; any other error in an acknowledgement buries the job, so that no thread is stuck for good.
Scope: one process. No delay queues exist: a job that waits does so in the store and costs nothing here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import redis
from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.errors import ConnectionClosed, DecodeError, QueueNotFound

from settings import Settings
from worker.accept.enqueue import Enqueuer, Wanted
from worker.accept.envelope import QUEUE
from worker.accept.operation import Operation, operations
from worker.broker.card import Card, JobMessage, read_card
from worker.broker.consumer import JobConsumer
from worker.broker.registration import registration_of
from worker.broker.taking import Taker
from worker.broker.threads import Threads
from worker.clock import SYSTEM, Clock
from worker.errors import Refused
from worker.fail.fate import Fate, internal, refund, unanswered
from worker.store.connection import is_outage
from worker.store.keys import Keys
from worker.store.scripts import Scripts

logger = logging.getLogger("paceline.broker")
ACK_PATIENCE_S = 3.0
ACK_PAUSE_S = 0.1
UNKNOWN_FOR_S = 600.0
UNKNOWN_WAIT_S = 30.0

Deliver = Callable[[Operation, Card, str, Mapping[str, Any], Mapping[str, Any] | None], Any]


class PacelineBroker(Broker):
    """`deliver` makes one call for a job in hand; `clock_us` replaces the server's clock, in the test environment only."""

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis,
        *,
        middleware: list[Middleware],
        deliver: Deliver,
        clock: Clock = SYSTEM,
        clock_us: Callable[[], int] | None = None,
    ) -> None:
        if clock_us is not None and settings.environment != "test":
            raise Refused("a replaced clock is only for tests; set PACELINE_ENVIRONMENT=test or leave it out.")
        super().__init__(middleware=middleware)
        self.settings = settings
        self.client = client
        self.clock = clock
        self.keys = Keys(settings.partition)
        self.scripts = Scripts(client, self.keys, clock_us)
        self.accept = Enqueuer(settings, client, self.scripts)
        self.deliver = deliver
        self.credentials_changed: Callable[[], set[str]] = set
        self.threads = Threads(clock.monotonic)
        self.queues = {QUEUE}
        self.worker_id = f"{socket.gethostname()[:40]}.{os.getpid()}.{uuid.uuid4().hex[:6]}"
        self.registration = registration_of(settings)
        self.lease_us = int(settings.broker.lease_s * 1_000_000)
        self.silent_us = 3 * self.lease_us
        self._taker = Taker(self)
        self._waiting: deque[JobMessage] = deque()

    @property
    def digest(self) -> str:
        """Names the settings every process of this version should share."""
        return self.registration.digest

    # -- dramatiq's side: declaring and enqueueing --------------------------------------------------------------------

    def declare_queue(self, queue_name: str) -> None:
        if queue_name != QUEUE:
            raise QueueNotFound(f"Paceline has one queue, {QUEUE!r}; lanes are made from account and operation")
        self.queues.add(queue_name)
        self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        return set(self.queues)

    def get_declared_delay_queues(self) -> set[str]:
        return set()

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """`actor.send(account=…, params=…, body=…, priority=…, key=…, deadline_s=…)` ends here. Raises `Refused`."""
        if delay is not None or "eta" in message.options:
            raise Refused("a delay is not supported: jobs wait in their lane until their budget allows them; leave it out.")
        wanted = wanted_of(message)
        self.emit_before("enqueue", message, delay)
        accepted = self.accept.enqueue(wanted)
        message = message.copy(message_id=accepted.job_id)
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> JobConsumer:
        if queue_name != QUEUE:
            raise QueueNotFound(queue_name)
        return JobConsumer(self, timeout)

    def close(self) -> None:
        self.client.close()

    # -- the worker's side --------------------------------------------------------------------------------------------

    def next_job(self, timeout_s: float) -> JobMessage | None:
        """The next job for a free thread, or None after `timeout_s`."""
        while True:
            if self._waiting:
                return self._waiting.popleft()
            if not self.threads.wait_to_look(timeout_s):
                return None
            for card in self._taker.take():
                if (message := self._opened(card)) is not None:
                    self._waiting.append(message)
            if not self._waiting:
                return None

    def _opened(self, card: Card) -> JobMessage | None:
        """The message of a card. What cannot be read is buried here: dramatiq would strand it."""
        try:
            message = Message.decode(card.encoded)
        except (DecodeError, ValueError, TypeError, KeyError) as error:
            self._end(card, internal(f"its message cannot be read ({type(error).__name__})", refund()))
            return None
        if message.actor_name not in self.actors:
            self._end(card, self._unknown_operation(message.actor_name))
            return None
        return JobMessage(message, card)

    def _unknown_operation(self, name: str) -> Fate:
        """During a rolling deploy another process may know it: ten minutes' patience, then a dead letter."""
        why = {"class": "internal", "code": "unknown_operation", "message": f"no operation {name[:80]!r}", "alert": True}
        patience = {"patience": int(UNKNOWN_FOR_S * 1e6), "why": why}
        return Fate("park", refund(), {"wait": int(UNKNOWN_WAIT_S * 1e6), "attempt": 0} | patience)

    def _end(self, card: Card, fate: Fate) -> None:
        try:
            self._tell(card, fate)
        except redis.RedisError as error:
            logger.warning("job %s: could not be ended now (%s); its lease lapses", card.job_id, type(error).__name__)
        self.let_go(card)

    def acknowledge(self, message: MessageProxy) -> None:
        """Tells the store a job's fate, and frees its thread once that has succeeded.

        Raises `ConnectionClosed` when the store is away (dramatiq asks again in 5 s, for as long as it takes).
        """
        assert isinstance(message, JobMessage)
        card = message.card
        fate = message.fate or self._undecided(message)
        try:
            self._tell_patiently(card, fate)
        except redis.RedisError as error:
            if is_outage(error):
                raise ConnectionClosed(error) from None
            self._bury_instead(card, fate, error)
        self.let_go(card)

    def let_go(self, card: Card) -> None:
        """The job is out of hand: its thread is free."""
        if self.threads.release(card.lease):
            self.nudge_bell()

    def nudge_bell(self) -> None:
        """Makes our own bell thread listen anew. Missing it costs one idle poll at most."""
        with contextlib.suppress(redis.RedisError):
            self.client.rpush(self.keys("bell", self.worker_id), "1")

    def _undecided(self, message: JobMessage) -> Fate:
        settle = unanswered(self.settings.limiter.transit_bound_s) if message.card.began else refund()
        return internal("no middleware decided about this job", settle)

    def _tell_patiently(self, card: Card, fate: Fate) -> str:
        until = self.clock.monotonic() + ACK_PATIENCE_S
        while True:
            try:
                return self._tell(card, fate)
            except redis.RedisError as error:
                if not is_outage(error) or self.clock.monotonic() > until:
                    raise
                self.clock.sleep(ACK_PAUSE_S)

    def _tell(self, card: Card, fate: Fate) -> str:
        status = self._call_fate(card, fate)
        if status == "missing":
            # The store has lost the job: bring it back from this process's memory, then say its end.
            entry = {"lease": card.lease, "id": card.job_id, "full": self.full_record(card)}
            facts = {"worker": self.worker_id, "lease_us": self.lease_us, "silent_us": self.silent_us, "leases": [entry]}
            self.scripts("renew", facts, card.encoded)
            status = self._call_fate(card, fate)
        if status not in ("own", "already"):
            logger.warning("job %s: its answer came %s", card.job_id, {"waiting": "after its lease"}.get(status, status))
        return status

    def _call_fate(self, card: Card, fate: Fate) -> str:
        facts = {"id": card.job_id, "lease": card.lease, "group": card.group, "settle": fate.settle, **fate.facts}
        if fate.successors:
            facts["successors"] = [successor for successor, _ in fate.successors]
        blobs = [fate.evidence, fate.result, *(blob for _, blob in fate.successors)]
        reply: bytes = self.scripts(fate.decision, facts, *blobs)
        return reply.decode()

    def _bury_instead(self, card: Card, fate: Fate, error: redis.RedisError) -> None:
        """A decision the store refuses for good: say at least that, with what is known; else let the lease lapse."""
        logger.error("job %s: the store refused its %s: %s", card.job_id, fate.decision, str(error)[:300])
        instead = internal(f"the store refused its {fate.decision}: {str(error)[:200]}", fate.settle, fate.evidence)
        try:
            self._call_fate(card, instead)
        except redis.RedisError:
            logger.exception("job %s: could not be buried either; its lease will lapse", card.job_id)

    def may_send(self, card: Card, door: str) -> bool:
        """The fence before an unrepeatable call's first byte. An outage or a lost lease means: stay silent."""
        try:
            allowed = self.scripts("sending", {"id": card.job_id, "lease": card.lease, "door": door}) == 1
        except redis.RedisError as error:
            logger.warning("job %s: not sent, the store did not confirm its lease (%s)", card.job_id, type(error).__name__)
            return False
        card.sent = allowed
        return allowed

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
            "page": 1,
        }
        return {"facts": facts, "group": card.group, "sent": card.sent, "probe": card.probe}

    @property
    def outbox_waits(self) -> bool:
        """Whether the last take saw alerts waiting for their hand-over."""
        return self._taker.outbox > 0

    def hello(self) -> int:
        """Registers this process and its settings; returns the store's time (µs)."""
        facts = self.registration.facts | {
            "worker": self.worker_id,
            "threads": self.threads.total,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": str(int(self.clock.utcnow().timestamp())),
            "silent_us": self.silent_us,
        }
        return int(self.scripts("configure", facts)[0])

    def farewell(self) -> None:
        """This process takes no part any more: its threads do not count for the fleet."""
        try:
            self.scripts("farewell", {"worker": self.worker_id})
        except redis.RedisError as error:
            logger.info("left without a farewell (%s); the others will notice", type(error).__name__)


def wanted_of(message: Message[Any]) -> Wanted:
    """What an actor's `send` asks for. Raises `Refused` for arguments no call can have."""
    if message.args:
        raise Refused(f"{message.actor_name}: expected named arguments (account=…, params=…), got positional ones; name them.")
    known = ("account", "params", "body", "priority", "key", "deadline_s")
    if strange := sorted(set(message.kwargs) - set(known)):
        raise Refused(
            f"{message.actor_name}: expected {', '.join(known)}, got {', '.join(strange)[:120]}; "
            "parameters of the call itself belong into params."
        )
    if "account" not in message.kwargs:
        raise Refused(f"{message.actor_name}: expected account=…, got none; name the account that makes the call.")
    fields = dict(message.kwargs)
    return Wanted(operation=message.actor_name, account=fields.pop("account"), params=fields.pop("params", None) or {}, **fields)
