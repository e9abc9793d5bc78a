"""Accept: jobs found by id, by idempotency key, or by state, account, operation and priority; the same for the command
line, HTTP and the console.

Promise: a page costs what it shows, or a bounded look: what waits is read from its own lines, whatever their length;
every other state has an index, of which one page looks at a bounded part and says so (`cut`). A walk from page to page
shows what stays where it is exactly once, whatever comes and goes meanwhile. Of jobs that are done or cancelled the
last ones are listed (`parts/recent.lua`); older ones are found by id and key. Scope: finding; a job's members are
`jobs.py`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from worker.accept.envelope import PRIORITIES
from worker.accept.jobs import Job, read_jobs
from worker.errors import Refused
from worker.store.partition import CHUNK, Partition, chunks

LIVE = ("running", "awaiting", "waiting")
"""What is listed where no state is named."""
LISTED = (*LIVE, "dead", "expired", "done", "cancelled")
NEWEST_FIRST = ("dead", "expired", "done", "cancelled")
LOOKED_AT = 3_000
RUNNING = 10_000


@dataclass(frozen=True, slots=True)
class Sought:
    """Which jobs. Without states: any for an id or a key, else those that run and wait."""

    states: tuple[str, ...] = ()
    account: str | None = None
    operation: str | None = None
    priority: str | None = None
    id: str | None = None
    key: str | None = None

    def fits(self, job: Job) -> bool:
        """Whether a job, read now, is one of these."""
        wanted = (self.account, self.operation, self.priority)
        has = (job.account, job.operation, job.priority)
        return job.state in (self.states or LISTED) and all(
            one in (None, other) for one, other in zip(wanted, has, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the walk a job stands: its state, the line or index it was found in, its score there, its id."""

    state: str
    line: str
    score: int
    id: str

    def __str__(self) -> str:
        return f"{self.state}/{self.line}/{self.id}"

    @classmethod
    def read(cls, score: int, text: str) -> Place:
        """The place that `score` and `str(place)` say. Raises `Refused`."""
        state, _, rest = text.partition("/")
        line, _, job_id = rest.rpartition("/")
        if state not in LISTED or not job_id:
            raise Refused("expected the mark of a page of jobs, got another; begin anew.")
        return cls(state, line, score, job_id)


@dataclass(frozen=True, slots=True)
class JobPage:
    """`more` is where the next page begins, None at the end; `cut`: the look ended before the page was full."""

    jobs: list[Job]
    more: Place | None
    cut: bool = False


