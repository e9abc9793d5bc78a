"""Accept, over HTTP: the part of the OpenAPI document about operations on many letters.

Promise: as `describing.py`, which puts it into the whole. Scope: the addresses under `/v1/operations`, and the shapes
of what they take and give.
"""

from __future__ import annotations

from worker.accept.intake.listing import PILES
from worker.accept.intake.operating import LONGEST, LONGEST_REASON, VERBS
from worker.accept.intake.schemas import COUNT, FLAG, TEXT, TIME, Schema, answer, maybe, record, ref, troubles
from worker.accept.moments import AGO
from worker.fail.bulk import ENDS
from worker.fail.bulk_plan import FASTEST, SLOWEST

JSON = "application/json"
NAME: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST}
MOMENT: Schema = {"anyOf": [{"type": "string", "pattern": f"^{AGO}$"},
                             {"type": "string", "format": "date-time"}, {"type": "null"}]}  # fmt: skip
REASON: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON,
                  "description": "Why; kept with it and in the audit."}  # fmt: skip
NUMBER: Schema = {"type": "number"}
LEFT: Schema = {"type": "array", "items": record({"why": TEXT, "count": COUNT})}
ORDER: Schema = {
    "type": "object",
    "description": "Something to be done to all letters of a filter that are there now.",
    "required": ["kind", "filter", "reason"],
    "properties": {
        "kind": {"type": "string", "enum": list(VERBS)},
        "filter": {
            "type": "object",
            "description": "As the lists have it; an empty one means every dead letter, or for a restore every "
            "discarded one.",
            "properties": {
                **dict.fromkeys(("account", "operation", "class", "problem"), NAME),
                "pile": {"enum": [*PILES, None]}, "since": MOMENT, "until": MOMENT,
            },
            "additionalProperties": False,
        },
        "reason": REASON,
        "pace": {"type": ["number", "null"], "minimum": SLOWEST, "maximum": FASTEST,
                 "description": "Letters per second; without one the plan chooses."},
        "limit": {"type": ["integer", "null"], "minimum": 1, "description": "At most so many, the oldest."},
        "keep_priority": {**FLAG, "description": "As urgent as before; else all live work goes first."},
        "even_if_unknown": {**FLAG, "description": "Also calls that must not be repeated and may have been made."},
        "again": {**FLAG, "description": "Also letters that were sent again three times and died each time."},
    },
    "additionalProperties": False,
    "examples": [{"kind": "redrive", "filter": {"class": "not_found"}, "reason": "the locations exist now", "pace": 5}],
}  # fmt: skip
PLAN = record(
    {
        "letters": COUNT, "complete": FLAG, "to_do": COUNT, "least_s": NUMBER,
        "problems": {"type": "array", "items": record(
            {"fingerprint": TEXT, "operation": TEXT, "class": TEXT, "code": TEXT, "count": COUNT})},
        "lanes": {"type": "array", "items": record(
            {"account": TEXT, "operation": TEXT, "budget": TEXT, "count": COUNT, "least_s": maybe(NUMBER)})},
        "left_alone": LEFT,
    },
    "What a run would do. `least_s` is by the pace and the limits; live work comes on top.",
)  # fmt: skip
BULK = record(
    {
        "id": TEXT, "kind": {"enum": list(VERBS)}, "state": {"enum": ["planned", "running", "cancelled", "done"]},
        "reason": TEXT, "by": TEXT,
        "filter": record(
            {**dict.fromkeys(("account", "operation", "class", "problem"), maybe(TEXT)), "pile": {"enum": list(PILES)},
             "since": maybe(TIME), "until": maybe(TIME)}),
        "pace": NUMBER, "limit": maybe(COUNT), "keep_priority": FLAG, "even_if_unknown": FLAG, "again": FLAG,
        "plan": PLAN, "done": COUNT, "left_alone": LEFT,
        "left": {"type": "array", "items": record({"job": TEXT, "why": TEXT})},
        "remaining": COUNT, "gone": COUNT, "under_way": COUNT, "ends": record(dict.fromkeys(ENDS, COUNT)),
        "failed_again": {"type": "array", "items": record({"problem": TEXT, "count": COUNT})},
        "new_since": maybe(record({"count": COUNT, "complete": FLAG})), "rests": maybe(TEXT),
        "planned": maybe(TIME), "started": maybe(TIME), "started_by": maybe(TEXT), "ended": maybe(TIME),
        "ended_by": maybe(TEXT), "ended_why": maybe(TEXT),
    },
    "An operation on many letters: its order, plan, progress and report. `done` were sent again, set aside or taken "
    "back; `ends` says how those sent again have ended by now; `new_since` such letters died since the plan.",
)  # fmt: skip
SHAPES: Schema = {
    "bulk_order": ORDER,
    "bulk": BULK,
    "bulk_page": record({"items": {"type": "array", "items": ref("bulk")}, "next": maybe(TEXT)}, "One page."),
}
PLACE: Schema = {"name": "operation_id", "in": "path", "required": True, "schema": TEXT,
                 "description": "As it was given when it was planned."}  # fmt: skip


def operation_paths(listed: Schema, read: Schema) -> Schema:
    """The addresses; `listed` and `read` are their GETs, made like those of every list and every job."""
    return {
        "/v1/operations": {"get": listed, "post": _plan()},
        "/v1/operations/{operation_id}": {"parameters": [PLACE], "get": read},
        "/v1/operations/{operation_id}/confirm": {
            "parameters": [PLACE],
            "post": _change("confirm_operation", "Confirm what was planned: it is carried out from now on."),
        },
        "/v1/operations/{operation_id}/cancel": {
            "parameters": [PLACE],
            "post": _change("cancel_operation", "Stop it where it is. What was done stays done."),
        },
    }


def _plan() -> Schema:
    return {
        "operationId": "plan_operation",
        "summary": "Plan to send again, set aside or take back all letters of a filter.",
        "description": "Nothing is done before it is confirmed; a plan that nobody confirms goes after a day. It "
        "covers the letters that are there now.",
        "requestBody": {"required": True, "content": {JSON: {"schema": ref("bulk_order")}}},
        "responses": {
            "201": {
                **answer("The plan.", ref("bulk")),
                "headers": {"Location": {"schema": TEXT, "description": "The operation."}},
                "links": {
                    name: {"operationId": name, "parameters": {"operation_id": "$response.body#/id"}}
                    for name in ("read_operation", "confirm_operation", "cancel_operation")
                },
            },
            **troubles(400, 401, 403, 413, 415, 422, 429, 503),
        },
    }


def _change(name: str, words: str) -> Schema:
    said: Schema = {"type": "object", "properties": {"reason": {**REASON, "minLength": 0}},
                    "additionalProperties": False}  # fmt: skip
    return {
        "operationId": name,
        "summary": words,
        "requestBody": {"required": False, "content": {JSON: {"schema": said}}},
        "responses": {"200": answer(words, ref("bulk")), **troubles(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)},
    }
