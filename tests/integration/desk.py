"""A desk to drive the store's decisions from: the real scripts on a real server, under a clock that only tests move.

`Desk` says each decision's facts for the test, so that a rule's test reads as the story of the rule. Everything goes
through `Scripts`; a desk made over another folder of scripts drives those, which is how `mutations.py` takes a rule
out. End a test with `desk.assert_whole()`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from tests.conservation import assert_conserved
from worker.store.composing import FOLDER
from worker.store.keys import Keys
from worker.store.scripts import Scripts

URGENT, NORMAL, BULK = 0, 1, 2
CARD = (
    "account", "operation", "group", "priority", "attempts", "crashes", "dl", "taken", "created", "chain", "probe",
)  # fmt: skip
CAR = "stellantis:fleet-1"
READ, START = "car.read", "car.start"
LEASE_S, TRANSIT_S = 15.0, 5.0
START_US = 1_800_000_000_000_000
REFUND: Mapping[str, Any] = {"mode": "refund"}
ANSWERED: Mapping[str, Any] = {"mode": "answered", "age": 0}
UNANSWERED: Mapping[str, Any] = {"mode": "unanswered", "more": 5_000_000}


def micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def account(
    *budgets: str,
    windows: Mapping[str, tuple[int, float]] | None = None,
    api: str = "stellantis",
    headers: bool = False,
    reserve: tuple[int, int] = (200, 50),
) -> dict[str, Any]:
    """An account for `Desk.hire`. A budget is `name` (no windows) or `name=window,window`; a window is
    (limit, seconds), and `reserve` what bulk and normal leave of it, in thousandths.
    """
    named = dict(budget.partition("=")[::2] for budget in budgets)
    return {
        "api": api,
        "headers": headers,
        "budgets": {name: [window for window in text.split(",") if window] for name, text in named.items()},
        "windows": {
            name: {"limit": limit, "len_us": micros(seconds), "rb": reserve[0], "rn": reserve[1]}
            for name, (limit, seconds) in (windows or {}).items()
        },
    }


ROOMY = {CAR: account("calls=minute", "other", windows={"minute": (1000, 60)})}
"""One account whose limit no test of another rule reaches."""


@dataclass(frozen=True, slots=True)
class Slip:
    """One job in hand."""

    lease: str
    id: str
    message: bytes
    facts: dict[str, Any]

    @property
    def group(self) -> str:
        return str(self.facts["group"])


def slip_of(card: Sequence[Any]) -> Slip:
    """A card as `take.lua` deals it."""
    lease, job_id, message, *facts = card
    words = [fact.decode() if isinstance(fact, bytes) else fact for fact in facts]
    known = dict(zip(CARD, words, strict=True)) if words else {}
    known |= {name: int(known[name]) for name in ("attempts", "crashes") if known}
    return Slip(lease.decode(), job_id.decode(), message, known)


@dataclass(frozen=True, slots=True)
class Dealt:
    """The answer to a take. `next_us` is -1 when nothing is in sight."""

    verdict: str
    now_us: int
    next_us: int
    outbox: int
    slips: list[Slip]
    more: bool

    @property
    def ids(self) -> list[str]:
        return [slip.id for slip in self.slips]

    @property
    def one(self) -> Slip:
        assert len(self.slips) == 1, f"expected one job, got {self.ids} ({self.verdict})"
        return self.slips[0]


@dataclass(slots=True)
class Desk:
    """Drives one partition. Times are seconds of the test's own clock, which stands still between `wait`s."""

    client: "redis.Redis[bytes]"
    folder: Path = FOLDER
    partition: str = "0"
    now_us: int = START_US
    keys: Keys = field(init=False)
    scripts: Scripts = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        self.keys = Keys(self.partition)
        self.scripts = Scripts(self.client, self.keys, lambda: self.now_us, self.folder)

    # -- time -------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Time passes; a living system looks at the store meanwhile, so no gap opens for leases to be shifted by."""
        while seconds > 0:
            step = min(seconds, LEASE_S / 3)
            self.now_us += micros(step)
            seconds -= step
            self.renew()

    def outage(self, seconds: float) -> None:
        """Time passes and nobody speaks to the store."""
        self.now_us += micros(seconds)

    # -- processes ----------------------------------------------------------------------------------------------------

    def hire(
        self,
        worker: str = "w1",
        threads: int = 8,
        accounts: Mapping[str, Any] | None = None,
        numbers: Mapping[str, int] | None = None,
        caps: Mapping[str, int] | None = None,
        digest: str = "d1",
        silent_s: float = 10**9,
    ) -> str:
        """A worker process says hello with its settings."""
        facts = {
            "worker": worker, "threads": threads, "host": "here", "pid": 1, "version": "0", "started": "0",
            "digest": digest, "silent_us": micros(silent_s), "accounts": ROOMY if accounts is None else accounts,
            "numbers": dict(numbers or {}), "caps": dict(caps or {}),
        }  # fmt: skip
        return str(self.decide("configure", facts)[1])

    def take(self, want: int = 1, worker: str = "w1", nonce: str | None = None, **changes: Any) -> Dealt:
        """Asks for jobs; `changes` replace facts of the call (`lease_us`, `run`, `durable`, `mode`, `keep`, …)."""
        self._made += 1
        facts = {
            "worker": worker, "nonce": nonce or f"n{self._made}", "want": want, "keep": 0, "run": "run-1",
            "durable": False, "mode": "fresh", "lease_us": micros(LEASE_S), "transit_us": micros(TRANSIT_S), **changes,
        }  # fmt: skip
        verdict, now_us, next_us, outbox, cards, more = self.scripts("take", facts)
        slips = [slip_of(card) for card in cards]
        return Dealt(verdict.decode(), now_us, next_us, outbox, slips, bool(more))

    def renew(self, *slips: Slip, worker: str = "w1", **changes: Any) -> list[str]:
        """A renewal by lease and job id; `full` and blobs are for `remember`."""
        facts = {
            "worker": worker, "lease_us": micros(LEASE_S), "silent_us": micros(10**9),
            "leases": [{"lease": slip.lease, "id": slip.id} for slip in slips], **changes,
        }  # fmt: skip
        return [answer.decode() for answer in self.scripts("renew", facts)[1]]

    def remember(
        self, slip: Slip, job: Mapping[str, Any], *, sent: bool = False, door: str | None = None, worker: str = "w1"
    ) -> str:
        """A renewal with all a worker knows, after the store has said `unknown`."""
        full = {
            "facts": dict(job), "group": slip.group, "sent": sent, "door": door, "taken": int(slip.facts["taken"]),
        }  # fmt: skip
        facts = {
            "worker": worker, "lease_us": micros(LEASE_S), "silent_us": micros(10**9),
            "leases": [{"lease": slip.lease, "id": slip.id, "full": full}],
        }  # fmt: skip
        answer: bytes = self.scripts("renew", facts, slip.message)[1][0]
        return answer.decode()

    # -- jobs -------------------------------------------------------------------------------------------------------

    def job(self, job_id: str | None = None, **changes: Any) -> dict[str, Any]:
        """A job's facts, as `parts/accept.lua` wants them."""
        self._made += 1
        made = job_id or f"{self.partition}-{self._made:06d}"
        page = changes.get("page", 1)
        return {
            "id": made, "op": READ, "acct": CAR, "api": "stellantis", "budget": "calls", "prio": NORMAL, "rep": 1,
            "dl": micros(3600), "chain": made.partition(".p")[0], "page": page,
        } | changes  # fmt: skip

    def put(self, n: int = 1, **changes: Any) -> list[str]:
        """Enqueues `n` jobs; returns their ids."""
        return [job for _, job in self.put_jobs([self.job(**changes) for _ in range(n)])]

    def put_jobs(self, jobs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
        """Enqueues jobs as given; returns (status, id) of each."""
        reply = self.scripts("enqueue", {"jobs": jobs}, *(f"message of {job['id']}" for job in jobs))
        words = [word.decode() for word in reply]
        return list(zip(words[0::2], words[1::2], strict=True))

    def finish(self, slip: Slip, settle: Mapping[str, Any] = ANSWERED, result: str = "{}", **changes: Any) -> str:
        return self._end("finish", slip, settle, changes, result)

    def park(self, slip: Slip, settle: Mapping[str, Any] = REFUND, wait_s: float = 0, **changes: Any) -> str:
        return self._end("park", slip, settle, {"wait": micros(wait_s), "attempt": 0, **changes})

    def bury(self, slip: Slip, settle: Mapping[str, Any] = ANSWERED, error: str = "malformed", **changes: Any) -> str:
        why = {"class": error, "code": "", "message": "as asked", "alert": False}
        return self._end("bury", slip, settle, {"why": why, **changes})

    def sending(self, slip: Slip) -> bool:
        return bool(self.decide("sending", {"id": slip.id, "lease": slip.lease, "door": "secret"}))

    def _end(
        self, decision: str, slip: Slip, settle: Mapping[str, Any], facts: Mapping[str, Any], result: str = ""
    ) -> str:
        facts = {"id": slip.id, "lease": slip.lease, "group": slip.group, "settle": dict(settle), **facts}
        born = [f"message of {job['id']}" for job in facts.get("successors", ())]
        reply: bytes = self.scripts(decision, facts, '{"event":"tried"}', result, *born)
        return reply.decode()

    # -- operators ----------------------------------------------------------------------------------------------------

    def decide(self, decision: str, facts: Mapping[str, Any]) -> Any:
        """Any decision, as its header says; a word comes as text."""
        reply = self.scripts(decision, facts)
        if isinstance(reply, list):
            return [word.decode() if isinstance(word, bytes) else word for word in reply]
        return reply.decode() if isinstance(reply, bytes) else reply

    def person(self, decision: str, **facts: Any) -> Any:
        """A decision that somebody answers for."""
        return self.decide(decision, {"by": "ann", "reason": "a test", **facts})

    # -- looking ------------------------------------------------------------------------------------------------------

    def read(self, job_id: str) -> dict[str, str]:
        return self.hash("job", job_id)

    def state(self, job_id: str) -> str:
        return self.read(job_id).get("state", "gone")

    def states(self, job_ids: Iterable[str]) -> list[str]:
        return [self.state(job_id) for job_id in job_ids]

    def hash(self, name: str, *parts: object) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.client.hgetall(self.keys(name, *parts)).items()}

    def window(self, name: str = "minute", of: str = CAR) -> dict[str, int]:
        """One window's numbers; `tot` settled, `inf` in flight, `late` unanswered (all as of its last use)."""
        return {field: int(float(value)) for field, value in self.hash("window", f"{of}|{name}").items()}

    def occupied(self, budget: str = "calls", of: str = CAR) -> list[int]:
        """Permits occupied in each window of a budget, now."""
        reply = self.scripts("windows", {"group": f"{of}|{budget}", "p": URGENT})
        return [row[4] for row in reply[2:]]

    def events(self, job_id: str) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.client.lrange(self.keys("evidence", job_id), 0, -1)]

    def outbox(self) -> list[str]:
        """What is to be told to a person, oldest first."""
        return [member.decode() for member in self.client.zrange(self.keys("outbox"), 0, -1)]

    def bells(self, bell: str = "any") -> int:
        return int(self.client.llen(self.keys("bell", bell)))

    def hush(self) -> None:
        """Takes every token off the bells."""
        self.client.delete(self.keys("bell", "any"), self.keys("bell", "urgent"))

    def assert_whole(self) -> None:
        """Every job in one place, every permit with an owner."""
        __tracebackhide__ = True
        assert_conserved(self.client, self.keys)
