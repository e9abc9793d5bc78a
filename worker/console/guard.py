"""Console: what stands before every page: who comes in, what may be sent, and what every answer carries.

Promise: closed by default; a change is taken from our own pages alone (Sec-Fetch-Site, else Origin, must say so) and
from those who may; an answer runs no script and loads nothing that is not ours, is shown in nobody's frame and kept in
nobody's cache. Scope: requests and answers; who somebody is says `visitor.py`.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.console.parts import Parts
from worker.console.rendering import bare
from worker.console.visitor import Visitor, whoever_asks
from worker.observe import log

STATIC, SIGN_IN, LIVE = "/static/", "/sign-in", "/live"
LONGEST_FORM = 32_768
MOST_FIELDS = 40
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Middleware around the console's routes; leaves the visitor and the form with the request."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        static = scope["path"].startswith(STATIC)
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Cache-Control"] = "no-cache" if static else "no-store"
            await send(message)

        request = Request(scope, receive)
        try:
            refusal = None if static and request.method in ("GET", "HEAD") else await self._refusal(request)
            await (refusal or self._app)(scope, receive, send_with_headers)
        except Exception as error:
            if begun:
                raise
            _report(error, scope["path"])
            broken = bare(request, "trouble.html", 500, title="Something broke here", sorry=_BROKE)
            await broken(scope, receive, send_with_headers)

    async def _refusal(self, request: Request) -> Response | None:
        """Why this goes no further; None lets it through."""
        at_the_door = request.scope["path"] == SIGN_IN
        if request.method == "POST" and not from_our_pages(request, self._own_hosts(request)):
            return _refused(request, "expected a form of this console, got a request from elsewhere; open the page and "
                            "send its own form.")  # fmt: skip
        visitor, store_away = await run_in_threadpool(self._visitor, request)
        request.state.visitor = visitor
        if store_away:
            return bare(request, "trouble.html", 503, title="The store does not answer", sorry=_NOBODY_KNOWN)
        closed = visitor is None and self._parts.callers.none  # without a key, this machine needs no door
        if (closed or not at_the_door) and (refusal := self._turned_away(request, visitor)):
            return refusal
        if request.method == "POST":
            form = await _read_form(request)
            if form is None:
                return bare(request, "trouble.html", 413, title="That was too long", sorry="The form is too long.")
            request.state.form = form
        return None

    def _own_hosts(self, request: Request) -> set[str]:
        """What this console is called: as it was asked for, and as settings say, where a proxy asks for it."""
        console_url = self._parts.settings.observe.console_url
        return {request.headers.get("host", ""), urlsplit(console_url).netloc if console_url else ""} - {""}

    def _turned_away(self, request: Request, visitor: Visitor | None) -> Response | None:
        callers = self._parts.callers
        if request.scope["path"] == LIVE and not (visitor and visitor.may_look):
            return Response(status_code=204)  # a browser does not ask for the stream again
        if visitor is None and not callers.none:
            # A sender's own address may carry anything; only the path goes along, and only to be shown again.
            return RedirectResponse(f"{SIGN_IN}?next={quote(request.scope['path'])}", 303)
        if visitor is None:
            return bare(request, "closed.html", 403)
        if not visitor.may_look:
            return _refused(request, f"expected a key with the role view, operate or admin, got that of {visitor.name} "
                            "without; sign in with another.")  # fmt: skip
        if request.method == "POST" and not visitor.may_change and request.scope["path"] != "/sign-out":
            return _refused(request, f"expected a key with the role operate or admin, got that of {visitor.name}, who "
                            "may look; ask somebody who may change things.")  # fmt: skip
        return None

    def _visitor(self, request: Request) -> tuple[Visitor | None, bool]:
        """Whoever asks, and whether that cannot be known."""
        callers = self._parts.callers
        if callers.stale:
            callers.refresh()
        if not callers.known:
            return None, True
        return whoever_asks(request, callers), False


_BROKE = "This page broke. The log of the web process says where. The page may be tried again."
_NOBODY_KNOWN = "Nobody's key can be checked until it does. This page can be tried again at any time."


def from_our_pages(request: Request, hosts: set[str]) -> bool:
    """Whether a form was sent by a page of this very console. A browser says so; what says nothing is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return urlsplit(origin).netloc in hosts


async def _read_form(request: Request) -> dict[str, str] | None:
    """The fields, each once; None when there is more than a form of ours could hold."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_FORM:
                return None
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS))
    except (ValueError, ClientDisconnect):
        return None


def _report(error: Exception, path: str) -> None:
    """Where it broke, for whoever has to mend it. An error's own words may hold what was sent, so they stay out."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "unknown"
    log.logger().error("page_broke", path=path[:200], error=type(error).__name__, where=where)


def _refused(request: Request, sorry: str) -> Response:
    if not hasattr(request.state, "visitor"):
        request.state.visitor = None
    return bare(request, "trouble.html", 403, title="That is not allowed", sorry=sorry)
