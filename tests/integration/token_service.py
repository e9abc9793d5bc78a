"""An OAuth token endpoint on a real socket: gives out numbered tokens, counts who asks, fails as it is told."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.integration.raw_peer import Peer, peer


@dataclass
class TokenService:
    """`life_s` is what `expires_in` says; `answer` replaces the next answers, as status and body; while `open` is not
    set nobody is answered.
    """

    life_s: float = 3600.0
    delay_s: float = 0.0
    answer: tuple[int, Any] | None = None
    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def act(self, running: Peer, conn: socket.socket) -> None:
        request = running.request(conn)
        if not request:
            return
        with self._lock:
            self.asked.append(request)
            number = len(self.asked)
        time.sleep(self.delay_s)
        self.open.wait(60)
        status, body = self.answer or (200, self._token(number))
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        conn.sendall(head.encode() + b"Connection: close\r\n\r\n" + text)

    def _token(self, number: int) -> dict[str, Any]:
        token = f"bearer-5ecret-number-{number}"
        self.given.append(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.life_s, "refresh_token": "r-5ecret"}


@contextmanager
def token_service(**options: Any) -> Iterator[TokenService]:
    service = TokenService(**options)
    service.open.set()
    with peer(service.act) as running:
        service.url = running.url("/as/token.oauth2")
        yield service
