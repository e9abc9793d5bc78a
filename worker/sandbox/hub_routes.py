"""Sandbox, hub: its operations.

Magic ids (the part of an id before its first dash decides; a number may follow):

| id | effect |
| --- | --- |
| token_uid `BLOCKED-`, `NOT_ALLOWED-`, `UNKNOWN-`, `EXPIRED-`, `NO_CREDIT-` | authorization of that value |
| any other token_uid | ALLOWED |
| token_uid `MISSING-` | not found (2003) |
| token_uid `FLAKY-` | UNKNOWN the first time for each uid, ALLOWED after that |
| target `REJECTED-`, `NOT_SUPPORTED-`, `UNKNOWN_SESSION-` | command response of that value, no result |
| target `DROP-`, `REPEAT-` | the command's result is never posted, is posted twice |
| target `FAILED-`, `EVSE_OCCUPIED-` | the command's result has that value |
| target `CANCELED-` | ACCEPTED is followed by CANCELED_RESERVATION |
| location id `MISSING-`, or none of `LOC-0001` … | not found (2003) |

The target of a command is its location_id, else its session_id, else its reservation_id.

It promises only what was documented: PUT for authorize, no UNLOCK_CONNECTOR, no GET of sessions or CDRs. A session or
CDR without `cdr_token` is accepted and never delivered, as the page says. Its scope ends at one request.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from worker.sandbox.http11 import Reply
from worker.sandbox.hub import AUTHORIZE, BASE, Hub, envelope, now_text, turned_down
from worker.sandbox.hub_locations import location, number_of, tariff
from worker.sandbox.reception import Route, Visit

ALLOWED = ("BLOCKED", "NOT_ALLOWED", "UNKNOWN", "EXPIRED", "NO_CREDIT")
RESPONSES = ("REJECTED", "NOT_SUPPORTED", "UNKNOWN_SESSION")
RESULTS = {"FAILED": "FAILED", "EVSE_OCCUPIED": "EVSE_OCCUPIED"}
COMMANDS = {
    "START_SESSION": ("token", "location_id"),
    "STOP_SESSION": ("session_id",),
    "RESERVE_NOW": ("token", "expiry_date", "reservation_id", "location_id"),
    "CANCEL_RESERVATION": ("reservation_id",),
}
TARIFFS = 12
Post = Callable[[str, dict[str, Any], str, float], None]


def magic(identifier: str) -> str:
    """The part of an id before its first dash."""
    return identifier.partition("-")[0]


class Desk:
    """What the hub remembers between calls, and its handlers."""

    def __init__(self, hub: Hub, post: Post) -> None:
        self.hub = hub
        self.post = post
        self.clear()
        for route in self._routes():
            hub.add(route)

    def clear(self) -> None:
        """Forget what was stored."""
        self.sessions: dict[str, Any] = {}
        self.cdrs: dict[str, Any] = {}
        self.commands: list[dict[str, Any]] = []
        self.seen: set[str] = set()

    def _routes(self) -> list[Route]:
        ours = "{cc}/{pid}"
        routes = [
            Route("GET", "/ocpi/versions", "hub.get_versions", self.versions),
            Route("GET", BASE, "hub.get_endpoints", self.endpoints),
            Route("GET", f"{BASE}/credentials", "hub.get_credentials", self.credentials),
            Route("POST", f"{BASE}/credentials", "hub.post_credentials", self.credentials, repeatable=False),
            Route("PUT", f"{BASE}/credentials", "hub.put_credentials", self.credentials, repeatable=False),
            Route("GET", f"{BASE}/hubclientinfo", "hub.list_client_info", self.clients),
            Route("GET", f"{BASE}/hubclientinfo/{ours}", "hub.get_client_info", self.client),
            Route("PUT", f"{BASE}/tokens/{ours}/{{uid}}/authorize", AUTHORIZE, self.authorize, "tokens", role="EMSP"),
            Route("GET", f"{BASE}/locations", "hub.list_locations", self.locations, "locations", role="EMSP"),
            Route("GET", f"{BASE}/locations/{ours}/{{id}}", "hub.get_location", self.location),
            Route("GET", f"{BASE}/tariffs", "hub.list_tariffs", self.tariffs, role="EMSP"),
            Route("GET", f"{BASE}/tariffs/{ours}/{{id}}", "hub.get_tariff", self.tariff, role="EMSP"),
            Route(
                "PUT", f"{BASE}/sessions/{ours}/{{id}}", "hub.put_session", self.session, role="CPO", path_names_us=True
            ),
            Route("POST", f"{BASE}/cdrs", "hub.post_cdr", self.cdr, repeatable=False, role="CPO"),
            Route("POST", f"{BASE}/commands/callback/{{id}}", "hub.command_callback", self.callback),
        ]
        for command in COMMANDS:
            path = f"{BASE}/commands/{command}"
            name = f"hub.{command.lower()}"
            routes.append(Route("POST", path, name, self.command, "commands", repeatable=False, role="EMSP"))
        for kind, depths in (("locations", 3), ("tariffs", 1)):
            for depth in range(1, depths + 1):
                path = f"{BASE}/{kind}/{ours}/" + "/".join(f"{{id{n}}}" for n in range(depth))
                for method in ("PUT", "PATCH") if kind == "locations" else ("PUT",):
                    operation = f"hub.{method.lower()}_{kind[:-1]}"
                    routes.append(Route(method, path, operation, self.stored, role="CPO", path_names_us=True))
        return routes

    # -- configuration module -------------------------------------------------------------------------------------

    def _root(self, visit: Visit) -> str:
        return visit.request.origin

    def versions(self, visit: Visit) -> Reply:
        """The one version there is."""
        return envelope([{"version": "2.2.1", "url": self._root(visit) + BASE}])

    def endpoints(self, visit: Visit) -> Reply:
        """Modules of this version."""
        names = ("credentials", "hubclientinfo", "tokens", "commands", "locations", "tariffs", "sessions", "cdrs")
        root = self._root(visit) + BASE
        rows = [{"identifier": name, "role": "RECEIVER", "url": f"{root}/{name}"} for name in names]
        return envelope({"version": "2.2.1", "endpoints": rows})

    def credentials(self, visit: Visit) -> Reply:
        """Read, register or rotate: a token that is sent is accepted from now on, beside the old one."""
        account = visit.identity.account or ""
        body = visit.request.json()
        token = visit.request.headers["authorization"].removeprefix("Token ")
        if visit.request.method != "GET":
            if not isinstance(body, dict) or not body.get("token"):
                return turned_down(visit, envelope(None, 2001, "token is missing"))
            token = body["token"]
            self.hub.accept(account, {*self.hub.accepted[account], token})
        role = {"role": "HUB", "country_code": "IN", "party_id": "CIH", "business_details": {"name": "Sandbox hub"}}
        return envelope({"token": token, "url": self._root(visit) + BASE, "roles": [role]})

    def _client(self, account: str) -> dict[str, Any]:
        party = self.hub.parties[account]
        status = "SUSPENDED" if account in self.hub.suspended else "CONNECTED"
        row = {"party_id": party.party_id, "country_code": party.country_code, "role": party.role, "status": status}
        return {**row, "last_updated": now_text()}

    def clients(self, visit: Visit) -> Reply:
        """All parties and whether they are connected."""
        return envelope([self._client(account) for account in self.hub.parties])

    def client(self, visit: Visit) -> Reply:
        """One party."""
        account = f"hub:{visit.params['cc']}-{visit.params['pid']}"
        return envelope(self._client(account)) if account in self.hub.parties else self.hub.not_found(visit, "party")

    # -- functional modules ---------------------------------------------------------------------------------------

    def authorize(self, visit: Visit) -> Reply:
        """Real-time authorization, forwarded to a CPO that always answers."""
        uid = visit.params["uid"]
        kind = magic(uid)
        if kind == "MISSING":
            return self.hub.not_found(visit, "token")
        allowed = kind if kind in ALLOWED else "ALLOWED"
        if kind == "FLAKY" and uid not in self.seen:
            self.seen.add(uid)
            allowed = "UNKNOWN"
        data: dict[str, Any] = {"allowed": allowed}
        if allowed == "ALLOWED":
            data["authorization_reference"] = uuid.uuid4().hex
            data["location"] = visit.request.json()
        return envelope(data)

    def command(self, visit: Visit) -> Reply:
        """Answer at once, post the result later."""
        name = visit.request.path.rpartition("/")[2]
        body = visit.request.json()
        if not isinstance(body, dict):
            return turned_down(visit, envelope(None, 2001, "the body is not a JSON object"))
        missing = [key for key in ("response_url", *COMMANDS[name]) if not body.get(key)]
        if missing:
            return turned_down(visit, envelope(None, 2001, f"missing parameter: {', '.join(missing)}"))
        kind = magic(str(body.get("location_id") or body.get("session_id") or body.get("reservation_id")))
        result = kind if kind in RESPONSES else "ACCEPTED"
        self.commands.append({"command": name, "account": visit.identity.account, "result": result, "body": body})
        if result == "ACCEPTED":
            self._results(body["response_url"], kind, visit.arrival.job)
        data = {"result": result, "timeout": self.hub.options.command_timeout_s}
        return envelope([data] if self.hub.options.command_data == "list" else data)

    def _results(self, url: str, kind: str, job: str) -> None:
        options = self.hub.options
        result = {"result": RESULTS.get(kind, options.result), "message": [{"language": "en", "text": "sandbox"}]}
        times = {"DROP": 0, "REPEAT": 2}.get(kind, options.result_repeats)
        for turn in range(times):
            self.post(url, result, job, options.result_delay_s * (turn + 1))
        if kind == "CANCELED":
            self.post(url, {**result, "result": "CANCELED_RESERVATION"}, job, options.result_delay_s * 2 + 0.05)

    def locations(self, visit: Visit) -> Reply:
        """A page of locations; nothing where no routing rule exists."""
        since = visit.request.query.get("date_from", "")
        count = self.hub.options.locations if self.hub.options.routing else 0
        return self._page(visit, [row for row in map(location, range(1, count + 1)) if row["last_updated"] >= since])

    def location(self, visit: Visit) -> Reply:
        """One location."""
        number = number_of(visit.params["id"], "LOC-", self.hub.options.locations)
        return envelope(location(number)) if number else self.hub.not_found(visit, "location")

    def tariffs(self, visit: Visit) -> Reply:
        """A page of tariffs."""
        return self._page(visit, [tariff(number) for number in range(1, TARIFFS + 1)])

    def tariff(self, visit: Visit) -> Reply:
        """One tariff."""
        number = number_of(visit.params["id"], "TARIFF-", TARIFFS)
        return envelope(tariff(number)) if number else self.hub.not_found(visit, "tariff")

    def _page(self, visit: Visit, rows: list[dict[str, Any]]) -> Reply:
        query = visit.request.query
        wanted = query.get("limit", str(self.hub.options.page_size))
        first = query.get("offset", "0")
        if not (first.isdigit() and wanted.isdigit() and int(wanted) > 0):
            return turned_down(visit, envelope(None, 2001, "offset and limit are whole numbers"))
        start, size = int(first), min(int(wanted), self.hub.options.page_size)
        reply = envelope(rows[start : start + size])
        reply.headers += [("X-Total-Count", str(len(rows))), ("X-Limit", str(self.hub.options.page_size))]
        if start + size < len(rows):
            following = urlencode({**query, "offset": start + size, "limit": size})
            reply.headers.append(("Link", f'<{self._root(visit)}{visit.request.path}?{following}>; rel="next"'))
        return reply

    # -- pushes from charge point operators -----------------------------------------------------------------------

    def _object(self, visit: Visit) -> dict[str, Any] | None:
        body = visit.request.json()
        return body if isinstance(body, dict) else None

    def session(self, visit: Visit) -> Reply:
        """Store a session; it is handed on to the eMSP only if it names one."""
        body = self._object(visit)
        if body is None:
            return turned_down(visit, envelope(None, 2001, "the body is not a JSON object"))
        self.sessions[visit.params["id"]] = {**body, "delivered": bool(body.get("cdr_token"))}
        return envelope(None)

    def cdr(self, visit: Visit) -> Reply:
        """Store a CDR, once and for all."""
        body = self._object(visit)
        if body is None or not body.get("id"):
            return turned_down(visit, envelope(None, 2001, "a CDR needs an id"))
        self.cdrs[str(body["id"])] = {**body, "delivered": bool(body.get("cdr_token"))}
        reply = envelope(None)
        reply.headers.append(("Location", f"{self._root(visit)}{BASE}/cdrs/{body['id']}"))
        return reply

    def stored(self, visit: Visit) -> Reply:
        """Store an object nobody reads back."""
        if self._object(visit) is None:
            return turned_down(visit, envelope(None, 2001, "the body is not a JSON object"))
        return envelope(None)

    def callback(self, visit: Visit) -> Reply:
        """A CPO reports a command's result."""
        return envelope(None)
