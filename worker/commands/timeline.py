"""Commands: what happened to a call, as its evidence tells: a line per event, and on demand what went over the wire.

Promise: nothing is shown that was not redacted when it was written; a long story keeps its beginning and its end.
Scope: wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.accept.envelope import page_of
from worker.commands.output import as_json, facts, span, utc

BEGINNING, END = 4, 8
PREVIEW = 400
OURS = frozenset({"event", "at", "at_us", "job", "chain", "by", "reason", "why", "class", "code", "worker", "account",
                  "operation", "lease", "result", "message"})  # fmt: skip

Record = Mapping[str, Any]


def timeline(evidence: Sequence[Record], *, wire: bool = False) -> Iterator[str]:
    """What happened, oldest first. With `wire` also what was sent and what came."""
    if not evidence:
        return
    yield ""
    yield "what happened:"
    pages = len({record.get("job") for record in evidence if record.get("job")}) > 1
    left_out = len(evidence) - BEGINNING - END
    again = sent_again(evidence)
    for number, record in enumerate(evidence):
        if left_out > 1 and BEGINNING <= number < BEGINNING + left_out:
            if number == BEGINNING:
                yield f"  … {left_out} more, which --json shows …"
            continue
        yield f"  {_at(record)}  {_page(record) if pages else ''}{_round(again[number], record)}{_event(record)}"
        if wire:
            yield from (f"      {text}" for text in _wire(record))


def sent_again(evidence: Sequence[Record]) -> list[Record | None]:
    """To each record that by which people had last sent its job again before it: attempts are counted from there."""
    last: dict[str, Record] = {}
    found: list[Record | None] = []
    for record in evidence:
        job = str(record.get("job") or "")
        found.append(last.get(job) or last.get(""))
        if record.get("event") == "redriven":
            last[job] = {"by": "people", **record}
    return found


def _round(again: Record | None, record: Record) -> str:
    return f"sent again by {again['by']}, " if again and "outcome" in record else ""


def event_of(record: Record) -> str:
    """What happened, in one line."""
    return _event(record)


def _at(record: Record) -> str:
    at = record.get("at") or utc(int(float(record.get("at_us") or 0))) or "?"
    return str(at).replace("+00:00", "Z")


def _page(record: Record) -> str:
    return f"page {page_of(str(record.get('job', '')))}, "


def _event(record: Record) -> str:
    if "outcome" not in record:
        return _happening(record)
    outcome = record["outcome"]
    said = f"attempt {record.get('attempt', '?')}: {_answer(record)}: {_outcome(outcome)} -> {record.get('decision')}"
    if record.get("wait_s"):
        said += f", again in {span(record['wait_s'])}"
    return said


def _happening(record: Record) -> str:
    """Something that is no attempt: redriven, cancelled, crashed, a command's result …"""
    event = str(record.get("event", "?"))
    said = "reported as not delivered" if event == "not_delivered" else event.replace("_", " ")
    if record.get("by") or record.get("worker"):
        said += f" by {record['by']}" if record.get("by") else f" on {record['worker']}"
    if record.get("result"):
        said += f" {record['result']}"
    why = record.get("reason") or record.get("why") or record.get("message")
    if why:
        said += f": {why}"
    if record.get("class"):
        said += f" (it had died of {record['class']})" if record.get("event") == "redriven" else f" ({record['class']})"
    more = {name: value for name, value in moments(record).items() if name not in OURS and value not in (None, "")}
    return said + (f" {as_json(more)}" if more else "")


def moments(record: Record) -> dict[str, Any]:
    """The record with every time of the store (`…_us`) as one that people read."""
    return {
        name.removesuffix("_us"): _moment(value) if name.endswith("_us") else value for name, value in record.items()
    }


def _moment(us: Any) -> str | None:
    try:
        return utc(int(float(us or 0)))
    except (TypeError, ValueError, OverflowError, OSError):
        return str(us)


def _answer(record: Record) -> str:
    response, failure = record.get("response") or {}, record.get("failure") or {}
    answer = f"HTTP {response['status']}" if response.get("status") else f"no answer ({failure.get('kind', '?')})"
    return f"{answer} in {record.get('latency_ms') or 0:.0f} ms"


def _outcome(outcome: Record) -> str:
    said = str(outcome.get("class"))
    code = str(outcome.get("code") or "")
    if code and not code.startswith("http_"):
        said += f" {code}"
    return said + (f" ({outcome['message']})" if outcome.get("message") else "")


def _wire(record: Record) -> Iterator[str]:
    """What support asks for: the request, the answer, and the ids by which both sides find them."""
    if "outcome" not in record:
        return
    request, response = record.get("request") or {}, record.get("response") or {}
    failure, outcome = record.get("failure") or {}, record["outcome"]
    yield from facts(
        (
            ("request", f"{record.get('method', '')} {record.get('url', '')}"),
            ("sent", _body(request) if record.get("wrote") else "not a byte"),
            ("answer", _body(response) if response else None),
            ("headers", _pairs(response.get("headers") or {})),
            ("failure", failure.get("detail") or outcome.get("detail")),
            ("vendor", _pairs(outcome.get("vendor") or {})),
            ("ids", _pairs(record.get("ids") or {})),
            ("worker", record.get("worker")),
            ("because", record.get("why")),
        )
    )


def _body(part: Record) -> str:
    body = part.get("body") or {}
    length = body.get("length") or 0
    if not length:
        return "no body"
    preview = str(body.get("preview") or "")
    shown = preview if len(preview) <= PREVIEW else preview[:PREVIEW] + "…"
    return f"{length} bytes, sha256 {str(body.get('sha256', ''))[:16]}… {shown}"


def _pairs(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in pairs.items())
