"""Observe: how the receiver of a sink fares: what it answered, and when it is worth asking again.

Promise: a receiver that is down is named once, not once per alert, and is left alone for a while, so that nothing else
waits for its time-outs. Scope: one receiver in one process; used by one thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

logger = logging.getLogger("paceline.alerts")
PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message: a status, or why there is none."""

    status: int | None
    failure: str = ""
    retry_after_s: float | None = None

    @property
    def trouble(self) -> str:
        """Why it is not confirmed, in a few words without an address; empty when it is."""
        if self.status is None:
            return self.failure or "no answer"
        return "" if 200 <= self.status < 300 else f"status {self.status}"

    @property
    def is_down(self) -> bool:
        """Whether the next message would fare no better now."""
        return self.status is None or self.status == 429 or self.status >= 500


class Receiver:
    """What is known of one receiver."""

    def __init__(self, name: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._monotonic = monotonic
        self._silent_until = float("-inf")
        self._trouble = ""

    @property
    def rests(self) -> bool:
        """Whether it is left alone now."""
        return self._monotonic() < self._silent_until

    def confirms(self, answer: Answer | None) -> bool:
        """Notes the answer; whether it is a confirmation."""
        trouble = "its client sent nothing" if answer is None else answer.trouble
        if trouble and trouble != self._trouble:
            logger.warning("%s does not take alerts (%s); they are kept and offered again", self._name, trouble)
        if self._trouble and not trouble:
            logger.info("%s takes alerts again", self._name)
        self._trouble = trouble
        if answer is not None and answer.is_down:
            # The other alerts of this turn need not wait for a time-out each.
            pause_s = min(answer.retry_after_s or PAUSE_S, LONGEST_PAUSE_S)
            self._silent_until = self._monotonic() + pause_s
        return not trouble
