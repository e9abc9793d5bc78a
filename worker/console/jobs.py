"""Console: jobs: found by id, by key, by account, operation and state; where one stands, and what it waits for.

Promise: the pages of a list are one call here too; a result is shown masked and bounded. Scope: one call at a time;
dead ones are shown by `letters.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.jobs import LISTED, Chain, Job, merged, read_jobs
from worker.accept.operation import operations
from worker.accept.waiting import waiting_for
from worker.console.acting import person_of
from worker.console.letters import choices
from worker.console.parts import Parts
from worker.console.query import LONGEST
from worker.console.rendering import parts_of, render
from worker.console.story import story_of
from worker.console.wording import pretty
from worker.errors import Conflict, NotFound, Refused

LIVE = ("running", "awaiting", "waiting")
SHOWN = 100
PREVIEW = 4_000
PAGES_SHOWN = 50


def jobs(request: Request) -> Response:
    """The list; what was searched for is found by id first, then by key."""
    parts, given = parts_of(request), request.query_params
    searched = given.get("q", "").strip()[:255]
    state, account, operation = (given.get(name, "").strip()[:LONGEST] for name in ("state", "account", "operation"))
    if state not in ("", *LISTED):
        raise Refused(f"state: expected one of {', '.join(LISTED)}, got {state[:40]!r}.")
    if searched:
        found = list(_search(parts, searched, account))
        if len(found) == 1:
            return RedirectResponse(address_of(found[0]), 303)
    else:
        found = list(parts.jobs.list([state] if state else LIVE, account or None, operation or None, SHOWN + 1))
    return render(
        request,
        "jobs.html",
        jobs=found[:SHOWN],
        more=len(found) > SHOWN,
        searched=searched,
        state=state,
        account=account,
        operation=operation,
        states=LISTED,
        choices=choices(parts.partition),
        address_of=address_of,
    )


def address_of(job: Job) -> str:
    """Where a job is shown."""
    return f"/dead-letters/{job.id}" if job.state in ("dead", "expired") else f"/jobs/{job.id}"


def _search(parts: Parts, text: str, account: str) -> Iterator[Job]:
    """By id, or by an idempotency key, which belongs to an account or to the caller who gave it over HTTP."""
    partition = parts.partition
    exact = list(read_jobs(partition, [text]))
    if exact:
        yield from exact
        return
    owners = [account] if account else [*parts.accounts, *(f"caller:{name}" for name in parts.callers.names)]
    digests = [hashlib.sha1(f"{one}|{text}".encode(), usedforsecurity=False).hexdigest() for one in owners]
    held = partition.ask(*(("get", partition.key("idempotency", digest)) for digest in digests)) if digests else []
    yield from read_jobs(partition, [one.partition(" ")[0] for one in held if one])


def job(request: Request) -> Response:
    """One call, with all its pages."""
    parts = parts_of(request)
    chain = parts.jobs.chain(request.path_params["job_id"])
    current = chain.current
    evidence = [record for one in chain.jobs[-PAGES_SHOWN:] for record in parts.jobs.evidence(one)]
    return render(
        request,
        "job.html",
        chain=chain,
        job=current,
        asked=parts.jobs.params(chain.jobs[0]),
        waiting=waiting_for(current, parts.partition, parts.limiter, parts.holds),
        story=story_of(evidence),
        operation=operations.get(current.operation),
        result=_result(parts, chain),
        heard=parts.jobs.heard(current),
        most_attempts=parts.settings.fail.attempts,
        runs=sum(one.runs for one in chain.jobs),
        did=request.query_params.get("did", ""),
        live=not current.ended,
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
