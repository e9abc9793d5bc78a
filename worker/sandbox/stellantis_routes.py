"""Sandbox, Stellantis: the operations of the B2B Web API v3 that the catalogue uses.

Magic vehicle ids (the part before the first dash decides):

| vid | effect |
| --- | --- |
| `FORBIDDEN-` | 403, code 40300: no access to this car |
| `NODATA-`, `NOSTATUS-`, `NOVEHICLE-` | 404 on every read, code 40499, 40400, 40410 |
| `UNKNOWN-` | 404 without a code of the API (gateway body) |
| `BADID-` | 400, code 40000 |
| `CONSENT-` | 500, code 50000: only a new consent helps |
| `BROKEN-` | 500, code 50001 |
| `FAILED-`, `BUSY-` | a remote action ends Failed with GeneralError, SameActionInProgress |

Any other vid is a car of the fleet. A fleet id starting with `MISSING-` is a 404 without code. Remote actions are
remembered, so a list of them reconciles a lost answer. It promises the statuses of the API's file (remotes 202,
callbacks 200, monitors 202, deletions 204). Its scope ends at one request; no webhook is sent.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from worker.sandbox import stellantis_cars as cars
from worker.sandbox.http11 import Reply, json_reply
from worker.sandbox.reception import Route, Visit
from worker.sandbox.stellantis import BASE, Stellantis
from worker.sandbox.stellantis_errors import error_reply

HAL = "application/hal+json"
GEO = "application/vnd.geo+json"
CAR_ERRORS = {
    "FORBIDDEN": (403, 40300, "The user has no access to this car."),
    "NODATA": (404, 40499, "No data available for such context."),
    "NOSTATUS": (404, 40400, "Not Found: We didn't find the status for this vehicle."),
    "NOVEHICLE": (404, 40410, "No vehicle found."),
    "BADID": (400, 40000, "Invalid request: the vehicle id is malformed."),
    "CONSENT": (500, 50000, "CORVET Error"),
    "BROKEN": (500, 50001, "Internal server error."),
}
KINDS = {
    "preconditioning": "ThermalPreconditioning",
    "charging": "ElectricBatteryChargingRequest",
    "horn": "Horn",
    "door": "Doors",
    "lights": "Lights",
    "immobilization": "Immobilization",
    "stolen": "Stolen",
    "wakeUp": "WakeUp",
    "navigation": "Navigation",
}
FAILURES = {"FAILED": "GeneralError", "BUSY": "SameActionInProgress"}


class Garage:
    """What the API remembers between calls, and its handlers."""

    def __init__(self, api: Stellantis) -> None:
        self.api = api
        self.clear()
        for route in self._routes():
            api.add(route)

    def clear(self) -> None:
        """Forget what was asked for."""
        self.numbers = itertools.count(1)
        self.remotes: list[dict[str, Any]] = []
        self.created: dict[tuple[str, str], dict[str, Any]] = {}

    def _routes(self) -> list[Route]:
        fleet = f"{BASE}/fleets/{{fid}}"
        car = f"{fleet}/vehicles/{{vid}}"
        remotes = f"{car}/callbacks/{{cbid}}/remotes"
        rows = [
            ("GET", f"{BASE}/vehicles/{{vin}}", "get_vehicle_capabilities", self.capabilities),
            ("GET", f"{BASE}/fleets", "list_fleets", self.fleets),
            ("GET", fleet, "get_fleet", self.fleet),
            ("GET", f"{fleet}/vehicles", "list_vehicles", self.vehicles),
            ("GET", car, "get_vehicle", self._car(cars.vehicle)),
            ("GET", f"{car}/status", "get_vehicle_status", self._car(cars.status)),
            ("GET", f"{car}/maintenance", "get_vehicle_maintenance", self._car(cars.maintenance)),
            ("GET", f"{car}/lastPosition", "get_vehicle_last_position", self._car(cars.position, GEO)),
            ("GET", f"{car}/telemetry", "get_vehicle_telemetry", self._list("telemetries", cars.telemetry, 250, 2000)),
            ("GET", f"{car}/trips", "list_vehicle_trips", self._list("trips", cars.trip, 75, 60)),
            ("GET", f"{car}/trips/{{tid}}", "get_vehicle_trip", self.trip),
            ("POST", remotes, "send_remote", self.send_remote),
            ("GET", remotes, "list_remotes", self.list_remotes),
            ("GET", f"{remotes}/{{rid}}", "get_remote", self.get_remote),
        ]
        for name in ("alerts", "alarms", "stolen", "collisions"):
            key = "Collisions" if name == "collisions" else name
            rows.append(("GET", f"{car}/{name}", f"list_vehicle_{name}", self._list(key, cars.trip, 0, 60)))
        for kind, path, status in (("callback", "remote/callbacks", 200), ("monitor", "monitors", 202)):
            rows.append(("POST", f"{fleet}/{path}", f"create_{kind}", self._create(kind, status)))
            rows.append(("GET", f"{fleet}/{path}", f"list_{kind}s", self._kept(kind)))
            rows.append(("GET", f"{fleet}/{path}/{{kid}}", f"get_{kind}", self._one(kind, 200)))
            rows.append(("PUT", f"{fleet}/{path}/{{kid}}", f"update_{kind}", self._one(kind, 202)))
            rows.append(("PUT", f"{fleet}/{path}/{{kid}}/status", f"set_{kind}_status", self._one(kind, 202)))
            rows.append(("DELETE", f"{fleet}/{path}/{{kid}}", f"delete_{kind}", self._delete(kind)))
        return [
            Route(method, path, f"stellantis.b2b.{name}", handler, "calls", repeatable=method != "POST")
            for method, path, name, handler in rows
        ]

    # -- shapes ---------------------------------------------------------------------------------------------------

    def _root(self, visit: Visit) -> str:
        return visit.request.origin + BASE

    def _here(self, visit: Visit) -> str:
        return f"{self._root(visit)}/fleets/{visit.params['fid']}/vehicles/{visit.params['vid']}"

    def _down(self, visit: Visit, reply: Reply) -> Reply:
        visit.arrival.executed = "no"
        return reply

    def _invalid(self, visit: Visit, message: str) -> Reply:
        return self._down(visit, self.api.error(400, 40000, f"Invalid request: {message}"))

    def _absent(self, visit: Visit) -> Reply:
        return self._down(visit, error_reply("gateway", 404, 0, "Unknown id"))

    def trouble(self, visit: Visit) -> Reply | None:
        """What the magic ids in the path ask for."""
        if visit.params.get("fid", "").startswith("MISSING-"):
            return self._absent(visit)
        kind = visit.params.get("vid", "").partition("-")[0]
        if kind == "UNKNOWN":
            return self._absent(visit)
        error = CAR_ERRORS.get(kind)
        if error is None or (error[0] == 404 and visit.request.method != "GET"):
            return None
        visit.arrival.code = str(error[1])
        return self._down(visit, self.api.error(*error))

    def _car(self, body: Callable[[str, str], dict[str, Any]], kind: str = HAL) -> Callable[[Visit], Reply]:
        def handler(visit: Visit) -> Reply:
            return self.trouble(visit) or json_reply(200, body(self._here(visit), visit.params["vid"]), kind)

        return handler

    def _list(self, key: str, row: Callable[[str, str, int], Any], count: int, most: int) -> Callable[[Visit], Reply]:
        def handler(visit: Visit) -> Reply:
            here, vid = self._here(visit), visit.params["vid"]
            return self.trouble(visit) or self._page(visit, key, lambda number: row(here, vid, number), count, most)

        return handler

    def _page(self, visit: Visit, key: str, row: Callable[[int], Any], count: int, most: int = 60) -> Reply:
        """One page of a HAL collection; its next link carries only the opaque token, as observed."""
        query = visit.request.query
        size, token = query.get("pageSize"), query.get("pageToken")
        if size is not None and not (size.isdigit() and 1 <= int(size) <= most):
            return self._invalid(visit, f"pageSize is between 1 and {most}")
        try:
            start, per_page = _read_token(token) if token else (0, int(size or 60))
        except ValueError:
            return self._invalid(visit, "pageToken is not one of ours")
        url = visit.request.origin + visit.request.path
        made = cars.links(self=url, first=url)
        if start + per_page < count:
            kept = {name: value for name, value in query.items() if self.api.options.next_keeps_query}
            following = urlencode({**kept, "pageToken": _token(start + per_page, per_page)})
            made |= cars.links(next=f"{url}?{following}")
        body = {
            "_links": made,
            "total": count,
            "totalPage": max(1, -(-count // per_page)),
            "currentPage": start // per_page + 1,
            "_embedded": {key: [row(number) for number in range(start + 1, min(count, start + per_page) + 1)]},
        }
        return json_reply(200, body, HAL)

    # -- reads ----------------------------------------------------------------------------------------------------

    def fleets(self, visit: Visit) -> Reply:
        """All fleets of the subscription."""
        root = self._root(visit)
        return self._page(visit, "fleets", lambda number: cars.fleet(root, f"FLEET-{number}"), self.api.options.fleets)

    def fleet(self, visit: Visit) -> Reply:
        """One fleet."""
        return self.trouble(visit) or json_reply(200, cars.fleet(self._root(visit), visit.params["fid"]), HAL)

    def vehicles(self, visit: Visit) -> Reply:
        """The cars of a fleet."""
        cars_at = f"{self._root(visit)}/fleets/{visit.params['fid']}/vehicles"

        def row(number: int) -> dict[str, Any]:
            return cars.vehicle(f"{cars_at}/VEH-{number:05d}", f"VEH-{number:05d}")

        return self.trouble(visit) or self._page(visit, "vehicles", row, self.api.options.vehicles)

    def capabilities(self, visit: Visit) -> Reply:
        """What a car can do."""
        data = {"onboardCapabilities": {"data": ["data:telemetry", "data:position", "data:trip"]}}
        body = {"vin": visit.params["vin"], "createdAt": cars.CREATED, "_embedded": {"extension": data}}
        return json_reply(200, {**body, "motorization": "Electric"}, HAL)

    def trip(self, visit: Visit) -> Reply:
        """One trip."""
        digits = visit.params["tid"].removeprefix("TRIP-")
        if not digits.isdigit():
            return self._absent(visit)
        row = cars.trip(self._here(visit), visit.params["vid"], int(digits))
        return self.trouble(visit) or json_reply(200, row, HAL)

    # -- remote actions, callbacks, monitors ----------------------------------------------------------------------

    def send_remote(self, visit: Visit) -> Reply:
        """Ask a car to do one thing; carried out once per request, as the API has no idempotency key."""
        trouble = self.trouble(visit)
        if trouble:
            return trouble
        body = visit.request.json()
        asked = [name for name in KINDS if isinstance(body, dict) and name in body]
        if len(asked) != 1:
            return self._invalid(visit, "exactly one kind of remote action is expected")
        here = f"{self._here(visit)}/callbacks/{visit.params['cbid']}"
        rid = f"RA-{next(self.numbers):06d}"
        cause = FAILURES.get(visit.params["vid"].partition("-")[0])
        made = cars.links(self=f"{here}/remotes/{rid}", callback=here)
        action = {"remoteActionId": rid, "type": KINDS[asked[0]], "status": "Failed" if cause else "Success"}
        kept = {**action, "_links": made, "remote": body, **({"failureCause": cause} if cause else {})}
        self.remotes.append({"at": (visit.params["fid"], visit.params["vid"], visit.params["cbid"]), "action": kept})
        answer = {"remoteActionId": rid, "type": action["type"], "_links": cars.links(remote=f"{here}/remotes/{rid}")}
        return json_reply(202, answer, HAL)

    def _actions(self, visit: Visit) -> list[dict[str, Any]]:
        at = (visit.params["fid"], visit.params["vid"], visit.params["cbid"])
        return [remote["action"] for remote in self.remotes if remote["at"] == at]

    def list_remotes(self, visit: Visit) -> Reply:
        """The actions asked of this car under this callback: the read that reconciles a lost answer."""
        actions = self._actions(visit)
        page = self.trouble(visit)
        return page or self._page(visit, "remoteActions", lambda number: actions[number - 1], len(actions))

    def get_remote(self, visit: Visit) -> Reply:
        """One action."""
        found = [one for one in self._actions(visit) if one["remoteActionId"] == visit.params["rid"]]
        return self.trouble(visit) or (json_reply(200, found[0], HAL) if found else self._absent(visit))

    def _create(self, kind: str, status: int) -> Callable[[Visit], Reply]:
        def handler(visit: Visit) -> Reply:
            body = visit.request.json()
            if not isinstance(body, dict):
                return self._invalid(visit, "the body is not a JSON object")
            kid = f"{'CB' if kind == 'callback' else 'MON'}-{next(self.numbers):06d}"
            here = f"{visit.request.origin}{visit.request.path}/{kid}"
            times = {"status": "Running", "createdAt": cars.CREATED, "updatedAt": cars.UPDATED}
            kept = {"id": kid, "_links": cars.links(self=here), **times}
            self.created[kind, kid] = {**kept, **({"subscribe": body} if kind == "callback" else body)}
            return json_reply(status, {f"{kind}Id": kid, "_links": cars.links(**{kind: here}), **times}, HAL)

        return handler

    def _kept(self, kind: str) -> Callable[[Visit], Reply]:
        def handler(visit: Visit) -> Reply:
            rows = [row for (of, _), row in self.created.items() if of == kind]
            return self._page(visit, f"{kind}s", lambda number: rows[number - 1], len(rows))

        return handler

    def _one(self, kind: str, status: int) -> Callable[[Visit], Reply]:
        def handler(visit: Visit) -> Reply:
            row = self.created.get((kind, visit.params["kid"]))
            return json_reply(status, row, HAL) if row else self._absent(visit)

        return handler

    def _delete(self, kind: str) -> Callable[[Visit], Reply]:
        def handler(visit: Visit) -> Reply:
            row = self.created.pop((kind, visit.params["kid"]), None)
            return Reply(204) if row else self._absent(visit)

        return handler


def _token(start: int, size: int) -> str:
    return base64.urlsafe_b64encode(f"{start}:{size}".encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, int]:
    padded = token + "=" * (-len(token) % 4)
    start, _, size = base64.urlsafe_b64decode(padded).decode().partition(":")
    if int(size) < 1:
        raise ValueError("a page has at least one row")
    return int(start), int(size)
