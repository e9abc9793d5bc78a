"""What a fault test plays on: a store and both APIs of its own, a desk that enqueues, and eyes on how jobs end.

The remote side's log is the judge: what it saw arriving counts, not what the project believes.
"""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import redis

import tasks
from settings import Settings, load
from tests.faults.fleet import PATIENCE_S, Process
from worker.accept.enqueue import Enqueuer, Wanted
from worker.accept.operation import operations
from worker.sandbox.process import SandboxProcess
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.scripts import Scripts

STATUS = "stellantis.b2b.get_vehicle_status"
START = "hub.start_session"
AUTHORIZE = "hub.authorize_token"
LOCATIONS = "hub.list_locations"
CAR, PARTY, OTHER_PARTY = "stellantis:fleet-1", "hub:IN-ABC", "hub:IN-DEF"
ENDS = ("done", "dead", "cancelled", "expired")
QUICK = {
    "PACELINE_BROKER__LEASE_S": "3",
    "PACELINE_BROKER__RENEW_S": "1",
    "PACELINE_BROKER__IDLE_POLL_S": "2",
    "PACELINE_LIMITER__TRANSIT_BOUND_S": "1",
    "PACELINE_FAIL__BACKOFF_BASE_S": "0.2",
    "PACELINE_FAIL__BACKOFF_CAP_S": "0.5",
    "PACELINE_OBSERVE__LOG_LEVEL": "WARNING",
}
"""Short leases and waits, so that what follows from them can be watched."""
WINDOWS = {"tokens": (100, 2), "commands": (50, 2), "locations": (200, 2), "calls.second": (100, 1)}
"""Short enough that a suspect store's windows pass within a test."""

assert tasks.ROWS


