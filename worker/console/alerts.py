"""Console: alerts: what somebody was told, who knows of it, what is over, and saying so.

Promise: an alert is shown as it was told, with the same title and advice; whoever says that they know, or that it is
over, says why. Scope: the pages; `observe/standing.py` keeps the words.
"""

from __future__ import annotations

from itertools import islice
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from worker.console.acting import person_of
from worker.console.rendering import parts_of, render
from worker.errors import Refused
from worker.observe.standing import StandingAlert

SHOWN = 100
LONGEST_KEY = 400
PILES = ("standing", "history")
TOLD = ("kind", "advice", "explanation", "message", "problem", "job", "account", "operation", "class", "code", "api")
"""Facts that the page says in its own place."""


def alerts(request: Request) -> Response:
    """Those that stand, or all; last changed first."""
    parts, given = parts_of(request), request.query_params
    pile, account = given.get("pile", PILES[0]), given.get("account", "").strip()[:120]
    if pile not in PILES:
        raise Refused(f"pile: expected one of {', '.join(PILES)}, got {pile[:40]!r}.")
    found = list(islice(parts.alerts.find(resolved=pile == "history", account=account or None), SHOWN + 1))
    return render(
        request,
        "alerts.html",
        alerts=found[:SHOWN],
        more=len(found) > SHOWN,
        pile=pile,
        piles=PILES,
        account=account,
        accounts=sorted({*parts.accounts, account} - {""}),
        address_of=address_of,
        live="offer",
        on="alerts",
    )


def alert(request: Request) -> Response:
    """One alert."""
    parts = parts_of(request)
    found = parts.alerts.read(request.query_params.get("key", "")[:LONGEST_KEY])
    facts = {name: value for name, value in found.facts.items() if name not in TOLD and value not in (None, "")}
    return render(
        request,
        "alert.html",
        alert=found,
        told=found.as_dict(),
        facts=facts,
        did=request.query_params.get("did", ""),
    )


def acknowledge(request: Request) -> Response:
    """Somebody knows of it: it is not told again until it was over."""
    key = request.state.form.get("key", "")[:LONGEST_KEY]
    parts_of(request).alerts.acknowledge(key, *person_of(request))
    return RedirectResponse(f"/alerts/one?key={quote(key, safe='')}&did=acknowledge", 303)


def resolve(request: Request) -> Response:
    """Somebody says that it is over; what still happens opens it again."""
    key = request.state.form.get("key", "")[:LONGEST_KEY]
    parts_of(request).alerts.resolve(key, *person_of(request))
    return RedirectResponse(f"/alerts/one?key={quote(key, safe='')}&did=resolve", 303)


def address_of(alert: StandingAlert) -> str:
    """Where an alert is shown."""
    return f"/alerts/one?key={quote(alert.key, safe='')}"
