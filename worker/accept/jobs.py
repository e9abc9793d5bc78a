"""Accept: jobs as their callers see them afterwards: read, cancelled; the pages of a list as one answer.

Promise: every state a job can be in has one word; parameters and bodies leave here through the redactor alone; the
secret part of a command's result address never does. Scope: one partition's records. What a waiting job waits for is
said by `waiting.py`, how jobs are found by `job_search.py`, what can be done about a dead one in `fail`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from worker.accept.envelope import PRIORITIES
from worker.errors import NotFound
from worker.observe.redact import Redactor
from worker.store.partition import Partition, chunks

ENDED = ("done", "dead", "cancelled", "expired")
WORST_FIRST = ("dead", "expired", "cancelled", "running", "awaiting", "waiting", "done")
CRASHED_SENDING = ("outcome_unknown", "worker_crashed")
NAMES = {str(number): name for name, number in PRIORITIES.items()}


@dataclass(frozen=True, slots=True)
class Job:
    """The record of a job. Times are the store's clock (µs), 0 where nothing has happened yet."""

    id: str
    state: str
    operation: str
    account: str
    api: str
    budget: str
    priority: str
    repeatable: bool
    created_us: int
    deadline_us: int
    due_us: int
    ended_us: int
    attempts: int
    runs: int
    crashes: int
    redrives: int
    error_class: str
    code: str
    why: str
    problem: str
    chain: str
    page: int
    discarded: bool
    told: int

    @property
    def lane(self) -> str:
        return f"{self.account}|{self.operation}"

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def sent(self) -> str:
        """How often it was sent; with a question mark where a worker ended that may have sent it once more."""
        unheard = self.crashes if self.repeatable else (self.error_class, self.code) == CRASHED_SENDING
        return f"{self.runs + unheard}?" if unheard else str(self.runs)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Chain:
    """A call as its caller asked for it: one job, or the pages of one list. `gone` pages are no longer kept."""

    id: str
    jobs: tuple[Job, ...]
    gone: int

    @property
    def state(self) -> str:
        """The one state of all pages: the worst end, else what is still to be done, else done."""
        states = {job.state for job in self.jobs}
        return next((state for state in WORST_FIRST if state in states), self.jobs[-1].state)

    @property
    def done(self) -> int:
        return sum(job.state == "done" for job in self.jobs) + self.gone

    @property
    def callbacks(self) -> list[str]:
        """The jobs that tell its ends, in order; none where nobody wanted to be told."""
        return [f"{job.id}.c{end}" for job in self.jobs for end in range(1, job.told + 1)]

    @property
    def current(self) -> Job:
        """The page that decides the state."""
        return next(job for job in reversed(self.jobs) if job.state == self.state)


