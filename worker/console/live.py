"""Console: telling open pages that something has changed, by server-sent events.

Promise: however many look on, the store is asked by one poller of this process, a glance a second, and by none when
nobody looks; a stream ends with its visitor's right to look (their key is gone, or they signed out, here or in another
process), when the process leaves, and after an hour at the latest; there are never more than `MOST`. Who cannot have
one asks for the page now and then instead. Scope: saying that, not what: a page that wants to know more is asked for
again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from worker.accept.intake.callers import Callers
from worker.console.marks import Glance, glance
from worker.console.visitor import Visitor, whoever_asks
from worker.observe import log
from worker.store.connection import is_outage
from worker.store.partition import Partition

EVERY_S = 1.0
BEAT_S = 5.0
LONGEST_S = 3600.0
MOST, MOST_EACH = 200, 20
AGAIN_MS = 3000


class Live:
    """The streams of one web process."""

    def __init__(self, partition: Partition, callers: Callers, leaving: Callable[[], bool]) -> None:
        self._partition = partition
        self._callers = callers
        self._leaving = leaving
        self._open: Counter[str] = Counter()
        self._turn = asyncio.Condition()
        self._seen: Glance | None = None
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def streams(self) -> int:
        return self._open.total()

    @property
    def polling(self) -> bool:
        return self._task is not None

    async def stream(self, request: Request) -> Response:
        """A stream for this visitor, or 503 where there are too many."""
        visitor: Visitor = request.state.visitor
        if self._leaving() or self.streams >= MOST or self._open[visitor.name] >= MOST_EACH:
            return Response(status_code=503, headers={"Retry-After": "30"})
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._events(request, visitor.name), 200, headers, "text/event-stream")

    async def _events(self, request: Request, name: str) -> AsyncIterator[str]:
        self._open[name] += 1
        try:
            if self._task is None:
                self._task = asyncio.create_task(self._poll())
            yield f"retry: {AGAIN_MS}\n\n"
            async for event in self._told(request):
                yield event
        finally:
            self._open[name] -= 1
            self._open += Counter()  # drops whoever has none any more

    async def _told(self, request: Request) -> AsyncIterator[str]:
        until, told = time.monotonic() + LONGEST_S, 0 if self._seen else self._number

        def news() -> bool:
            return self._leaving() or self._number != told or not self._welcome(request)

        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S), self._turn:
                    await self._turn.wait_for(news)
            if self._leaving():
                return
            if not self._welcome(request):
                yield "event: closed\ndata:\n\n"
                return
            if told != self._number and self._seen is not None:
                told = self._number
                yield f"event: marks\ndata: {json.dumps(self._seen.as_dict())}\n\n"
            else:
                yield "event: beat\ndata:\n\n"

    def _welcome(self, request: Request) -> bool:
        """Whether this visitor may still look; without asking the store."""
        visitor = whoever_asks(request, self._callers) if self._callers.known else None
        return visitor is not None and visitor.may_look

    async def _poll(self) -> None:
        """Looks while somebody does. While the store is away there is nothing to tell."""
        try:
            while self._open and not self._leaving():
                seen = await run_in_threadpool(self._glance)
                async with self._turn:
                    if seen is not None and seen != self._seen:
                        self._seen, self._number = seen, self._number + 1
                    self._turn.notify_all()
                await asyncio.sleep(EVERY_S)
        finally:
            self._task, self._seen = None, None  # what comes next is seen by whoever looks next
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                async with self._turn:
                    self._turn.notify_all()

    def _glance(self) -> Glance | None:
        try:
            if self._callers.stale:
                self._callers.refresh()
            return glance(self._partition)
        except Exception as error:
            if not is_outage(error):
                log.logger().error("glance_broke", error=type(error).__name__)
            return None
