"""Accept, over HTTP: what the description says of callbacks: the address a caller may give, and what is told there.

Promise: the shape is that of what `deliver/job_event.py` makes; a test compares the two. Scope: description; receivers
are called by workers.
"""

from __future__ import annotations

from worker.accept.callback import LONGEST_URL
from worker.accept.intake.schemas import COUNT, DIED, TEXT, TIME, Schema, maybe, record, ref

ENDS = ("done", "dead", "cancelled", "expired")
OMITTED = ("gone", "started_again", "too_large")

SCHEMAS: Schema = {
    "callback_url": {
        "type": ["string", "null"],
        "maxLength": LONGEST_URL,
        "description": "Where the end is told, at a host that whoever runs this service allows; refused at any other.",
    },
    "job_event": record(
        {
            "type": {"enum": [f"job.{end}" for end in ENDS]},
            "timestamp": TIME,
            "data": record(
                {
                    "id": TEXT, "location": TEXT, "operation": TEXT, "account": TEXT, "state": {"enum": list(ENDS)},
                    "end": {**COUNT, "description": "Counts from 1; greater after the job was sent again."},
                    "key": maybe(TEXT), "created": TIME, "ended": TIME, "result": {}, "command_result": {},
                    "problem": maybe(record(DIED)),
                    "omitted": {
                        "enum": [*OMITTED, None],
                        "description": "Why result or problem is not there: no longer kept, not of this end, or too "
                        "large; `location` may have it.",
                    },
                }
            ),
        },
        "How a job ended.",
    ),
}  # fmt: skip


def _header(name: str, words: str) -> Schema:
    return {"name": name, "in": "header", "required": True, "description": words, "schema": TEXT}


CALLBACKS: Schema = {
    "ended": {
        "{$request.body#/callback_url}": {
            "post": {
                "summary": "Tells how the job ended, where `callback_url` was given.",
                "description": "Signed as Standard Webhooks describes. Any 2xx confirms it; it is told again after a "
                "time-out, 408, 425, 429 or 5xx, always with the same webhook-id. Once for each end; of a list read "
                "page by page once, when its last page has ended.",
                "parameters": [
                    _header("webhook-id", "The same however often this is told."),
                    _header("webhook-timestamp", "When it was sent, in seconds."),
                    _header("webhook-signature", "v1, and a signature; several, with spaces, during a rotation."),
                ],
                "requestBody": {"required": True, "content": {"application/json": {"schema": ref("job_event")}}},
                "responses": {"2XX": {"description": "It has arrived."}, "410": {"description": "No more of them."}},
            }
        }
    }
}
