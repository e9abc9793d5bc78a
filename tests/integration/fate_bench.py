"""A whole system in one process, to see what becomes of a job: a real store, both APIs on real sockets, dramatiq's worker.

Waits, leases and windows are short, so that retries and probes happen within a test. Each bench has a partition of its
own in the store, so nothing of an earlier test can reach it.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import dramatiq
import tasks
from dramatiq import Middleware, Worker
from dramatiq import broker as dramatiq_broker

from settings import Settings, load
from tests.conservation import assert_conserved
from worker.accept.enqueue import Wanted
from worker.accept.operation import find
from worker.main import System
from worker.observe import log
from worker.sandbox.server import Sandbox

QUICK = {
    "ENVIRONMENT": "test",
    "ON_EMPTY_STORE": "fresh",
    "PUBLIC_URL": "http://127.0.0.1:9",
    "BROKER__LEASE_S": "6",
    "BROKER__RENEW_S": "0.2",
    "BROKER__IDLE_POLL_S": "0.3",
    "BROKER__LANE_CAP": "8",
    "LIMITER__TRANSIT_BOUND_S": "0.05",
    "LIMITER__REFUSAL_BACKOFF_BASE_S": "0.1",
    "DELIVER__TOTAL_DEADLINE_S": "0.6",
    "DELIVER__CONNECT_TIMEOUT_S": "0.5",
    "DELIVER__MAX_BODY_BYTES": "200000",
    "FAIL__ATTEMPTS": "2",
    "FAIL__BACKOFF_BASE_S": "0.02",
    "FAIL__BACKOFF_CAP_S": "0.05",
    "FAIL__CREDENTIAL_PROBE_S": "600",
}
PATIENCE_S = 10.0
ENDS = ("done", "dead", "cancelled", "expired")

Test = TypeVar("Test", bound=Callable[..., Any])
Sign = tuple[str, str, str]
"""A row's API, its sign, and `repeatable` or `unrepeatable`."""

PROVOKED: dict[Sign, set[str]] = {}


def provokes(api: str, sign: str, *kinds: str) -> Callable[[Test], Test]:
    """Says which rows of the table a test provokes; `test_fates_table.py` counts them."""

    def note(test: Test) -> Test:
        for kind in kinds:
            PROVOKED.setdefault((api, sign, kind), set()).add(test.__name__)
        return test

    return note


@dataclass(frozen=True)
class Told:
    """One alert: how often it was opened for a person to see, how often it was seen, and what it says."""

    key: str
    state: str
    opened: int
    seen: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """What became of a job, as the store and the other side know it."""

    job_id: str
    state: str
    error_class: str
    code: str
    why: str
    attempts: int
    runs: int
    record: dict[str, str]
    evidence: list[dict[str, Any]]
    arrivals: list[dict[str, Any]]
    alerts: list[Told]
    result: Any

    @property
    def told(self) -> int:
        """How many alerts were opened in this test so far."""
        return sum(alert.opened for alert in self.alerts)


