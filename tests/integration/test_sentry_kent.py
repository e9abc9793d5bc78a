"""Alerts as Sentry gets them: counted and read at a real receiver."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from settings import SettingsError
from tests.integration.alerting import (
    CAR,
    HUB,
    OPERATION,
    SECRETS,
    VIN,
    Kent,
    ask_for,
    bury,
    dies,
    end_next,
    environment,
    system_of,
    wait_until,
    working,
)
from worker import VERSION
from worker.main import System
from worker.observe.alerts import Outbox
from worker.observe.sentry import sentry_sinks
from worker.sandbox.server import Sandbox

pytestmark = pytest.mark.usefixtures("store")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def running_kent() -> Iterator[Kent]:
    kent = Kent().start()
    yield kent
    kent.stop()


@pytest.fixture
def kent(running_kent: Kent) -> Kent:
    running_kent.forget()
    return running_kent


def outbox_of(system: System, again_s: float = 60.0) -> Outbox:
    return Outbox(system.broker, system.sinks, again_s=again_s, poll_s=0.02)


def problem_of(system: System) -> str:
    (fingerprint,) = system.client.zrange(system.broker.keys("problems"), 0, -1)  # type: ignore[misc]
    assert isinstance(fingerprint, bytes)
    return fingerprint.decode()


def count(system: System, state: str) -> int:
    return int(system.client.hget(system.broker.keys("counts"), state) or 0)  # type: ignore[arg-type]


class Silent:
    """A receiver that takes connections and requests and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.dsn = f"http://public@127.0.0.1:{self._listener.getsockname()[1]}/1"
        self.asked = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            if connection.recv(65536):
                self.asked.set()

    def hang_up(self) -> None:
        # A thread in accept() is not woken by close() alone.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for connection in self._open:
            connection.close()


def test_a_problem_of_a_hundred_dead_letters_is_one_event_with_the_consoles_fingerprint(
    redis_url: str, kent: Kent
) -> None:
    with system_of(redis_url, kent.dsn) as system:
        outbox = outbox_of(system)
        for _ in range(4):
            bury(system, 25)
            outbox.hand_over()
        (event,) = kent.events()
        fingerprint = problem_of(system)
    assert event["fingerprint"] == [fingerprint]
    assert event["message"] == f"Dead letters of {OPERATION}: undocumented (41800)"
    assert event["level"] == "error"
    assert event["tags"] == {
        "kind": "problem",
        "api": "stellantis",
        "account": CAR,
        "operation": OPERATION,
        "error_class": "undocumented",
        "code": "41800",
        "problem": fingerprint,
    }
    assert event["contexts"]["alert"]["link"] == f"https://console.example/ops/problems/{fingerprint}"
    assert event["contexts"]["alert"]["advice"] == "Send support the evidence: code, uuid, message, timestamp."
    assert event["contexts"]["alert"]["message"] == "what is this"


def test_an_event_names_our_release_and_environment_and_carries_nothing_of_the_process(
    redis_url: str, kent: Kent
) -> None:
    with system_of(redis_url, kent.dsn, OBSERVE__SENTRY_ENVIRONMENT="blue") as system:
        bury(system)
        outbox_of(system).hand_over()
    (event,) = kent.events()
    assert (event["release"], event["environment"]) == (f"paceline@{VERSION}", "blue")
    assert event["sdk"]["integrations"] == []
    assert {"modules", "exception", "threads", "request", "user", "spans"} & set(event) == set()
    assert not event.get("breadcrumbs", {}).get("values")


def test_a_problem_opened_again_after_it_was_resolved_is_a_second_event_of_the_same_issue(
    redis_url: str, kent: Kent
) -> None:
    with system_of(redis_url, kent.dsn) as system:
        outbox = outbox_of(system)
        (job,) = bury(system)
        outbox.hand_over()
        system.broker.scripts("redrive", {"id": job, "by": "somebody"})
        outbox.hand_over()
        assert len(kent.events()) == 1
        end_next(system, dies())
        outbox.hand_over()
    first, second = kent.events()
    assert first["fingerprint"] == second["fingerprint"]
    assert first["event_id"] != second["event_id"]


def test_an_alert_from_while_the_receiver_was_down_arrives_once_when_it_is_back(redis_url: str) -> None:
    kent = Kent()
    with system_of(redis_url, kent.dsn) as system:
        outbox = outbox_of(system, again_s=0.05)
        bury(system)
        assert outbox.hand_over() == 0
        try:
            kent.start()
            outbox.start()
            wait_until(lambda: len(kent.events()) == 1, "the event has come")
            wait_until(lambda: not system.client.exists(system.broker.keys("outbox")), "the outbox is empty")
            outbox.stop()
            outbox.join(10)
            assert len(kent.events()) == 1
        finally:
            kent.stop()