class JobSearch:
    """Finds jobs of one partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def page(self, wanted: Sought, after: Place | None = None, size: int = 50) -> JobPage:
        """The jobs behind a place. Raises `Refused` for a state that there is not."""
        jobs: list[Job] = []
        last: Place | None = after
        looked = 0
        for places in _portions(self._walk(_checked(wanted), after), size):
            found = {job.id: job for job in read_jobs(self._partition, [place.id for place in places])}
            for place in places:
                job = found.get(place.id)
                if job is not None and job.state == place.state and wanted.fits(job):
                    if len(jobs) == size:
                        return JobPage(jobs, last)
                    jobs.append(job)
                last = place
            looked += len(places)
            if looked >= LOOKED_AT:
                return JobPage(jobs, last, cut=True)
        return JobPage(jobs, None)

    def all(self, wanted: Sought, limit: int) -> Iterator[Job]:
        """The first jobs that fit, page by page."""
        after: Place | None = None
        while limit > 0:
            page = self.page(wanted, after, min(limit, CHUNK))
            yield from page.jobs
            limit -= len(page.jobs)
            after = page.more
            if after is None:
                return

    def named(self, wanted: Sought, owners: Iterable[str] = ()) -> list[Job]:
        """The job of that id, or those behind that idempotency key; `owners` are whose keys are looked at: accounts,
        and `caller:<name>` for what was asked over HTTP.
        """
        ids = [] if wanted.id is None else [wanted.id]
        if wanted.key is not None:
            held = self._behind(wanted.key, [*owners, *([wanted.account] if wanted.account else [])])
            ids = held if wanted.id is None else [one for one in ids if one in held]
        return [job for job in read_jobs(self._partition, dict.fromkeys(ids)) if wanted.fits(job)]

    def _behind(self, key: str, owners: Iterable[str]) -> list[str]:
        digests = [hashlib.sha1(f"{one}|{key}".encode(), usedforsecurity=False).hexdigest() for one in owners]
        if not digests:
            return []
        held = self._partition.ask(*(("get", self._partition.key("idempotency", digest)) for digest in digests))
        return [one.partition(" ")[0] for one in held if one]

    def _walk(self, wanted: Sought, after: Place | None) -> Iterator[Place]:
        states = [state for state in LISTED if state in wanted.states]
        if after is not None:
            states = [state for state in states if LISTED.index(state) >= LISTED.index(after.state)]
        for state in states:
            begin = after if after is not None and after.state == state else None
            if state == "waiting":
                yield from self._lines(wanted, begin)
            elif state == "running":
                yield from self._running(begin)
            else:
                yield from self._sorted(state, "", self._index(state, wanted), begin)

    def _lines(self, wanted: Sought, after: Place | None) -> Iterator[Place]:
        """What waits: lane by lane, the urgent first, in the order of the line; then what is parked until a time."""
        lines = sorted(self._named_lines(wanted))
        behind = [line for line in lines if after is None or line >= after.line]
        for some in chunks(behind):
            keys = [self._line_key(line) for line in some]
            there = self._partition.ask(*(("exists", key) for key in keys))
            for line, key, exists in zip(some, keys, there, strict=True):
                if exists:
                    begin = after if after is not None and after.line == line else None
                    yield from self._sorted("waiting", line, key, begin)

    def _named_lines(self, wanted: Sought) -> Iterator[str]:
        for member in self._partition.one("smembers", self._partition.key("lanes")):
            account, operation, _ = member.split("|")
            if wanted.account in (None, account) and wanted.operation in (None, operation):
                for name, p in PRIORITIES.items():
                    if wanted.priority in (None, name):
                        yield f"{account}|{operation}|{p}|due"
                        yield f"{account}|{operation}|{p}|at"

    def _line_key(self, line: str) -> str:
        lane, p, family = line.rsplit("|", 2)
        return self._partition.key("queue" if family == "at" else "due", lane, p)

    def _running(self, after: Place | None) -> Iterator[Place]:
        flying = self._partition.decide("running", {"limit": RUNNING})
        for job_id in sorted({job_id for _, job_id, *_ in flying if job_id}):
            if after is None or job_id > after.id:
                yield Place("running", "", 0, job_id)

    def _index(self, state: str, wanted: Sought) -> str:
        """The shortest index that holds every job that fits."""
        key = self._partition.key
        if state in ("done", "cancelled"):
            return key("recent")
        if state == "expired" and wanted.account is not None:
            return key("expired_by", "account", wanted.account)
        by = {"account": wanted.account, "operation": wanted.operation} if state == "dead" else {}
        keys = [key(state), *(key("dead_by", name, value) for name, value in by.items() if value is not None)]
        if len(keys) == 1:
            return keys[0]
        sizes = self._partition.ask(*(("zcard", one) for one in keys))
        return min(zip(sizes, keys, strict=True))[1]

    def _sorted(self, state: str, line: str, key: str, after: Place | None) -> Iterator[Place]:
        """One sorted set. The cursor is a score and the ids seen at it: others may come and go meanwhile."""
        down = state in NEWEST_FIRST
        edge = ("+inf" if down else "-inf") if after is None else str(after.score)
        seen: set[str] = set()
        if after is not None:
            at_it = self._partition.one("zrangebyscore", key, edge, edge)
            seen = {one for one in at_it if (one >= after.id if down else one <= after.id)}
        walk = ("zrevrangebyscore", key) if down else ("zrangebyscore", key)
        while True:
            low_to_high = (edge, "-inf") if down else (edge, "+inf")
            rows = self._partition.one(*walk, *low_to_high, 0, CHUNK + len(seen), True)
            fresh = [Place(state, line, int(float(score)), one) for one, score in rows if one not in seen]
            yield from fresh
            if len(rows) < CHUNK + len(seen):
                return
            last = str(fresh[-1].score) if fresh else edge
            at_edge = {place.id for place in fresh if str(place.score) == last}
            seen = seen | at_edge if last == edge else at_edge
            edge = last


def owners_of(accounts: Iterable[str], callers: Iterable[str]) -> list[str]:
    """Everybody whose idempotency keys there can be; a caller on this machine has no name."""
    return [*accounts, *(f"caller:{name}" for name in chain(callers, [""]))]


def _checked(wanted: Sought) -> Sought:
    if strange := sorted(set(wanted.states) - set(LISTED)):
        raise Refused(f"state: expected one of {', '.join(LISTED)}, got {', '.join(strange)[:80]}; choose one of them.")
    return wanted if wanted.states else replace(wanted, states=LIVE)


def _portions(walk: Iterator[Place], size: int) -> Iterator[list[Place]]:
    """Bounded portions; the first is as small as a page, which is usually full after it."""
    portion: list[Place] = []
    for place in walk:
        portion.append(place)
        if len(portion) > min(size, CHUNK):
            yield portion
            portion = []
    if portion:
        yield portion
