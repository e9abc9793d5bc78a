"""Broker: what this process has lately said about calls that must not be made twice, for a store that forgets it.

A store that comes back without its last moments (a failover to a replica that lagged, a log whose end was lost) takes
jobs that ended within them for waiting. A living worker's memory is better: it says their ends again, within the
time in which nothing is handed out, and no such call goes out a second time. Promise: saying it again to a store that
has forgotten nothing changes nothing. Scope: ends of unrepeatable calls that this process has told; what it has in hand
is renewed (`leases.py`), and a repeatable call may be made again.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from worker.accept.operation import operations
from worker.broker.card import Card, JobMessage
from worker.fail.fate import Fate

if TYPE_CHECKING:
    from worker.broker.broker import PacelineBroker

logger = logging.getLogger("paceline.recall")
KEEPS_S = 60.0  # longer than a replica lags that may still take over
KEEPS = 5_000


class Recall:
    """Notes ends as they are told; `remind` says them again once the store has come to doubt its own memory."""

    def __init__(self, broker: PacelineBroker) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._told: deque[tuple[float, Card, Fate]] = deque(maxlen=KEEPS)
        self._known: tuple[Any, ...] = ()

    def note(self, message: JobMessage) -> None:
        """This end has been told, and the store has it. A job that was parked goes out again in any case."""
        card, fate = message.card, message.fate
        operation = operations.get(card.operation)
        if fate is None or fate.decision == "park" or operation is None or operation.repeatable:
            return
        with self._lock:
            self._told.append((self._broker.clock.monotonic(), card, fate))

    def remind(self) -> None:
        """Says everything again when the store is another run, or has begun to doubt, since it was last looked at.
        Raises redis-py's errors: what was not said to the end is said anew the next time.
        """
        mark: tuple[Any, ...] = tuple(self._broker.client.hmget(self._broker.keys("meta"), "run", "unsure"))
        if mark[0] is None:  # nobody has looked at this store yet, or it was emptied a moment ago
            return
        if mark == self._known:
            self._forget_before(self._broker.clock.monotonic() - KEEPS_S)
        else:  # also at the first look: what this process told before it may be forgotten already
            self._say_again()
        self._known = mark

    def _forget_before(self, moment: float) -> None:
        with self._lock:
            while self._told and self._told[0][0] < moment:
                self._told.popleft()

    def _say_again(self) -> None:
        with self._lock:
            told = [(card, fate) for _, card, fate in self._told]
        if told and self._known:
            logger.warning("the store may have forgotten something; %d ends are said again", len(told))
        for card, fate in told:
            self._broker.ending.say(card, fate)
