"""Console: one answer for all who look at the same at the same moment.

Promise: however many pages look again when something has changed, each address is made once for all of them; what was
made is given away for less than a second; a person's own name is in nothing that is shared, and whoever may change
things never sees the page of somebody who may not, nor the other way. Scope: looks of scripts; a page that a person
asks for is always made anew.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

FRESH_S = 0.8
MOST = 128
Page = Callable[[Request], Response]


@dataclass
class Made:
    """One answer, and when it was made."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at_s: float = float("-inf")
    body: bytes = b""
    media_type: str | None = None


class Shared:
    """The answers of one process, the last used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[tuple[str, str, bool], Made] = OrderedDict()
        self.looks = 0

    def page(self, page: Page) -> Page:
        """The same page; looks at it are shared."""

        def answer(request: Request) -> Response:
            return self._look(request, page) if is_look(request) else page(request)

        return answer

    def _look(self, request: Request, page: Page) -> Response:
        visitor = request.state.visitor
        made = self._place((request.scope["path"], request.url.query, bool(visitor and visitor.may_change)))
        with made.lock:
            if time.monotonic() - made.at_s > FRESH_S:
                answer = page(request)
                self.looks += 1
                if answer.status_code != 200:
                    return answer
                made.body, made.media_type = bytes(answer.body), answer.media_type
                made.at_s = time.monotonic()
            return Response(made.body, 200, media_type=made.media_type)

    def _place(self, name: tuple[str, str, bool]) -> Made:
        with self._lock:
            made = self._made.setdefault(name, Made())
            self._made.move_to_end(name)
            while len(self._made) > MOST:
                self._made.popitem(last=False)
            return made


def is_look(request: Request) -> bool:
    """Whether a script of ours asks, for the part of a page that changes."""
    return request.method == "GET" and request.headers.get("hx-request") == "true"
