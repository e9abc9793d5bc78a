"""Console: a page of dead letters, and how many there are.

Promise: a page costs what is shown, never what is kept: it goes by the shortest index, joins indexes where few letters
lie in all of them, and looks at a bounded number of records; where that was not enough the page says so and can be
gone on from. Scope: reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from worker.accept.jobs import Job, read_jobs
from worker.errors import Refused
from worker.fail.dead_letter import Filter
from worker.store.partition import CHUNK, Partition

PAGE = 50
FEW = 2_000
LOOKED_AT = 3_000
_CURSOR = re.compile(r"(\d{1,20})\.([0-9a-z][0-9a-zA-Z.-]{0,80})")


@dataclass(frozen=True, slots=True)
class Page:
    """Letters, newest first. `more` is where the next page begins; `count` is None when counting would cost too much;
    `cut` when the search ended before the page was full although there may be more.
    """

    jobs: list[Job]
    more: str | None
    count: int | None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in an index: everything before it was shown."""

    score: int
    id: str

    @classmethod
    def read(cls, text: str) -> Mark | None:
        if not text:
            return None
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise Refused("before: expected the mark of a page, got something else; begin with the newest.")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.score}.{self.id}"


class Finding:
    """Looks into one partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def page(self, wanted: Filter, before: Mark | None = None, size: int | None = None) -> Page:
        """The letters after `before`, newest first."""
        joined = self._joined(wanted)
        count = self.count(wanted)
        rows = self._few(wanted, joined) if len(joined) > 1 and 0 < (self._together(joined)) <= FEW else None
        walk = self._walk(wanted, self._shortest(joined), before) if rows is None else _after(rows, before)
        jobs: list[Job] = []
        last: Mark | None = None
        looked, most = 0, PAGE if size is None else size
        for marks in _portions(walk):
            found = {job.id: job for job in read_jobs(self._partition, [mark.id for mark in marks])}
            for mark in marks:
                job = found.get(mark.id)
                looked += 1
                if job is not None and wanted.fits(job):
                    if len(jobs) == most:
                        return Page(jobs, str(last), count)
                    jobs.append(job)
                last = mark
            if looked >= LOOKED_AT:
                return Page(jobs, str(last), count, cut=True)
        return Page(jobs, None, len(jobs) if count is None and before is None else count)

    def count(self, wanted: Filter) -> int | None:
        """How many letters fit; None when only a walk could tell."""
        key = self._partition.key
        joined = self._joined(wanted)
        alone = len(joined) == 1
        if wanted.which == "expired" and any((wanted.operation, wanted.error_class, wanted.problem)):
            return None
        if wanted.since_us is not None:
            if not alone:
                return None
            low, high = wanted.since_us, wanted.until_us or "+inf"
            found = int(self._partition.one("zcount", joined[0], low, high))
            return found if wanted.which != "dead" or not self._together([*joined, key("discarded")]) else None
        found = self._together(joined)
        return found - self._together([*joined, key("discarded")]) if wanted.which == "dead" else found

    def _joined(self, wanted: Filter) -> list[str]:
        """The indexes whose common members are the letters. A problem has one operation and one class."""
        key = self._partition.key
        by = {"account": wanted.account, "problem": wanted.problem}
        if wanted.problem is None:
            by |= {"operation": wanted.operation, "class": wanted.error_class}
        if wanted.which == "expired":
            return [key("expired_by", "account", wanted.account) if wanted.account is not None else key("expired")]
        own = [key("dead_by", name, value) for name, value in by.items() if value is not None]
        if wanted.which == "discarded":
            return [key("discarded"), *own]
        return own or [key("dead")]

    def _together(self, keys: list[str]) -> int:
        command = ("zcard", keys[0]) if len(keys) == 1 else ("zintercard", len(keys), keys)
        return int(self._partition.one(*command))

    def _shortest(self, keys: list[str]) -> str:
        sizes = self._partition.ask(*(("zcard", key) for key in keys))
        if self._partition.key("discarded") in keys:  # its times are those of the mark, not of the death
            return self._partition.key("discarded")
        return min(zip(sizes, keys, strict=True))[1]

    def _few(self, wanted: Filter, keys: list[str]) -> list[Mark]:
        rows = self._partition.one("zinter", keys, "MAX", True)
        low, high = wanted.since_us or 0, wanted.until_us or float("inf")
        marks = [Mark(int(float(score)), job_id) for job_id, score in rows if low <= float(score) <= high]
        return sorted(marks, key=lambda mark: (mark.score, mark.id), reverse=True)

    def _walk(self, wanted: Filter, key: str, before: Mark | None) -> Iterator[Mark]:
        """By time, newest first. The cursor is a time and the ids seen at it: others may leave the index meanwhile."""
        low = "-inf" if wanted.since_us is None else str(wanted.since_us)
        high = "+inf" if wanted.until_us is None else str(wanted.until_us)
        seen: set[str] = set()
        if before is not None:
            high = str(before.score)
            at_it = self._partition.one("zrangebyscore", key, before.score, before.score)
            seen = {one for one in at_it if one >= before.id}
        while True:
            rows = self._partition.one("zrevrangebyscore", key, high, low, 0, CHUNK + len(seen), True)
            fresh = [Mark(int(float(score)), one) for one, score in rows if one not in seen]
            if not fresh:
                return
            yield from fresh
            edge = str(fresh[-1].score)
            at_edge = {mark.id for mark in fresh if str(mark.score) == edge}
            seen = seen | at_edge if edge == high else at_edge
            high = edge


def _after(marks: list[Mark], before: Mark | None) -> Iterator[Mark]:
    return (mark for mark in marks if before is None or (mark.score, mark.id) < (before.score, before.id))


def _portions(marks: Iterator[Mark]) -> Iterator[list[Mark]]:
    """Bounded portions; the first is small, since a page is usually full after it."""
    portion: list[Mark] = []
    for mark in marks:
        portion.append(mark)
        if len(portion) > PAGE:
            yield portion
            portion = []
    if portion:
        yield portion
