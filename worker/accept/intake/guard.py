"""Accept, over HTTP: who is let in, before any route is looked for.

Promise: closed by default. Without any key only peers on this machine are served, by the socket's own address (a header
never counts in anybody's favour, and a request that says it was forwarded, or asks for another host, is not taken for a
local one). As soon as there is a key, everybody needs one. What is refused learns nothing about the routes behind.
Scope: letting in; what a caller may do is the route's matter (`Caller.may`).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.accept.intake.callers import THIS_MACHINE, Caller, Callers
from worker.accept.intake.pace import Standing, too_many
from worker.accept.intake.trouble import Trouble

OPEN = ("/healthz", "/readyz")
"""Served to everybody; `/readyz` tells its figures only to those who may look."""
DOOR = "/v1/command-results/"
"""Its own secrets guard it."""
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
LONGEST_KEY = 200
KEYS = "whoever runs this service makes a key there with `python -m worker keys create`; send it"
Headers = Iterable[tuple[bytes, bytes]]


class Guard:
    """Stands in front of the application and says who the caller is (`scope["caller"]`)."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self._app = app
        self._callers = callers
        self._reading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        path = scope["path"]
        try:
            scope["caller"] = None if path.startswith(DOOR) else await self._admit(scope)
            standing = await self._paced(scope["caller"])
        except Trouble as trouble:
            if path not in OPEN:
                await trouble.response()(scope, receive, send)
                return
            scope["caller"], standing = None, None
        await self._app(scope, receive, _telling(send, standing))

    async def _admit(self, scope: Scope) -> Caller:
        """The caller, if there is one. Raises `Trouble`."""
        callers = self._callers
        if callers.stale:
            async with self._reading:
                if callers.stale:
                    await run_in_threadpool(callers.refresh)
        if not callers.known:
            raise Trouble(
                "unavailable",
                "the store does not answer, so nobody's key can be checked; try again later.",
                headers={"Retry-After": "5"},
            )
        return self._local(scope) if callers.none else self._bearer(scope["headers"])

    async def _paced(self, caller: Caller | None) -> Standing | None:
        """How much this caller has left, where that is limited. Raises `Trouble`."""
        if caller is None or caller.pace is None:
            return None
        standing = await run_in_threadpool(caller.pace.take)
        if not standing.granted:
            raise too_many(standing)
        return standing

    def _bearer(self, headers: Headers) -> Caller:
        """The owner of the key in the one Authorization header."""
        found = [value for name, value in headers if name == b"authorization"]
        if len(found) == 1:
            scheme, _, key = found[0].decode("latin-1").partition(" ")
            key = key.strip()
            if scheme.lower() == "bearer" and 0 < len(key) <= LONGEST_KEY:
                caller = self._callers.find(key)
                if caller is not None:
                    return caller
        came = "none" if not found else "several" if len(found) > 1 else "one that is not known"
        raise Trouble(
            "unauthorized",
            f"expected a key as `Authorization: Bearer <key>`, got {came}; ask whoever runs this service for one.",
            headers={"WWW-Authenticate": 'Bearer realm="paceline"'},
        )

    def _local(self, scope: Scope) -> Caller:
        """This machine, as long as there is no key."""
        if not _is_this_machine((scope.get("client") or ("",))[0]):
            raise Trouble("outside", "expected a caller on this machine, since no key exists yet, got another one; "
                          f"{KEYS}.")  # fmt: skip
        given = dict(scope["headers"])
        forwarded = next((name.decode() for name in FORWARDED if name in given), None)
        if forwarded or given.get(b"sec-fetch-site", b"none") in (b"cross-site", b"same-site"):
            raise Trouble(
                "outside",
                f"expected a caller on this machine, since no key exists yet, got a request with {forwarded} on it; "
                f"{KEYS}."
                if forwarded
                else "expected a caller on this machine, since no key exists yet, got another site's page; "
                f"{KEYS}.",
            )
        if _from_another_page(given):
            raise Trouble("outside", "expected a caller on this machine, since no key exists yet, got a request that "
                          f"names another page as its origin; {KEYS}.")  # fmt: skip
        if not _names_this_machine(given.get(b"host", b"").decode("latin-1")):
            raise Trouble("outside", "expected localhost or a loopback address as Host, since no key exists yet, got "
                          f"another name; {KEYS}.")  # fmt: skip
        return THIS_MACHINE


def _telling(send: Send, standing: Standing | None) -> Send:
    """What every answer says: that it is what it says it is; and to a caller with a limit, what is left of it."""
    more = {"X-Content-Type-Options": "nosniff", **({} if standing is None else standing.headers)}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in more.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


def _from_another_page(headers: Mapping[bytes, bytes]) -> bool:
    """Browsers that say nothing of the site of a request still say its origin, where it changes something."""
    origin = headers.get(b"origin")
    return origin is not None and origin.partition(b"://")[2] != headers.get(b"host", b"")


def _is_this_machine(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _names_this_machine(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name.lower() in ("localhost", "") or _is_this_machine(name.strip("[]"))
