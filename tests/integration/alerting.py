"""What the tests of alerts share: a real receiver of Sentry events in a process of its own, and a system to alert from.

The receiver is Kent. It keeps every event it gets, repeated or not, so what it holds is what was sent.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import dramatiq
from dramatiq import Worker
from dramatiq import broker as dramatiq_broker

import tasks
from settings import load
from tests.integration.held_port import HeldPort
from worker.accept.enqueue import Wanted
from worker.accept.operation import find
from worker.broker.card import JobMessage
from worker.fail.fate import Fate, refund
from worker.main import System
from worker.observe.alerts import Alert

PATIENCE_S = 30.0
HUB = "hub:IN-ABC"
CAR = "stellantis:fleet-1"
OPERATION = "stellantis.b2b.get_vehicle_status"
SECRETS = {
    "hub token": "plant-hub-5ecret",
    "password": "plant-pass-5ecret",
    "client id": "plant-client-5ecret",
    "next token": "plant-next-5ecret",
}
VIN = "VF3CUYHNVKY123456"


class Kent:
    """A receiver of Sentry events on a port of its own; it can be stopped and started again there."""

    def __init__(self) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self.dsn = f"http://public@127.0.0.1:{self.port}/1"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        # Its main() reads the name it was called by as an argument; "-c" would be taken for an option.
        run = "import sys; from kent.cli_server import main; sys.argv[0] = 'kent-server'; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", run, "run", "--host", "127.0.0.1", "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(self._answers, "Kent answers")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def events(self) -> list[dict[str, Any]]:
        """The events, in the order they came."""
        listed = self._get("/api/eventlist/")["events"]
        return [self._get(f"/api/event/{each['event_id']}")["payload"]["body"] for each in listed]

    def forget(self) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/flush/", data=b"", method="POST")
        urllib.request.urlopen(request, timeout=30).close()

    def everything(self) -> str:
        """All it has received, envelopes and all, as one text."""
        listed = self._get("/api/eventlist/")["events"]
        return json.dumps([self._get(f"/api/event/{each['event_id']}") for each in listed])

    def _answers(self) -> bool:
        try:
            self._get("/api/eventlist/")
        except OSError:
            return False
        return True

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
            return json.loads(response.read())


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Fails after a time in which it would have happened on any machine."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.02)


def environment(redis_url: str, dsn: str | None, **changes: str) -> dict[str, str]:
    """The settings of a system with planted secrets, as a process gets them."""
    party = {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": SECRETS["hub token"]}
    subscription = {
        "name": "fleet-1",
        "kind": "b2b",
        "client_id": SECRETS["client id"],
        "username": "fleet",
        "password": SECRETS["password"],
    }
    own = {
        "ENVIRONMENT": "test",
        "ON_EMPTY_STORE": "fresh",
        "REDIS_URL": redis_url,
        "PUBLIC_URL": "http://127.0.0.1:9",
        "HUB__BASE_URL": "http://127.0.0.1:9/ocpi/2.2.1",
        "HUB__PARTIES": json.dumps([party | {"next_token": SECRETS["next token"]}]),
        "STELLANTIS__B2B_BASE_URL": "http://127.0.0.1:9/connectedcar/v3",
        "STELLANTIS__SUBSCRIPTIONS": json.dumps([subscription]),
        "FAIL__BRAKE_COUNT": "1000",
        "OBSERVE__CONSOLE_URL": "https://console.example/ops",
    }
    if dsn is not None:
        own["OBSERVE__SENTRY_DSN"] = dsn
    return {f"PACELINE_{name}": value for name, value in (own | changes).items()}


class Clock:
    """The store's time, moved by the test alone. A living system looks at the store every few seconds."""

    def __init__(self) -> None:
        self.now_us = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now_us

    def wait(self, seconds: float) -> None:
        self.now_us += round(seconds * 1_000_000)


class Notebook:
    """A sink that notes what it is offered and takes it or not."""

    def __init__(self, *, takes: bool = True) -> None:
        self.takes = takes
        self.offered: list[Alert] = []
        self.came = threading.Event()

    def deliver(self, alert: Alert) -> bool:
        self.offered.append(alert)
        self.came.set()
        return self.takes

    @property
    def changes(self) -> list[str]:
        return [f"{alert.generation} {alert.change}" for alert in self.offered]


@contextmanager
def system_of(
    redis_url: str, dsn: str | None, clock_us: Callable[[], int] | None = None, **changes: str
) -> Iterator[System]:
    """A system whose jobs are taken and ended by the test itself."""
    before = dramatiq_broker.global_broker
    system = System(load(environment(redis_url, dsn, **changes)), redis_url, clock_us)
    dramatiq.set_broker(system.broker)
    tasks.bind_actors()
    system.broker.threads.total = 2
    try:
        yield system
    finally:
        dramatiq_broker.global_broker = before
        system.broker.close()


@contextmanager
def working(system: System) -> Iterator[Worker]:
    """dramatiq's own worker on this system; no thread or connection of it is left behind."""
    before = set(threading.enumerate())
    worker = Worker(system.broker, worker_threads=2, worker_timeout=30)
    worker.start()
    own = [thread for thread in threading.enumerate() if thread not in before]
    try:
        yield worker
    finally:
        worker.stop(10_000)
        bell = system.broker.keys("bell", system.broker.worker_id)
        system.client.rpush(bell, "1")  # its bell thread need not wait to hear the end
        for thread in own:
            thread.join(10)
        system.client.delete(bell)


def ask_for(system: System, operation: str = OPERATION, **more: Any) -> str:
    """A job for the operation's own example."""
    account = HUB if operation.startswith("hub.") else CAR
    params, body = find(operation).example
    return system.broker.accept.enqueue(Wanted(operation, account, params, body, **more)).job_id


def take_next(system: System) -> JobMessage:
    """The next job, in a thread's hand."""
    until = time.monotonic() + PATIENCE_S
    while True:
        system.broker.threads.wake()  # no bell thread runs here
        if (message := system.broker.next_job(0.5)) is not None:
            return message
        assert time.monotonic() < until, "no job came"


def end_next(system: System, fate: Fate) -> str:
    """Takes the next job and ends it like a worker; returns its id."""
    message = take_next(system)
    message.fate = fate
    system.broker.acknowledge(message)
    return message.card.job_id


def dies(
    error_class: str = "undocumented", code: str = "41800", message: str = "what is this", alert: bool = True
) -> Fate:
    """The fate of a job of a problem that is told."""
    why = {"class": error_class, "code": code, "message": message, "alert": alert}
    return Fate("bury", refund(), {"why": why})


def bury(system: System, count: int = 1, fate: Fate | None = None, operation: str = OPERATION) -> list[str]:
    """So many dead letters of one problem."""
    buried = []
    for _ in range(count):
        ask_for(system, operation)
        buried.append(end_next(system, fate or dies()))
    return buried


def waiting(system: System) -> int:
    size: int = system.client.zcard(system.broker.keys("outbox"))  # type: ignore[assignment]
    return size


def send_again(system: System, jobs: list[str]) -> None:
    for job in jobs:
        assert system.broker.scripts("redrive", {"id": job, "by": "somebody"}) == b"waiting"
