"""Accept, over HTTP: `POST /v1/undelivered`: a service says that something the hub owed it has not come.

Promise: 201 means kept, as a dead letter with an alert, and the answer says where it is read; the same thing reported
again is the same letter, and the answer says so. Scope: requests and answers; `worker.fail.undelivered` keeps it.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from worker.accept.intake.bodies import JSON, as_object, media_type, whole
from worker.accept.intake.callers import Caller
from worker.accept.intake.filtering import known_names
from worker.accept.intake.parts import Parts
from worker.accept.intake.representing import WHERE
from worker.accept.intake.trouble import Trouble
from worker.accept.intake.wanting import Members, check_members
from worker.accept.operation import account_for
from worker.fail.undelivered import OWED, Missing, Reported, report

MEMBERS: Members = {
    "account": ("the name of an account of the hub, such as hub:IN-ABC", (str,)),
    "kind": (f"one of {', '.join(OWED)}", (str,)),
    "id": ("the id of the session or CDR, or of the command's job", (str,)),
    "detail": ("text", (str, type(None))),
}
"""What a report is made of: the words for each member, and the types it may have."""
REQUIRED = ("account", "kind", "id")


class Reporting:
    """Takes reports in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def post(self, request: Request, caller: Caller) -> Response:
        """One report."""
        known_names(request, ())
        if (kind := media_type(request)) not in JSON:
            raise Trouble(
                "unsupported",
                f"expected the content type {JSON[0]}, got {kind[:60] or 'none'!r}.",
                headers={"Accept-Post": JSON[0]},
            )
        said = as_object(await whole(request, self._parts.intake.max_body_bytes))
        check_members(said, MEMBERS, REQUIRED, "a report")
        done = await run_in_threadpool(self._keep, said, caller.name or "this machine")
        where = WHERE + done.job_id
        headers = {"Location": where, "Cache-Control": "no-store"}
        if done.status != "reported":
            headers["Idempotency-Replayed"] = "true"
        body = {"id": done.job_id, "location": where, "status": done.status}
        return Response(json.dumps(body).encode(), 201, headers, JSON[0])

    def _keep(self, said: dict[str, Any], by: str) -> Reported:
        parts = self._parts
        account = account_for(parts.accounts, said["account"], "hub")
        missing = Missing(account.name, said["kind"], said["id"], by, note=said.get("detail") or "")
        return report(parts.partition, parts.redactor, account, missing)
