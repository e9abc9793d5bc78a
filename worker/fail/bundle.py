"""Fail: what a vendor's support asks for, as one text that can be sent as it is.

Promise: both vendors' lists in full, for each attempt: when (UTC), which endpoint and method, request and correlation
ids, both bodies, and for Stellantis code, uuid, timestamp and message. All of it was redacted when it was recorded, so
a bundle holds no secret and, unless settings say otherwise, no personal data; what people noted goes along. Scope:
form.
Sources: the hub's page Rate Limits & Errors, "Logging for support"; Stellantis' page Errors & Rate Limit, "Error
Message".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from worker import VERSION
from worker.accept.jobs import Job, Jobs
from worker.accept.operation import operations
from worker.fail.dead_letter import Advice, DeadLetters, Filter, advise
from worker.fail.notes import Note, Notes
from worker.fail.problem import Problem

MOST_CASES = 5
WHAT_WAS_SENT = ("request", "Request")
WHAT_CAME_BACK = ("response", "Response")


@dataclass(frozen=True, slots=True)
class Case:
    """One dead letter: what was asked, every attempt, and what is known of it."""

    job: Job
    records: Sequence[Mapping[str, Any]]
    advice: Advice
    notes: Sequence[Note] = ()

    @property
    def attempts(self) -> list[Mapping[str, Any]]:
        return [record for record in self.records if "outcome" in record]


def case_of(jobs: Jobs, notes: Notes, job: Job) -> Case:
    """A letter with its evidence."""
    records = jobs.evidence(job)
    return Case(job, records, advise(job, records), notes.of(job.id))


def cases_of(jobs: Jobs, letters: DeadLetters, notes: Notes, problem: Problem) -> list[Case]:
    """The first, the last and a few of the letters between, in order of their death."""
    wanted = Filter(problem=problem.fingerprint)
    last = list(letters.find(wanted, limit=MOST_CASES - 1))
    first = list(letters.find(wanted, newest_first=False, limit=1))
    unlike = {job.id: job for job in (*first, *reversed(last))}
    return [case_of(jobs, notes, job) for job in unlike.values()]


def as_json(cases: Sequence[Case], problem: Problem | None = None, notes: Sequence[Note] = ()) -> str:
    """For a program."""
    whole: dict[str, Any] = {"made_by": f"paceline {VERSION}", "made_at": _now()}
    if problem is not None:
        whole["problem"] = problem.as_dict() | {"notes": [note.as_dict() for note in notes]}
    whole["cases"] = [
        {
            "job": case.job.as_dict(), "advice": asdict(case.advice), "records": list(case.records),
            "notes": [note.as_dict() for note in case.notes],
        }
        for case in cases
    ]  # fmt: skip
    return json.dumps(whole, indent=2, ensure_ascii=False)


def as_markdown(cases: Sequence[Case], problem: Problem | None = None, notes: Sequence[Note] = ()) -> str:
    """For a person."""
    return "\n".join(_document(cases, problem, notes)) + "\n"


def _document(cases: Sequence[Case], problem: Problem | None, notes: Sequence[Note]) -> Iterator[str]:
    if problem is None:
        job = cases[0].job
        yield f"# Support request: {job.operation}, {_class(job.error_class, job.code)}"
    else:
        yield f"# Support request: {problem.operation}, {_class(problem.error_class, problem.code)}"
        yield ""
        span = f"{_utc(problem.first_us)} to {_utc(problem.last_us)}"
        yield f"{problem.ever} calls ended this way from {span}; {len(cases)} of them follow."
    yield ""
    yield f"Made {_now()} by paceline {VERSION}. Tokens and personal data are masked; times are UTC."
    yield from _notes(notes)
    for case in cases:
        yield from _case(case)


def _case(case: Case) -> Iterator[str]:
    job = case.job
    yield ""
    yield f"## Call {job.id}"
    yield ""
    yield from _list(
        (
            ("Operation", job.operation),
            ("Request", f"{known.method} {known.path}" if (known := operations.get(job.operation)) else None),
            ("Account", job.account),
            ("Outcome", f"{_class(job.error_class, job.code)}{': ' + job.why if job.why else ''}"),
            ("Carried out", {True: "yes", False: "no", None: "unknown"}[case.advice.executed]),
            ("Asked for", _utc(job.created_us)),
            ("Ended", _utc(job.ended_us)),
            ("Attempts", str(len(case.attempts))),
        )
    )
    yield from _notes(case.notes)
    for number, attempt in enumerate(case.attempts, 1):
        yield from _attempt(number, attempt)
    for record in case.records:
        if record.get("event") == "not_delivered":
            yield from _owed(record)
    if others := [one for one in case.records if "outcome" not in one and one.get("event") != "not_delivered"]:
        yield ""
        yield "### Other events"
        yield ""
        for record in others:
            yield f"- `{json.dumps(record, ensure_ascii=False)}`"


def _attempt(number: int, record: Mapping[str, Any]) -> Iterator[str]:
    outcome = record.get("outcome", {})
    vendor = outcome.get("vendor", {})
    ids = record.get("ids", {})
    response = record.get("response") or {}
    failure = record.get("failure") or {}
    yield ""
    yield f"### Attempt {number}"
    yield ""
    yield from _list(
        (
            ("Timestamp (UTC)", record.get("at")),
            ("Endpoint", f"{record.get('method')} {record.get('url')}"),
            ("X-Request-ID", ids.get("request_id")),
            ("X-Correlation-ID", ids.get("correlation_id")),
            ("Gateway transaction id", ids.get("global_transaction_id")),
            ("HTTP status", response.get("status")),
            ("No answer", f"{failure.get('kind')}: {failure.get('detail')}" if failure else None),
            ("Code", outcome.get("code")),
            ("Message", outcome.get("message")),
            ("UUID", vendor.get("uuid")),
            ("Vendor's timestamp", vendor.get("timestamp")),
            ("Took", f"{record['latency_ms']} ms" if "latency_ms" in record else None),
        )
    )
    for key, title in (WHAT_WAS_SENT, WHAT_CAME_BACK):
        yield from _message(title, record.get(key) or {})


def _owed(record: Mapping[str, Any]) -> Iterator[str]:
    """What should have come to us, as it was reported."""
    yield ""
    yield "### Not delivered to us"
    yield ""
    yield from _list(
        (
            ("What", record.get("what")),
            ("Id", record.get("id")),
            ("Expected at (UTC)", record.get("expected_at")),
            ("Endpoint of ours", record.get("endpoint")),
            ("X-Correlation-ID", record.get("correlation_id")),
            ("Reported at (UTC)", record.get("at")),
            ("Note", record.get("note")),
        )
    )


def _notes(notes: Sequence[Note]) -> Iterator[str]:
    """What people wrote down; quoted, so that it stays apart from what was recorded."""
    for note in notes:
        yield ""
        yield f"Noted by {note.by}, {_utc(note.at_us)}:"
        yield ""
        yield from (f"> {line}" for line in note.text.splitlines())


def _message(title: str, message: Mapping[str, Any]) -> Iterator[str]:
    body = message.get("body") or {}
    lines = [f"{name}: {value}" for name, value in (message.get("headers") or {}).items()]
    if body.get("preview"):
        lines += ["", str(body["preview"])]
    if not lines:
        return
    yield ""
    yield f"{title}" + (f" (body: {body['length']} bytes, SHA-256 {body['sha256']})" if body.get("length") else "")
    yield ""
    yield from (f"    {line}" for line in "\n".join(lines).splitlines())


def _list(facts: Iterable[tuple[str, Any]]) -> Iterator[str]:
    for name, value in facts:
        if value not in (None, ""):
            yield f"- {name}: {value}"


def _class(error_class: str, code: str) -> str:
    return f"{error_class} {code}".strip() or "expired"


def _utc(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds") if us else "-"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
