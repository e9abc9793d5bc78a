"""Observe: a job's way through the queue, for Sentry's page of queues: put in (`queue.publish`), run (`queue.process`).

Promise: off unless a sample rate is set, and then nothing of this exists in a process; on, a job costs two small values
handed to the SDK's own thread, which drops them when it cannot send, and never a wait. A job is sampled by its id, so
every process that meets it decides alike, and both halves belong to one trace without a word in the message. Nothing in
them that the redactor would hide, and nothing of the caller's own Sentry. Scope: spans; alerts are `sentry.py`.
"""

from __future__ import annotations

import atexit
import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import sentry_sdk
from dramatiq import Broker, MessageProxy, Middleware
from sentry_sdk.scope import use_isolation_scope, use_scope
from sentry_sdk.utils import BadDsn

from settings import Settings, SettingsError
from worker import VERSION
from worker.broker.card import JobMessage
from worker.fail.fate import Fate
from worker.observe.redact import Redactor
from worker.observe.sentry import DSN_PROBLEM, Censor

LAST_WORDS_S = 2.0
Published = Iterable[tuple[str, str, int]]
"""Operation, job id and bytes of each message."""


@dataclass(frozen=True, slots=True)
class Span:
    """One half of a job's way. Times are Unix seconds."""

    op: str
    job_id: str
    operation: str
    started_s: float
    ended_s: float
    status: str
    facts: dict[str, Any] = field(default_factory=dict)


def queue_spans(settings: Settings, redactor: Redactor) -> QueueSpans | None:
    """The spans of one process, where they are wanted. Raises `SettingsError` for an address the SDK refuses."""
    if settings.observe.sentry_dsn is None or settings.observe.traces_sample_rate <= 0:
        return None
    try:
        return QueueSpans(settings, redactor)
    except BadDsn:
        raise SettingsError([DSN_PROBLEM]) from None


class QueueSpans(Middleware):
    """Sends both halves; dramatiq's hooks tell of the second and of a next page's first, else `Enqueuer.published`."""

    def __init__(self, settings: Settings, redactor: Redactor, now_s: Callable[[], float] = time.time) -> None:
        self._rate = settings.observe.traces_sample_rate
        self._now_s = now_s
        self._client = sentry_sdk.Client(**options_of(settings, redactor))
        self._running = threading.local()
        atexit.register(self.close)

    def close(self) -> None:
        """What has not been sent has a moment more."""
        atexit.unregister(self.close)
        self._client.close(timeout=LAST_WORDS_S)

    def published(self, jobs: Published, started_s: float) -> None:
        """These jobs were put into the queue just now."""
        for operation, job_id, size in jobs:
            if self._sampled(job_id):
                facts = {"messaging.message.body.size": size}
                self._send(Span("queue.publish", job_id, operation, started_s, self._now_s(), "ok", facts))

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        self._running.since_s = self._now_s()

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        assert isinstance(message, JobMessage)
        card = message.card
        if not self._sampled(card.job_id):
            return
        now_s = self._now_s()
        facts = {
            "messaging.message.body.size": len(card.encoded),
            "messaging.message.retry.count": card.attempts,
            "messaging.message.receive.latency": max(0.0, round((card.taken_us - card.created_us) / 1000, 3)),
            "paceline.account": card.account,
            "paceline.decision": message.fate.decision if message.fate else "",
        }
        since_s = min(now_s, getattr(self._running, "since_s", now_s))
        self._send(Span("queue.process", card.job_id, card.operation, since_s, now_s, status_of(message.fate), facts))

    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        """What its end has put into the queue in the same step: the next page of a list."""
        fate = message.fate if isinstance(message, JobMessage) else None
        if fate is not None and fate.successors:
            born = [(str(facts["op"]), str(facts["id"]), len(blob)) for facts, blob in fate.successors]
            self.published(born, self._now_s())

    def after_worker_shutdown(self, broker: Broker, worker: Any) -> None:
        self._client.flush(timeout=LAST_WORDS_S)

    def _sampled(self, job_id: str) -> bool:
        return int(trace_of(job_id)[:8], 16) < self._rate * 2**32

    def _send(self, span: Span) -> None:
        """As a transaction with the span in it, which is the form the page of queues reads."""
        scope = sentry_sdk.Scope(client=self._client)
        with use_isolation_scope(sentry_sdk.Scope(client=self._client)), use_scope(scope):
            transaction = scope.start_transaction(
                name=span.operation, op=span.op, source="task", sampled=True, trace_id=trace_of(span.job_id),
                start_timestamp=span.started_s, scope=scope, **parent_of(span),
            )  # fmt: skip
            child = transaction.start_child(
                op=span.op, name=span.operation, span_id=span_id_of(span), start_timestamp=span.started_s, scope=scope
            )
            child.set_data("messaging.message.id", span.job_id)
            child.set_data("messaging.destination.name", span.operation)
            child.set_data("messaging.system", "paceline")
            for name, value in span.facts.items():
                child.set_data(name, value)
            child.set_status(span.status)
            transaction.set_status(span.status)
            child.finish(scope, span.ended_s)
            transaction.finish(scope, span.ended_s)


def trace_of(job_id: str) -> str:
    """The trace of a job and of every page after it."""
    return _digest(f"trace {job_id.partition('.p')[0]}")[:32]


def span_id_of(span: Span) -> str:
    """What put a job in has one span, so that what runs it can name it without having been told."""
    return _digest(f"{span.op} {span.job_id} {'' if span.op == 'queue.publish' else span.started_s}")[:16]


def parent_of(span: Span) -> dict[str, Any]:
    if span.op == "queue.publish":
        return {}
    return {"parent_span_id": _digest(f"queue.publish {span.job_id} ")[:16]}


def status_of(fate: Fate | None) -> str:
    """In Sentry's words: what waits for its limit again has not failed."""
    if fate is None or fate.decision == "bury":
        return "internal_error"
    if fate.decision == "park":
        return "unavailable" if fate.facts.get("attempt") else "resource_exhausted"
    return "ok"


def options_of(settings: Settings, redactor: Redactor) -> dict[str, Any]:
    """A client that sends transactions it is given, redacted, and nothing else."""
    dsn = settings.observe.sentry_dsn
    assert dsn is not None
    return {
        "dsn": dsn.get_secret_value(),
        "release": f"paceline@{VERSION}",
        "environment": settings.observe.sentry_environment or settings.environment,
        "traces_sample_rate": 1.0,
        "before_send": _nothing_else,
        "before_send_transaction": cast(Any, Censor(redactor)),
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "integrations": [],
        "auto_session_tracking": False,
        "send_client_reports": False,
        "enable_backpressure_handling": False,
        "include_local_variables": False,
        "max_breadcrumbs": 0,
        "spotlight": False,
        "debug": False,
        "shutdown_timeout": LAST_WORDS_S,
    }


def _nothing_else(event: Any, hint: Any) -> None:
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
