"""Broker: dramatiq's Broker over the store. The path of a job through a worker process begins and ends here.

Promise: one script decides each transition; this module only asks it and passes on the answer. No delay queues exist:
a job that waits does so in the store and costs nothing here. Scope: dramatiq's interface of one process; asking for
jobs is `taking.py`, ending them `acknowledging.py`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import redis
from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.errors import DecodeError, QueueNotFound

from settings import Settings
from worker.accept.enqueue import Enqueuer, Wanted
from worker.accept.envelope import QUEUE
from worker.accept.operation import Operation
from worker.broker.acknowledging import Acknowledger
from worker.broker.card import Card, JobMessage
from worker.broker.consumer import JobConsumer
from worker.broker.recalling import Recall
from worker.broker.recent import Recent
from worker.broker.registration import registration_of
from worker.broker.taking import Taker
from worker.broker.threads import Threads
from worker.broker.turn import Turn
from worker.clock import SYSTEM, Clock
from worker.errors import Refused
from worker.fail.fate import Fate, as_if_never_taken, internal, refund
from worker.store.keys import Keys
from worker.store.scripts import Scripts
from worker.store.server_clock import machine

logger = logging.getLogger("paceline.broker")
UNKNOWN_FOR_S = 600.0
UNKNOWN_WAIT_S = 30.0
SENDABLE = ("account", "params", "body", "priority", "key", "deadline_s", "callback_url")

Deliver = Callable[[Operation, Card, str, Mapping[str, Any], Mapping[str, Any] | None], Any]


class PacelineBroker(Broker):
    """`deliver` makes one call for a job in hand; `clock_us` replaces the server's clock, in tests only."""

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
        self.ending = Acknowledger(self)
        self.recall = Recall(self)
        self.recent = Recent(clock.monotonic)
        self.add_middleware(self.recent)
        self._taker = Taker(self)
        self.turn = Turn(self, self._taker)
        self._waiting: deque[JobMessage] = deque()

    @property
    def digest(self) -> str:
        """Names the settings every process of this version should share."""
        return self.registration.digest

    @property
    def outbox_waits(self) -> bool:
        """Whether the last take saw alerts waiting for their hand-over."""
        return self._taker.outbox > 0

    # -- dramatiq's side: declaring and enqueueing --------------------------------------------------------------------

    def declare_queue(self, queue_name: str) -> None:
        _check_queue(queue_name)
        self.queues.add(queue_name)
        self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        return set(self.queues)

    def get_declared_delay_queues(self) -> set[str]:
        return set()

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """`actor.send(account=…, params=…, body=…, priority=…, key=…, deadline_s=…)` ends here. Raises `Refused`."""
        if delay is not None or "eta" in message.options:
            raise Refused(
                "expected no delay, got one: a job waits in its lane until its budget allows it; leave it out."
            )
        wanted = wanted_of(message)
        self.emit_before("enqueue", message, delay)
        accepted = self.accept.enqueue(wanted)
        message = message.copy(message_id=accepted.job_id)
        self.emit_after("enqueue", message, delay)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> JobConsumer:
        _check_queue(queue_name)
        return JobConsumer(self, timeout)

    def close(self) -> None:
        self.turn.close()
        self.client.close()

    # -- the worker's side --------------------------------------------------------------------------------------------

    def next_job(self, timeout_s: float) -> JobMessage | None:
        """The next job for a free thread, or None after `timeout_s`."""
        while not self._waiting:
            if self.threads.wait_to_look(timeout_s):
                self._taker.take(self.turn)
            cards = self.threads.dealt()
            opened = [self._opened(card) for card in cards]
            self._waiting.extend(message for message in opened if message is not None)
            if not self._waiting:
                return None
        return self._waiting.popleft()

    def acknowledge(self, message: MessageProxy) -> None:
        """See `Acknowledger.acknowledge`."""
        assert isinstance(message, JobMessage)
        self.ending.acknowledge(message)
        self.recall.note(message)

    def _opened(self, card: Card) -> JobMessage | None:
        """The message of a card. What cannot be read is buried here: dramatiq would strand it."""
        try:
            message = Message.decode(card.encoded)
            known = message.actor_name in self.actors
        except (DecodeError, ValueError, TypeError, KeyError) as error:
            self.ending.end(card, self._unreadable(card, error))
            return None
        if not known:
            self.ending.end(card, _unknown_operation(message.actor_name))
            return None
        return JobMessage(message, card)

    def _unreadable(self, card: Card, error: Exception) -> Fate:
        """A dead letter whose evidence tells the message apart from others without repeating what may be personal."""
        said = f"what is on record of it cannot be read ({type(error).__name__})"
        digest = {"length": len(card.encoded), "sha256": hashlib.sha256(card.encoded).hexdigest()}
        record = {
            "event": "internal", "at": self.clock.utcnow().isoformat(), "job": card.job_id, "worker": self.worker_id,
            "account": card.account, "operation": card.operation, "why": said, "message": digest,
        }  # fmt: skip
        return internal(said, refund(), json.dumps(record, separators=(",", ":")))

    def hello(self) -> int:
        """Registers this process and its settings; returns the store's time (µs)."""
        process = {
            "worker": self.worker_id,
            "threads": self.threads.total,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": str(int(self.clock.utcnow().timestamp())),
            "silent_us": self.silent_us,
            "machine": machine(),
        }
        now_us, word = self.registration.bring(self.scripts, process)
        self._taker.clock.recall(word)
        return now_us

    def leave_word(self) -> None:
        """What the store's clock shows now, for the next process of this machine."""
        if word := self._taker.clock.word:
            self.scripts("witness", word)

    def hand_back(self) -> None:
        """What this process was dealt while its threads left goes back to its place; what dramatiq has, it requeues."""
        cards = [*(message.card for message in self._waiting), *self.threads.dealt()]
        self._waiting.clear()
        try:
            for card in cards:
                self.ending.say(card, as_if_never_taken())
            for card in self._taker.unheard():
                self.ending.say(card, as_if_never_taken())
        except redis.RedisError as error:
            logger.warning("left without giving back what it was dealt (%s); leases lapse", type(error).__name__)

    def farewell(self) -> None:
        """This process takes no part any more: its threads do not count for the fleet."""
        try:
            self.scripts("farewell", {"worker": self.worker_id})
        except redis.RedisError as error:
            logger.info("left without a farewell (%s); the others will notice", type(error).__name__)


