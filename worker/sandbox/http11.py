"""Sandbox, wire: HTTP/1.1 requests read from bytes and replies turned into bytes.

Written by hand because faults need control over single bytes and the judge needs thousands of requests a second. It
promises keep-alive, bodies by Content-Length and a clear reply for anything else. Its scope ends at pure functions:
sockets are moved by connection.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

MAX_HEAD = 65_536
REASONS = {status.value: status.phrase for status in HTTPStatus}
Manner = Literal["whole", "hang", "drip", "close", "reset", "half-close", "half-reset"]


class BadRequest(Exception):
    """The bytes are no request that this server can answer; carries the HTTP status to say so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Request:
    """One request head; the body is filled in once all of it has been read."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    length: int
    keep_alive: bool
    body: bytes = b""
    scheme: str = "http"

    @property
    def origin(self) -> str:
        """Where the caller reached this server, for absolute links."""
        return f"{self.scheme}://{self.headers.get('host', 'localhost')}"

    def json(self) -> Any:
        """The body as JSON, or None where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(slots=True)
class Reply:
    """One answer, and the manner in which its bytes are handed over."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    manner: Manner = "whole"
    delay_s: float = 0.0
    interval_s: float = 0.05


def json_reply(status: int, data: Any, content_type: str = "application/json") -> Reply:
    """A reply whose body is the given data as JSON."""
    return Reply(status, json.dumps(data, separators=(",", ":")).encode(), content_type)


def read_head(buffer: bytearray) -> Request | None:
    """Take one request head off the front of the buffer; None while it is incomplete."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_HEAD:
            raise BadRequest(431, "the request head is longer than 64 KiB")
        return None
    lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    del buffer[: end + 4]
    try:
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise BadRequest(400, "the request line is not 'METHOD target HTTP/1.1'") from None
    headers = _headers(lines)
    if "transfer-encoding" in headers:
        raise BadRequest(411, "send the body with Content-Length, not chunked")
    path, _, query = target.partition("?")
    connection = headers.get("connection", "").lower()
    return Request(
        method=method,
        path=unquote(path) if "%" in path else path,
        query=dict(parse_qsl(query, keep_blank_values=True)) if query else {},
        headers=headers,
        length=_length(headers),
        keep_alive=connection != "close" and (version == "HTTP/1.1" or connection == "keep-alive"),
    )


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(400, "a header line has no colon")
        headers[name.lower()] = value.strip()
    return headers


def _length(headers: dict[str, str]) -> int:
    text = headers.get("content-length", "0")
    if not text.isdigit():
        raise BadRequest(400, "Content-Length is not a number")
    return int(text)


def encode(reply: Reply, keep_alive: bool) -> tuple[bytes, bytes]:
    """Head and body of the reply; 204 and 304 carry neither length nor body."""
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    bodiless = reply.status in (204, 304)
    if not bodiless:
        lines.append(f"Content-Type: {reply.content_type}")
        lines.append(f"Content-Length: {len(reply.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), b"" if bodiless else reply.body
