"""Console: lists as files: CSV for a table, JSON lines for a program.

Promise: a file has everything that fits the filter of the page it was asked for on, and nothing that the pages do not
show. Scope: the walks, which are those of the pages; `accept/intake/writing.py` gives them their form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from worker.accept.intake.writing import FORMS, as_file
from worker.accept.job_search import JobSearch
from worker.accept.jobs import Job
from worker.commands.output import utc
from worker.console.crew import entry_of
from worker.console.jobs import sought
from worker.console.parts import Parts
from worker.console.query import Query, read_query
from worker.console.rendering import parts_of
from worker.errors import NotFound
from worker.fail.dead_letter import Filter
from worker.store.partition import CHUNK

Row = dict[str, Any]

LETTER = ("id", "state", "operation", "account", "class", "code", "because", "problem", "asked", "died", "deadline",
          "priority", "repeatable", "attempts", "sent", "crashes", "sent_again")  # fmt: skip
PROBLEM = ("problem", "state", "operation", "class", "code", "open", "set_aside", "ever", "first", "last", "said_by",
           "said_why", "meaning", "advice")  # fmt: skip
JOB = ("id", "state", "operation", "account", "priority", "asked", "deadline", "ended", "attempts", "sent", "class",
       "code", "because")  # fmt: skip
ALERT = ("alert", "state", "level", "title", "causes", "opened", "changed", "times_opened", "known_to", "known_why",
         "ended_by", "ended_why", "advice")  # fmt: skip
AUDIT = ("at", "by", "what", "reason", "scope", "count", "jobs", "filter", "more")


def letters(parts: Parts, given: Mapping[str, str]) -> Iterator[Row]:
    wanted = _checked(parts, read_query(given))
    return (_letter(job) for job in parts.letters.find(wanted))


def _checked(parts: Parts, query: Query) -> Filter:
    """The filter. Raises `Refused`: a file of nothing would be taken for an answer."""
    wanted = query.wanted(parts.partition.now_us())
    parts.words.check_filter(wanted)
    return wanted


def _letter(job: Job) -> Row:
    return {
        "id": job.id, "state": "set aside" if job.discarded else job.state, "operation": job.operation,
        "account": job.account, "class": job.error_class, "code": job.code, "because": job.why,
        "problem": job.problem, "asked": utc(job.created_us), "died": utc(job.ended_us),
        "deadline": utc(job.deadline_us), "priority": job.priority, "repeatable": job.repeatable,
        "attempts": job.attempts, "sent": job.runs, "crashes": job.crashes, "sent_again": job.redrives,
    }  # fmt: skip


def jobs(parts: Parts, given: Mapping[str, str]) -> Iterator[Row]:
    search, wanted, after = JobSearch(parts.partition), sought(given), None
    parts.words.check_filter(wanted)
    while True:
        page = search.page(wanted, after, CHUNK)
        yield from (_job(job) for job in page.jobs)
        if page.more is None:
            return
        after = page.more


def _job(job: Job) -> Row:
    return {
        "id": job.id, "state": job.state, "operation": job.operation, "account": job.account, "priority": job.priority,
        "asked": utc(job.created_us), "deadline": utc(job.deadline_us), "ended": utc(job.ended_us),
        "attempts": job.attempts, "sent": job.runs, "class": job.error_class, "code": job.code, "because": job.why,
    }  # fmt: skip


def problems(parts: Parts, given: Mapping[str, str]) -> Iterator[Row]:
    wanted = _checked(parts, read_query(given))
    found = parts.problems.find(
        operation=wanted.operation, error_class=wanted.error_class, since_us=wanted.since_us, resolved=True
    )
    state = given.get("state", "")
    for one in found:
        if state in ("", "all", one.state):
            yield {
                "problem": one.fingerprint, "state": one.state, "operation": one.operation, "class": one.error_class,
                "code": one.code, "open": one.open, "set_aside": one.discarded, "ever": one.ever,
                "first": utc(one.first_us), "last": utc(one.last_us), "said_by": one.said.by, "said_why": one.said.why,
                "meaning": one.explanation, "advice": one.advice,
            }  # fmt: skip


def alerts(parts: Parts, given: Mapping[str, str]) -> Iterator[Row]:
    for one in parts.alerts.find(resolved=given.get("pile") == "history", account=given.get("account") or None):
        told = one.as_dict()
        yield {
            "alert": one.key, "state": one.state, "level": told["level"], "title": one.title, "causes": one.count,
            "opened": utc(one.opened_us), "changed": utc(one.changed_us), "times_opened": one.generation,
            "known_to": one.acked_by, "known_why": one.acked_why, "ended_by": one.ended_by, "ended_why": one.ended_why,
            "advice": told["advice"],
        }  # fmt: skip


def audit(parts: Parts, given: Mapping[str, str]) -> Iterator[Row]:
    """Newest first. An entry that is made meanwhile moves the others on; none is left out."""
    start = 0
    while texts := parts.partition.one("lrange", parts.partition.key("audit"), start, start + CHUNK - 1):
        for text in texts:
            entry = entry_of(text)
            yield {"at": utc(entry.pop("at_us"))} | entry
        start += CHUNK


Walk = Callable[[Parts, Mapping[str, str]], Iterator[Row]]
LISTS: dict[str, tuple[tuple[str, ...], Walk]] = {
    "dead-letters": (LETTER, letters), "problems": (PROBLEM, problems), "alerts": (ALERT, alerts),
    "audit": (AUDIT, audit), "jobs": (JOB, jobs),
}  # fmt: skip


def export(request: Request) -> Response:
    """The whole of a list, behind its filter."""
    parts, name, form = parts_of(request), request.path_params["name"], request.path_params["form"]
    if name not in LISTS or form not in FORMS:
        raise NotFound(f"a list to export is one of {', '.join(LISTS)}, as {' or '.join(FORMS)}.")
    columns, walk = LISTS[name]
    return as_file(walk(parts, request.query_params), form, name, columns)
