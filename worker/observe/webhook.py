"""Observe: alerts posted to an address of the operator's choice, signed as Standard Webhooks describes.

Promise: one message per change of an alert, under an id that follows from the change alone, so that one that is handed
over again can be told from a new one; it counts as handed over only when the receiver has answered 2xx itself; the
secret is read when a message is signed and shown nowhere. Scope: messages; how one is signed is `deliver/signing.py`,
which alerts there are and when they are offered again `alerts.py`, that a slow receiver holds up nobody `beside.py`.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from settings import Settings
from worker.accept.operation import CallSpec
from worker.deliver import http_call
from worker.deliver.credentials import Credentials
from worker.deliver.exchange import Exchange
from worker.deliver.signing import signed
from worker.limiter.headers import read_rate_headers
from worker.observe.alerts import Alert, Sink
from worker.observe.beside import Beside
from worker.observe.censor import censored
from worker.observe.receiver import Answer, Receiver
from worker.observe.redact import Redactor
from worker.observe.sentry import links_of

logger = logging.getLogger("paceline.alerts")
PATIENCE_S = 10.0
CONNECT_S = 4.0
MOST_ANSWER = 65_536


def webhook_sinks(
    settings: Settings,
    credentials: Credentials,
    redactor: Redactor,
    *,
    patience_s: float = PATIENCE_S,
    now_s: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Sink]:
    """The sink for the webhook, where one is configured."""
    if settings.observe.webhook_url is None:
        return []
    return [Beside(WebhookSink(settings, credentials, redactor, patience_s, now_s, monotonic), "webhook")]


class WebhookSink:
    """Posts every change, in the caller's thread."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        redactor: Redactor,
        patience_s: float,
        now_s: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        assert settings.observe.webhook_url is not None
        self._url = settings.observe.webhook_url.get_secret_value()
        self._console_url = settings.observe.console_url
        self._credentials = credentials
        self._redactor = redactor
        self._now_s = now_s
        self._receiver = Receiver("the webhook", monotonic)
        self._timing = http_call.Timing(None, patience_s, min(CONNECT_S, patience_s))

    def deliver(self, alert: Alert) -> bool:
        """True when the receiver has answered 2xx."""
        if self._receiver.rests:
            return False
        message = censored(message_of(alert, self._console_url), self._redactor)
        secrets = self._credentials.signing_secrets("webhook")
        headers = signed(http_call.encoded(message), message_id_of(alert), int(self._now_s()), secrets)
        try:
            exchange = http_call.send(
                CallSpec("POST", self._url, [], message, headers), credentials_headers={}, query={},
                timing=self._timing, fresh_connection=True, max_body=MOST_ANSWER,
            )  # fmt: skip
        except http_call.Unsendable as error:
            logger.error("an alert cannot be posted: %s", error)
            return False
        return self._receiver.confirms(answer_of(exchange))


def message_of(alert: Alert, console_url: str | None) -> dict[str, Any]:
    """What is posted: type, time and data, as Standard Webhooks advises."""
    opened = datetime.fromtimestamp(alert.opened_us / 1e6, UTC).isoformat(timespec="milliseconds")
    return {
        "type": f"alert.{alert.change}",
        "timestamp": opened.replace("+00:00", "Z"),
        "data": {
            "alert": alert.key, "fingerprint": alert.fingerprint, "level": alert.level, "title": alert.title,
            "explanation": alert.explanation, "advice": alert.advice, "opening": alert.generation,
            "count": alert.count, "facts": dict(alert.facts), **links_of(alert, console_url),
        },
    }  # fmt: skip


def message_id_of(alert: Alert) -> str:
    """The same however often this change is posted."""
    return f"alert_{hashlib.sha256(alert.member.encode()).hexdigest()[:32]}"


def answer_of(exchange: Exchange) -> Answer:
    """The receiver's own status, whether or not its body could be read; a redirect is no confirmation."""
    if exchange.response is None:
        return Answer(None, exchange.failure.kind if exchange.failure else "")
    hint = read_rate_headers(exchange.response.headers, exchange.ended_utc)
    return Answer(exchange.response.status, retry_after_s=hint.retry_after_s)