class Jobs:
    """The jobs of a partition."""

    def __init__(self, partition: Partition, redactor: Redactor) -> None:
        self._partition = partition
        self._redactor = redactor

    def read(self, job_id: str) -> Job:
        """One job. Raises `NotFound`."""
        for job in read_jobs(self._partition, [job_id]):
            return job
        said = f"no job {job_id[:80]!r} is known;"
        raise NotFound(
            f"{said} ended jobs are kept for a time that the settings name (PACELINE_FAIL__RESULT_TTL_S): check the "
            "id, and that this is the right store.",
            over_http=f"{said} ended jobs are kept for a time: check the id, and that this is the right service.",
        )

    def chain(self, job_id: str) -> Chain:
        """The whole call that this job is a page of. Raises `NotFound`."""
        job = self.read(job_id)
        key = self._partition.key("chain", job.chain)
        before: list[str] | None = None
        ids = self._partition.one("lrange", key, 0, -1)
        jobs: tuple[Job, ...] = (job,)
        # A page ends and its successor begins in one step: after the pages were read, the list must still be the same,
        # or the last one known has ended meanwhile and the whole would seem to be over.
        while ids != before:
            jobs = tuple(read_jobs(self._partition, ids or [job_id])) or (job,)
            before, ids = ids, self._partition.one("lrange", key, 0, -1)
        return Chain(job.chain, jobs, max(0, len(ids) - len(jobs)))

    def params(self, job: Job) -> dict[str, Any]:
        """What the call was asked with, redacted."""
        encoded = self._partition.one("get", self._partition.key("message", job.id))
        try:
            kwargs = json.loads(encoded or "{}").get("kwargs", {})
        except ValueError:
            return {"unreadable": True}
        return {name: self._redactor.redact_value(kwargs.get(name), asked=True) for name in ("params", "body")}

    def evidence(self, job: Job) -> list[dict[str, Any]]:
        """What happened to it, oldest first; redacted when it was written."""
        records = self._partition.one("lrange", self._partition.key("evidence", job.id), 0, -1)
        return [read_record(record) for record in records]

    def results(self, chain: Chain, *, masked: bool = True) -> Iterator[Any]:
        """The answer of each page that is done, in order, one page in memory at a time."""
        for job in chain.jobs:
            text = self._partition.one("get", self._partition.key("result", job.id))
            if text is not None:
                value = json.loads(text).get("value")
                yield self._redactor.redact_value(value) if masked else value

    def heard(self, job: Job, *, masked: bool = True) -> Any:
        """What the other side reported of a command that it had accepted; None while it has not."""
        text = self._partition.one("hget", self._partition.key("job", job.id), "heard")
        if text is None:
            return None
        value = json.loads(text)
        return self._redactor.redact_value(value) if masked else value

    def cancel(self, job_id: str, by: str, reason: str) -> list[tuple[Job, str]]:
        """Cancels what still waits of a call; what became of each page that had not ended. Raises `NotFound`."""
        chain = self.chain(job_id)
        facts = {"by": by, "reason": reason}
        last = [job for job in chain.jobs if not job.ended] or [chain.current]
        return [(job, self._partition.decide("cancel", {"id": job.id, **facts})) for job in last]


def read_jobs(partition: Partition, ids: Iterable[str]) -> Iterator[Job]:
    """The jobs of these ids that are still kept, in order, 100 per round trip."""
    for some in chunks(ids):
        answers = partition.ask(*(("hgetall", partition.key("job", one)) for one in some))
        for job_id, facts in zip(some, answers, strict=True):
            if facts.get("state"):
                yield job_of(job_id, facts)


def job_of(job_id: str, facts: dict[str, str]) -> Job:
    """A job from its hash. Fields not named here stay in the store: `door` is a secret."""

    def number(name: str) -> int:
        return int(float(facts.get(name) or 0))

    return Job(
        id=job_id,
        state=facts["state"],
        operation=facts.get("op", ""),
        account=facts.get("acct", ""),
        api=facts.get("api", ""),
        budget=facts.get("budget", ""),
        priority=NAMES.get(facts.get("prio", ""), "normal"),
        repeatable=facts.get("repeat") == "1",
        created_us=number("created"),
        deadline_us=number("dl"),
        due_us=number("due"),
        ended_us=number("ended"),
        attempts=number("attempts"),
        runs=number("runs"),
        crashes=number("crashes"),
        redrives=number("redrives"),
        error_class=facts.get("err", ""),
        code=facts.get("code", ""),
        why=facts.get("why", ""),
        problem=facts.get("fp", ""),
        chain=facts.get("chain") or job_id,
        page=number("page") or 1,
        discarded=facts.get("disc") == "1",
        told=number("ends"),
    )


def read_record(text: str) -> dict[str, Any]:
    """One piece of evidence; what cannot be read is shown as that."""
    try:
        record = json.loads(text)
    except ValueError:
        return {"event": "unreadable"}
    return record if isinstance(record, dict) else {"event": "unreadable"}


def merged(results: Iterable[Any]) -> Any:
    """The answers of all pages as one: the items of a list behind each other; a single answer as it is."""
    whole: list[Any] = []
    pages = False
    last: Any = None
    for value in results:
        items = page_items(value)
        if items is None:
            last = value
        else:
            pages = True
            whole += items
    return whole if pages else last


def page_items(value: Any) -> list[Any] | None:
    """The items of a page; None when the answer is no page."""
    if isinstance(value, dict) and set(value) == {"data", "page"} and isinstance(value["data"], list):
        return value["data"]
    return None
