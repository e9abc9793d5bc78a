"""Accept, over HTTP: every address there is, who may use it, and what answers.

Promise: an address that is not in this table does not exist, and one that is needs the roles that stand beside it.
Scope: the table; `app.py` serves it, `describing.py` describes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from worker.accept.intake import listing
from worker.accept.intake.callers import Caller
from worker.accept.intake.describing_operations import BULK
from worker.accept.intake.filtering import FORMATS, choice
from worker.accept.intake.health import alive, ready
from worker.accept.intake.metrics import metrics
from worker.accept.intake.operating import Operating
from worker.accept.intake.parts import Parts
from worker.accept.intake.posting import Posting
from worker.accept.intake.reading import Reading
from worker.accept.intake.reporting import Reporting
from worker.accept.intake.schemas import ANSWERS
from worker.accept.intake.trouble import described
from worker.accept.intake.writing import whole_list

ANYBODY: tuple[str, ...] = ()
ASK = ("enqueue",)
LOOK = ("view", "operate")
ASK_OR_LOOK = ("enqueue", "view", "operate")
ASK_OR_ACT = ("enqueue", "operate")
ACT = ("operate",)
Answer = Callable[[Request, Caller], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Way:
    """One method of an address. Without `roles` everybody may."""

    method: str
    path: str
    roles: tuple[str, ...]
    answer: Answer


def ways(parts: Parts, document: Callable[[], dict[str, Any]]) -> list[Way]:
    """All of them."""
    posting, reading, reporting, operating = Posting(parts), Reading(parts), Reporting(parts), Operating(parts)

    def shown(read: Callable[[Parts, Request], Any]) -> Answer:
        async def answer(request: Request, _: Caller) -> Response:
            return JSONResponse(await run_in_threadpool(read, parts, request), headers={"Cache-Control": "no-store"})

        return answer

    def listed(read: Callable[[Parts, Request], Any], name: str, shape: Mapping[str, Any]) -> Answer:
        async def answer(request: Request, caller: Caller) -> Response:
            form = choice(request, "format", FORMATS)
            if form == "json":
                return await shown(read)(request, caller)
            return await run_in_threadpool(whole_list, parts, request, read, form, name, shape["required"])

        return answer

    async def health(_: Request, __: Caller) -> Response:
        return alive()

    async def readiness(_: Request, caller: Caller) -> Response:
        return await run_in_threadpool(ready, parts, caller)

    async def numbers(_: Request, __: Caller) -> Response:
        return await run_in_threadpool(metrics, parts)

    return [
        Way("GET", "/healthz", ANYBODY, health),
        Way("GET", "/readyz", ANYBODY, readiness),
        Way("GET", "/metrics", LOOK, numbers),
        Way("GET", "/openapi.json", ASK_OR_LOOK, shown(lambda _, __: document())),
        Way("GET", "/v1/errors/{name}", ASK_OR_LOOK, shown(lambda _, asked: described(asked.path_params["name"]))),
        Way("GET", "/v1/jobs", LOOK, listed(listing.list_jobs, "jobs", ANSWERS["listed_job"])),
        Way("POST", "/v1/jobs", ASK, posting.post),
        Way("GET", "/v1/jobs/{job_id}", ASK_OR_LOOK, reading.get),
        Way("POST", "/v1/jobs/{job_id}/cancel", ASK_OR_ACT, reading.cancel),
        Way("POST", "/v1/undelivered", ASK_OR_ACT, reporting.post),
        Way("GET", "/v1/catalogue", ASK_OR_LOOK, shown(listing.list_operations)),
        Way("GET", "/v1/catalogue/{name}", ASK_OR_LOOK, shown(listing.read_operation)),
        Way("GET", "/v1/operations", LOOK, listed(operating.list, "operations", BULK)),
        Way("POST", "/v1/operations", ACT, operating.post),
        Way("GET", "/v1/operations/{operation_id}", LOOK, operating.get),
        Way("POST", "/v1/operations/{operation_id}/confirm", ACT, operating.confirm),
        Way("POST", "/v1/operations/{operation_id}/cancel", ACT, operating.cancel),
        Way("GET", "/v1/lanes", LOOK, listed(listing.list_lanes, "lanes", ANSWERS["lane"])),
        Way("GET", "/v1/problems", LOOK, listed(listing.list_problems, "problems", ANSWERS["problem_group"])),
        Way("GET", "/v1/dead-letters", LOOK, listed(listing.list_letters, "dead-letters", ANSWERS["letter"])),
    ]
