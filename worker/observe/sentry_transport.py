"""Observe: sends Sentry's envelopes, and keeps what the receiver answered.

Promise: an answer is only what came from the receiver: a redirect is not followed, a login page behind one is no
confirmation; no call waits longer than its patience for a connection or an answer. Scope: one HTTP request; used by one
thread, the outbox's. What the answer means for an alert is `sentry.py`'s business.

The proxies and authorities of the machine are respected as the SDK's own transport does.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Mapping

import certifi
import urllib3
from sentry_sdk.consts import VERSION as SDK_VERSION
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from sentry_sdk.utils import Dsn

from worker.observe.receiver import Answer


class ConfirmingTransport(Transport):
    """Sends at once, in the caller's thread."""

    def __init__(self, dsn: str, patience_s: float) -> None:
        """Raises `BadDsn`."""
        super().__init__({"dsn": dsn})
        self._dsn = Dsn(dsn)
        auth = self._dsn.to_auth(f"paceline sentry.python/{SDK_VERSION}")
        self._url = auth.get_api_url()
        self._headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth.to_header()}
        self._timeout = urllib3.Timeout(total=patience_s)
        self._answers: dict[str, Answer] = {}
        self._pool: urllib3.PoolManager | None = None

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        if event is not None:
            self._answers[event["event_id"]] = self._post(envelope.serialize())

    def answer_to(self, event_id: str) -> Answer | None:
        """What the receiver said to this event; None when it was not sent at all. Asked once."""
        return self._answers.pop(event_id, None)

    def _post(self, body: bytes) -> Answer:
        try:
            # Made at the first event: a process that was forked before must not share its connections.
            self._pool = self._pool or _pool(self._dsn)
            response = self._pool.request(
                "POST", self._url, body=body, headers=self._headers, timeout=self._timeout,
                retries=False, redirect=False, preload_content=False,
            )  # fmt: skip
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Answer(None, type(error).__name__)
        try:
            return Answer(response.status, retry_after_s=_seconds(response.headers))
        finally:
            response.close()


def _pool(dsn: Dsn) -> urllib3.PoolManager:
    """Straight to the receiver, or through the proxy the machine names for it."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    proxy = urllib.request.getproxies().get(dsn.scheme)
    if proxy is None or urllib.request.proxy_bypass(dsn.host):
        return urllib3.PoolManager(ssl_context=context)
    return urllib3.ProxyManager(proxy, ssl_context=context)


def _seconds(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None
