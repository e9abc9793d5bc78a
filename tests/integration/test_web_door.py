"""The web process over real sockets: the door for results of commands, and its health."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.desk import START, Desk
from tests.integration.held_port import HeldPort

ROOT = Path(__file__).resolve().parents[2]


class Web:
    """A web process of the test's own."""

    def __init__(self, redis_url: str) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        environ = {"PATH": os.environ["PATH"], "PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": redis_url}
        command = [sys.executable, "-m", "worker", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                assert self.ask("GET", "/healthz")[0] == 200
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < until
                time.sleep(0.05)

    def stop(self) -> tuple[int, str]:
        self.process.terminate()
        _, said = self.process.communicate(timeout=60)
        self._held.close()
        return self.process.returncode, said


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    made = Web(redis_url)
    try:
        made.wait()
        yield made
    finally:
        made.stop()


def command(desk: Desk) -> str:
    """A command that the hub has accepted, and whose result is to come at the door `secret`."""
    [job] = desk.put(op=START, rep=0)
    taken = desk.take().one
    assert desk.sending(taken)
    desk.finish(taken, awaits=30_000_000)
    return job


def result(word: str = "ACCEPTED", **more: Any) -> bytes:
    return json.dumps({"result": word, **more}).encode()


def test_a_result_at_its_address_settles_the_command_and_is_answered_as_ocpi_asks(desk: Desk, web: Web) -> None:
    job = command(desk)
    status, said = web.ask("POST", f"/v1/command-results/{job}/secret", result())
    assert (status, said["status_code"]) == (200, 1000)
    assert set(said) == {"status_code", "status_message", "timestamp"}
    assert desk.state(job) == "done"
    desk.assert_whole()


def test_a_repeated_result_is_welcomed_and_changes_nothing(desk: Desk, web: Web) -> None:
    job = command(desk)
    answers = [web.ask("POST", f"/v1/command-results/{job}/secret", result())[0] for _ in range(3)]
    assert answers == [200, 200, 200]
    assert desk.hash("counts")["done"] == "1"


def test_an_unknown_address_is_answered_like_a_wrong_secret(desk: Desk, web: Web) -> None:
    job = command(desk)
    paths = (f"/v1/command-results/{job}/guess", "/v1/command-results/0-unknown/secret")
    answers = [web.ask("POST", path, result()) for path in paths]
    assert [(status, said["status_code"], said["status_message"]) for status, said in answers] == [
        (404, 2003, "nothing is expected at this address.")
    ] * 2
    assert desk.state(job) == "awaiting"


@pytest.mark.parametrize("body", [b"not json", b"{}", b'{"result":"ACCEPTED"}' + b" " * 20_000])
def test_what_is_no_result_is_refused_and_leaves_the_command_open(desk: Desk, web: Web, body: bytes) -> None:
    job = command(desk)
    status, said = web.ask("POST", f"/v1/command-results/{job}/secret", body)
    assert (status, said["status_code"]) == (400, 2001)
    assert desk.state(job) == "awaiting"


def test_the_process_is_ready_while_the_store_answers_and_leaves_on_sigterm_without_naming_a_secret(
    desk: Desk, web: Web
) -> None:
    status, said = web.ask("GET", "/readyz")
    assert (status, said["status"], said["store"], said["accepting"]) == (200, "ok", "ok", True)
    web.ask("POST", f"/v1/command-results/{command(desk)}/secret", result())
    code, said = web.stop()
    assert code in (0, -15)
    assert "secret" not in said


def test_a_long_poll_does_not_keep_the_process_from_leaving(desk: Desk, web: Web) -> None:
    [job] = desk.put()
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as line:
        line.sendall(f"GET /v1/jobs/{job}?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with desk.client.monitor() as asked:  # from when it is connected
            next(one for one in asked.listen() if job in one["command"])
        code, _ = web.stop()
        assert b"200 OK" in line.recv(100)
    assert code in (0, -15)
    assert time.monotonic() - began < 30
