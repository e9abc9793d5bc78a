"""Deliver: the one door to the network.

Promise: `send` puts at most one HTTP request on the wire and returns by its total deadline with what happened. It
raises for mistakes of ours, never for network trouble. No redirects, no retries (each would be an arrival nobody
counted), no proxies or credentials from the environment, no cookies, HTTP/1.1, no compression. Scope: one exchange;
its meaning is read elsewhere.

httpx's transport is used, not its client: the client parses a redirect's target even when told not to follow it,
keeps cookies across accounts, and logs every URL, which for one API contains a credential.

Right before the request's first byte (the TLS handshake is over by then) the permit's `send_by` is compared with
the clock that runs through a suspended machine, then `fence` is asked, then the clock again, for the fence may have
taken long. If either says no, nothing is written. An exception from `fence` comes out unchanged, and nothing was
written then either.

A pooled connection that the peer has closed looks idle until it is written to; the outcome is then unknown, and
this module says so instead of trying again. Calls that must not be repeated therefore ask for a fresh connection.
"""

import atexit
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpcore
import httpx

from worker.deliver.exchange import (
    NOTHING_SENT,
    Call,
    Exchange,
    Failure,
    FailureKind,
    Request,
    Response,
    Timing,
    TlsFiles,
)
from worker.deliver.network import Backend, HeadTooLarge, Journal, Refrained, wire_of
from worker.deliver.tls import Fingerprint, context_for, fingerprint_of, paths_of

__all__ = ["NOTHING_SENT", "Exchange", "Failure", "Request", "Response", "Timing", "Unsendable", "boottime", "send"]

USER_AGENT = "paceline"
KEEPALIVE_S = 15.0
CONNECTIONS = 128
"""Per process and certificate. A thread holds one at most, so this is only met by a process of more threads than
that.
"""

# At debug level httpcore writes headers and at info level httpx writes URLs: both hold credentials.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Unsendable(ValueError):
    """The request cannot be put on the wire as it is: a mistake in settings or in the catalogue."""


def boottime() -> float:
    """Seconds on the clock that `send_by` is on: it goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _Transport(httpx.HTTPTransport):
    """httpx's transport over a pool that uses our sockets."""

    def __init__(self, tls: TlsFiles | None, keep: int) -> None:
        context = context_for(tls)
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=CONNECTIONS,
            max_keepalive_connections=keep,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=Backend(),
        )

    def close_idle(self) -> None:
        """Calls under way keep their connections; they end with the last reference to this transport."""
        for connection in self._pool.connections:
            if connection.is_idle():
                connection.close()


class _Doors:
    """Transports by certificate files and use; files that were replaced get a new one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[tuple[str, ...], bool], tuple[Fingerprint, _Transport]] = {}

    def get(self, tls: TlsFiles | None, fresh: bool) -> _Transport:
        key, fingerprint = (paths_of(tls), fresh), fingerprint_of(tls)
        known = self._open.get(key)
        if known is None or known[0] != fingerprint:
            known = self._renew(key, fingerprint, tls)
        return known[1]

    def _renew(
        self, key: tuple[tuple[str, ...], bool], fingerprint: Fingerprint, tls: TlsFiles | None
    ) -> tuple[Fingerprint, _Transport]:
        with self._lock:
            known = self._open.get(key)
            if known is not None and known[0] == fingerprint:
                return known
            # A pool that keeps no idle connection opens one per request and closes it after.
            made = self._open[key] = (fingerprint, _Transport(tls, keep=0 if key[1] else CONNECTIONS))
        if known is not None:
            known[1].close_idle()
        return made

    def close_idle(self) -> None:
        for _, transport in list(self._open.values()):
            transport.close_idle()


_doors = _Doors()


def _forget_doors() -> None:
    global _doors
    _doors = _Doors()


# A forked child must not speak on its parent's connections.
os.register_at_fork(after_in_child=_forget_doors)
# The other side need not find out by itself that this process has gone.
atexit.register(lambda: _doors.close_idle())


def send(
    spec: Call,
    *,
    credentials_headers: Mapping[str, str],
    query: Mapping[str, str],
    timing: Timing,
    fresh_connection: bool,
    fence: Callable[[], bool] | None = None,
    tls: TlsFiles | None = None,
    max_body: int = 8_388_608,
    public_only: bool = False,
) -> Exchange:
    """Make the call; see the module's promise. With `public_only` no private address is connected to."""
    started_at, started = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    deadline = started + timing.total_deadline_s
    journal = Journal(deadline, min(started + timing.connect_timeout_s, deadline), _gate(timing, fence), public_only)
    request = _build(spec, credentials_headers, query, fresh_connection)
    shown = Request(request.method, str(request.url), _pairs(request.headers), request.content)
    response: Response | None = None
    try:
        transport = _doors.get(tls, fresh_connection)
    except (OSError, ValueError) as error:  # a certificate file that is missing, unreadable or not a certificate
        journal.fail("certificate", f"the certificate files cannot be used: {type(error).__name__}")
    else:
        with wire_of(journal):
            response = _exchange(transport, request, journal, max_body)
    return Exchange(
        request=shown,
        response=response,
        failure=Failure(*journal.failure) if journal.failure else None,
        wrote=journal.wrote,
        started_at=started_at,
        started=started,
        ended_at=time.monotonic(),
        sent_at=journal.sent_at if journal.wrote else None,
        first_byte_at=journal.first_byte_at,
    )