def environment(apis: SandboxProcess, store_url: str, quick: bool = True, **changes: str) -> dict[str, str]:
    """Everything a worker's environment holds; nothing of the surrounding one but what finds programs."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PACELINE_ENVIRONMENT": "test",
        "PACELINE_ON_EMPTY_STORE": "fresh",
        "PACELINE_REDIS_URL": store_url,
        **apis.environment(),
        **(QUICK if quick else {}),
        **changes,
    }


class Stage:
    """`env` is what workers are started with, `folder` where they log."""

    def __init__(self, store: EmbeddedServer, apis: SandboxProcess, env: Mapping[str, str], folder: Path) -> None:
        self.store = store
        self.apis = apis
        self.env = dict(env)
        self.folder = folder
        self.settings: Settings = load(self.env)
        self.keys = Keys(self.settings.partition)
        self.client: redis.Redis = connect(store.url)
        self.desk = self.desk_at(store.url)

    def close(self) -> None:
        self.client.close()

    def desk_at(self, url: str) -> Enqueuer:
        """A way in, over any address (a proxy's, say)."""
        client = self.client if url == self.store.url else connect(url)
        return Enqueuer(self.settings, client, Scripts(client, self.keys))

    def freeze(self, *workers: Process) -> None:
        """They take nothing from now on: whatever they had asked the store for, it has answered."""
        for worker in workers:
            worker.freeze()
        time.sleep(0.2)  # what a proxy has heard it has passed on
        for _ in range(2):  # the second is read in another turn of the server than all that was there at the first
            self.client.ping()

    # -- asking for calls -----------------------------------------------------------------------------------------

    def enqueue(self, operation: str, count: int = 1, account: str | None = None, **more: Any) -> list[str]:
        """Jobs of one operation, by its example; cars differ from each other. Their ids."""
        return [accepted.job_id for accepted in self.desk.enqueue_many(wanted(operation, count, account, **more))]

    # -- how they end ---------------------------------------------------------------------------------------------

    def states(self, ids: list[str]) -> Counter[str]:
        return Counter(self.job(each).get("state", "nowhere") for each in ids)

    def job(self, job_id: str) -> dict[str, str]:
        record: dict[bytes, bytes] = self.client.hgetall(self.keys("job", job_id))  # type: ignore[assignment]
        return {name.decode(): value.decode() for name, value in record.items()}

    def evidence(self, job_id: str) -> list[dict[str, Any]]:
        kept: list[bytes] = self.client.lrange(self.keys("evidence", job_id), 0, -1)  # type: ignore[assignment]
        return [json.loads(each) for each in kept]

    def counts(self) -> dict[str, int]:
        found: dict[bytes, bytes] = self.client.hgetall(self.keys("counts"))  # type: ignore[assignment]
        return {name.decode(): int(value) for name, value in found.items()}

    def left(self) -> int:
        """Accepted jobs that have not ended; counts as many where the store does not answer."""
        try:
            counts = self.counts()
        except redis.RedisError:
            return 1_000_000
        return counts.get("accepted", 0) - sum(counts.get(end, 0) for end in ENDS)

    def await_all_ended(self, timeout_s: float = PATIENCE_S) -> float:
        """Seconds until every accepted job has ended."""
        return until(lambda: self.left() == 0, timeout_s, lambda: f"{self.left()} jobs not ended: {self.unended()}")

    def unended(self) -> list[dict[str, str]]:
        found = []
        for key in self.client.scan_iter(self.keys("job", "*")):
            record = self.job(key.decode().rpartition("job:")[2])
            if record.get("state") not in ENDS:
                found.append(record)
        return found[:5]

    def in_hand(self, pid: int, jobs: list[str]) -> set[str]:
        """Those of `jobs` that the worker process `pid` has a claim on now."""
        marks = [name for name in self.client.zrange(self.keys("workers"), 0, -1) if f".{pid}.".encode() in name]
        claims: dict[bytes, bytes] = self.client.hgetall(self.keys("lease"))  # type: ignore[assignment]
        held = {lease.decode() for lease, record in claims.items() if any(mark in record for mark in marks)}
        return {job for job in jobs if self.job(job).get("lease") in held}

    def crashes(self) -> int:
        """Crashes on record, over all jobs."""
        return sum(
            event.get("event") == "crashed"
            for key in self.client.scan_iter(self.keys("evidence", "*"))
            for event in self.evidence(key.decode().rpartition("ev:")[2])
        )

    # -- what the remote side says --------------------------------------------------------------------------------

    def await_arrivals(self, count: int, **equal: Any) -> None:
        """Until that many calls with the given fields have come to the remote side."""
        seen = self.apis.wait_for(count, PATIENCE_S, **equal)
        assert seen >= count, f"{seen} of {count} calls came within {PATIENCE_S} s"

    def arrivals(self, job_id: str) -> int:
        return self.apis.count(job=job_id)

    def assert_within_limits(self) -> dict[str, Any]:
        """No window was exceeded, no call of ours refused, nothing unrepeatable carried out twice."""
        verdict = self.apis.judge()
        assert verdict["violations"] == [], verdict["violations"][:5]
        assert verdict["refusals"]["ours"] == 0, verdict["refusals"]
        assert verdict["duplicates"] == [], verdict["duplicates"][:5]
        assert verdict["ok"], verdict
        return verdict

    def assert_each_sent_once(self, ids: list[str]) -> None:
        others = {job: seen for job in ids if (seen := self.arrivals(job)) != 1}
        told = {job: self.evidence(job) for job in list(others)[:3]}
        assert not others, f"arrivals of jobs that should have arrived once: {others}; on record: {told}"


def wanted(operation: str, count: int = 1, account: str | None = None, **more: Any) -> list[Wanted]:
    """Calls as somebody asks for them, by the catalogue's own example. Results of commands go to an address of the
    caller's own, so that a command is over when it has been accepted.
    """
    params, body = operations[operation].example
    account = account or {"hub": PARTY, "stellantis": CAR}[operations[operation].api]
    found = []
    for number in range(count):
        own = {**params, "vid": f"VEH-{number % 130 + 1:05d}"} if "vid" in params else dict(params)
        if operation == AUTHORIZE:
            own["token_uid"] = f"T-{number}"
        if operations[operation].wants_response_url:
            body = {**(body or {}), "response_url": f"http://127.0.0.1:1/results/{uuid.uuid4().hex}"}
        found.append(Wanted(operation, account, own, body, **more))
    return found


def alerts_of_the_store(stage: Stage) -> dict[str, str]:
    """Key -> state of each alert about the store's memory."""
    start = stage.keys("alert", "")
    found = {key.decode().removeprefix(start): key for key in stage.client.scan_iter(stage.keys("alert", "suspect:*"))}
    return {name: (stage.client.hget(key, "state") or b"").decode() for name, key in found.items()}


def until(
    happened: Callable[[], bool],
    timeout_s: float = PATIENCE_S,
    otherwise: Callable[[], str] = lambda: "it did not happen",
) -> float:
    """Seconds until it has happened; fails after `timeout_s`."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < timeout_s, f"after {timeout_s} s: {otherwise()}"
        time.sleep(0.02)
    return time.monotonic() - began
