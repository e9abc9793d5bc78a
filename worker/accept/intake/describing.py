"""Accept, over HTTP: the OpenAPI 3.1 document of this process, generated from the catalogue and the table of routes.

Promise: it is served at `/openapi.json` and committed beside this module; a test compares the two, and another one
calls every address as the document says. Scope: description. The door for results of commands is described by OCPI.
"""

from __future__ import annotations

from worker import VERSION
from worker.accept.envelope import PRIORITIES
from worker.accept.intake.bodies import LINES
from worker.accept.intake.describing_operations import SHAPES, operation_paths
from worker.accept.intake.filtering import CURSOR, FORMATS, LONGEST, MOST, USUAL
from worker.accept.intake.listing import JOBS, LANES, LETTERS, PAGED, PILES, PROBLEMS
from worker.accept.intake.schemas import COUNT, TEXT, Schema, components, ref
from worker.accept.intake.schemas import answer as _json
from worker.accept.intake.schemas import troubles as _troubles
from worker.accept.intake.telling import CALLBACKS, SCHEMAS
from worker.accept.intake.trouble import KINDS
from worker.accept.intake.writing import FORMS as FILES
from worker.accept.job_search import LISTED
from worker.accept.moments import AGO
from worker.accept.operation import askable

MOMENT: Schema = {
    "anyOf": [{"type": "string", "pattern": f"^{AGO}$"}, {"type": "string", "format": "date-time"}]
}
SWITCH: Schema = {"type": "string", "enum": ["false", "true"], "default": "false"}
KNOWN = "; one that neither this service nor its store knows is refused."
FILTERS: dict[str, tuple[str, Schema]] = {
    "id": ("Only the job of this id.", {"type": "string", "minLength": 1, "maxLength": LONGEST}),
    "key": ("Only what was asked for with this idempotency key.", {"type": "string", "minLength": 1, "maxLength": 255}),
    "state": (
        "Only those in this state; without one, what runs, awaits its result, and waits. Of the done and the "
        "cancelled only the last ones are listed.",
        {"type": "string", "enum": list(LISTED)},
    ),
    "priority": ("Only of this priority.", {"type": "string", "enum": list(PRIORITIES)}),
    "account": (f"Only of this account{KNOWN}", {"type": "string", "minLength": 1, "maxLength": LONGEST}),
    "operation": (f"Only of this operation{KNOWN}", {"type": "string", "minLength": 1, "maxLength": LONGEST}),
    "class": (f"Only of this error class{KNOWN}", {"type": "string", "minLength": 1, "maxLength": LONGEST}),
    "problem": ("Only of this problem.", {"type": "string", "minLength": 1, "maxLength": LONGEST}),
    "pile": ("Which letters.", {"type": "string", "enum": list(PILES), "default": PILES[0]}),
    "since": ("Not before: a time that has been, or a length such as 2h.", MOMENT),
    "until": ("Not after: a time not before `since`, or a length such as 2h.", MOMENT),
    "busy": ("Only lanes in which something waits, runs or is held.", SWITCH),
    "resolved": ("Also problems without a letter left.", SWITCH),
    "limit": ("How many on a page.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
    "cursor": ("Where the page before ended, as its `next` gives it.", {"type": "string", "pattern": f"^{CURSOR}$"}),
    "format": (
        "csv or jsonl: the whole list as a file, streamed, with everything that fits the filters; `limit` bounds it "
        "as a whole.",
        {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]},
    ),
    "wait": ("Seconds to wait for the end, up to a bound of the settings.", {"type": "number", "minimum": 0}),
    "evidence": ("Also parameters and evidence, masked; needs the role view.", SWITCH),
}
JOB_CURSOR: Schema = {
    "name": "cursor", "in": "query", "description": FILTERS["cursor"][0],
    "schema": {
        "type": "string",
        "pattern": f"^-?[0-9]{{1,17}}~({'|'.join(LISTED)})/[ -~]{{0,120}}/[ -.0-~]{{1,60}}$",
    },
}  # fmt: skip
NONE_NEEDED: list[Schema] = []
JSON = "application/json"


