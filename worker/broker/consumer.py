"""Broker: dramatiq's Consumer. Waits for the exact moment, takes jobs for free threads, acknowledges them.

Promise: nothing is kept here: dramatiq replaces its consumer after errors, and no claim, count or connection goes with
it. A blip of the store is logged once and waited out here, since raising would cost a restart of three seconds.
Scope: the interface; taking and acknowledging are the broker's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dramatiq import Consumer, MessageProxy

from worker.broker.card import JobMessage
from worker.fail.fate import as_if_never_taken

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker


class JobConsumer(Consumer):
    """Iterates over jobs; `timeout_ms` bounds one wait so that dramatiq can stop the thread."""

    def __init__(self, broker: PacelineBroker, timeout_ms: int) -> None:
        self._broker = broker
        self._timeout_s = timeout_ms / 1000

    def __next__(self) -> JobMessage | None:
        return self._broker.next_job(self._timeout_s)

    def ack(self, message: MessageProxy) -> None:
        self._broker.acknowledge(message)

    def nack(self, message: MessageProxy) -> None:
        self._broker.acknowledge(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Jobs that never started: the same place in line, the permit back, nothing counted."""
        for message in messages:
            if isinstance(message, JobMessage):
                self._broker.ending.end(message.card, as_if_never_taken())

    def close(self) -> None:
        """Nothing to close: claims and connections belong to the process."""
