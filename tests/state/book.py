"""The small model that the store is compared with: what each job's state must be, told by nothing but what was asked
and answered. It knows no windows, lanes or caps; those are judged from outside.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from tests.integration.desk import LEASE_S, micros

OPEN = ("waiting", "running", "awaiting")
ENDS = ("done", "dead", "cancelled", "expired")
CRASHES = 3
UNKNOWN = "outcome_unknown"


@dataclass(slots=True)
class Job:
    """One job as it should be. `until_us` is the earliest time at which its claim may be taken back."""

    id: str
    facts: dict[str, Any]
    dl_us: int
    state: str = "waiting"
    lease: str = ""
    last: str = ""
    acked: str = ""
    leased_us: int = 0
    until_us: int = 0
    sending: bool = False
    attempts: int = 0
    crashes: int = 0
    err: str = ""
    discarded: bool = False
    ended_us: int = 0
    door: str = ""
    heard: str = ""
    verdict: dict[str, Any] | None = None

    @property
    def repeatable(self) -> bool:
        return bool(self.facts["rep"])

    @property
    def lane(self) -> str:
        return f"{self.facts['acct']}|{self.facts['op']}"

    def take(self, lease: str, now_us: int) -> None:
        self.state, self.lease, self.leased_us = "running", lease, now_us
        self.until_us = now_us + micros(LEASE_S)

    def reclaim(self, now_us: int) -> None:
        """Its claim has lapsed."""
        self.crashes += 1
        self.last, self.lease = self.lease, ""
        if self.sending and not self.repeatable:
            self.bury(UNKNOWN, now_us)
        elif self.crashes >= CRASHES:
            self.bury("crashed", now_us)
        else:
            self.wait()

    def overdue(self, now_us: int) -> None:
        if self.attempts and self.err:
            self.bury(self.err, now_us)
        else:
            self.end("expired", now_us)

    def wait(self) -> None:
        self.state, self.lease, self.sending = "waiting", "", False

    def end(self, state: str, now_us: int) -> None:
        self.state, self.lease, self.ended_us = state, "", now_us

    def bury(self, error: str, now_us: int) -> None:
        if error == UNKNOWN and self.verdict:
            self.settle(self.verdict, now_us, close_sending=False)
            return
        self.err = error
        self.end("dead", now_us)

    def settle(self, verdict: dict[str, Any], now_us: int, *, close_sending: bool = True) -> None:
        """Its result has come."""
        self.verdict = None
        if close_sending:
            self.sending, self.last = False, ""
        if verdict["done"]:
            self.err = "" if close_sending else self.err
            self.end("done", now_us)
        else:
            self.err = str(verdict["why"]["class"])
            self.end("dead", now_us)

    def status_of(self, lease: str, taken_us: int) -> str:
        """What the store must say to whoever ends this claim."""
        if self.acked == lease:
            return "already"
        if self.state == "running" and self.lease == lease:
            return "own"
        if self.last == lease and self.state in ("waiting", "dead", "expired"):
            return "waiting" if self.state == "waiting" else "truth"
        if self.state in ("waiting", "running") and taken_us > self.leased_us:
            return "forgotten"
        return "superseded"

    def open_again(self, lease: str) -> None:
        """The end of this claim counts."""
        if self.state in ("dead", "expired"):
            self.err, self.discarded = "", False
        self.acked = self.last = lease


@dataclass(slots=True)
class Book:
    """Everything the store should hold. A copy is what it held at an earlier time."""

    jobs: dict[str, Job] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # idempotency key -> job
    nonces: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # worker -> its last take and its claims
    held: set[str] = field(default_factory=set)  # by a person

    def copy(self) -> "Book":
        return copy.deepcopy(self)

    def having(self, *states: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.state in states]
