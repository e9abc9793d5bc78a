"""A host that is told how jobs end: a real HTTP server that checks each signature as its owners would."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

KEY = "whsec_" + b64encode(b"callbacks are signed with it").decode()
NEXT_KEY = "whsec_" + b64encode(b"and with this one afterwards").decode()
Answer = tuple[int, dict[str, str]]


@dataclass(frozen=True)
class Told:
    """One request: what it said, and whether its signature was right."""

    path: str
    headers: dict[str, str]
    body: bytes
    signed: bool
    at: float = field(default_factory=time.monotonic)

    @property
    def message(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def data(self) -> dict[str, Any]:
        return dict(self.message["data"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Host:
    """Answers 204; `answers` are given first, in order, `always` as long as it is set."""

    def __init__(self, key: str = KEY) -> None:
        self.told: list[Told] = []
        self.answers: list[Answer] = []
        self.always: Answer | None = None
        self.before: Callable[[], None] = lambda: None
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    self.close_connection = True
                    return  # whoever was saying it has died in the middle: nothing was said
                headers = {name.lower(): value for name, value in self.headers.items()}
                host.told.append(Told(self.path, headers, body, _right(key, body, headers)))
                host.before()
                status, more = host.always or (host.answers.pop(0) if host.answers else (204, {}))
                self.send_response(status)
                for name, value in {"content-length": "0", "connection": "close", **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.close_connection = True

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self._server.server_address[1]}"
        self.account = f"callback:{self.name}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, path: str = "/ended/s3cr3t-path?room=s3cr3t-room") -> str:
        return f"http://{self.name}{path}"

    def settings(self, **more: str) -> dict[str, str]:
        """Names without their prefix, as `Bench` takes them."""
        return {"CALLBACKS__HOSTS": json.dumps([self.name]), "CALLBACKS__SECRET": KEY, **QUICK, **more}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


QUICK = {
    "CALLBACKS__ATTEMPTS": "2",
    "CALLBACKS__BACKOFF_BASE_S": "0.02",
    "CALLBACKS__BACKOFF_CAP_S": "0.05",
    "CALLBACKS__TIMEOUT_S": "3",
}


def _right(key: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(key).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True