def test_an_event_that_was_taken_but_not_confirmed_comes_again_under_the_same_id(redis_url: str, kent: Kent) -> None:
    with system_of(redis_url, kent.dsn) as system:
        (job,) = bury(system)
        scripts = system.broker.scripts
        asked = 0

        def dies_before_it_confirms(*arguments: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked == 2:
                raise KeyboardInterrupt
            return scripts(*arguments)

        system.broker.scripts = dies_before_it_confirms  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            outbox_of(system, again_s=0.000001).hand_over()
        system.broker.scripts = scripts
        # Meanwhile the problem ends and comes back: that is an event of its own.
        scripts("redrive", {"id": job, "by": "somebody"})
        end_next(system, dies())
        assert outbox_of(system).hand_over() == 3
        assert not system.client.exists(system.broker.keys("outbox"))
    events = kent.events()
    assert len(events) == 3
    assert len({event["event_id"] for event in events}) == 2
    assert len({tuple(event["fingerprint"]) for event in events}) == 1


class Answering:
    """A receiver with prepared answers, one for each connection."""

    def __init__(self, *heads: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.dsn = f"http://public@127.0.0.1:{self._listener.getsockname()[1]}/1"
        self.asked: list[bytes] = []
        self._heads = heads
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        for head in self._heads:
            connection, _ = self._listener.accept()
            with connection:
                self.asked.append(connection.recv(65536).partition(b" HTTP/")[0])
                connection.sendall(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    def __enter__(self) -> "Answering":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(10)
        self._listener.close()


def test_a_receiver_that_refuses_or_redirects_has_not_taken_the_alert(redis_url: str) -> None:
    with Answering("403 Forbidden", "302 Found\r\nLocation: /login", "200 OK") as receiver:
        with system_of(redis_url, receiver.dsn) as system:
            outbox = outbox_of(system, again_s=0.000001)
            bury(system)
            assert outbox.hand_over() == 1
        assert receiver.asked == [b"POST /api/1/envelope/"] * 3


def test_a_receiver_that_asks_for_a_pause_is_left_alone_for_so_long_and_then_gets_everything(redis_url: str) -> None:
    now = 0.0
    with Answering("429 Too Many Requests\r\nRetry-After: 60", "200 OK", "200 OK", "200 OK") as receiver:
        with system_of(redis_url, receiver.dsn) as system:
            (sink,) = sentry_sinks(system.settings, system.redactor, monotonic=lambda: now)
            outbox = Outbox(system.broker, [sink], again_s=0.000001)
            for code in ("1", "2", "3"):
                bury(system, fate=dies(code=code))
            for now in (0.0, 1.0, 59.0):  # noqa: B007
                assert outbox.hand_over() == 0
            assert len(receiver.asked) == 1
            now = 60.0
            assert outbox.hand_over() == 3
            assert not system.client.exists(system.broker.keys("outbox"))
        assert len(receiver.asked) == 4


def test_the_attempts_of_the_job_are_the_trail_under_its_event(
    redis_url: str, sandbox: Sandbox, kent: Kent
) -> None:
    there = sandbox.environment()
    named = {name.removeprefix("PACELINE_"): there[name] for name in there}
    quick = {"FAIL__ATTEMPTS": "3", "FAIL__BACKOFF_BASE_S": "0.01", "FAIL__BACKOFF_CAP_S": "0.02"}
    with system_of(redis_url, kent.dsn, **named, **quick) as system:
        sandbox.fault("status", {"api": "stellantis"}, times=3, status=503)
        job = ask_for(system)
        with working(system):
            wait_until(lambda: len(kent.events()) == 1, "the event has come")
    (event,) = kent.events()
    trail = event["breadcrumbs"]["values"]
    assert [crumb["data"]["attempt"] for crumb in trail] == [1, 2, 3]
    assert trail[0]["message"].startswith("GET: 503; retry")
    assert "dead letter + alert" in trail[2]["message"]
    assert all(crumb["data"]["request_id"] for crumb in trail)
    assert event["contexts"]["alert"]["dead_letter"] == f"https://console.example/ops/dead-letters/{job}"


def test_a_receiver_that_hangs_delays_no_job(redis_url: str, sandbox: Sandbox) -> None:
    silent = Silent()
    there = sandbox.environment()
    with system_of(redis_url, silent.dsn, **{name.removeprefix("PACELINE_"): there[name] for name in there}) as system:
        system.sinks[1:] = sentry_sinks(system.settings, system.redactor, patience_s=600)
        sandbox.fault("error_body", {"api": "stellantis"}, times=1, status=418, code=41800)
        ask_for(system)
        with working(system):
            try:
                # From here on the outbox's thread stands in its request, until we hang up.
                assert silent.asked.wait(30)
                for _ in range(30):
                    ask_for(system)
                wait_until(lambda: count(system, "done") == 30, "thirty jobs are done beside a request that hangs")
                assert system.client.zcard(system.broker.keys("outbox")) == 1
            finally:
                silent.hang_up()
        assert count(system, "dead") == 1


def test_a_job_that_dies_in_a_worker_is_told_at_once(redis_url: str, sandbox: Sandbox, kent: Kent) -> None:
    there = sandbox.environment()
    named = {name.removeprefix("PACELINE_"): there[name] for name in there}
    with system_of(redis_url, kent.dsn, **named, BROKER__RENEW_S="300", BROKER__LEASE_S="900") as system:
        looks: list[str] = []
        system.sinks[:0] = [Looking(looks)]
        sandbox.fault("error_body", {"api": "stellantis"}, times=1, status=418, code=41800)
        with working(system):
            ask_for(system)
            wait_until(lambda: len(kent.events()) == 1, "the event has come")
    assert looks == ["opened"]
    assert len(kent.events()) == 1, "dramatiq's own report of a dead job is none"


class Looking:
    """A sink that notes the changes."""

    def __init__(self, looks: list[str]) -> None:
        self._looks = looks

    def deliver(self, alert: Any) -> bool:
        self._looks.append(alert.change)
        return True


def test_two_processes_with_outboxes_send_one_event_for_each_alert(redis_url: str, kent: Kent) -> None:
    with system_of(redis_url, kent.dsn) as system:
        for number in range(30):
            bury(system, fate=dies(code=str(number)))
        script = str(Path(__file__).with_name("outbox_process.py"))
        own = {**os.environ, **environment(redis_url, kent.dsn), "PYTHONPATH": str(ROOT)}
        processes = [
            subprocess.Popen(
                [sys.executable, script], env=own, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        wait_until(lambda: not system.client.exists(system.broker.keys("outbox")), "the outbox is empty")
        lines = [process.communicate(timeout=30)[0].splitlines() for process in processes]
    events = kent.events()
    assert len(events) == 30
    assert len({event["event_id"] for event in events}) == 30
    assert len(lines[0]) + len(lines[1]) == 30


def test_no_secret_and_no_car_reaches_the_receiver(redis_url: str, kent: Kent) -> None:
    said = f"car {VIN} of driver@example.com, called with " + " and ".join(SECRETS.values())
    with system_of(redis_url, kent.dsn) as system:
        bury(system, fate=dies(code=VIN, message=said))
        bury(system, fate=dies("internal", "internal", f"Authorization: Basic {'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='}"))
        outbox_of(system).hand_over()
    received = kent.everything()
    assert received.count("Dead letters of ") == 2
    for planted in (*SECRETS.values(), VIN, "driver@example.com", "QWxhZGRpbjpvcGVuIHNlc2FtZQ"):
        assert planted not in received


def test_no_secret_and_no_car_of_a_real_call_reaches_the_receiver(
    redis_url: str, sandbox: Sandbox, kent: Kent
) -> None:
    there = sandbox.environment()
    named = {name.removeprefix("PACELINE_"): there[name] for name in there}
    secrets = re.findall(r'"(?:token|next_token|password|client_id)": ?"([^"]{6,})"', " ".join(there.values()))
    assert len(secrets) >= 4
    said = f"no such car {VIN}: " + " ".join(secrets)
    with system_of(redis_url, kent.dsn, **named) as system:
        sandbox.fault("error_body", {"api": "stellantis"}, times=1, status=418, code=41800, message=said)
        sandbox.fault("ocpi", {"api": "hub"}, times=1, status=401, code=2002, message=said)
        ask_for(system)
        ask_for(system, "hub.get_location")
        with working(system):
            wait_until(lambda: len(kent.events()) == 2, "both events have come")
    received = kent.everything()
    for planted in (*secrets, VIN):
        assert planted not in received
    titles = {event["message"] for event in kent.events()}
    assert titles == {
        f"Dead letters of {OPERATION}: undocumented (41800)",
        f"Account {HUB} is held: credential refused (2002)",
    }


def test_without_an_address_alerts_only_go_to_the_log(redis_url: str) -> None:
    with system_of(redis_url, None) as system:
        assert [type(sink).__name__ for sink in system.sinks] == ["LogSink"]


def test_an_address_the_client_refuses_is_a_mistake_in_the_settings_that_is_not_quoted(redis_url: str) -> None:
    with (
        pytest.raises(SettingsError) as caught,
        system_of(redis_url, "https://publickey@sentry.example/not-a-number"),
    ):
        pytest.fail("a system was made")
    assert "PACELINE_OBSERVE__SENTRY_DSN" in str(caught.value)
    assert "publickey" not in str(caught.value)