class Bench:
    """One system and its worker. Settings are named without their prefix: `FAIL__ATTEMPTS="3"`."""

    def __init__(
        self,
        redis_url: str,
        sandbox: Sandbox,
        folder: Path,
        *,
        threads: int = 4,
        middleware: Sequence[Middleware] = (),
        clock_us: Callable[[], int] | None = None,
        environ: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        self.sandbox = sandbox
        self.settings = self._settings(redis_url, sandbox, {**QUICK, **settings}, environ or {})
        self.system = System(self.settings, redis_url, clock_us)
        self.log_file = folder / f"log-{self.settings.partition}.jsonl"
        self._log = os.open(self.log_file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        log.configure("INFO", self.system.redactor, self._log)
        self.broker = self.system.broker
        for each in middleware:
            self.broker.add_middleware(each)
        self.store = self.broker.client
        self.key = self.broker.keys
        self._before = dramatiq_broker.global_broker
        dramatiq.set_broker(self.broker)
        tasks.bind_actors()
        self.threads = threads
        self.worker: Worker | None = None
        self._own: list[threading.Thread] = []

    @staticmethod
    def _settings(
        redis_url: str, sandbox: Sandbox, named: Mapping[str, str], environ: Mapping[str, str]
    ) -> Settings:
        own = {f"PACELINE_{name}": value for name, value in named.items()}
        where = {"PACELINE_REDIS_URL": redis_url, "PACELINE_PARTITION": f"t{uuid.uuid4().hex[:10]}"}
        return load({**sandbox.environment(), **where, **own, **environ})

    def start(self) -> Self:
        """The worker takes jobs from now on."""
        before = set(threading.enumerate())
        self.worker = Worker(self.broker, worker_threads=self.threads, worker_timeout=30)
        self.worker.start()
        self._own = [thread for thread in threading.enumerate() if thread not in before]
        return self

    def stop(self) -> None:
        """The worker ends as it does in production; the store and the sandbox stay."""
        if self.worker is None:
            return
        self.worker.stop(5000)
        self.worker = None
        self.store.rpush(self.key("bell", self.broker.worker_id), "1")  # its bell thread need not wait to hear the end
        for thread in self._own:
            thread.join(5)
        self.store.delete(self.key("bell", self.broker.worker_id))

    def close(self) -> None:
        """Puts back what the process shares."""
        self.stop()
        dramatiq_broker.global_broker = self._before
        log.configure("INFO", self.system.redactor)
        os.close(self._log)
        self.broker.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
            if kind is None:
                assert_conserved(self.store, self.key)
        finally:
            self.close()

    # -- asking ---------------------------------------------------------------------------------------------------

    def send(
        self,
        operation: str,
        account: str | None = None,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """Enqueues a call; what is not given comes from the catalogue's own example. Returns the job's id."""
        row = find(operation)
        usual, usual_body = row.example
        ours = "hub:IN-CPO" if row.role == "CPO" else "hub:IN-ABC"
        wanted = Wanted(
            operation,
            account or {"hub": ours, "stellantis": "stellantis:fleet-1"}[row.api],
            usual if params is None else params,
            usual_body if body is None else body,
            **options,
        )
        return self.broker.accept.enqueue(wanted).job_id

    def run(self, operation: str, *args: Any, fault: Mapping[str, Any] | None = None, **options: Any) -> Ended:
        """Scripts the fault (an action and its details), sends the call and waits for its end."""
        if fault is not None:
            self.fault(operation, **fault)
        return self.wait(self.send(operation, *args, **options))

    def fault(self, operation: str, action: str, times: int | None = None, **details: Any) -> int:
        """A fault for the calls of one operation."""
        return self.sandbox.fault(action, {"operation": operation}, times=times, **details)

    # -- waiting --------------------------------------------------------------------------------------------------

    def until(self, wanted: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
        """Waits for something to become true and returns it."""
        deadline = time.monotonic() + patience_s
        while not (found := wanted()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not happen within {patience_s:g} s")
            time.sleep(0.005)
        return found

    def wait(self, job_id: str, *states: str, patience_s: float = PATIENCE_S) -> Ended:
        """Waits until the job has ended (or is in one of the states)."""
        wanted = states or ENDS
        deadline = time.monotonic() + patience_s
        while self.state(job_id) not in wanted:
            if time.monotonic() > deadline:
                raise AssertionError(f"not {' or '.join(wanted)} in time: {self.ended(job_id)}")
            time.sleep(0.005)
        return self.ended(job_id)

    def parked(self, job_id: str) -> Ended:
        """Waits until the job waits again after a call that left a record."""
        self.until(lambda: self.store.llen(self.key("evidence", job_id)), "a record")
        return self.wait(job_id, "waiting")

    # -- looking --------------------------------------------------------------------------------------------------

    def state(self, job_id: str) -> str:
        return (self.store.hget(self.key("job", job_id), "state") or b"missing").decode()

    def record(self, job_id: str) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.store.hgetall(self.key("job", job_id)).items()}

    def ended(self, job_id: str) -> Ended:
        """Everything known about a job now."""
        record = self.record(job_id)
        result = self.store.get(self.key("result", job_id))
        return Ended(
            job_id=job_id,
            state=record.get("state", "missing"),
            error_class=record.get("err", ""),
            code=record.get("code", ""),
            why=record.get("why", ""),
            attempts=int(record.get("attempts", 0)),
            runs=int(record.get("runs", 0)),
            record=record,
            evidence=[json.loads(entry) for entry in self.store.lrange(self.key("evidence", job_id), 0, -1)],
            arrivals=self.sandbox.log(job=job_id),
            alerts=self.alerts(),
            result=None if result is None else json.loads(result),
        )

    def alerts(self) -> list[Told]:
        """All alerts there are, open or resolved."""
        found = []
        for name in self.store.zrange(self.key("alerts"), 0, -1):
            key = name.decode()
            alert = {k.decode(): v.decode() for k, v in self.store.hgetall(self.key("alert", key)).items()}
            facts = json.loads(alert.get("facts", "{}"))
            found.append(Told(key, alert["state"], int(alert["gen"]), int(alert["count"]), facts))
        return found

    def holds(self) -> dict[str, dict[str, Any]]:
        return {k.decode(): json.loads(v) for k, v in self.store.hgetall(self.key("holds")).items()}

    def release(self, scope: str) -> str:
        facts = {"scope": scope, "by": "a test", "reason": "mended"}
        return bytes(self.broker.scripts("release", facts)).decode()

    def hold(self, scope: str) -> str:
        return bytes(self.broker.scripts("hold", {"scope": scope, "by": "a test", "reason": "to wait"})).decode()

    def window(self, name: str) -> dict[str, int]:
        """One window's numbers, such as `window("hub:IN-ABC|tokens")`."""
        entries = self.store.hgetall(self.key("window", name)).items()
        return {k.decode(): int(float(v)) for k, v in entries}

    def clock_us(self) -> int:
        """The store's time as its scripts last saw it."""
        return int(self.store.hget(self.key("meta"), "now") or 0)

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_file.read_text(encoding="utf-8").splitlines()]


@contextmanager
def sandbox_of(**options: Any) -> Iterator[Sandbox]:
    """A sandbox with options of its own."""
    with Sandbox(**options) as running:
        yield running
