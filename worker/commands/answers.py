"""Commands: one call as an answer: what it is, where it stands, what happened to it, what came of it.

Promise: the pages of a list answer as one. Text shows parameters, evidence and results masked; a result is given as
it came only to the program that waited for it. Scope: wording.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.accept.jobs import Chain, Job, merged, page_items
from worker.accept.waiting import Waiting, waiting_for
from worker.commands.output import facts, span, times, utc, when
from worker.commands.session import Session

PREVIEW = 300


def summary(session: Session, chain: Chain, *, masked: bool) -> dict[str, Any]:
    """A call for programs: one object, with the merged result."""
    job = chain.current
    items, result = _result(session, chain, masked)
    return times(job.as_dict()) | {
        "id": chain.id,
        "state": chain.state,
        "pages": len(chain.jobs) + chain.gone,
        "pages_done": chain.done,
        "items": items,
        "jobs": [page.id for page in chain.jobs],
        "result": result,
    }


def details(session: Session, chain: Chain) -> dict[str, Any]:
    """The same with everything that is known: parameters, what it waits for, evidence of each page. All masked."""
    waiting = _waiting(session, chain)
    return (
        summary(session, chain, masked=True)
        | session.jobs.params(chain.jobs[0])
        | {"waiting": waiting.as_dict() if waiting else None, "evidence": list(_evidence(session, chain))}
    )


def _result(session: Session, chain: Chain, masked: bool) -> tuple[int | None, Any]:
    whole = merged(session.jobs.results(chain, masked=masked))
    return (len(whole) if isinstance(whole, list) else None), whole


def _waiting(session: Session, chain: Chain) -> Waiting | None:
    return waiting_for(chain.current, session.partition, session.limiter, session.holds)


def _evidence(session: Session, chain: Chain) -> Iterator[dict[str, Any]]:
    for job in chain.jobs:
        for record in session.jobs.evidence(job):
            yield {"job": job.id} | record


def one_line(session: Session, chain: Chain) -> str:
    """A call that has ended, in one line."""
    job = chain.current
    said = f"{chain.id} {chain.state}"
    if chain.state == "done":
        pages = len(chain.jobs) + chain.gone
        items = _items(session, chain)
        if items is not None:
            said += f", {items} items on {pages} {'page' if pages == 1 else 'pages'}"
    elif job.error_class:
        said += f": {job.error_class} {job.code}".rstrip() + (f" ({job.why})" if job.why else "")
    return said


def _items(session: Session, chain: Chain) -> int | None:
    counts = [len(items) for value in session.jobs.results(chain) if (items := page_items(value)) is not None]
    return sum(counts) if counts else None


def report(session: Session, chain: Chain) -> Iterator[str]:
    """A call for people, line by line."""
    job = chain.current
    pages = len(chain.jobs) + chain.gone
    waiting = _waiting(session, chain)
    asked = session.jobs.params(chain.jobs[0])
    yield from facts(
        (
            ("job", chain.id),
            ("state", chain.state + (", discarded" if job.discarded else "")),
            ("operation", f"{job.operation} ({'repeatable' if job.repeatable else 'must not be repeated'})"),
            ("account", job.account),
            ("budget", job.budget),
            ("priority", job.priority),
            ("pages", f"{chain.done} of {pages} done" if pages > 1 else None),
            ("items", _items(session, chain)),
            ("created", when(chain.jobs[0].created_us)),
            ("deadline", None if job.ended else when(job.deadline_us)),
            ("ended", when(job.ended_us) if job.ended else None),
            (
                "attempts",
                f"{job.attempts} counted, {job.runs} sent" + (f", {job.crashes} crashed" if job.crashes else ""),
            ),
            ("sent again", f"{job.redrives} times" if job.redrives else None),
            ("died of", f"{job.error_class} {job.code}".strip() if job.state == "dead" else None),
            ("because", job.why),
            ("problem", job.problem),
            ("parameters", asked.get("params")),
            ("body", asked.get("body")),
            ("result", _preview(session, chain)),
        )
    )
    if waiting is not None:
        yield from waiting_lines(job, waiting)
    yield from timeline(_evidence(session, chain))


def _preview(session: Session, chain: Chain) -> str | None:
    if chain.state != "done":
        return None
    text = str(_result(session, chain, masked=True)[1])
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]}… ({len(text)} characters)"


def waiting_lines(job: Job, waiting: Waiting) -> Iterator[str]:
    """Its place, and what it waits for."""
    yield ""
    if waiting.ahead is not None:
        place = waiting.ahead + 1
        yield f"place {place} of {place + waiting.behind} in its line ({job.lane}, {job.priority})"
    for reason in waiting.reasons:
        yield f"waits for: {reason}"


def timeline(evidence: Iterator[dict[str, Any]]) -> Iterator[str]:
    """What happened, a line each."""
    for number, record in enumerate(evidence):
        if number == 0:
            yield ""
            yield "what happened:"
        at = record.get("at") or utc(int(float(record.get("at_us") or 0))) or ""
        yield f"  {at}  {_event(record)}"


def _event(record: dict[str, Any]) -> str:
    if "outcome" not in record:
        known = (record.get("event", "?"), record.get("class"), record.get("why"), record.get("reason"))
        said = " ".join(str(one) for one in known if one)
        return said + (f" by {record['by']}" if record.get("by") else "")
    outcome = record["outcome"]
    response = record.get("response") or {}
    failure = record.get("failure") or {}
    answer = f"HTTP {response['status']}" if response.get("status") else failure.get("kind", "no answer")
    said = f"attempt {record.get('attempt', '?')}: {answer} in {record.get('latency_ms', 0):.0f} ms"
    said += f", {outcome.get('class')} {outcome.get('code') or ''}".rstrip()
    if outcome.get("message"):
        said += f" ({outcome['message']})"
    said += f" -> {record.get('decision')}"
    if record.get("wait_s"):
        said += f", again in {span(record['wait_s'])}"
    request_id = (record.get("ids") or {}).get("request_id")
    return said + (f" [{request_id}]" if request_id else "")
