"""Broker: the life of a worker process, from boot to drain, as dramatiq's middleware hooks.

Promise: threads are counted before the first job is taken; a process that stops takes nothing more, keeps its claims
alive until its last call is over, and leaves when its master dies (`leases.py` watches). Scope: starting and stopping;
the parts it starts have their own modules.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import redis
from dramatiq import Broker, MessageProxy, Middleware

from worker.broker.bell import Bell
from worker.broker.card import JobMessage
from worker.broker.carrying import Carrier
from worker.broker.errands import errands_of
from worker.broker.leases import Renewer
from worker.leaving import EXIT_UNREACHABLE, leave
from worker.observe.alerts import Outbox, Sink
from worker.store.connection import connect

if TYPE_CHECKING:
    from dramatiq import Worker

    from worker.broker.broker import PacelineBroker

ONE_ORDER_S = 3.0
LAST_WORDS_S = 2.0
LAST_ALERTS_S = 3.0  # a process that leaves waits this long for its outbox; what is left, another process hands over


class ProcessMiddleware(Middleware):
    """Starts the bell, the renewal and the outbox with the worker, and stops them in the order that loses nothing."""

    def __init__(self, url: str, sinks: list[Sink]) -> None:
        self._url = url
        self._sinks = sinks
        self._bell: Bell | None = None
        self._renewer: Renewer | None = None
        self._outbox: Outbox | None = None
        self._carrier: Carrier | None = None

    def after_process_boot(self, broker: PacelineBroker) -> None:  # type: ignore[override]
        hear_one_order_once(broker.threads.drain)

    def before_worker_boot(self, broker: PacelineBroker, worker: Worker) -> None:  # type: ignore[override]
        broker.threads.total = worker.worker_threads
        listen_s = broker.settings.broker.idle_poll_s
        self._bell = Bell(
            connect(self._url, timeout_s=listen_s + 5), broker.keys, broker.threads, broker.worker_id, listen_s
        )
        self._outbox = Outbox(broker, self._sinks)
        self._renewer = Renewer(broker, errands_of(broker, self._outbox))
        self._carrier = Carrier(broker)
        try:
            broker.hello()
        except redis.RedisError as error:  # it was there a moment ago, when `main.py` looked at it
            leave(EXIT_UNREACHABLE, [f"the store went away while this process started ({type(error).__name__})."])
        self._bell.start()
        self._outbox.start()
        self._renewer.start()
        self._carrier.start()

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        """What this process has caused is handed over at once, not at the outbox's next look."""
        fate = message.fate if isinstance(message, JobMessage) else None
        if self._outbox is not None and fate is not None and fate.may_alert:
            self._outbox.poke()

    after_nack = after_ack

    def before_worker_shutdown(self, broker: PacelineBroker, worker: Any) -> None:  # type: ignore[override]
        """dramatiq stops threads before consumers: without this the consumer would hoard jobs that nobody runs. Its own
        waiting counts the time of each thread once more for every thread after it, and leaves calls behind that end
        late; so they are waited for here. What is still in hand after that cannot reach the store.
        """
        broker.threads.drain()
        if self._bell is not None:
            self._bell.stop()
        broker.turn.pass_on()
        if self._carrier is not None:
            self._carrier.stop()
        broker.threads.wait_until_idle(broker.settings.deliver.total_deadline_s + LAST_WORDS_S)

    def after_worker_shutdown(self, broker: PacelineBroker, worker: Any) -> None:  # type: ignore[override]
        broker.threads.stop()
        broker.hand_back()
        if self._renewer is not None:
            self._renewer.stop()
        if self._outbox is not None:
            self._outbox.stop()
            self._outbox.join(LAST_ALERTS_S)
        broker.farewell()


def hear_one_order_once(obey: Callable[[], None]) -> None:
    """A platform that signals every process of a group, while the master passes its signal on, gives one order twice.
    dramatiq would take the second for impatience and drop the calls in flight; a real second order comes later. The
    first is obeyed at once: dramatiq looks once a second whether it is to stop, and jobs would be taken until then.
    """
    first: float | None = None
    for number in (signal.SIGTERM, signal.SIGHUP):
        stop = signal.getsignal(number)
        if not callable(stop):
            continue

        def heard(number: int, frame: FrameType | None, stop: Any = stop) -> None:
            nonlocal first
            now = time.monotonic()
            if first is None or now - first > ONE_ORDER_S:
                if first is None:
                    first = now
                    obey()
                stop(number, frame)

        signal.signal(number, heard)
