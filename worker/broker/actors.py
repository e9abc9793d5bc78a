"""Broker: the dramatiq actor of an operation.

Promise: `operation.send(account=…, params=…)` is checked and stored like every other way in, and an actor never calls
out without a permit: outside a worker that took the job it refuses. Scope: the binding; the call is made by `deliver`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import dramatiq
from dramatiq import Actor

from worker.accept.envelope import QUEUE
from worker.accept.operation import Operation
from worker.broker.card import JobMessage
from worker.deliver.outcome import Internal, Outcome

_in_hand = threading.local()


def put_in_hand(message: JobMessage | None) -> None:
    """The job this thread works on from here; None when it is over."""
    _in_hand.message = message


def in_hand() -> JobMessage:
    """The job of this thread. Raises `Internal`: without a job in hand there is no permit, and nothing may be sent."""
    message = getattr(_in_hand, "message", None)
    if message is None:
        raise Internal("no_permit", "an actor ran without a job in hand; enqueue the call with .send(…) instead")
    assert isinstance(message, JobMessage)
    return message


def actor_for(operation: Operation, broker: dramatiq.Broker | None = None) -> Actor[..., Any]:
    """Declares the actor of `operation`, on the global broker (`worker.main` sets it) where none is given."""
    broker = broker or dramatiq.get_broker()

    def perform(
        *,
        account: str,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        **_later_versions: Any,
    ) -> None:
        message = in_hand()
        message.attempt = broker.deliver(operation, message.card, account, params, body)  # type: ignore[attr-defined]
        message.attempt.raise_unless_success()

    perform.__name__ = operation.name.rpartition(".")[2]
    perform.__doc__ = f"{operation.method} {operation.path}: {operation.doc}"
    return Actor(
        perform,
        broker=broker,
        actor_name=operation.name,
        queue_name=QUEUE,
        priority=0,
        options={"throws": (Outcome,)},
    )
