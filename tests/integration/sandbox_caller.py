"""A plain HTTP client for the sandbox's own tests: one connection, no retries, no redirects."""

import base64
import http.client
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from worker.sandbox.server import Sandbox

TOKEN = "sandbox-token-abc"
CPO_TOKEN = "sandbox-token-cpo"
BASIC = "Basic " + base64.b64encode(b"MZP000001:sandbox-password-1").decode()
CLIENT = "client_id=sandbox-client-1"
START = {"response_url": "http://127.0.0.1:9/never", "token": {"uid": "T-1"}, "location_id": "LOC-0001"}


class Moments:
    """The clock by which a sandbox counts and lets faults end, moved by the test alone."""

    def __init__(self) -> None:
        self._ns, self._s = time.monotonic_ns(), time.time()

    def monotonic_ns(self) -> int:
        return self._ns

    def time(self) -> float:
        return self._s

    def wait(self, seconds: float) -> None:
        self._ns += round(seconds * 1e9)
        self._s += seconds


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> int:
        return int(self.json["status_code"])


class Caller:
    """Calls both APIs of one sandbox."""

    def __init__(self, sandbox: Sandbox, timeout_s: float = 30.0) -> None:
        self.sandbox = sandbox
        self.timeout_s = timeout_s

    def call(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=self.timeout_s)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = json.dumps(body) if body is not None else None
        try:
            connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, content, named)
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def hub(self, method: str, path: str, body: Any = None, token: str = TOKEN, **headers: str) -> Answer:
        return self.call(method, self.sandbox.hub_url + path, body, Authorization=f"Token {token}", **headers)

    def authorize(self, uid: str = "T-1", **headers: str) -> Answer:
        return self.hub("PUT", f"/tokens/IN/CPO/{uid}/authorize", {"location_id": "LOC-0001"}, **headers)

    def start(self, **changes: Any) -> Answer:
        job = changes.pop("job", "")
        return self.hub("POST", "/commands/START_SESSION", {**START, **changes}, X_Correlation_ID=job)

    def car(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        mark = "&" if "?" in path else "?"
        url = f"{self.sandbox.stellantis_url}{path}{mark}{CLIENT}"
        return self.call(method, url, body, Authorization=BASIC, **headers)

    def status(self, vid: str = "VEH-00001", **headers: str) -> Answer:
        return self.car(f"/fleets/FLEET-1/vehicles/{vid}/status", **headers)


def statuses(answers: Iterable[Answer]) -> list[int]:
    return [answer.status for answer in answers]
