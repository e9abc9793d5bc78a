"""Observe: alerts as Sentry events, with proof that they arrived.

Promise: one event per problem opened or opened again, under the fingerprint the console uses; it counts as handed over
only when the receiver has answered 2xx; nothing in it that the redactor would hide. Nothing else of this process goes
to Sentry: the client is a private one, without integrations, so neither a log line nor an exception nor another library
can send through it, and none of dramatiq's three events per dead job exist. Scope: events; which alerts there are, and
when they are offered again, is `alerts.py`.

The SDK's own transport drops what it cannot send and says nothing, and its `flush` does not tell either. Ours sends in
the caller's thread, which is the outbox's own, and keeps the answer. An event that was sent again, because the first
answer was lost, carries the same id; Sentry keeps it once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import sentry_sdk
from sentry_sdk.utils import BadDsn

from settings import Settings, SettingsError
from worker import VERSION
from worker.observe.alerts import Alert, Sink
from worker.observe.breadcrumbs import breadcrumbs_of
from worker.observe.censor import censored
from worker.observe.receiver import Receiver
from worker.observe.redact import Redactor
from worker.observe.sentry_transport import ConfirmingTransport

if TYPE_CHECKING:
    from sentry_sdk._types import Event

PATIENCE_S = 4.0
DSN_PROBLEM = "PACELINE_OBSERVE__SENTRY_DSN: expected a DSN (https://key@host/123, ending in a number), got other text"
TAGS = {"class": "error_class"} | {name: name for name in ("kind", "api", "account", "operation", "code", "problem")}
# Sentry reads these by its own rules, and they say nothing of a job.
_NOT_TEXT = frozenset({"event_id", "timestamp", "level", "platform", "sdk", "release"})


def sentry_sinks(
    settings: Settings,
    redactor: Redactor,
    *,
    patience_s: float = PATIENCE_S,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Sink]:
    """The sink for Sentry, where one is configured. Raises `SettingsError` for an address its client refuses."""
    dsn = settings.observe.sentry_dsn
    if dsn is None:
        return []
    try:
        transport = ConfirmingTransport(dsn.get_secret_value(), patience_s)
    except BadDsn:
        raise SettingsError([DSN_PROBLEM]) from None
    return [SentrySink(settings, redactor, transport, monotonic)]


class SentrySink:
    """Hands over openings. That something is resolved is no event; it is in the log."""

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor,
        transport: ConfirmingTransport,
        monotonic: Callable[[], float],
    ) -> None:
        self._console_url = settings.observe.console_url
        self._transport = transport
        self._client = sentry_sdk.Client(**options_of(settings, redactor, transport))
        self._receiver = Receiver("Sentry", monotonic)

    def deliver(self, alert: Alert) -> bool:
        """True when the receiver has confirmed the event, or when there is none to send."""
        if alert.change != "opened":
            return True
        if self._receiver.rests:
            return False
        event = event_of(alert, self._console_url)
        self._client.capture_event(event)
        return self._receiver.confirms(self._transport.answer_to(event["event_id"]))


def options_of(settings: Settings, redactor: Redactor, transport: ConfirmingTransport) -> dict[str, Any]:
    """A client that sends what it is given, redacted, and watches nothing by itself."""
    observe = settings.observe
    return {
        "dsn": transport.parsed_dsn,
        "transport": transport,
        "release": f"paceline@{VERSION}",
        "environment": observe.sentry_environment or settings.environment,
        "before_send": Censor(redactor),
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "integrations": [],
        "auto_session_tracking": False,
        "send_client_reports": False,
        "include_local_variables": False,
        "include_source_context": False,
        "attach_stacktrace": False,
        "max_request_body_size": "never",
        "max_breadcrumbs": 0,
        "traces_sample_rate": None,
        "spotlight": False,
        "debug": False,
        "shutdown_timeout": 0,
    }


@dataclass(frozen=True, slots=True)
class Censor:
    """The last door: every text of an event goes through the redactor once more."""

    redactor: Redactor

    def __call__(self, event: Event, hint: Mapping[str, Any]) -> Event | None:
        fields: dict[str, Any] = dict(event)
        shown = {
            name: value if name in _NOT_TEXT else censored(value, self.redactor) for name, value in fields.items()
        }
        return cast("Event", shown)


def event_of(alert: Alert, console_url: str | None) -> Event:
    """The event of one opening. Its id follows from the opening alone, so that handing over again repeats it."""
    facts = alert.facts
    details: dict[str, Any] = {
        **{str(name): value for name, value in facts.items() if value not in (None, "")},
        "advice": alert.advice,
        "explanation": alert.explanation,
        "alert": alert.key,
        "opening": alert.generation,
        "count": max(alert.count, int(facts.get("count") or 0)),
        **links_of(alert, console_url),
    }
    event: Event = {
        "event_id": event_id_of(alert),
        "level": alert.level,
        "logger": "paceline.alerts",
        "message": alert.title,
        "fingerprint": [alert.fingerprint],
        "tags": {tag: str(facts[name])[:200] for name, tag in TAGS.items() if facts.get(name)},
        "contexts": {"alert": {name: value for name, value in details.items() if value != ""}},
        "breadcrumbs": {"values": breadcrumbs_of(alert.attempts)},
    }
    if alert.opened_us > 0:
        event["timestamp"] = datetime.fromtimestamp(alert.opened_us / 1e6, UTC)
    return event


def links_of(alert: Alert, console_url: str | None) -> dict[str, str]:
    """The operators' pages of the alert and of what it is about. `link` is where one looks first: the problem, else the
    alert itself.
    """
    if not console_url:
        return {}
    console, facts = console_url.rstrip("/"), alert.facts
    own = f"{console}/alerts/one?key={quote(alert.key, safe='')}"
    if not facts.get("problem"):
        return {"link": own, "alert_page": own}
    found = {"link": f"{console}/problems/{facts['problem']}", "alert_page": own}
    if facts.get("job"):
        found["dead_letter"] = f"{console}/dead-letters/{facts['job']}"
    return found


def event_id_of(alert: Alert) -> str:
    """32 hex digits. The time of the opening is part of it: a store that was emptied counts from one again, and Sentry
    would take its first alert for one it has had.
    """
    return hashlib.sha256(alert.member.encode()).hexdigest()[:32]
