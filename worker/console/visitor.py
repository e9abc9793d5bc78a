"""Console: who is looking, and what they may do.

Promise: where no key exists only this machine is let in, and a proxy on it does not count as this machine: a request
that was forwarded, or that names another host, is refused (a web page elsewhere could otherwise reach the console by
pointing its own name here). Where keys exist everybody signs in with one. The cookie is no key: it says until when it
holds, proved with the key's digest; so it opens nothing but these pages and ends with its key, in every process,
without being kept anywhere. Whoever signs out ends their visit in every process too, whoever else has its cookie.
`whoever_asks` decides for pages and streams alike. Scope: deciding; answers are in `guard.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from worker.accept.intake.callers import Caller, Callers, digest_of
from worker.accept.intake.ended_visits import name_of

COOKIE = "paceline_console"
HOLDS_S = 12 * 3600
LONGEST_KEY = 200
VISIT_LENGTH = 16
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was let in. `name` stands in the audit; `signed_in` when by a key."""

    name: str
    may_look: bool
    may_change: bool
    signed_in: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """What a cookie proves: whose visit it is, what it is called, and when it lapses."""

    caller: Caller
    name: str
    until_s: int


def neighbour(request: HTTPConnection) -> Visitor | None:
    """Somebody on this machine, come without a detour."""
    peer = request.client.host if request.client else ""
    here = _is_loopback(peer) and not any(name in request.headers for name in FORWARDED)
    asked = request.headers.get("host", "").lower()
    name, _, port = asked.rpartition(":")
    host = name if port.isdecimal() else asked
    ours = here and (host == "localhost" or _is_loopback(host.strip("[]")))
    return Visitor(f"console@{peer}", True, True, False) if ours else None


def whoever_asks(request: HTTPConnection, callers: Callers) -> Visitor | None:
    """Whoever it is, as far as they are let in; the keys must be known. Without any key a cookie says nothing."""
    return neighbour(request) if callers.none else returning(callers, request.cookies.get(COOKIE, ""))


def holder(callers: Callers, key: str) -> Visitor | None:
    """Whoever has this key."""
    caller = callers.find(key) if 0 < len(key) <= LONGEST_KEY else None
    return _visitor(caller) if caller else None


def returning(callers: Callers, cookie: str) -> Visitor | None:
    """Whoever signed in before and not out, while their key still is one."""
    visit = _visit(callers, cookie)
    return _visitor(visit.caller) if visit and visit.name not in callers.ended else None


def end_visit(callers: Callers, cookie: str) -> bool:
    """Ends the visit of this cookie, here at once; asks the store. Whether every other process will know."""
    visit = _visit(callers, cookie)
    return visit is None or callers.ended.end(visit.name, visit.until_s)


def cookie_for(key: str) -> str:
    """What proves for a time that its bearer had this key."""
    until = str(int(time.time()) + HOLDS_S)
    # A visit's own number: signing out of one must not end another that began in the same second.
    return f"{until}.{_proof(digest_of(key), until, secrets.token_hex(VISIT_LENGTH // 2))}"


def _visit(callers: Callers, cookie: str) -> Visit | None:
    until, _, proof = cookie.partition(".")
    if not until.isascii() or not until.isdigit() or len(until) > 12 or int(until) < time.time():
        return None
    number = proof[:VISIT_LENGTH]
    caller = callers.holder(lambda digest: hmac.compare_digest(_proof(digest, until, number).encode(), proof.encode()))
    return Visit(caller, name_of(caller.key, number), int(until)) if caller else None


def _proof(digest: str, until: str, visit: str) -> str:
    return visit + hmac.new(bytes.fromhex(digest), f"console {until} {visit}".encode(), hashlib.sha256).hexdigest()


def _visitor(caller: Caller) -> Visitor:
    return Visitor(caller.name or "", caller.may("view", "operate"), caller.may("operate"), True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
