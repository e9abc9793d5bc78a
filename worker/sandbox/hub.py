"""Sandbox, hub: OCPI 2.2.1 as the charging hub speaks it: tokens, envelope, refusals, roles.

Every reply but the bare ones is `{status_code, status_message, timestamp, data}`; HTTP 200 is no promise of success.
Where the hub's page names two shapes for one event, or none, HubOptions chooses. It promises the page's words for role
errors. Its scope ends at what all operations share; the operations are in hub_routes.py.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from worker.sandbox.http11 import Reply, Request, json_reply
from worker.sandbox.options import HubOptions, Party
from worker.sandbox.reception import Identity, Route, Routes, Visit, retry_after

BASE = "/ocpi/2.2.1"
AUTHORIZE = "hub.authorize_token"
STRANGER = Identity(None, False)


def now_text() -> str:
    """UTC now as OCPI writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def envelope(data: Any = None, code: int = 1000, message: str = "Success", status: int = 200) -> Reply:
    """A reply in the OCPI envelope; errors carry no data."""
    body: dict[str, Any] = {"status_code": code, "status_message": message, "timestamp": now_text()}
    if code == 1000:
        body["data"] = data
    return json_reply(status, body)


def turned_down(visit: Visit, reply: Reply) -> Reply:
    """Mark the call as not carried out."""
    visit.arrival.executed = "no"
    return reply


class Hub:
    """The hub's front desk."""

    name = "hub"

    def __init__(self, options: HubOptions, parties: tuple[Party, ...]) -> None:
        self.options = options
        self.parties = {party.account: party for party in parties}
        self.accepted: dict[str, set[str]] = {}
        self.former: dict[str, str] = {}
        self.suspended: set[str] = set()
        self.routes = Routes()
        self._known: dict[str, Identity] = {}
        for party in parties:
            self.accept(party.account, {token for token in (party.token, party.next_token) if token})

    def add(self, route: Route) -> None:
        """Offer one operation."""
        self.routes.add(route)

    def accept(self, account: str, tokens: set[str]) -> None:
        """From now on exactly these tokens open the account's doors; earlier ones are remembered as revoked."""
        party = self.parties[account]
        for token in self.accepted.get(account, set()) - tokens:
            self.former[self._header(party, token)] = account
        self.accepted[account] = tokens
        self._known = {
            self._header(self.parties[name], token): Identity(
                name,
                True,
                self.parties[name].role,
                (self.parties[name].country_code.upper(), self.parties[name].party_id.upper()),
            )
            for name, accepted in self.accepted.items()
            for token in accepted
        }

    @staticmethod
    def _header(party: Party, token: str) -> str:
        raw = party.token_encoding == "raw"
        return "Token " + (token if raw else base64.b64encode(token.encode()).decode())

    def find(self, request: Request) -> tuple[Route | None, dict[str, str]]:
        """The operation of this call."""
        return self.routes.find(request.method, request.path)

    def identify(self, request: Request) -> Identity:
        """Whose token is it? A revoked token still names its account for the log."""
        if request.path.startswith(BASE + "/commands/callback/"):
            return Identity(None, True)  # documented as the one call without a token
        header = request.headers.get("authorization", "")
        known = self._known.get(header)
        if known is None:
            former = self.former.get(header)
            return Identity(former, False) if former else STRANGER
        return known if known.account not in self.suspended else Identity(known.account, False)

    def unauthorized(self, visit: Visit) -> Reply:
        """Missing, unknown or revoked token, or a suspended party."""
        if self.options.unauthorized == "401-bare":
            return Reply(401, b"Unauthorized", "text/plain")
        suspended = visit.identity.account in self.suspended
        message = "Unauthorized: party is suspended" if suspended else "Unauthorized: invalid token"
        return envelope(None, 2002, message, int(self.options.unauthorized))

    def refuse(self, visit: Visit) -> Reply:
        """A limit is reached: HTTP 429, or 200 with 2004 inside."""
        shape = self.options.refusal
        if shape == "429-bare":
            reply = Reply(429, b"Too Many Requests", "text/plain")
        else:
            reply = envelope(None, 2004, "Rate limit exceeded", int(shape))
        value = retry_after(self.options.retry_after, visit.verdict.wait_ns, _http_date)
        if value is not None:
            reply.headers.append(("Retry-After", value))
        return reply

    def wrong_path(self, visit: Visit) -> Reply:
        """No such endpoint: a 404 that no OCPI layer has seen."""
        return Reply(404, b"<html><body>404 page not found</body></html>", "text/html")

    def not_found(self, visit: Visit, what: str) -> Reply:
        """The endpoint exists, the object does not."""
        shape = self.options.not_found
        message = f"{what} does not exist"
        if shape == "404-bare":
            return turned_down(visit, Reply(404, b"not found", "text/plain"))
        code = 2004 if shape == "404-2004" else 2003
        return turned_down(visit, envelope(None, code, message, 200 if shape == "200" else 404))

    def forbid(self, visit: Visit) -> Reply | None:
        """Role enforcement, in the words of the hub's page."""
        route, identity = visit.route, visit.identity
        if route is None:
            return None
        message = ""
        if route.role and identity.role != route.role:
            ours, theirs = _spoken(route.role), _spoken(identity.role)
            message = f"{ours}-only endpoint called by {theirs}"
        elif self._names_us(route) and identity.owner != tuple(visit.params[name].upper() for name in ("cc", "pid")):
            message = "Party mismatch: URL path {country_code}/{party_id} does not match authenticated party"
        return envelope(None, self.options.role_code, message, self.options.role_status) if message else None

    def _names_us(self, route: Route) -> bool:
        authorize = route.operation == AUTHORIZE and self.options.authorize_path_names_us
        return route.path_names_us or authorize

    def finish(self, visit: Visit, reply: Reply) -> None:
        """Both ids travel back; the request id is made up where it was missing."""
        arrival = visit.arrival
        reply.headers.append(("X-Request-ID", arrival.request_id or f"hub-{arrival.at_ns}"))
        reply.headers.append(("X-Correlation-ID", arrival.job or f"hub-{arrival.at_ns}"))


def _spoken(role: str) -> str:
    return "eMSP" if role == "EMSP" else role


def _http_date(at: float) -> str:
    return formatdate(at, usegmt=True)
