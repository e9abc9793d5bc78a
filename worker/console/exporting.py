"""Console: lists as files: CSV for a table, JSON lines for a program.

Promise: a file is written as it is read, so its length costs no memory here; everything that fits the filter is in it,
not only the page; a cell that a table would take for a formula is text; a file that broke off is not a whole one to a
browser. Nothing is in it that the pages do not show. Scope: form; the walks are those of the pages.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from worker.accept.jobs import Job
from worker.commands.output import utc
from worker.console.crew import entry_of
from worker.console.parts import Parts
from worker.console.query import length_s, read_query
from worker.console.rendering import parts_of
from worker.errors import NotFound
from worker.store.partition import CHUNK

FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = dict[str, Any]

LETTER = ("id", "state", "operation", "account", "class", "code", "because", "problem", "asked", "died", "deadline",
          "priority", "repeatable", "attempts", "sent", "crashes", "sent_again")  # fmt: skip
PROBLEM = ("problem", "state", "operation", "class", "code", "open", "set_aside", "ever", "first", "last", "said_by",
           "said_why", "meaning", "advice")  # fmt: skip
ALERT = ("alert", "state", "level", "title", "causes", "opened", "changed", "times_opened", "known_to", "known_why",
         "ended_by", "ended_why", "advice")  # fmt: skip
AUDIT = ("at", "by", "what", "reason", "scope", "count", "jobs", "filter", "more")


def letters(parts: Parts, given: Mapping[str, str]) -> Iterator[Row]:
    wanted = read_query(given).wanted(parts.partition.now_us())
    return (_letter(job) for job in parts.letters.find(wanted))


def _letter(job: Job) -> Row:
    return {
        "id": job.id, "state": "set aside" if job.discarded else job.state, "operation": job.operation,
        "account": job.account, "class": job.error_class, "code": job.code, "because": job.why,
        "problem": job.problem, "asked": utc(job.created_us), "died": utc(job.ended_us),
        "deadline": utc(job.deadline_us), "priority": job.priority, "repeatable": job.repeatable,
        "attempts": job.attempts, "sent": job.runs, "crashes": job.crashes, "sent_again": job.redrives,
    }  # fmt: skip


def problems(parts: Parts, given: Mapping[str, str]) -> Iterator[Row]:
    asked = read_query(given)
    since_us = parts.partition.now_us() - int(length_s(asked.since) * 1e6) if asked.since else None
    found = parts.problems.find(
        operation=asked.operation or None, error_class=asked.error_class or None, since_us=since_us, resolved=True
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
    "audit": (AUDIT, audit),
}  # fmt: skip


def export(request: Request) -> Response:
    """The whole of a list, behind its filter."""
    parts, name, form = parts_of(request), request.path_params["name"], request.path_params["form"]
    if name not in LISTS or form not in FORMS:
        raise NotFound(f"a list to export is one of {', '.join(LISTS)}, as {' or '.join(FORMS)}.")
    columns, walk = LISTS[name]
    rows = walk(parts, request.query_params)
    first = next(rows, None)  # so that a mistake in the filter, or a store that is away, is still a page
    everything = _again(first, rows)
    text = _csv(columns, everything) if form == "csv" else _lines(everything)
    disposition = f'attachment; filename="{name}.{form}"'
    return StreamingResponse(_portions(text), 200, {"Content-Disposition": disposition}, FORMS[form])


def _again(first: Row | None, rest: Iterator[Row]) -> Iterator[Row]:
    if first is not None:
        yield first
        yield from rest


def _csv(columns: tuple[str, ...], rows: Iterable[Row]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _cell(value: Any) -> str:
    if value is None or value is False:
        return "" if value is None else "no"
    if value is True:
        return "yes"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(FORMULA) and not isinstance(value, int | float) else text


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def _portions(text: Iterator[str], size: int = CHUNK) -> Iterator[str]:
    """Some rows at a time: each portion is a trip to a thread."""
    portion: list[str] = []
    for one in text:
        portion.append(one)
        if len(portion) >= size:
            yield "".join(portion)
            portion.clear()
    yield "".join(portion)
