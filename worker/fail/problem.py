"""Fail: dead letters grouped by their cause: what is going wrong, since when, how often, and what to do.

Promise: one problem is one line here, one alert, and one issue wherever alerts go: all by the same fingerprint.
What a person says of one holds until it was over; only to ignore it holds longer.
Scope: reading, and what people say; the groups are made by `parts/dead.lua`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from worker.errors import Conflict, NotFound, Refused
from worker.fail.explaining import UNKNOWN, advice_for, row_of
from worker.store.partition import CHUNK, Partition

Mark = Literal["acknowledged", "resolved", "ignored", "open"]
State = Literal["open", "acknowledged", "ignored", "resolved", "set aside"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said of a problem; `mark` is empty where nobody did."""

    mark: str = ""
    by: str = ""
    why: str = ""
    at_us: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause. `open` letters are dead and not discarded; `ever` counts all that there were."""

    fingerprint: str
    api: str
    operation: str
    error_class: str
    code: str
    open: int
    discarded: int
    ever: int
    first_us: int
    last_us: int
    sample: str
    explanation: str
    advice: str | None
    said: Said = field(default_factory=Said)

    @property
    def state(self) -> State:
        """How it stands: what a person said, as far as it goes; else as its letters lie."""
        if self.said.mark == "ignored":
            return "ignored"
        if not self.open:
            return "set aside" if self.discarded else "resolved"
        if self.said.mark == "resolved":
            return "resolved"
        return "acknowledged" if self.said.mark == "acknowledged" else "open"

    def as_dict(self) -> dict[str, Any]:
        facts = asdict(self)
        said = facts.pop("said")
        return facts | {"state": self.state, "said_by": said["by"] or None, "said_why": said["why"] or None}


class Problems:
    """The problems of a partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def find(
        self,
        *,
        operation: str | None = None,
        error_class: str | None = None,
        since_us: int | None = None,
        resolved: bool = False,
        limit: int | None = None,
    ) -> Iterator[Problem]:
        """Last seen first. Without `resolved` only those that still have letters."""
        found = start = 0
        key = self._partition.key
        while True:
            fingerprints = self._partition.one("zrevrange", key("problems"), start, start + CHUNK - 1)
            for problem in self._some(fingerprints):
                if limit is not None and found >= limit:
                    return
                wanted = operation in (None, problem.operation) and error_class in (None, problem.error_class)
                if wanted and problem.last_us >= (since_us or 0) and (problem.open or resolved):
                    found += 1
                    yield problem
            if len(fingerprints) < CHUNK:
                return
            start += CHUNK

    def named(self, fingerprints: list[str]) -> list[Problem]:
        """Those that are known, in the given order."""
        return self._some(fingerprints) if fingerprints else []

    def read(self, fingerprint: str) -> Problem:
        """One problem. Raises `NotFound`."""
        for problem in self._some([fingerprint]):
            return problem
        raise NotFound(f"no problem {fingerprint[:40]!r} is known; `dlq problems` lists them.")

    def say(self, fingerprint: str, mark: str, by: str, reason: str) -> None:
        """Somebody says how a problem stands. Raises `Refused`, `NotFound`, or `Conflict` when it stands so already."""
        if mark not in get_args(Mark):
            raise Refused(f"expected one of {', '.join(get_args(Mark))}, got {mark[:40]!r}.")
        answer = self._partition.decide("mark", {"problem": fingerprint, "mark": mark, "by": by, "reason": reason})
        if answer == "missing":
            raise NotFound(f"no problem {fingerprint[:40]!r} is known; `dlq problems` lists them.")
        if answer == "already":
            raise Conflict(f"the problem {fingerprint} is {mark} already.")

    def _some(self, fingerprints: list[str]) -> list[Problem]:
        key = self._partition.key
        questions: list[tuple[Any, ...]] = []
        for one in fingerprints:
            letters = key("dead_by", "problem", one)
            questions += [
                ("hgetall", key("problem", one)),
                ("zcard", letters),
                ("zintercard", 2, [key("discarded"), letters]),
            ]
        answers = iter(self._partition.ask(*questions))
        rows = [(one, next(answers), int(next(answers)), int(next(answers))) for one in fingerprints]
        return [problem_of(one, facts, dead, marked) for one, facts, dead, marked in rows if facts.get("class")]


def problem_of(fingerprint: str, facts: dict[str, str], dead: int, discarded: int) -> Problem:
    row = row_of(facts.get("api", ""), facts["class"], facts.get("code", ""))
    return Problem(
        fingerprint=fingerprint,
        api=facts.get("api", ""),
        operation=facts.get("op", ""),
        error_class=facts["class"],
        code=facts.get("code", ""),
        open=max(0, dead - discarded),
        discarded=discarded,
        ever=int(facts.get("count") or 0),
        first_us=int(float(facts.get("first") or 0)),
        last_us=int(float(facts.get("last") or 0)),
        sample=facts.get("sample", ""),
        explanation=row.explanation if row else "",
        advice=advice_for(row, facts.get("op", ""), unsure=facts["class"] == UNKNOWN),
        said=Said(
            facts.get("mark", ""),
            facts.get("mark_by", ""),
            facts.get("mark_why", ""),
            int(float(facts.get("mark_at") or 0)),
        ),
    )
