"""Accept, over HTTP: `POST /v1/jobs`: one call as JSON, or many as JSON lines.

Promise: 202 means stored; every answer names the job and when it is expected to be sent. The same idempotency key with
the same content is answered with the same job, however often and however concurrently. Of many calls each line is
answered by a line of its own, in order, and one that is refused is no matter of the others.
Scope: requests and answers. Lines are read, stored and let go a hundred at a time; their answers, which are short, are
sent when all have been read: a caller that sends everything before it reads would otherwise wait for ever, and so would
we.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from worker.accept.enqueue import BATCH, Prepared
from worker.accept.envelope import TRACE, trace_from
from worker.accept.intake.bodies import CLOSE, JSON, LINES, as_object, lines, media_type, whole
from worker.accept.intake.callers import Caller
from worker.accept.intake.gathering import Placed
from worker.accept.intake.pace import Standing, too_many
from worker.accept.intake.parts import Parts
from worker.accept.intake.representing import WHERE, utc
from worker.accept.intake.trouble import Trouble, trouble_of
from worker.accept.intake.wanting import key_from, wanted_from
from worker.errors import Conflict
from worker.limiter.foresight import seconds_to_look

PORTION_BYTES = 1_048_576
Line = tuple[int, bytes | Trouble]


@dataclass(slots=True)
class Batch:
    """What all lines of a request share; and what is left to its caller, where that is limited."""

    caller: Caller
    key: str | None
    trace: str | None
    standing: Standing | None = None


class Posting:
    """Takes calls in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._intake = parts.intake

    async def post(self, request: Request, caller: Caller) -> Response:
        """One call, or many: the content type tells."""
        kind = media_type(request)
        if kind in JSON:
            return await self._one(request, caller)
        if kind in LINES:
            return await self._many(request, caller, kind)
        raise Trouble(
            "unsupported",
            f"expected the content type {JSON[0]} for one call or {LINES[0]} for many, got {kind[:60] or 'none'!r}.",
            headers={"Accept-Post": ", ".join((*JSON, *LINES))},
        )

    async def _one(self, request: Request, caller: Caller) -> Response:
        key = key_from(request)
        trace = trace_from(request.headers.get(TRACE))
        prepared = self._prepare(await whole(request, self._intake.max_body_bytes), key, caller, trace)
        try:
            placed = await self._parts.gathering.put(prepared)
        except Conflict as error:
            raise reused(error) from None
        headers = {
            "Location": WHERE + placed.job_id,
            "Retry-After": str(seconds_to_look(placed.expected_s)),
            "Cache-Control": "no-store",
        }
        if placed.duplicate:
            headers["Idempotency-Replayed"] = "true"
        return Response(json.dumps(_accepted(placed, prepared)).encode(), 202, headers, JSON[0])

    async def _many(self, request: Request, caller: Caller, kind: str) -> Response:
        """Lines are looked at when they are stored: until then they are bytes, and cost their caller nothing."""
        batch = Batch(caller, key_from(request), trace_from(request.headers.get(TRACE)))
        answers: list[bytes] = []
        portion: list[Line] = []
        size = 0
        headers = {"Cache-Control": "no-store"}
        try:
            async for number, line in lines(request, self._intake.max_body_bytes):
                if number > self._intake.max_lines:
                    answers += await self._answers(portion, batch)
                    portion = [(number, self._too_many_lines())]
                    headers |= CLOSE
                    break
                portion.append((number, line))
                size += len(line) if isinstance(line, bytes) else 0
                if len(portion) >= BATCH or size >= PORTION_BYTES:
                    answers += await self._answers(portion, batch)
                    portion, size = [], 0
        except ClientDisconnect:
            raise Trouble("malformed", "expected the whole body, got a part of it; send it again.") from None
        answers += await self._answers(portion, batch)
        if batch.standing is not None:
            headers |= batch.standing.headers
        return StreamingResponse(_flow(answers), 200, headers, kind)

    async def _answers(self, portion: list[Line], batch: Batch) -> list[bytes]:
        """What became of some lines. The first of a batch was counted when its request came in."""
        granted = len(portion)
        pace = batch.caller.pace
        if pace is not None and granted:
            free = 1 if portion[0][0] == 1 else 0
            batch.standing = await run_in_threadpool(pace.take, granted - free)
            granted = batch.standing.granted + free
        prepared = [self._line(number, line, batch) for number, line in portion[:granted]]
        refused = [too_many(batch.standing) for _ in portion[granted:] if batch.standing is not None]
        numbers = [number for number, _ in portion]
        return await self._stored(list(zip(numbers, [*prepared, *refused], strict=True)))

    def _line(self, number: int, line: bytes | Trouble, batch: Batch) -> Prepared | Trouble:
        """The call of one line; or what is wrong with it."""
        if isinstance(line, Trouble):
            return line
        key = None if batch.key is None else f"{batch.key}:{number}"[-255:]
        try:
            return self._prepare(line, key, batch.caller, batch.trace, own_first=True)
        except Exception as error:
            if (trouble := trouble_of(error)) is None:
                raise
            return trouble

    def _prepare(
        self, body: bytes, key: str | None, caller: Caller, trace: str | None, *, own_first: bool = False
    ) -> Prepared:
        said = as_object(body)
        if own_first and said.get("key") is not None:
            key = None
        return self._parts.enqueuer.prepare(wanted_from(said, key, caller, self._intake.require_key, trace))

    async def _stored(self, portion: list[tuple[int, Prepared | Trouble]]) -> list[bytes]:
        """The answers to some lines, after what can be stored of them is."""
        wanted = [one for _, one in portion if not isinstance(one, Trouble)]
        placed = iter(await self._parts.gathering.put_all(wanted) if wanted else [])
        answers = []
        for number, one in portion:
            answer: Any = one if isinstance(one, Trouble) else next(placed)
            if isinstance(answer, Placed) and not isinstance(one, Trouble):
                said = {"line": number, "status": 202, **_accepted(answer, one), "duplicate": answer.duplicate}
            else:
                trouble = reused(answer) if isinstance(answer, Conflict) else trouble_of(answer)
                if trouble is None:
                    raise answer
                said = {"line": number, "status": trouble.status, "error": trouble.as_dict()}
            answers.append(json.dumps(said).encode() + b"\n")
        return answers

    def _too_many_lines(self) -> Trouble:
        most = self._intake.max_lines
        return Trouble(
            "too-large", f"expected at most {most} lines at once, got more; this one and all after it were not read."
        )


def reused(error: Conflict) -> Trouble:
    """The key stands for another call."""
    return Trouble("key-reused", str(error))


def _accepted(placed: Placed, prepared: Prepared) -> dict[str, Any]:
    expected_at = None
    if placed.expected_s is not None:
        expected_at = utc(placed.now_us + int(placed.expected_s * 1e6))
    return {
        "id": placed.job_id,
        "location": WHERE + placed.job_id,
        "operation": prepared.facts["op"],
        "account": prepared.facts["acct"],
        "expected_send_at": expected_at,
    }


async def _flow(answers: list[bytes]) -> AsyncIterator[bytes]:
    for start in range(0, len(answers), BATCH):
        yield b"".join(answers[start : start + BATCH])
