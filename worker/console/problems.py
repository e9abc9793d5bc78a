"""Console: dead letters by their cause: what goes wrong, since when, how often, and what to do.

Promise: the address of a problem is the one that alerts link to; its numbers are those of its letters. Scope: the list
of problems, one problem, its file for support, and saying that one knows of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.operation import operations
from worker.console.acting import person_of
from worker.console.bundles import bundle_response
from worker.console.finding import Finding
from worker.console.parts import Parts
from worker.console.query import Query, length_s, read_query
from worker.console.rendering import parts_of, render
from worker.errors import NotFound
from worker.fail.bundle import cases_of
from worker.fail.dead_letter import row_of
from worker.fail.problem import Problem
from worker.observe.standing import Alerts, StandingAlert
from worker.store.partition import Partition

ABOUT = "problem:"
MOST = 200
SHOWN = 20
BUCKETS = 48
SHORTEST_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Deaths:
    """How many died in each of `BUCKETS` equal times; the last ends now."""

    counts: Sequence[int]
    bucket_s: float

    @property
    def most(self) -> int:
        return max(self.counts, default=0)

    @property
    def bars(self) -> list[tuple[float, float, int]]:
        """Place, height and count of each bar, in a hundred parts; one death can always be seen."""
        step = 100 / len(self.counts)
        return [
            (round(step * at, 3), max(6.0, round(100 * count / self.most, 2)) if count else 0.0, count)
            for at, count in enumerate(self.counts)
        ]


def problems(request: Request) -> Response:
    """The list, last seen first."""
    parts = parts_of(request)
    asked = read_query(request.query_params)
    now_us = parts.partition.now_us()
    resolved = request.query_params.get("resolved") == "yes"
    found = list(
        parts.problems.find(
            operation=asked.operation or None,
            error_class=asked.error_class or None,
            since_us=now_us - int(length_s(asked.since) * 1e6) if asked.since else None,
            resolved=resolved,
            limit=MOST + 1,
        )
    )
    return render(
        request,
        "problems.html",
        now_us=now_us,
        problems=found[:MOST],
        more=len(found) > MOST,
        asked=asked,
        resolved=resolved,
        alerts=alerts_of(parts),
        query_words=asked.words,
    )


def problem(request: Request) -> Response:
    """One cause."""
    parts = parts_of(request)
    found = parts.problems.read(request.path_params["fingerprint"])
    now_us = parts.partition.now_us()
    query = Query(problem=found.fingerprint)
    page = Finding(parts.partition).page(query.wanted(now_us), size=SHOWN)
    return render(
        request,
        "problem.html",
        now_us=now_us,
        problem=found,
        word=state_of(found),
        row=row_of(found.api, found.error_class),
        operation=operations.get(found.operation),
        query=query,
        page=page,
        alert=alerts_of(parts).get(found.fingerprint),
        did=request.query_params.get("did", ""),
        deaths=deaths_of(parts.partition, parts.partition.key("dead_by", "problem", found.fingerprint), found, now_us),
    )


def alerts_of(parts: Parts) -> dict[str, StandingAlert]:
    """The alerts that stand about problems, by fingerprint."""
    standing = Alerts(parts.partition).find()
    return {one.key.removeprefix(ABOUT): one for one in standing if one.key.startswith(ABOUT)}


def acknowledge(request: Request) -> Response:
    """Somebody knows of a problem: it is not told again until it was over."""
    parts, fingerprint = parts_of(request), request.path_params["fingerprint"]
    found = parts.problems.read(fingerprint)
    by, reason = person_of(request)
    Alerts(parts.partition).acknowledge(f"{ABOUT}{found.fingerprint}", by, reason)
    return RedirectResponse(f"/problems/{found.fingerprint}?did=acknowledge", 303)


def state_of(problem: Problem) -> str:
    """open: letters lie here; set aside: only discarded ones; resolved: none."""
    return "open" if problem.open else "set aside" if problem.discarded else "resolved"


def deaths_of(partition: Partition, key: str, problem: Problem, now_us: int) -> Deaths:
    """When the letters of an index died, from the problem's first to now."""
    first = min(problem.first_us or now_us, now_us - BUCKETS * SHORTEST_US)
    width = (now_us - first) / BUCKETS
    edges = [int(first + width * at) for at in range(BUCKETS)] + [now_us + 1]
    counts = partition.ask(*(("zcount", key, low, f"({high}") for low, high in pairwise(edges)))
    return Deaths([int(count) for count in counts], width / 1e6)


def problem_bundle(request: Request) -> Response:
    """A file for the vendor's support, of a few of its calls."""
    parts = parts_of(request)
    found = parts.problems.read(request.path_params["fingerprint"])
    cases = cases_of(parts.jobs, parts.letters, found)
    if not cases:
        raise NotFound("this problem has no letters any more: they were sent again, set aside or are too old.")
    return bundle_response(found.fingerprint, request.path_params["form"], cases, found)
