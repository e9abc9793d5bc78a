"""Sandbox, sockets: one client connection, from bytes to reception and back to bytes.

A request arrives when its head has been read (and the inbound latency has passed), not when its body is complete. It
promises one request at a time per connection, keep-alive, and faults to the byte: hang, drip, cut replies, RST. Its
scope ends at moving bytes; what they say is decided in reception.py.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable
from typing import cast

from worker.sandbox.http11 import BadRequest, Reply, Request, encode, read_head
from worker.sandbox.reception import Api, Front, Visit

NUMBERS = itertools.count(1)
Control = Callable[[Request], Reply]
RST = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """One accepted socket of one API; `api` is None on the control listener."""

    def __init__(self, front: Front, api: Api | None, control: Control, crowd: set[Connection], scheme: str) -> None:
        self.front, self.api, self.control, self.crowd, self.scheme = front, api, control, crowd, scheme
        self.number = next(NUMBERS)
        self.buffer = bytearray()
        self.request: Request | None = None
        self.visit: Visit | None = None
        self.waiting = False  # for a latency, a drip or for ever; nothing more is read from the buffer meanwhile
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepted; a fault may end it here."""
        self.transport = cast(asyncio.Transport, transport)
        self.crowd.add(self)
        if self.api is not None and self.front.faults.strikes_accept(self.api.name):
            self.waiting = True
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self.waiting = True
        self.crowd.discard(self)

    def data_received(self, data: bytes) -> None:
        """More bytes from the client."""
        self.buffer += data
        if not self.waiting:
            self._advance()

    def _advance(self) -> None:
        """Go on until bytes are missing or something has to be waited for."""
        try:
            while not self.waiting:
                if self.request is None and not self._head():
                    return
                if self.waiting or not self._body():
                    return
                self._answer()
        except BadRequest as bad:
            reply = Reply(bad.status, str(bad).encode(), "text/plain")
            self.transport.write(b"".join(encode(reply, False)))
            self.waiting = True
            self.transport.close()

    def _head(self) -> bool:
        self.request = read_head(self.buffer)
        if self.request is None:
            return False
        self.request.scheme = self.scheme
        if self.api is None or self.request.path.startswith("/_control"):
            return True
        inbound = self.front.latency[self.api.name].inbound_s(self.front.rng)
        if inbound:
            self._later(inbound, self._arrive)
        else:
            self.visit = self.front.arrive(self.api, self.request, self.number)
        return True

    def _arrive(self) -> None:
        assert self.api is not None and self.request is not None
        self.visit = self.front.arrive(self.api, self.request, self.number)

    def _later(self, seconds: float, step: Callable[[], None]) -> None:
        self.waiting = True

        def resume() -> None:
            if self.transport.is_closing() and step != self._arrive:
                return
            self.waiting = False
            step()
            self._advance()

        asyncio.get_running_loop().call_later(seconds, resume)

    def _body(self) -> bool:
        assert self.request is not None
        if len(self.buffer) < self.request.length:
            return False
        self.request.body = bytes(self.buffer[: self.request.length])
        del self.buffer[: self.request.length]
        return True

    def _answer(self) -> None:
        request, visit = self.request, self.visit
        assert request is not None
        self.request = self.visit = None
        reply = self.front.answer(self.api, visit) if visit and self.api else self.control(request)
        if reply.delay_s:
            self._later(reply.delay_s, lambda: self._send(reply, request.keep_alive))
        else:
            self._send(reply, request.keep_alive)

    def _send(self, reply: Reply, keep_alive: bool) -> None:
        head, body = encode(reply, keep_alive)
        if reply.manner == "whole":
            self.transport.write(head + body)
            if not keep_alive:
                self._end()
        elif reply.manner == "drip":
            self._drip(head + body, reply.interval_s, keep_alive)
        elif reply.manner == "hang":
            self.waiting = True
        else:
            if reply.manner.startswith("half"):
                self.transport.write(head + body[: len(body) // 2])
            self._end(hard=reply.manner.endswith("reset"))

    def _drip(self, data: bytes, interval_s: float, keep_alive: bool) -> None:
        if not data:
            return None if keep_alive else self._end()
        self.transport.write(data[:1])
        return self._later(interval_s, lambda: self._drip(data[1:], interval_s, keep_alive))

    def _end(self, hard: bool = False) -> None:
        """Close; hard means that the peer sees a reset instead of an end."""
        self.waiting = True
        if not hard:
            self.transport.close()
            return
        peer = self.transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        self.transport.abort()

    def drop(self) -> None:
        """Cut the connection without a word: an outage."""
        self._end(hard=True)
