"""Accept, over HTTP: lists of jobs, lanes, problems, dead letters and operations.

Promise: every list is read in pages with the same filters and cursor (`filtering.py`); a page costs what it shows.
Scope: reading; what can be done about a dead letter is done by `python -m worker dlq`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request

from worker.accept.envelope import PRIORITIES
from worker.accept.intake.filtering import (
    choice,
    cursor,
    known_names,
    limit,
    one_of,
    page,
    range_us,
    switch,
    text,
    words_of,
)
from worker.accept.intake.parts import Parts
from worker.accept.intake.representing import listed, summed_up, utc
from worker.accept.intake.trouble import Trouble
from worker.accept.intake.wanting import LONGEST_KEY
from worker.accept.job_search import LISTED, Place, Sought, owners_of
from worker.accept.jobs import Job
from worker.accept.operation import askable, operations
from worker.errors import Refused
from worker.fail.dead_letter import Filter, Which
from worker.fail.problem import Problem
from worker.limiter.lanes import Lane

PAGED = ("limit", "cursor", "format")
PILES: tuple[Which, ...] = ("dead", "discarded", "expired")
JOBS = ("id", "key", "account", "operation", "state", "priority", *PAGED)
LANES = ("account", "operation", "busy", *PAGED)
PROBLEMS = ("operation", "class", "since", "resolved", *PAGED)
LETTERS = ("account", "operation", "class", "problem", "pile", "since", "until", *PAGED)


def list_jobs(parts: Parts, request: Request) -> Any:
    """Jobs: what runs and waits, those of one state, or the one of an id or an idempotency key."""
    known_names(request, JOBS)
    state, said = one_of(request, "state", LISTED), words_of(request, parts.words)
    wanted = Sought(
        states=(state,) if state else (),
        account=said["account"],
        operation=said["operation"],
        priority=one_of(request, "priority", tuple(PRIORITIES)),
        id=text(request, "id"),
        key=text(request, "key", LONGEST_KEY),
    )
    after, most = cursor(request), limit(request)
    if wanted.id is not None or wanted.key is not None:
        owners = owners_of(parts.accounts, parts.callers.names)
        return page(request, [summed_up(job) for job in parts.search.named(wanted, owners)], None)
    found = parts.search.page(wanted, _job_place(after), most)
    place = None if found.more is None else (found.more.score, str(found.more))
    return page(request, [summed_up(job) for job in found.jobs], place)


def _job_place(after: tuple[int, str] | None) -> Place | None:
    try:
        return None if after is None else Place.read(*after)
    except Refused:
        raise Trouble("malformed", "expected ?cursor= as a page's `next` gave it, got another; begin anew.") from None


def list_operations(_: Parts, request: Request) -> Any:
    """The catalogue, with schemas. It is as long as it is: one page."""
    known_names(request, ())
    return {"items": [row.describe() | {"schema": row.json_schema()} for row in askable()], "next": None}


def read_operation(_: Parts, request: Request) -> Any:
    """One operation."""
    known_names(request, ())
    name = str(request.path_params["name"])
    if name not in operations:
        raise Trouble("not-found", f"expected an operation, got {name[:80]!r}; /v1/catalogue lists them.")
    return operations[name].describe() | {"schema": operations[name].json_schema()}


def list_lanes(parts: Parts, request: Request) -> Any:
    """Lanes by name."""
    known_names(request, LANES)
    after, most, busy = cursor(request), limit(request), switch(request, "busy")
    said = words_of(request, parts.words)
    found = parts.lanes.all(said["account"], said["operation"])
    rest = [lane for lane in found if (lane.busy or not busy) and (after is None or _name(lane) > after[1])]
    shown, more = rest[:most], len(rest) > most
    return page(request, [_lane(lane) for lane in shown], (0, _name(shown[-1])) if more else None)


def list_problems(parts: Parts, request: Request) -> Any:
    """Problems, last seen first."""
    known_names(request, PROBLEMS)
    after, most, since_us = cursor(request), limit(request), range_us(request)[0]
    said = words_of(request, parts.words)
    found = parts.problems.find(
        operation=said["operation"],
        error_class=said["error_class"],
        since_us=since_us,
        resolved=switch(request, "resolved"),
    )
    rest = (one for one in found if after is None or (one.last_us, one.fingerprint) < after)
    shown, more = _first(rest, most)
    place = (shown[-1].last_us, shown[-1].fingerprint) if more else None
    return page(request, [_problem(one) for one in shown], place, **({"since": since_us} if since_us else {}))


def list_letters(parts: Parts, request: Request) -> Any:
    """Dead letters, last died first; or those set aside, or jobs that expired."""
    known_names(request, LETTERS)
    after, most = cursor(request), limit(request)
    pile = next(one for one in PILES if one == choice(request, "pile", PILES))
    since_us, until_us = range_us(request)  # looked at also where the cursor, which lies before it, takes its place
    said = words_of(request, parts.words)
    wanted = Filter(
        account=said["account"],
        operation=said["operation"],
        error_class=said["error_class"],
        problem=text(request, "problem"),
        since_us=since_us,
        until_us=after[0] if after else until_us,
        which=pile,
    )
    shown, more = _first(_after(parts, wanted, after), most)
    place = (_scored(parts, pile, shown[-1]), shown[-1].id) if more else None
    return page(request, [listed(job) for job in shown], place, **({"since": since_us} if since_us else {}))


def _after(parts: Parts, wanted: Filter, after: tuple[int, str] | None) -> Iterator[Job]:
    """The letters behind a place. Letters of one moment are in the order of their names, last first."""
    passing = after is not None
    for job in parts.letters.find(wanted):
        if passing and after is not None and _scored(parts, wanted.which, job) == after[0] and job.id >= after[1]:
            continue
        passing = False
        yield job


def _scored(parts: Parts, pile: Which, job: Job) -> int:
    """The time by which it is in its pile."""
    return int(float(parts.partition.one("zscore", parts.partition.key(pile), job.id) or 0))


def _first(items: Iterator[Any], most: int) -> tuple[list[Any], bool]:
    """The first ones, and whether there are more."""
    shown: list[Any] = []
    for item in items:
        if len(shown) == most:
            return shown, True
        shown.append(item)
    return shown, False


def _name(lane: Lane) -> str:
    return f"{lane.account}|{lane.operation}"


def _lane(lane: Lane) -> dict[str, Any]:
    facts = lane.as_dict()
    if lane.hold is not None:
        facts["hold"] = {
            "scope": lane.hold.scope, "cause": lane.hold.cause, "by": lane.hold.by, "reason": lane.hold.reason,
            "since": utc(lane.hold.since_us), "probe": utc(lane.hold.probe_us or 0), "probing": lane.hold.probing,
        }  # fmt: skip
    return facts


def _problem(problem: Problem) -> dict[str, Any]:
    facts = problem.as_dict()
    first, last = facts.pop("first_us"), facts.pop("last_us")
    facts["class"] = facts.pop("error_class")
    return facts | {"first": utc(first), "last": utc(last), "code": facts["code"] or None}
