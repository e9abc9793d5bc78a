"""Deliver: sockets under one deadline.

Promise: name lookup, connecting, the TLS handshake, every read and every write of a call end by the call's own
deadline, however slowly the peer drips; the first byte of a request leaves only after the call's gate has said yes;
what went wrong is recorded once, as one of a closed set of kinds. Scope: bytes. HTTP is spoken by `http_call.py`
above.

httpx's time-outs are per read, so a peer that sends a byte a second never trips them. The way in is httpcore's
network backend: it is the one place through which every byte passes. Which call a thread is busy with is kept per
thread, because httpcore's synchronous pool does all of a request's work in the thread that asked for it.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpcore

from worker.deliver.exchange import FailureKind
from worker.deliver.resolver import is_public, resolve

HEADER_LIMIT = 64 * 1024
"""No further read once a head has this many bytes and no end; with one read's worth on top, 128 KiB at most."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Refrained(Exception):
    """The gate said no: nothing was written."""


class HeadTooLarge(Exception):
    """The response's head does not end."""


@dataclass(slots=True)
class Journal:
    """What happens to one call on the wire; made by `http_call.send`, filled here."""

    deadline: float
    connect_by: float
    gate: Callable[[], tuple[FailureKind, str] | None]
    public_only: bool = False
    failure: tuple[FailureKind, str] | None = None
    write_failure: str | None = None
    wrote: bool = False
    sent_at: float | None = None
    first_byte_at: float | None = None
    received: int = 0
    peer_closed: bool = False
    in_head: bool = True
    stream: "Stream | None" = None

    def fail(self, kind: FailureKind, detail: object) -> None:
        """The first cause counts; what follows from it is noise."""
        if self.failure is None:
            self.failure = (kind, str(detail) or type(detail).__name__)


_busy = threading.local()


@contextlib.contextmanager
def wire_of(journal: Journal) -> Iterator[None]:
    """Until the end, everything this thread does on sockets belongs to `journal`."""
    _busy.journal = journal
    try:
        yield
    finally:
        _busy.journal = None


def _journal() -> Journal:
    journal = getattr(_busy, "journal", None)
    if not isinstance(journal, Journal):
        raise RuntimeError("bytes pass only inside wire_of()")
    return journal


def tls_kind(error: ssl.SSLError) -> FailureKind:
    """Certificates do not mend by waiting; other handshake trouble may."""
    reason = (error.reason or "").upper()
    about_certificates = "CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "ACCESS_DENIED" in reason
    return "certificate" if isinstance(error, ssl.SSLCertVerificationError) or about_certificates else "tls"


class Stream(httpcore.NetworkStream):
    """One connection, plain or TLS."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        journal = _journal()
        journal.stream = self
        if journal.in_head and journal.received >= HEADER_LIMIT:
            raise HeadTooLarge
        try:
            self._allow_until(journal.deadline)
            data = self._sock.recv(max_bytes)
        except TimeoutError as error:
            journal.fail("read_timeout", "no whole answer before the call's deadline")
            self.abort()
            raise httpcore.ReadTimeout from error
        except ssl.SSLError as error:
            early = tls_kind(error) == "certificate" and not journal.received
            journal.fail("certificate" if early else "reset", error)
            raise httpcore.ReadError from error
        except OSError as error:
            journal.fail("reset", error)
            raise httpcore.ReadError from error
        if not data:
            journal.peer_closed = True
        elif journal.first_byte_at is None:
            journal.first_byte_at = time.monotonic()
        journal.received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        journal = _journal()
        journal.stream = self
        if journal.sent_at is None:
            self._pass_gate(journal)
        try:
            self._send_all(journal, memoryview(buffer))
        except TimeoutError as error:
            journal.fail("write_error", "the peer took no more bytes before the call's deadline")
            self.abort()
            raise httpcore.WriteTimeout from error
        except OSError as error:
            # httpcore now looks for an answer all the same: a server may refuse a request before it has read all of
            # it.
            journal.write_failure = str(error)
            raise httpcore.WriteError from error

    def _pass_gate(self, journal: Journal) -> None:
        verdict = journal.gate()
        if verdict is not None:
            journal.fail(*verdict)
            raise Refrained
        journal.sent_at = time.monotonic()

    def _send_all(self, journal: Journal, view: memoryview) -> None:
        # A TLS record may be on its way although its write failed; a plain write that failed sent nothing.
        journal.wrote = journal.wrote or isinstance(self._sock, ssl.SSLSocket)
        while view:
            self._allow_until(journal.deadline)
            view = view[self._sock.send(view) :]
            journal.wrote = True

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "Stream":
        journal = _journal()
        try:
            self._allow_until(journal.connect_by)
            return Stream(ssl_context.wrap_socket(self._sock, server_hostname=server_hostname))
        except TimeoutError as error:
            journal.fail("connect_timeout", "the TLS handshake did not end in time")
            self.abort()
            self.close()
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            journal.fail(tls_kind(error) if isinstance(error, ssl.SSLError) else "tls", error)
            self.close()
            raise httpcore.ConnectError from error

    def _allow_until(self, moment: float) -> None:
        left = moment - time.monotonic()
        if left <= 0:
            raise TimeoutError("past the deadline")
        self._sock.settimeout(left)

    def abort(self) -> None:
        """Closing will now reset the connection, so that the peer does not go on answering into a void."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def close(self) -> None:
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "is_readable":
            return _readable(self._sock)
        return self._sock if info == "socket" else None


def _readable(sock: socket.socket) -> bool:
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Backend(httpcore.NetworkBackend):
    """How httpcore's pool opens connections here."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        journal = _journal()
        try:
            addresses = resolve(host, port, journal.connect_by)
        except OSError as error:
            journal.fail("dns", f"{host}: {error}")
            raise httpcore.ConnectError from error
        if journal.public_only:
            # At the socket, where no trick with names can go round it: what was looked up is what is connected to.
            addresses = [one for one in addresses if is_public(one[1][0])]
            if not addresses:
                journal.fail("private_address", f"{host} leads to no public address")
                raise httpcore.ConnectError
        return Stream(_connect(addresses, journal))


def _connect(addresses: list[tuple[socket.AddressFamily, Any]], journal: Journal) -> socket.socket:
    """The first address that answers; each may use its share of the time, so a silent one cannot use it all."""
    last: OSError = OSError("the name has no address")
    for position, (family, address) in enumerate(addresses):
        left = journal.connect_by - time.monotonic()
        if left <= 0:
            last = TimeoutError()
            break
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(left / (len(addresses) - position))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            last = error
    if isinstance(last, TimeoutError):
        journal.fail("connect_timeout", "no connection in time")
        raise httpcore.ConnectTimeout from last
    journal.fail("refused", last)
    raise httpcore.ConnectError from last
