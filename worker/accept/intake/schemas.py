"""Accept, over HTTP: the shapes in the OpenAPI document: calls as the catalogue has them, answers as routes give them.

Promise: a call's schema is made from the very models that check it, one per operation, told apart by `operation`.
Scope: JSON Schema (2020-12); which address takes and gives what is `describing.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from worker.accept.envelope import PRIORITIES
from worker.accept.intake.trouble import KINDS, PROBLEM, WHERE
from worker.accept.operation import Operation
from worker.fail.undelivered import LONGEST_ID, LONGEST_NOTE, OWED

Schema = dict[str, Any]
REF = "#/components/schemas/"
STATES = ("waiting", "running", "awaiting", "done", "dead", "cancelled", "expired")
TIME: Schema = {"type": "string", "format": "date-time"}
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
LONGEST_DEADLINE_S = 30 * 86_400


def ref(name: str) -> Schema:
    return {"$ref": REF + name}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    kind = schema.get("type")
    return {**schema, "type": [kind, "null"]} if isinstance(kind, str) else {"oneOf": [schema, {"type": "null"}]}


def record(required: Schema, words: str = "", **more: Any) -> Schema:
    """An object all of whose named members are always there."""
    made: Schema = {"type": "object", "required": list(required), "properties": required}
    return made | ({"description": words} if words else {}) | more


def answer(words: str, schema: Schema) -> Schema:
    """A good answer, as JSON."""
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def troubles(*statuses: int) -> Schema:
    """The kinds of problem with these statuses."""
    found: Schema = {}
    for status in statuses:
        titles = [f"{name}: {kind.title}." for name, kind in KINDS.items() if kind.status == status]
        found[str(status)] = {"description": " ".join(titles), "content": {PROBLEM: {"schema": ref("error")}}}
    return found


def components(operations: Iterable[Operation]) -> Schema:
    """Every named schema."""
    rows = list(operations)
    models = {model for row in rows for model in (row.params, row.body) if model is not None}
    ordered = sorted(models, key=lambda model: (model.__module__, model.__qualname__))
    refs, shared = models_json_schema([(model, "validation") for model in ordered], ref_template=REF + "{model}")
    named: Schema = dict(shared.get("$defs", {}))
    for row in rows:
        named[f"call.{row.name}"] = _call(row, {model: refs[model, "validation"] for model in models})
    named["call"] = {
        "description": "One call. `operation` tells which parameters and which body it takes.",
        "oneOf": [ref(f"call.{row.name}") for row in rows],
        "discriminator": {
            "propertyName": "operation",
            "mapping": {row.name: f"{REF}call.{row.name}" for row in rows},
        },
    }
    return named | ANSWERS


def _call(row: Operation, models: dict[type[BaseModel], Schema]) -> Schema:
    needs_params = any(field.is_required() for field in row.params.model_fields.values())
    members: Schema = {
        "operation": {"const": row.name, "type": "string"},
        "account": {"type": "string", "description": f"An account of the {row.api} API.", "examples": [_account(row)]},
        "params": {**models[row.params], "description": "Path and query parameters, flat."},
    }
    required = ["operation", "account", *(["params"] if needs_params else [])]
    if row.body is not None:
        members["body"] = models[row.body] if row.body_required else {"oneOf": [models[row.body], {"type": "null"}]}
        required += ["body"] if row.body_required else []
    else:
        members["body"] = {"type": "null"}
    members |= {
        "priority": {**maybe(ref("priority")), "description": f"Instead of {row.priority}."},
        "key": {
            "type": ["string", "null"], "minLength": 1, "maxLength": 255,
            "description": "The idempotency key, for callers that cannot set the header; for lines of a batch.",
        },
        "deadline_s": {
            "type": ["number", "null"], "exclusiveMinimum": 0, "maximum": LONGEST_DEADLINE_S,
            "description": f"Not sent later than so many seconds after it was accepted, instead of {row.deadline_s:g}.",
        },
        "callback_url": ref("callback_url"),
    }  # fmt: skip
    params, body = row.example
    example = {"operation": row.name, "account": _account(row), "params": params}
    repeat = "may be repeated" if row.repeatable else "must not be repeated"
    return {
        "type": "object",
        "title": row.name,
        "description": f"{row.method} {row.path} of the {row.api} API ({row.doc}). It {repeat}: {row.why}.",
        "required": required,
        "properties": members,
        "additionalProperties": False,
        "examples": [example | ({"body": body} if body is not None else {})],
    }


def _account(row: Operation) -> str:
    return "stellantis:fleet-1" if row.api == "stellantis" else "hub:IN-CPO" if row.role == "CPO" else "hub:IN-ABC"


def page_of(name: str) -> Schema:
    return record(
        {"items": {"type": "array", "items": ref(name)}, "next": maybe(TEXT)},
        "One page. `next` is the address of the following one, null at the end.",
    )


NAMED: Schema = {
    "priority": {"type": "string", "enum": list(PRIORITIES)},
    "state": {"type": "string", "enum": list(STATES)},
}
"""What several shapes share has a name, so that a client made from the document has one type for it."""
WAITING = record(
    {
        "place": maybe(COUNT),
        "of": maybe(COUNT),
        "expected_send_at": maybe(TIME),
        "waits_for": {"type": "array", "items": TEXT},
    },
    "Its place in line, and what it waits for.",
)
CALLED: Schema = {
    "operation": TEXT, "account": TEXT, "api": TEXT, "budget": TEXT, "priority": ref("priority"),
    "repeatable": FLAG, "discarded": FLAG,
}  # fmt: skip
SUMS: Schema = {
    "attempts": COUNT | {"description": "Attempts used up: those that failed, since it was asked for or last sent "
        "again by people. A call that was done at once has used none."},
    "runs": COUNT | {"description": "How often it was sent and heard of again, well or badly, in its whole life. What "
        "a worker may have sent before it crashed is not in it."},
    "crashes": COUNT | {"description": "Workers that ended while they ran it, since it was last heard of."},
    "redrives": COUNT | {"description": "How often people sent it again."},
}  # fmt: skip
DIED: Schema = {"class": TEXT, "code": maybe(TEXT), "message": maybe(TEXT), "problem": maybe(TEXT)}
WINDOW = record(
    {
        "name": TEXT, "limit": COUNT, "configured": COUNT, "length_s": {"type": "number"}, "used": COUNT,
        "in_flight": COUNT, "foreign": COUNT, "closed_s": {"type": "number"},
        "unsure": FLAG,
    }
)  # fmt: skip
BY_PRIORITY = record(dict.fromkeys(PRIORITIES, COUNT))
UNDELIVERED: Schema = {
    "type": "object",
    "description": "Something that the hub should have pushed to us, and did not.",
    "required": ["account", "kind", "id"],
    "properties": {
        "account": {"type": "string", "description": "An account of the hub.", "examples": ["hub:IN-ABC"]},
        "kind": {"type": "string", "enum": list(OWED)},
        "id": {
            "type": "string", "minLength": 1, "maxLength": LONGEST_ID,
            "description": "The session's or CDR's id; of a command_result the id of the command's job.",
        },
        "detail": {
            "type": ["string", "null"],
            "description": f"What else support should know; {LONGEST_NOTE} characters are kept, masked.",
        },
    },
    "additionalProperties": False,
    "examples": [{"account": "hub:IN-ABC", "kind": "cdr", "id": "CDR-77", "detail": "the session ended yesterday"}],
}  # fmt: skip
ANSWERS: Schema = {
    **NAMED,
    "waiting": WAITING,
    "died": record(DIED, "What went wrong last."),
    "accepted": record(
        {"id": TEXT, "location": TEXT, "operation": TEXT, "account": TEXT, "expected_send_at": maybe(TIME)},
        "The job that now stands for the call. `expected_send_at` is null while nobody can tell.",
    ),
    "undelivered": UNDELIVERED,
    "reported": record(
        {"id": TEXT, "location": TEXT, "status": {"enum": ["reported", "noted", "again"]}},
        "The dead letter that stands for it: a new one, one that was open already, or one that is open again.",
    ),
    "job": record(
        {
            "id": TEXT, "state": ref("state"), **CALLED, "created": maybe(TIME), "deadline": maybe(TIME),
            "ended": maybe(TIME), **SUMS, "pages": COUNT, "pages_done": COUNT,
            "callbacks": {"type": "array", "items": TEXT}, "waiting": maybe(ref("waiting")),
            "result": {}, "command_result": {}, "problem": maybe(ref("died")),
        },
        "A call: one job, or the pages of a list as one answer. Evidence comes with ?evidence=true.",
    ),
    "listed_job": record(
        {"id": TEXT, "state": ref("state"), **CALLED, **DIED, "class": maybe(TEXT), "created": maybe(TIME),
         "deadline": maybe(TIME), "due": maybe(TIME), "ended": maybe(TIME), **SUMS, "call": TEXT},
        "A job as one of many; `call` is the address of the whole call that it is a page of.",
    ),
    "letter": record(
        {"id": TEXT, "state": {"enum": ["dead", "expired"]}, **CALLED, **DIED, "created": maybe(TIME),
         "ended": maybe(TIME), **SUMS, "call": TEXT}
    ),
    "problem_group": record(
        {
            "fingerprint": TEXT, "api": TEXT, "operation": TEXT, "class": TEXT, "code": maybe(TEXT), "open": COUNT,
            "discarded": COUNT, "ever": COUNT, "first": maybe(TIME), "last": maybe(TIME), "sample": TEXT,
            "explanation": TEXT, "advice": maybe(TEXT), "state": TEXT, "said_by": maybe(TEXT), "said_why": maybe(TEXT),
        },
        "Dead letters of one cause.",
    ),
    "lane": record(
        {
            "account": TEXT, "operation": TEXT, "budget": TEXT, "waiting": ref("by_priority"),
            "due_later": ref("by_priority"), "in_flight": COUNT, "at_cap": FLAG, "oldest": maybe(TEXT),
            "oldest_s": maybe({"type": "number"}),
            "hold": maybe({"type": "object"}), "next_permit_s": maybe({"type": "number"}),
            "windows": {"type": "array", "items": ref("window")},
        }
    ),
    "window": WINDOW,
    "by_priority": BY_PRIORITY,
    "operation": record({"name": TEXT, "api": TEXT, "method": TEXT, "path": TEXT, "schema": {"type": "object"}}),
    "error_kind": record({"type": TEXT, "title": TEXT, "status": COUNT, "mend": TEXT}),
    "health": record({"status": TEXT}),
    "error": record(
        {
            "type": {"enum": [WHERE + name for name in KINDS], "description": "Resolves to what can be done."},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What was expected, what came, how to mend it."},
        },
        "A problem (RFC 9457).",
    ),
    **{f"{name}_page": page_of(name) for name in ("listed_job", "letter", "problem_group", "lane", "operation")},
}  # fmt: skip
