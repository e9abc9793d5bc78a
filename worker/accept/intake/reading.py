"""Accept, over HTTP: one job read, waited for, cancelled.

Promise: an answer that has not changed is not sent again (`ETag`, `If-None-Match`); waiting is bounded and asks the
store no more often for a thousand callers than for one; cancelling says truly whether the call may still be sent.
Scope: requests and answers; the members of a job are `representing.py`'s.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from worker.accept.intake.callers import Caller
from worker.accept.intake.filtering import known_names, switch
from worker.accept.intake.parts import Parts
from worker.accept.intake.representing import seen
from worker.accept.intake.trouble import Trouble
from worker.accept.jobs import Chain

JOB_ID = re.compile(r"[a-z0-9-]{1,60}(?:\.p[0-9]{1,9})?(?:\.c[0-9]{1,9})?")
NUMBER = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,4})?")
LOOK_AGAIN_S = 2
ENDED = ("done", "dead", "cancelled", "expired")


class Reading:
    """Answers about single jobs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def get(self, request: Request, caller: Caller) -> Response:
        """A job, now or when it has ended."""
        job_id = job_id_of(request)
        known_names(request, ("wait", "evidence"))
        seconds, evidence = self._wait_of(request), switch(request, "evidence")
        if evidence and not caller.may("view", "operate"):
            raise Trouble("forbidden", "expected a key with the role view for evidence, got one without; leave it out.")
        if seconds:
            await self._parts.watching.until_ended(job_id, seconds)
        masked = not caller.may("enqueue")
        body = await run_in_threadpool(self._read, job_id, masked, evidence)
        return tagged(request, body)

    async def cancel(self, request: Request, caller: Caller) -> Response:
        """What still waits of the call is taken out of its line."""
        job_id = job_id_of(request)
        known_names(request, ())
        masked = not caller.may("enqueue")
        body = await run_in_threadpool(self._cancel, job_id, caller.name or "this machine", masked)
        return Response(json.dumps(body).encode(), 200, {"Cache-Control": "no-store"}, "application/json")

    def _wait_of(self, request: Request) -> float:
        text = request.query_params.get("wait")
        if text is None:
            return 0.0
        if not NUMBER.fullmatch(text):
            raise Trouble("malformed", f"expected ?wait= in seconds, such as 20, got {text[:20]!r}; correct it.")
        return min(float(text), self._parts.intake.max_wait_s)

    def _read(self, job_id: str, masked: bool, evidence: bool) -> dict[str, Any]:
        return seen(self._parts, self._parts.jobs.chain(job_id), masked=masked, evidence=evidence)

    def _cancel(self, job_id: str, by: str, masked: bool) -> dict[str, Any]:
        answers = self._parts.jobs.cancel(job_id, by, "over HTTP")
        chain: Chain = self._parts.jobs.chain(job_id)
        late = next((answer for _, answer in answers if answer not in ("cancelled", "already")), None)
        if late is not None:
            words = {
                "running": "it is being sent at this moment and cannot be taken back: wait for its end",
                "awaiting": "it was sent and accepted, and its result is still to come: wait for it",
            }.get(late, "it has ended, and there is nothing to cancel")
            raise Trouble("conflict", f"expected a job that waits, got one that is {late}; {words}.", state=chain.state)
        return seen(self._parts, chain, masked=masked)


def job_id_of(request: Request) -> str:
    """The id in the address. What cannot be one is not looked for."""
    job_id = str(request.path_params["job_id"])
    if not JOB_ID.fullmatch(job_id):
        raise Trouble("not-found", "expected the id of a job, as it was given when the job was accepted, got another.")
    return job_id


def tagged(request: Request, body: dict[str, Any]) -> Response:
    """The answer with its tag; nothing but the tag when the caller has it already."""
    text = json.dumps(body).encode()
    tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if body.get("state") not in ENDED:
        headers["Retry-After"] = str(LOOK_AGAIN_S)
    if has(request.headers.get("if-none-match", ""), tag):
        return Response(None, 304, headers)
    return Response(text, 200, headers, "application/json")


def has(said: str, tag: str) -> bool:
    """Whether If-None-Match names this tag (weakly compared, as RFC 9110 asks), or any."""
    return said.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in said.split(","))
