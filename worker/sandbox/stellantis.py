"""Sandbox, Stellantis: the B2B Web API v3 as its gateway speaks it: Basic auth and client_id, rate headers, refusals.

Every answer to a known subscription tells both windows in `X-RateLimit-*`; a refused one says when to come back. It
promises the documented names and meanings (`-1` day, `-2` burst); StellantisOptions chooses what was only observed.
Its scope ends at what all operations share; the operations are in stellantis_routes.py.
"""

from __future__ import annotations

import base64
from email.utils import formatdate

from worker.sandbox.http11 import Reply, Request
from worker.sandbox.options import StellantisOptions, Subscription
from worker.sandbox.reception import Identity, Route, Routes, Visit, retry_after
from worker.sandbox.stellantis_errors import error_reply

BASE = "/connectedcar/v3"


class Stellantis:
    """The gateway in front of the Web API."""

    name = "stellantis"

    def __init__(self, options: StellantisOptions, subscriptions: tuple[Subscription, ...]) -> None:
        self.options = options
        self.subscriptions = {subscription.account: subscription for subscription in subscriptions}
        self.accepted: dict[str, set[str]] = {}
        self.former: dict[tuple[str, str], str] = {}
        self.suspended: set[str] = set()
        self.routes = Routes()
        self._known: dict[tuple[str, str], Identity] = {}
        for subscription in subscriptions:
            self.accept(subscription.account, {subscription.password})

    def add(self, route: Route) -> None:
        """Offer one operation."""
        self.routes.add(route)

    def accept(self, account: str, passwords: set[str]) -> None:
        """From now on exactly these passwords open the account's doors; earlier ones are remembered as revoked."""
        for password in self.accepted.get(account, set()) - passwords:
            self.former[self._key(account, password)] = account
        self.accepted[account] = passwords
        self._known = {
            self._key(name, password): Identity(name, True)
            for name, accepted in self.accepted.items()
            for password in accepted
        }

    def _key(self, account: str, password: str) -> tuple[str, str]:
        subscription = self.subscriptions[account]
        pair = f"{subscription.username}:{password}".encode()
        return "Basic " + base64.b64encode(pair).decode(), subscription.client_id

    def find(self, request: Request) -> tuple[Route | None, dict[str, str]]:
        """The operation of this call."""
        path = request.path
        if self.options.root_paths and not path.startswith(BASE):
            path = BASE + path
        return self.routes.find(request.method, path)

    def identify(self, request: Request) -> Identity:
        """Whose credential is it? A revoked password still names its account for the log."""
        key = (request.headers.get("authorization", ""), request.query.get("client_id", ""))
        known = self._known.get(key)
        if known is None:
            return Identity(self.former.get(key), False)
        return known if known.account not in self.suspended else Identity(known.account, False)

    def error(self, status: int, code: int, message: str) -> Reply:
        """An error of the API itself, in the chosen shape."""
        return error_reply(self.options.error_shape, status, code, message)

    def unauthorized(self, visit: Visit) -> Reply:
        """Basic credentials or client_id are missing or wrong."""
        return error_reply(self.options.unauthorized, 401, 40100, "Invalid client id or credentials.")

    def wrong_path(self, visit: Visit) -> Reply:
        """No such resource: the gateway answers, without a code of the API."""
        return error_reply("gateway", 404, 40400, "No resources match requested URI")

    def refuse(self, visit: Visit) -> Reply:
        """A limit is reached."""
        reply = self.error(429, 42900, "Too Many Requests")
        value = retry_after(self.options.retry_after, visit.verdict.wait_ns, _http_date)
        if value is not None:
            reply.headers += [("X-RateLimit-Reset", value), ("Retry-After", value)]
        return reply

    def forbid(self, visit: Visit) -> Reply | None:
        """Nobody is turned away by role here; cars are, by their ids, in the handlers."""
        return None

    def finish(self, visit: Visit, reply: Reply) -> None:
        """Tell the windows, and the ids that support asks for."""
        reply.headers.append(("X-Global-Transaction-ID", f"{visit.arrival.at_ns:x}"))
        for name in ("x-request-id", "x-correlation-id"):
            if name in visit.request.headers:
                reply.headers.append((name.title().replace("-Id", "-ID"), visit.request.headers[name]))
        if self.options.headers == "none":
            return
        lies = self.options.remaining_nonzero and bool(visit.verdict.refused)
        figures = visit.verdict.figures
        if self.options.headers == "plain":  # one family without suffix: the window with the fewest calls left
            figures = tuple(("", limit, remaining) for _, limit, remaining in sorted(figures, key=lambda f: f[2])[:1])
        for suffix, limit, remaining in figures:
            tail = f"-{suffix}" if suffix else ""
            shown = max(remaining, limit // 2) if lies else remaining
            reply.headers += [(f"X-RateLimit-Limit{tail}", str(limit)), (f"X-RateLimit-Remaining{tail}", str(shown))]


def _http_date(at: float) -> str:
    return formatdate(at, usegmt=True)