def unsent(method: str, url: str, kind: FailureKind, detail: str) -> Exchange:
    """What is on record of a call that was not even begun."""
    at, now = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    return Exchange(Request(method, url, (), b""), None, Failure(kind, detail), False, at, now, now)


def encoded(value: Mapping[str, object]) -> bytes:
    """The bytes that a body becomes, for who must sign them."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can escape and UTF-8 cannot hold
        return json.dumps(value, separators=(",", ":")).encode()


def _gate(timing: Timing, fence: Callable[[], bool] | None) -> Callable[[], tuple[FailureKind, str] | None]:
    def late() -> bool:
        return timing.send_by_boottime_s is not None and boottime() > timing.send_by_boottime_s

    def verdict() -> tuple[FailureKind, str] | None:
        if late():
            return "too_late", "the permit's time to send had passed"
        if fence is not None and not fence():
            return "fenced", "the lease is not ours any more"
        return ("too_late", "the permit's time to send passed while the lease was checked") if late() else None

    return verdict


def _build(spec: Call, credentials: Mapping[str, str], query: Mapping[str, str], fresh: bool) -> httpx.Request:
    body = None if spec.json is None else encoded(spec.json)
    headers = {"accept": "application/json", "user-agent": USER_AGENT}
    if (form := getattr(spec, "form", None)) is not None:  # a token endpoint's; no call of the catalogue has one
        body, headers["content-type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
    elif body is not None:
        headers["content-type"] = "application/json"
    for name, value in (*spec.headers.items(), *credentials.items()):
        headers[name.lower()] = value
    headers |= {"accept-encoding": "identity", "connection": "close" if fresh else "keep-alive"}
    for name, value in headers.items():
        if not (name.isascii() and value.isascii() and name.isprintable() and value.isprintable()):
            # The value may be a credential: it must not be named, and httpx would name it.
            raise Unsendable(f"expected printable ASCII in the header {name!r}, got something else; correct its source")
    url = httpx.URL(spec.url)
    if spec.query or query:
        url = url.copy_merge_params([*(pair for pair in spec.query if pair[0] not in query), *query.items()])
    if url.scheme not in ("http", "https") or not url.host:
        raise Unsendable("expected an absolute http or https URL; correct the base URL in the settings")
    return httpx.Request(spec.method, url, headers=headers, content=body)


def _pairs(headers: httpx.Headers) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)


def _exchange(transport: _Transport, request: httpx.Request, journal: Journal, max_body: int) -> Response | None:
    """The response as far as it came; `journal` says if and why that is not all of it."""
    request.extensions["timeout"] = {"pool": max(0.0, journal.connect_by - time.monotonic())}
    head: httpx.Response | None = None
    body = bytearray()
    try:
        head = transport.handle_request(request)
        journal.in_head = False
        _refuse_leftovers(journal)
        _read_body(head, body, journal, max_body)
    except (httpx.HTTPError, HeadTooLarge, Refrained) as error:
        _explain(error, journal)
    finally:
        if head is not None:
            if journal.failure and journal.stream:
                journal.stream.abort()
            head.close()
    if head is None or not journal.received:
        return None
    version = head.extensions.get("http_version", b"HTTP/1.1").decode("ascii", "replace")
    return Response(head.status_code, _pairs(head.headers), bytes(body), version)


def _refuse_leftovers(journal: Journal) -> None:
    """A second answer to the request before would be taken for the answer to this one."""
    if not journal.received:
        journal.fail("protocol", "an answer was there before the request")


def _read_body(head: httpx.Response, body: bytearray, journal: Journal, max_body: int) -> None:
    declared = head.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > max_body:
        journal.fail("oversized", f"{declared} bytes declared, {max_body} allowed")
    if journal.failure:
        return
    assert isinstance(head.stream, httpx.SyncByteStream)
    for chunk in head.stream:
        body += chunk
        if len(body) > max_body:
            del body[max_body:]
            journal.fail("oversized", f"more than {max_body} bytes")
            return


def _explain(error: Exception, journal: Journal) -> None:
    """The kind of a failure that the sockets did not name themselves."""
    refused_our_certificate = journal.failure is not None and journal.failure[0] == "certificate"
    if journal.write_failure is not None and journal.first_byte_at is None and not refused_our_certificate:
        journal.failure = ("write_error", journal.write_failure)
    elif journal.failure is not None:
        return
    elif isinstance(error, httpx.PoolTimeout):
        journal.fail("pool_timeout", "no free connection in time")
    elif isinstance(error, HeadTooLarge) or (journal.in_head and "buffer too long" in str(error)):
        journal.fail("header_too_large", "the response's head does not end")
    elif journal.peer_closed:
        whole = "closed without an answer" if not journal.received else "closed in the middle of the answer"
        journal.fail("truncated" if journal.received else "closed", whole)
    elif isinstance(error, httpx.RemoteProtocolError):
        journal.fail("protocol", error)
    else:
        # LocalProtocolError and the like: our mistake; its text may hold a header's value.
        raise Unsendable(f"the request cannot be written: {type(error).__name__}") from None
