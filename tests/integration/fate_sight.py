"""What can be seen of a job and of what it has caused: in the store, and at the other side."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from worker.broker.broker import PacelineBroker
from worker.sandbox.server import Sandbox
from worker.store.keys import Keys


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
    problem: dict[str, str]
    """The record of the problem it is a dead letter of; empty for any other end."""

    @property
    def well(self) -> bool:
        """Whether the call ended well; a command that was accepted still awaits its result then."""
        return self.state in ("done", "awaiting")

    @property
    def told(self) -> int:
        """How many alerts were opened in this test so far."""
        return sum(alert.opened for alert in self.alerts)


class Sight:
    """Looks at the store of one bench and at its sandbox; changes nothing but holds, as an operator would."""

    sandbox: Sandbox
    store: "redis.Redis[bytes]"
    key: Keys
    broker: PacelineBroker
    log_file: Path

    def state(self, job_id: str) -> str:
        return (self.store.hget(self.key("job", job_id), "state") or b"missing").decode()

    def states(self, jobs: list[str]) -> Counter[str]:
        return Counter(self.state(job) for job in jobs)

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
            problem=self.problem(record["fp"]) if record.get("state") == "dead" else {},
        )

    def problem(self, fingerprint: str) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.store.hgetall(self.key("problem", fingerprint)).items()}

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
