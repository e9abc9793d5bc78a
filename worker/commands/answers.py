"""Commands: one call as an answer: what it is, where it stands, what happened to it, what came of it.

Promise: the pages of a list answer as one. Text shows parameters, evidence and results masked; a result is given as
it came only to the program that waited for it. Scope: wording; the story is told by `timeline.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.accept.jobs import Chain, Job, merged, page_items
from worker.accept.operation import operations
from worker.accept.waiting import Waiting, waiting_for
from worker.commands.output import as_json, facts, many, span, times, when
from worker.commands.session import Session
from worker.commands.timeline import timeline

PREVIEW = 300
OF_A_PAGE = ("page", "chain")


def summary(session: Session, chain: Chain, *, masked: bool) -> dict[str, Any]:
    """A call for programs: one object, with the merged result."""
    items, result = _result(session, chain, masked)
    whole = chain.current.as_dict() | {"created_us": chain.jobs[0].created_us} | _sums(chain)
    return {name: value for name, value in times(whole).items() if name not in OF_A_PAGE} | {
        "id": chain.id,
        "state": chain.state,
        "pages": len(chain.jobs) + chain.gone,
        "pages_done": chain.done,
        "callbacks": chain.callbacks,
        "items": items,
        "jobs": [page.id for page in chain.jobs],
        "result": result,
        "command_result": session.jobs.heard(chain.current, masked=masked),
    }


def details(session: Session, chain: Chain) -> dict[str, Any]:
    """The same with everything that is known: parameters, what it waits for, evidence of each page. All masked."""
    waiting = _waiting(session, chain)
    return (
        summary(session, chain, masked=True)
        | session.jobs.params(chain.jobs[0])
        | {"waiting": waiting.as_dict() if waiting else None, "evidence": _evidence(session, chain)}
    )


def _sums(chain: Chain) -> dict[str, int]:
    return {name: sum(getattr(job, name) for job in chain.jobs) for name in ("attempts", "runs", "crashes", "redrives")}


def _result(session: Session, chain: Chain, masked: bool) -> tuple[int | None, Any]:
    whole = merged(session.jobs.results(chain, masked=masked))
    return (len(whole) if isinstance(whole, list) else None), whole


def _waiting(session: Session, chain: Chain) -> Waiting | None:
    return waiting_for(chain.current, session.partition, session.limiter, session.holds)


def _evidence(session: Session, chain: Chain) -> list[dict[str, Any]]:
    return [{"job": job.id} | record for job in chain.jobs for record in session.jobs.evidence(job)]


def one_line(session: Session, chain: Chain) -> str:
    """A call, in one line: how it ended, or that it has not."""
    job = chain.current
    said = f"{chain.id} {chain.state}"
    if chain.state == "done":
        items = _items(session, chain)
        pages = len(chain.jobs) + chain.gone
        return said if items is None else f"{said}, {many(items, 'item')} on {many(pages, 'page')}"
    if job.error_class:
        said += f": {died_of(job)}" + (f" ({job.why})" if job.why and job.why != job.error_class else "")
    return said


def died_of(job: Job) -> str:
    """Class and code, without saying the same twice."""
    same = job.code in (job.error_class, "")
    return job.error_class or job.state if same else f"{job.error_class} {job.code}"


def reasons(session: Session, chain: Chain) -> tuple[str, ...]:
    """What it waits for; nothing when it does not."""
    waiting = _waiting(session, chain)
    return waiting.reasons if waiting else ()


def _items(session: Session, chain: Chain) -> int | None:
    counts = [len(items) for value in session.jobs.results(chain) if (items := page_items(value)) is not None]
    return sum(counts) if counts else None


def report(session: Session, chain: Chain) -> Iterator[str]:
    """A call for people, line by line."""
    job = chain.current
    pages = len(chain.jobs) + chain.gone
    yield from facts(
        (
            ("job", chain.id),
            ("state", chain.state + (", discarded" if job.discarded else "")),
            *identity(job),
            ("budget", job.budget),
            ("priority", job.priority),
            ("pages", f"{chain.done} of {pages} done" if pages > 1 else None),
            ("items", _items(session, chain)),
            ("created", when(chain.jobs[0].created_us)),
            ("deadline", None if job.ended or job.state == "awaiting" else when(job.deadline_us)),
            ("ended", when(job.ended_us) if job.ended else None),
            *efforts(session, job.api, _sums(chain)),
            ("died of", died_of(job) if job.state == "dead" else None),
            ("because", job.why),
            ("problem", job.problem),
            *asked(session, chain.jobs[0]),
            ("result", _preview(session, chain)),
            ("command result", session.jobs.heard(job)),
            ("told by", ", ".join(chain.callbacks) or None),
        )
    )
    waiting = _waiting(session, chain)
    if waiting is not None:
        yield from _waiting_lines(job, waiting)
    yield from timeline(_evidence(session, chain))
    if job.state == "dead":
        yield from ("", f"`dlq show {job.id}` says what can safely be done.")


def identity(job: Job) -> tuple[tuple[str, str | None], ...]:
    """What it is, and for whom."""
    repeatable = "repeatable" if job.repeatable else "must not be repeated"
    known = operations.get(job.operation)
    return (
        ("operation", f"{job.operation} ({repeatable})"),
        ("request", f"{known.method} {known.path}" if known else None),
        ("account", job.account),
    )


def efforts(session: Session, api: str, sums: dict[str, int]) -> tuple[tuple[str, str | None], ...]:
    """How often it was sent, what that used up, and how often people sent it again."""
    said = many(sums["runs"], "time") if sums["runs"] else "no answer came back" if sums["crashes"] else "not yet"
    if sums["attempts"]:
        since = " since it was sent again" if sums["redrives"] else ""
        said += f"; {sums['attempts']} of {many(session.settings.effort(api).attempts, 'attempt')} used up{since}"
    if sums["crashes"]:
        said += f"; {many(sums['crashes'], 'worker')} crashed with it"
    redriven = f"{many(sums['redrives'], 'time')} by people" if sums["redrives"] else None
    return ("sent", said), ("sent again", redriven)


def asked(session: Session, job: Job) -> tuple[tuple[str, Any], ...]:
    """What it was asked with, masked."""
    given = session.jobs.params(job)
    return ("parameters", given.get("params")), ("body", given.get("body"))


def _preview(session: Session, chain: Chain) -> str | None:
    if chain.state != "done":
        return None
    text = as_json(_result(session, chain, masked=True)[1])
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]}… ({len(text)} characters)"


def _waiting_lines(job: Job, waiting: Waiting) -> Iterator[str]:
    """Its place, and what it waits for."""
    yield ""
    if waiting.ahead is not None:
        place = waiting.ahead + 1
        yield f"place {place} of {place + waiting.behind} in its line ({job.account} {job.operation}, {job.priority})"
    if waiting.expected_s is not None:
        yield f"expected to be sent in about {span(waiting.expected_s)}, if nothing more urgent comes"
    for reason in waiting.reasons:
        yield f"waits for: {reason}"
