"""A peer that says everything it was told back, in each way of answering that a server has been seen to have, or could.

The way is named in the path (`…/WAY-html/…`); without a name the answer is cut off in the middle.
"""

import json
import re
import socket
from base64 import b64decode
from collections.abc import Callable
from urllib.parse import quote

from tests.integration.raw_peer import Peer


def told(request: bytes) -> str:
    """A request, its credential also as it was before it was encoded."""
    head, _, body = request.decode().partition("\r\n\r\n")
    credential = re.search(r"authorization: (?:token|basic) (\S+)", head, re.IGNORECASE)
    plain = ""
    if credential:
        try:
            plain = b64decode(credential[1], validate=True).decode()
        except ValueError:
            plain = credential[1]
    return f"{head}\r\n{body}\r\n{plain}\r\n{quote(plain, safe='')}"


def answer(status: str, body: bytes, content_type: str = "application/json", *headers: str, length: int = -1) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", *headers]
    size = len(body) if length < 0 else length
    return "\r\n".join([*lines, f"Content-Length: {size}", "", ""]).encode("latin-1", "replace") + body


def envelope(code: int, message: str = "", data: object = None, status: str = "200 OK") -> bytes:
    value = {"status_code": code, "status_message": message, "timestamp": "2026-01-31T09:00:00Z", "data": data}
    return answer(status, json.dumps(value).encode())


def plain(said: str) -> str:
    return " ".join(said.split())


def last(said: str) -> str:
    """The credential alone."""
    return plain(said).rpartition(" ")[2]


def cut_in_two(said: str) -> str:
    """A message whose bound falls into the middle of the credential."""
    return "x " * 241 + last(said)


WAYS: dict[str, Callable[[str], bytes]] = {
    "message": lambda said: envelope(2003, plain(said)),
    "long": lambda said: envelope(2003, cut_in_two(said)),
    "data": lambda said: envelope(2999, "odd", {"request": {"head": said, "authorization": plain(said)}}),
    "key": lambda said: envelope(2999, "odd", {plain(said): 1, "list": [plain(said)]}),
    "success": lambda said: envelope(1000, plain(said), {"allowed": "ALLOWED", "info": {"echo": said}}),
    "html": lambda said: answer("502 Bad Gateway", f"<html><pre>{said}</pre></html>".encode(), "text/html"),
    "reason": lambda said: answer(f"500 {plain(said)}"[:400], b"{}"),
    "header": lambda said: answer(
        "404 Not Found", b"{}", "application/json", f"X-Request-ID: {plain(said)}", f"Server: {plain(said)}",
        f"Link: <http://x/?token={plain(said)}&limit={plain(said)}>; rel=\"next\"", f"X-Else: {plain(said)}",
    ),
    "redirect": lambda said: answer(
        "302 Found", b"", "text/plain", f"Location: http://me:{quote(plain(said))}@x.invalid/{quote(plain(said))}?t=1"
    ),
    "protocol": lambda said: f"{plain(said)}\r\n\r\n".encode(),
    "error": lambda said: answer("400 Bad Request", json.dumps(
        {"code": last(said), "uuid": plain(said), "message": said, "timestamp": plain(said)}).encode()),
    "oauth": lambda said: answer("400 Bad Request", json.dumps(
        {"error": last(said), "error_description": said}).encode()),
    "car": lambda said: answer("200 OK", json.dumps(
        {"id": "1", "echo": said, "_links": {"self": {"href": said}}}).encode()),
    "cut": lambda said: answer("200 OK", f'{{"status_code": 1000, "authorization": "{plain(said)}'.encode(),
        length=100_000),
}  # fmt: skip


def echoing(running: Peer, conn: socket.socket) -> None:
    """Answers each request in the way its path names."""
    while request := running.request(conn):
        way = re.search(rb"WAY-([a-z]+)", request)
        name = way[1].decode() if way else "cut"
        conn.sendall(WAYS[name](told(request)))
        if name in ("cut", "protocol"):
            return
