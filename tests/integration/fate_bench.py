"""A whole system in one process, to see what becomes of a job: a real store, both APIs on sockets, dramatiq's worker.

Waits, leases and windows are short, so that retries and probes happen within a test. Each bench has a partition of its
own in the store, so nothing of an earlier test can reach it.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dramatiq
from dramatiq import Middleware, Worker
from dramatiq import broker as dramatiq_broker

import tasks
from settings import Settings, load
from tests.conservation import assert_conserved
from tests.integration.fate_sight import Ended, Sight
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
    "DELIVER__TOTAL_DEADLINE_S": "4",
    "DELIVER__CONNECT_TIMEOUT_S": "3",
    "DELIVER__MAX_BODY_BYTES": "200000",
    "FAIL__ATTEMPTS": "2",
    "FAIL__BACKOFF_BASE_S": "0.02",
    "FAIL__BACKOFF_CAP_S": "0.05",
    "FAIL__CREDENTIAL_PROBE_S": "600",
}
PATIENCE_S = 30.0
ENDS = ("done", "awaiting", "dead", "cancelled", "expired")


class Bench(Sight):
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
        idle: bool = False,
        **settings: str,
    ) -> None:
        self.sandbox = sandbox
        self.idle = idle
        self.environ = self._environ(redis_url, sandbox, {**QUICK, **settings}, environ or {})
        self.settings: Settings = load(self.environ)
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
    def _environ(
        redis_url: str, sandbox: Sandbox, named: Mapping[str, str], environ: Mapping[str, str]
    ) -> dict[str, str]:
        own = {f"PACELINE_{name}": value for name, value in named.items()}
        where = {"PACELINE_REDIS_URL": redis_url, "PACELINE_PARTITION": f"t{uuid.uuid4().hex[:10]}"}
        return {**sandbox.environment(), **where, **own, **environ}

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
        """The worker starts, unless the bench is `idle`."""
        return self if self.idle else self.start()

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


@contextmanager
def sandbox_of(**options: Any) -> Iterator[Sandbox]:
    """A sandbox with options of its own."""
    with Sandbox(**options) as running:
        yield running
