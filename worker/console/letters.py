"""Console: dead letters: the list behind a filter, and one letter with its evidence.

Promise: the address of a letter is the one that alerts link to; a letter says what is known of its call, what is not,
and what can be done without harm. Scope: looking; `acting.py` changes.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.accept.job_search import Sought
from worker.accept.operation import operations
from worker.console.bundles import bundle_response
from worker.console.finding import Finding, Mark, Page
from worker.console.parts import Parts
from worker.console.query import Query, forgiving
from worker.console.rendering import parts_of, render
from worker.console.story import story_of
from worker.console.views import views_of
from worker.errors import NotFound, Refused
from worker.fail.bundle import case_of
from worker.fail.dead_letter import Filter, Which, advise, require_letter
from worker.fail.explaining import futile_because
from worker.fail.redrive import ROUNDS
from worker.store.partition import Partition

PILES: tuple[Which, ...] = ("dead", "expired", "discarded")
CHOICES = 200


def letters(request: Request) -> Response:
    """Newest first, a page at a time."""
    parts = parts_of(request)
    now_us = parts.partition.now_us()
    query, wanted, sorry = asked_for(request, now_us)
    before = Mark.read(request.query_params.get("before", ""))
    page = Page([], None, 0) if wanted is None else Finding(parts.partition).page(wanted, before)
    return render(
        request,
        "letters.html",
        400 if wanted is None else 200,
        sorry=sorry,
        now_us=now_us,
        query=query,
        page=page,
        later=before is not None,
        piles=[(pile, parts.letters.count(pile)) for pile in PILES],
        choices=choices(parts.partition),
        query_words=query.words,
        views=views_of(parts, "/dead-letters"),
        live="offer",
        on="letters",
    )


def asked_for(request: Request, now_us: int) -> tuple[Query, Filter | None, str]:
    """The filter in the page's address, None where it cannot be used, and what there is to say of it."""
    query, sorry = forgiving(request.query_params)
    if sorry:
        return query, None, sorry
    try:
        wanted = query.wanted(now_us)
    except Refused as error:
        return query, None, str(error)
    return query, wanted, unknown(parts_of(request), wanted)


def unknown(parts: Parts, wanted: Filter | Sought) -> str:
    """What is said of a filter whose words nothing can have: an address may be older than what it names."""
    try:
        parts.words.check_filter(wanted)
    except Refused as error:
        return str(error)
    return ""


def choices(partition: Partition) -> dict[str, list[str]]:
    """What the filters can be set to: what problems and lanes there are."""
    lanes = [member.split("|") for member in partition.one("smembers", partition.key("lanes"))]
    fingerprints = partition.one("zrevrange", partition.key("problems"), 0, CHOICES - 1)
    classes = partition.ask(*(("hget", partition.key("problem", one), "class") for one in fingerprints))
    return {
        "account": sorted({lane[0] for lane in lanes}),
        "operation": sorted({lane[1] for lane in lanes}),
        "class": sorted({one for one in classes if one}),
    }


def letter(request: Request) -> Response:
    """One letter; a job that is none any more is shown as the job that it is."""
    parts = parts_of(request)
    job = parts.jobs.read(request.path_params["job_id"])
    if job.state not in ("dead", "expired"):
        done = request.query_params.get("did")
        return RedirectResponse(f"/jobs/{job.id}" + ("?did=redrive" if done == "redrive" else ""), 303)
    evidence = parts.jobs.evidence(job)
    advice = advise(job, evidence)
    problem = None
    if job.problem:
        try:
            problem = parts.problems.read(job.problem)
        except NotFound:
            problem = None  # its record is older than the letter's
    return render(
        request,
        "letter.html",
        job=job,
        asked=parts.jobs.params(job),
        story=story_of(evidence, [job]),
        advice=advice,
        futile=futile_because(job.api, job.error_class, job.code),
        operation=operations.get(job.operation),
        problem=problem,
        rounds=job.redrives >= ROUNDS,
        most_attempts=parts.settings.effort(job.api).attempts,
        did=request.query_params.get("did", ""),
        notes=parts.notes.of(job.id),
    )


def letter_bundle(request: Request) -> Response:
    """A file for the vendor's support, of one call."""
    parts = parts_of(request)
    job = require_letter(parts.jobs.read(request.path_params["job_id"]))
    return bundle_response(job.id, request.path_params["form"], [case_of(parts.jobs, parts.notes, job)])
