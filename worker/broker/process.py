"""Broker: the life of a worker process, from boot to drain, as dramatiq's middleware hooks.

Promise: threads are counted before the first job is taken; a process that stops takes nothing more, keeps its claims
alive until its last call is over, and leaves when its master dies. Scope: starting and stopping; the parts it starts
have their own modules.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from typing import TYPE_CHECKING, Any

from dramatiq import Broker, MessageProxy, Middleware

from worker.broker.bell import Bell
from worker.broker.card import JobMessage
from worker.broker.errands import errands_of
from worker.broker.leases import Renewer
from worker.observe.alerts import Outbox, Sink
from worker.store.connection import connect

if TYPE_CHECKING:
    from dramatiq import Worker

    from worker.broker.broker import PacelineBroker

PR_SET_PDEATHSIG = 1
LAST_ALERTS_S = 3.0  # a process that leaves waits this long for its outbox; what is left, another process hands over


class ProcessMiddleware(Middleware):
    """Starts the bell, the renewal and the outbox with the worker, and stops them in the order that loses nothing."""

    def __init__(self, url: str, sinks: list[Sink]) -> None:
        self._url = url
        self._sinks = sinks
        self._bell: Bell | None = None
        self._renewer: Renewer | None = None
        self._outbox: Outbox | None = None

    def after_process_boot(self, broker: Broker) -> None:
        """Leave when the master dies: SIGKILL of it would otherwise leave an orphan that goes on taking jobs."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    def before_worker_boot(self, broker: PacelineBroker, worker: Worker) -> None:  # type: ignore[override]
        broker.threads.total = worker.worker_threads
        listen_s = broker.settings.broker.idle_poll_s
        self._bell = Bell(
            connect(self._url, timeout_s=listen_s + 5), broker.keys, broker.threads, broker.worker_id, listen_s
        )
        self._outbox = Outbox(broker, self._sinks)
        self._renewer = Renewer(broker, errands_of(broker, self._outbox))
        broker.hello()
        self._bell.start()
        self._outbox.start()
        self._renewer.start()

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        """What this process has caused is handed over at once, not at the outbox's next look."""
        fate = message.fate if isinstance(message, JobMessage) else None
        if self._outbox is not None and fate is not None and fate.may_alert:
            self._outbox.poke()

    after_nack = after_ack

    def before_worker_shutdown(self, broker: PacelineBroker, worker: Any) -> None:  # type: ignore[override]
        """dramatiq stops threads before consumers: without this the consumer would hoard jobs that nobody runs."""
        broker.threads.drain()
        if self._bell is not None:
            self._bell.stop()

    def after_worker_shutdown(self, broker: PacelineBroker, worker: Any) -> None:  # type: ignore[override]
        broker.threads.stop()
        if self._renewer is not None:
            self._renewer.stop()
        if self._outbox is not None:
            self._outbox.stop()
            self._outbox.join(LAST_ALERTS_S)
        broker.farewell()
