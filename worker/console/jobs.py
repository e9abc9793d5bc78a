"""Console: jobs: found by id, by key, by account, operation and state; where one stands, and what it waits for.

Promise: jobs are found as over HTTP and by `jobs list`, page by page; the pages of a list are one call here too; a
result is shown masked and bounded. Scope: one call at a time; dead ones are shown by `letters.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.envelope import PRIORITIES
from worker.accept.job_search import LISTED, JobSearch, Place, Sought, owners_of
from worker.accept.jobs import Chain, Job, merged
from worker.accept.operation import operations
from worker.accept.waiting import waiting_for
from worker.console.acting import person_of
from worker.console.letters import choices, unknown
from worker.console.parts import Parts
from worker.console.query import LONGEST
from worker.console.rendering import parts_of, render
from worker.console.story import story_of
from worker.console.wording import pretty
from worker.errors import Conflict, NotFound, Refused

FILTERS = ("state", "account", "operation", "priority")
SHOWN = 100
PREVIEW = 4_000
PAGES_SHOWN = 50


def jobs(request: Request) -> Response:
    """The list; what was searched for is found by id first, then by key."""
    parts, given = parts_of(request), request.query_params
    searched = given.get("q", "").strip()[:255]
    said, search, following = _said(given), JobSearch(parts.partition), ""
    wanted, sorry = _asked(parts, given)
    if wanted is None:
        found: list[Job] = []
    elif searched:
        found = _named(parts, search, searched, wanted)
        if len(found) == 1:
            return RedirectResponse(address_of(found[0]), 303)
    else:
        page = search.page(wanted, _place(given.get("after", "")), SHOWN)
        found = page.jobs
        if page.more is not None:
            after = f"{page.more.score}~{page.more}"
            following = f"/jobs?{urlencode({n: v for n, v in said.items() if v} | {'after': after})}"
    return render(
        request,
        "jobs.html",
        400 if wanted is None else 200,
        sorry=sorry,
        jobs=found,
        following=following,
        searched=searched,
        state=said["state"],
        account=said["account"],
        operation=said["operation"],
        priority=said["priority"],
        states=LISTED,
        priorities=tuple(PRIORITIES),
        choices=choices(parts.partition),
        address_of=address_of,
    )


def _said(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "").strip()[:LONGEST] for name in FILTERS}


def _asked(parts: Parts, given: Mapping[str, str]) -> tuple[Sought | None, str]:
    """The filters, None where they cannot be used, and what there is to say of them."""
    try:
        wanted = sought(given)
    except Refused as error:
        return None, str(error)
    return wanted, unknown(parts, wanted)


def sought(given: Mapping[str, str]) -> Sought:
    """What the filters in an address ask for. Raises `Refused`."""
    said = _said(given)
    for name, known in (("state", LISTED), ("priority", tuple(PRIORITIES))):
        if said[name] not in ("", *known):
            raise Refused(f"{name}: expected one of {', '.join(known)}, got {said[name][:40]!r}.")
    return Sought((said["state"],) if said["state"] else (), *(said[name] or None for name in FILTERS[1:]))


def _place(text: str) -> Place | None:
    """Where the page before ended. Raises `Refused`."""
    if not text:
        return None
    score, _, where = text.partition("~")
    if not re.fullmatch(r"-?[0-9]{1,17}", score):
        raise Refused("after: expected the mark of a page, got something else; begin with the first.")
    return Place.read(int(score), where)


def _named(parts: Parts, search: JobSearch, text: str, wanted: Sought) -> list[Job]:
    """By id, or by an idempotency key, which belongs to an account or to the caller who gave it over HTTP."""
    whose = [wanted.account] if wanted.account else parts.accounts
    exact = search.named(Sought(id=text))
    return exact or search.named(Sought(key=text), owners_of(whose, parts.callers.names))


def address_of(job: Job) -> str:
    """Where a job is shown."""
    return f"/dead-letters/{job.id}" if job.state in ("dead", "expired") else f"/jobs/{job.id}"


def job(request: Request) -> Response:
    """One call, with all its pages."""
    parts = parts_of(request)
    chain = parts.jobs.chain(request.path_params["job_id"])
    current = chain.current
    evidence = [{"job": one.id} | record for one in chain.jobs[-PAGES_SHOWN:] for record in parts.jobs.evidence(one)]
    return render(
        request,
        "job.html",
        chain=chain,
        job=current,
        asked=parts.jobs.params(chain.jobs[0]),
        waiting=waiting_for(current, parts.partition, parts.limiter, parts.holds),
        story=story_of(evidence, chain.jobs),
        operation=operations.get(current.operation),
        result=_result(parts, chain),
        heard=parts.jobs.heard(current),
        most_attempts=parts.settings.effort(current.api).attempts,
        runs=sum(one.runs for one in chain.jobs),
        did=request.query_params.get("did", ""),
        live="" if current.ended else "auto",
    )


def _result(parts: Parts, chain: Chain) -> tuple[str, int] | None:
    """The answer, masked, its beginning; and the length of the whole."""
    if chain.state != "done":
        return None
    text = pretty(merged(parts.jobs.results(chain)))
    return text[:PREVIEW], len(text)


def cancel(request: Request) -> Response:
    """Cancels what still waits of a call."""
    parts = parts_of(request)
    job_id = request.path_params["job_id"]
    by, reason = person_of(request)
    answers = parts.jobs.cancel(job_id, by, reason)
    stopped = [one.id for one, answer in answers if answer == "cancelled"]
    if stopped:
        parts.partition.audit("cancel", by, reason, jobs=stopped[:20], count=len(stopped))
    for one, answer in answers:
        if answer == "missing":
            raise NotFound(f"{one.id} is no longer kept.")
        if answer not in ("cancelled", "already"):
            state = "being sent at this moment" if answer == "running" else answer
            raise Conflict(f"{one.id} is {state} and cannot be taken back.")
    return RedirectResponse(f"/jobs/{job_id}?did=cancel", 303)
