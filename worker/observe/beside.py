"""Observe: a sink told in a thread of its own, beside the others.

Promise: however slow the receiver, handing to it costs the outbox nothing: the answer comes later, by `heard`, and an
alert without an answer counts as not handed over. What waits is bounded; what does not fit is offered again by the
outbox. Scope: one sink's line; the thread begins with the first alert, so a process that forks before has none.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.observe.alerts import Alert, Sink

logger = logging.getLogger("paceline.alerts")
MOST = 1000


class Beside:
    """Wraps a sink. `heard(member)` is called from its thread for each alert that the sink has handed over."""

    def __init__(self, sink: Sink, name: str) -> None:
        self.sink = sink
        self.heard: Callable[[str], object] = lambda member: None
        self._name = name
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._line: queue.SimpleQueue[Alert | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def deliver(self, alert: Alert) -> bool:
        """Puts it into the line, unless it stands there; what came of it is heard later."""
        with self._lock:
            if alert.member in self._waiting or len(self._waiting) >= MOST:
                return False
            self._waiting.add(alert.member)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"paceline-{self._name}", daemon=True)
                self._thread.start()
        self._line.put(alert)
        return False

    def finish(self, patience_s: float) -> None:
        """No more alerts come: waits so long for those in the line. Others hand over what is left."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._line.put(None)
            thread.join(patience_s)

    def _run(self) -> None:
        while (alert := self._line.get()) is not None:
            try:
                taken = self.sink.deliver(alert)
            except Exception:
                logger.exception("%s failed on an alert; it is offered again", type(self.sink).__name__)
                taken = False
            with self._lock:
                self._waiting.discard(alert.member)
            if taken:
                self.heard(alert.member)
