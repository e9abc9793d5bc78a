"""Plumbing: boots a worker process. `dramatiq worker.main:broker tasks` imports this module.

The order is a list on purpose: logging before anything speaks, Sentry before the broker exists, the store checked
before dramatiq starts threads. Promise: wrong settings or an unfit store end the process with one line and the
documented exit code; nothing is half started. Scope: putting parts together.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import dramatiq
import redis

from settings import Settings, SettingsError, load
from worker.accept.callback import POST_RESULT
from worker.broker.actors import actor_for
from worker.broker.broker import PacelineBroker
from worker.broker.process import ProcessMiddleware
from worker.clock import SYSTEM
from worker.deliver.attempt import Delivery
from worker.deliver.credentials import Credentials
from worker.deliver.job_event import JobEvents
from worker.errors import StoreUnavailable
from worker.fail.middleware import FateMiddleware
from worker.leaving import EXIT_UNREACHABLE, EXIT_USAGE, leave
from worker.observe import log
from worker.observe.alerts import LogSink, Sink
from worker.observe.redact import Redactor
from worker.observe.sentry import sentry_sinks
from worker.observe.spans import queue_spans
from worker.observe.webhook import webhook_sinks
from worker.store.connection import check_rights, check_store, connect, shown
from worker.store.embedded import EmbeddedServer
from worker.store.partition import Partition


class System:
    """The parts of one process. Built once by `boot`; tests build their own."""

    def __init__(self, settings: Settings, url: str, clock_us: Callable[[], int] | None = None) -> None:
        self.settings = settings
        self.url = url
        self.credentials = Credentials(settings)
        self.redactor = Redactor(self.credentials.secrets, settings.observe.personal_data)
        self.client: redis.Redis = connect(url)
        self.delivery = Delivery(settings, self.credentials)
        self.fate = FateMiddleware(settings, self.redactor, random.Random(), SYSTEM)
        # Before the broker exists, so that its first trouble is already told.
        webhook = webhook_sinks(settings, self.credentials, self.redactor)
        self.sinks: list[Sink] = [LogSink(), *webhook, *sentry_sinks(settings, self.redactor)]
        self.spans = queue_spans(settings, self.redactor)
        self.process = ProcessMiddleware(url, self.sinks)
        self.broker = PacelineBroker(
            settings,
            self.client,
            # Afterwards dramatiq asks in the other direction: the fate is known when the spans look at it.
            middleware=[self.process, *([self.spans] if self.spans else []), self.fate],
            deliver=self.delivery,
            clock_us=clock_us,
        )
        if self.spans is not None:
            self.broker.accept.published = self.spans.published
        self.fate.worker = self.broker.worker_id
        actor_for(POST_RESULT, self.broker)  # no catalogue names it: nobody asks for it
        partition = Partition(self.client, self.broker.keys, self.broker.scripts)
        self.delivery.told = JobEvents(settings, self.credentials, partition, self.redactor).request
        self.broker.credentials_changed = self.credentials.changed
        self.delivery.fence = self.broker.ending.may_send


def store_url(settings: Settings) -> tuple[str, EmbeddedServer | None]:
    """Where the store is: the configured one, else the checkout's own embedded server (started if need be)."""
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value(), None
    server = EmbeddedServer.shared(settings.var_dir)
    return server.url, server


def boot(settings: Settings | None = None, clock_us: Callable[[], int] | None = None) -> tuple[System, Any]:
    """Everything a process needs, in order. Raises `SettingsError` and `StoreUnavailable`."""
    settings = settings or load()
    url, server = store_url(settings)
    system = System(settings, url, clock_us)
    log.configure(settings.observe.log_level, system.redactor)
    check_store(system.client, shown(url))
    check_rights(system.broker.scripts, shown(url))
    dramatiq.set_broker(system.broker)
    return system, server


def _boot_or_leave() -> System:
    global _server
    try:
        system, _server = boot()
    except SettingsError as error:
        leave(EXIT_USAGE, error.problems)
    except StoreUnavailable as error:
        leave(EXIT_UNREACHABLE, [str(error)])
    return system


_server: Any = None


def __getattr__(name: str) -> Any:
    """`broker` and `system` are made when they are first asked for, so importing this module has no effect."""
    if name in ("broker", "system"):
        system = _boot_or_leave()
        globals()["system"] = system
        globals()["broker"] = system.broker
        return globals()[name]
    raise AttributeError(name)
