"""The web process as other services see it: a process of its own, asked over real sockets."""

import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.integration.held_port import HeldPort

ROOT = Path(__file__).resolve().parents[2]
READ = {
    "operation": "stellantis.b2b.get_vehicle_status",
    "account": "stellantis:fleet-1",
    "params": {"fid": "FLEET-1", "vid": "VEH-00001"},
}
"""A call that may be repeated."""
STOP = {"operation": "hub.stop_session", "account": "hub:IN-ABC", "body": {"session_id": "S-1"}}
"""One that must not."""
ACCOUNTS = {
    "PACELINE_PUBLIC_URL": "http://127.0.0.1:9",
    "PACELINE_HUB__BASE_URL": "http://127.0.0.1:9/ocpi/2.2.1",
    "PACELINE_HUB__PARTIES": json.dumps(
        [
            {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": "a-token-of-the-tests"},
            {"country_code": "IN", "party_id": "CPO", "role": "CPO", "token": "b-token-of-the-tests"},
        ]
    ),
    "PACELINE_STELLANTIS__B2B_BASE_URL": "http://127.0.0.1:9/connectedcar/v3",
    "PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps(
        [{"name": "fleet-1", "client_id": "c", "username": "u", "password": "a-password-of-the-tests"}]
    ),
}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def problem(self) -> str:
        """The last word of the problem's type, after a look at its form."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        assert {"type", "title", "status", "detail"} <= self.json.keys()
        assert self.json["status"] == self.status
        assert "Traceback" not in self.body.decode()
        return str(self.json["type"]).rpartition("/")[2]


class Web:
    """A web process of the tests' own."""

    def __init__(self, redis_url: str, host: str = "127.0.0.1", **settings: str) -> None:
        self._held = HeldPort(host)
        self.port = self._held.number
        environ = {"PATH": os.environ["PATH"], "PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": redis_url}
        environ |= ACCOUNTS | {f"PACELINE_{name}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "worker", "serve", "--host", host, "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                assert self.ask("GET", "/healthz").status == 200
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)
        self._held.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
        host: str = "127.0.0.1",
    ) -> Answer:
        """One request; a body that is no bytes is sent as JSON."""
        given = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        if key is not None:
            given["Authorization"] = f"Bearer {key}"
        connection = http.client.HTTPConnection(host, self.port, timeout=120)
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def post(self, call: Mapping[str, Any], key: str | None = None, **headers: str) -> Answer:
        """Asks for a call; `idempotency_key="k"` is the header Idempotency-Key."""
        return self.ask("POST", "/v1/jobs", call, {n.replace("_", "-"): v for n, v in headers.items()}, key=key)

    def batch(self, lines: list[Any], headers: Mapping[str, str] | None = None, key: str | None = None) -> Answer:
        """Many calls; what is no bytes becomes a line of JSON."""
        text = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        given = {"Content-Type": "application/jsonl", **(headers or {})}
        return self.ask("POST", "/v1/jobs", text, given, key=key)


def emptied(redis_url: str) -> str:
    """The same store without anything in it: a process would go by the keys of another test for two seconds."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    return redis_url


@contextmanager
def serving(redis_url: str, host: str = "127.0.0.1", **settings: str) -> Iterator[Web]:
    """A web process for as long as it is needed."""
    made = Web(redis_url, host, **settings)
    try:
        made.wait()
        yield made
    finally:
        made.stop()


def entry(name: str, key: str, *roles: str, per_minute: int | None = None) -> dict[str, Any]:
    """A key as settings have it."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"name": name, "sha256": digest, "roles": list(roles), "per_minute": per_minute}
