"""Console: filters that are kept under a name, for everybody who looks.

Promise: a view is an address of a list and nothing more, so it can be opened, sent and forgotten without harm; there
are at most `MOST`, and who keeps or drops one stands in the audit. Scope: keeping names; what a filter means says
`query.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.console.parts import Parts
from worker.console.rendering import parts_of
from worker.errors import Conflict, NotFound, Refused

LISTS = ("/dead-letters", "/problems", "/jobs", "/alerts")
MOST, LONGEST_NAME, LONGEST_FILTER = 50, 60, 600
PASSING = ("before", "after", "did")
"""Where one is in a list is no part of a view."""


@dataclass(frozen=True, slots=True)
class View:
    name: str
    address: str
    by: str


def views_of(parts: Parts, path: str) -> list[View]:
    """The kept filters of a list, by name."""
    found = parts.partition.one("hgetall", parts.partition.key("views"))
    views = [view for name, text in found.items() if (view := _view(name, text)) is not None]
    return sorted((one for one in views if urlsplit(one.address).path == path), key=lambda one: one.name.lower())


def keep(request: Request) -> Response:
    """Keeps the filter of a list under a name; an old one of that name is replaced."""
    parts, form = parts_of(request), request.state.form
    name, address = _name(form.get("name", "")), _address(form.get("address", ""))
    key, by = parts.partition.key("views"), request.state.visitor.name
    known, there = parts.partition.ask(("hlen", key), ("hexists", key, name))
    if known >= MOST and not there:
        raise Conflict(f"{MOST} views are kept already; drop one first.")
    parts.partition.one("hset", key, name, json.dumps({"address": address, "by": by}))
    parts.partition.audit("view kept", by, name, scope=address)
    return RedirectResponse(address, 303)


def drop(request: Request) -> Response:
    """Forgets a view, not what it shows."""
    parts, form = parts_of(request), request.state.form
    name, address = form.get("name", "")[:LONGEST_NAME], _address(form.get("address", ""))
    if not parts.partition.one("hdel", parts.partition.key("views"), name):
        raise NotFound("no such view is kept any more.")
    parts.partition.audit("view dropped", request.state.visitor.name, name)
    return RedirectResponse(address, 303)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Refused(f"name: expected 1 to {LONGEST_NAME} printable characters, got {len(name)}.")
    return name


def _address(text: str) -> str:
    """The address of one of our lists, made anew from its parts. Raises `Refused`."""
    parts = urlsplit(text[: 2 * LONGEST_FILTER])
    words = {name: value for name, value in parse_qsl(parts.query) if name not in PASSING}
    address = f"{parts.path}?{urlencode(words)}" if words else parts.path
    if parts.scheme or parts.netloc or parts.path not in LISTS or len(address) > LONGEST_FILTER:
        raise Refused("address: expected that of a list of this console, got another.")
    return address


def _view(name: str, text: str) -> View | None:
    """What another version wrote is left out."""
    try:
        said = json.loads(text)
        return View(name, _address(said["address"]), str(said.get("by", "")))
    except (ValueError, KeyError, TypeError, AttributeError, Refused):
        return None