def document(require_key: str = "unrepeatable") -> Schema:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Paceline",
            "version": VERSION,
            "summary": "Queued, exactly paced requests to an OCPI hub and the Stellantis connected-car API.",
            "description": "Calls are accepted, queued and sent when every limit allows it. Without any key only "
            "callers on this machine are served; afterwards everybody sends a bearer key with the role each address "
            "names.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": _tagged(_paths(require_key)),
        "components": {
            "schemas": components(askable()) | SCHEMAS | SHAPES,
            "securitySchemes": {
                "key": {
                    "type": "http", "scheme": "bearer",
                    "description": "From whoever runs this service: `python -m worker keys create` makes one.",
                }
            },
        },
    }


def _tagged(paths: Schema) -> Schema:
    """Each operation with the first word of its address as its tag: clients are made in groups by it."""
    for path, item in paths.items():
        word = path.removeprefix("/v1/").partition("/")[0] if path.startswith("/v1/") else "process"
        for method in item:
            if method != "parameters":
                item[method]["tags"] = [word]
    return paths


def _paths(require_key: str) -> Schema:
    return _of_jobs(require_key) | _of_lists() | _of_the_process()


def _of_jobs(require_key: str) -> Schema:
    return {
        "/v1/jobs": {
            "get": _read(
                "listed_job_page", "Jobs. A page with few or no items may have a `next`: it goes on.", "list_jobs",
                tuple(one for one in JOBS if one != "cursor"), None, [JOB_CURSOR],
            ),
            "post": _post(require_key),
        },
        "/v1/jobs/{job_id}": {
            "parameters": [_place("job_id", "As it was given when the job was accepted.")],
            "get": _read(
                "job", "A job; with `wait`, when it has ended or the time is over.", "read_job", ("wait", "evidence"),
                {"304": _tag("It has not changed."), **_troubles(404)},
                [_header("If-None-Match", "The tag that the caller has.", TEXT)],
                {"ETag": {"schema": TEXT}},
            ),
        },
        "/v1/jobs/{job_id}/cancel": {
            "parameters": [_place("job_id", "As it was given when the job was accepted.")],
            "post": _cancel("cancel_job"),
        },
        "/v1/undelivered": {"post": _report()},
    }  # fmt: skip


def _of_lists() -> Schema:
    return {
        "/v1/catalogue": {"get": _read("operation_page", "What can be asked for, with schemas.", "list_catalogue")},
        "/v1/catalogue/{name}": {
            "parameters": [_place("name", "Such as hub.start_session.")],
            "get": _read("operation", "One call.", "read_catalogue", (), _troubles(404)),
        },
        **operation_paths(
            _read("bulk_page", "Operations on many letters, last planned first.", "list_operations", PAGED),
            _read(
                "bulk", "One, with its plan, progress and report.", "read_operation", (),
                {"304": _tag("It has not changed."), **_troubles(404)},
                [_header("If-None-Match", "The tag that the caller has.", TEXT)],
                {"ETag": {"schema": TEXT}},
            ),
        ),
        "/v1/lanes": {"get": _read("lane_page", "Lanes and their budgets.", "list_lanes", LANES)},
        "/v1/problems": {
            "get": _read("problem_group_page", "Dead letters by cause.", "list_problems", PROBLEMS)
        },
        "/v1/dead-letters": {"get": _read("letter_page", "Dead letters, last died first.", "list_letters", LETTERS)},
        "/v1/errors/{name}": {
            "parameters": [_place("name", "The last part of a problem's type.", {"enum": list(KINDS)})],
            "get": _read("error_kind", "What a type of problem means.", "read_error", (), _troubles(404)),
        },
    }  # fmt: skip


def _of_the_process() -> Schema:
    health = {"200": _json("It is well.", ref("health"))}
    return {
        "/healthz": {"get": _open("This process answers.", "healthz", health)},
        "/readyz": {
            "get": _open(
                "The store answers. Figures are told to who may look.", "readyz",
                health | {"503": _json("The store does not answer.", ref("health"))},
            )
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Numbers in the text format of Prometheus.",
                "responses": {"200": {"description": "All, now.", "content": {"text/plain": {"schema": TEXT}}}}
                | _troubles(401, 403, 429, 503),
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document.",
                "responses": {"200": _json("OpenAPI 3.1.", {"type": "object"})} | _troubles(401, 403, 429, 503),
            }
        },
    }  # fmt: skip