def _check_queue(name: str) -> None:
    if name != QUEUE:
        raise QueueNotFound(f"there is one queue, {QUEUE!r}; lanes come from account and operation")  # type: ignore[no-untyped-call]


def _unknown_operation(name: str) -> Fate:
    """During a rolling deploy another process may know it: ten minutes' patience, then a dead letter."""
    why = {"class": "internal", "code": "unknown_operation", "message": f"no operation {name[:80]!r}", "alert": True}
    patience = {"patience": int(UNKNOWN_FOR_S * 1e6), "why": why}
    return Fate("park", refund(), {"wait": int(UNKNOWN_WAIT_S * 1e6), "attempt": 0} | patience)


def wanted_of(message: Message[Any]) -> Wanted:
    """What an actor's `send` asks for. Raises `Refused` for arguments no call can have."""
    name = message.actor_name
    if message.args:
        raise Refused(f"{name}: expected named arguments (account=…, params=…), got positional ones; name them.")
    if strange := sorted(set(message.kwargs) - set(SENDABLE)):
        raise Refused(
            f"{name}: expected {', '.join(SENDABLE)}, got {', '.join(strange)[:120]}; "
            "parameters of the call itself belong into params."
        )
    if "account" not in message.kwargs:
        raise Refused(f"{name}: expected account=…, got none; name the account that makes the call.")
    fields = dict(message.kwargs)
    return Wanted(operation=name, account=fields.pop("account"), params=fields.pop("params", None) or {}, **fields)