def _post(require_key: str) -> Schema:
    needed = {
        "always": "needed", "never": "not needed", "unrepeatable": "needed for calls that must not be repeated"
    }[require_key]  # fmt: skip
    key = _header(
        "Idempotency-Key",
        f"The same key with the same content is the same job; {needed}. Bare, or as a quoted string.",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r'^([!#-~][!-~]*( [!-~]+)*|"[ !#-\[\]-~]+")$'},
    )
    return {
        "operationId": "post_job",
        "summary": "Ask for a call, or for many.",
        "description": "As JSON: one call, answered with 202 when it is stored. As JSON lines: many, each line a call, "
        "answered line by line with `{line, status, id, location, …}` or `{line, status, error}`; with an "
        "Idempotency-Key, a line without one of its own has `<key>:<line number>`.",
        "parameters": [
            key | {"required": require_key == "always"},
            _header("traceparent", "W3C Trace Context: the call is sent in this trace. What is none is ignored.", TEXT),
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": ref("call")}} | {kind: {"schema": TEXT} for kind in LINES},
        },
        "responses": {
            "200": {
                "description": "Of many calls: what became of each line.",
                "content": {kind: {"schema": TEXT} for kind in LINES},
            },
            "202": {
                **_json("It is stored.", ref("accepted")),
                "headers": {
                    "Location": {"schema": TEXT, "description": "The job."},
                    "Retry-After": {"schema": COUNT, "description": "Seconds until looking again is worth while."},
                    "Idempotency-Replayed": {"schema": TEXT, "description": "There when the job was there already."},
                },
                "links": {"job": {"operationId": "read_job", "parameters": {"job_id": "$response.body#/id"}}},
            },
            **_troubles(400, 401, 403, 413, 415, 422, 429, 503),
        },
        "callbacks": CALLBACKS,
    }


def _report() -> Schema:
    return {
        "operationId": "report_undelivered",
        "summary": "Report a push of the hub that never came.",
        "description": "It becomes a dead letter with an alert, and a bundle for the hub's support. The same thing "
        "reported again is the same letter; ids are compared without case.",
        "requestBody": {"required": True, "content": {JSON: {"schema": ref("undelivered")}}},
        "responses": {
            "201": {
                **_json("It is kept.", ref("reported")),
                "headers": {
                    "Location": {"schema": TEXT, "description": "The dead letter."},
                    "Idempotency-Replayed": {"schema": TEXT, "description": "There when it was reported before."},
                },
                "links": {"letter": {"operationId": "read_job", "parameters": {"job_id": "$response.body#/id"}}},
            },
            **_troubles(400, 401, 403, 413, 415, 422, 429, 503),
        },
    }


def _read(
    schema: str, words: str, name: str, filters: tuple[str, ...] = (), more: Schema | None = None,
    parameters: list[Schema] | None = None, headers: Schema | None = None,
) -> Schema:  # fmt: skip
    good = _json(words, ref(schema))
    if "format" in filters:
        good["content"] |= {kind.partition(";")[0]: {"schema": TEXT} for kind in FILES.values()}
    good |= {"headers": headers} if headers else {}
    return {
        "operationId": name,
        "summary": words,
        "parameters": [_filter(one) for one in filters] + (parameters or []),
        "responses": {"200": good} | (more or {}) | _troubles(400, 401, 403, 429, 503),
    }


def _cancel(name: str) -> Schema:
    words = "Cancel what still waits of a call."
    return _read("job", words, name, (), _troubles(404, 409))


def _open(words: str, name: str, responses: Schema) -> Schema:
    return {"operationId": name, "summary": words, "security": NONE_NEEDED, "responses": responses}


def _filter(name: str) -> Schema:
    words, schema = FILTERS[name]
    return {"name": name, "in": "query", "description": words, "schema": schema}


def _header(name: str, words: str, schema: Schema) -> Schema:
    return {"name": name, "in": "header", "description": words, "schema": schema}


def _place(name: str, words: str, schema: Schema | None = None) -> Schema:
    shape = {"type": "string", **(schema or {})}
    return {"name": name, "in": "path", "required": True, "description": words, "schema": shape}


def _tag(words: str) -> Schema:
    return {"description": words, "headers": {"ETag": {"schema": TEXT}}}
