"""Demo: the calls that are asked for. All go through the one way in, checked like anybody's.

Promise: parameters and bodies are the catalogue's own examples with other ids; calls that must not be sent twice differ
from each other, so that the other side could tell. Scope: what is asked for; when is the story's business.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from worker.accept.enqueue import Wanted
from worker.accept.operation import operations
from worker.demo.scenery import CPO, EMSP, FLEET, OTHER_FLEET

STATUS = "stellantis.b2b.get_vehicle_status"
TELEMETRY = "stellantis.b2b.get_vehicle_telemetry"
TRIPS = "stellantis.b2b.list_vehicle_trips"
VEHICLES = "stellantis.b2b.list_vehicles"
REMOTE = "stellantis.b2b.send_remote"
AUTHORIZE, START = "hub.authorize_token", "hub.start_session"


def call(name: str, account: str, *, body: dict[str, Any] | None = None, **params: Any) -> Wanted:
    """The operation's example with some values replaced. `priority_`, `deadline_s_`, `job_id_` are for the job."""
    example, example_body = copy.deepcopy(operations[name].example)
    own = {key[:-1]: params.pop(key) for key in ("priority_", "deadline_s_", "job_id_") if key in params}
    filled = None if example_body is None else {**example_body, **(body or {})}
    return Wanted(name, account, {**example, **params}, filled, **own)


def is_command(operation: str) -> bool:
    """Does its result come later, to an address of ours?"""
    return operations[operation].wants_response_url


def car(number: int, kind: str = "VEH") -> str:
    return f"{kind}-{number:05d}"


def reads(count: int, account: str = FLEET, kind: str = "VEH", priority: str = "bulk") -> list[Wanted]:
    """Status of as many cars."""
    return [call(STATUS, account, vid=car(n % 130 + 1, kind), priority_=priority) for n in range(count)]


def slow_reads() -> list[Wanted]:
    """More than one worker has threads for, in two lanes because of the cap on each: both workers get some."""
    cars = [car(n, "SLOW") for n in range(1, 7)]
    return [call(name, FLEET, vid=vid, priority_="urgent") for vid in cars for name in (STATUS, TELEMETRY)]


def authorizations(count: int, kind: str = "APP", deadline_s: float = 90.0) -> list[Wanted]:
    """Questions to the hub whether a driver may charge."""
    return [
        call(AUTHORIZE, EMSP, token_uid=f"{kind}-{n:04d}", priority_="normal", deadline_s_=deadline_s)
        for n in range(count)
    ]


def starts(count: int, location: str = "LOC-0001") -> list[Wanted]:
    return [call(START, EMSP, body={"location_id": location}) for _ in range(count)]


def remote(kind: str, number: int, job_id: str | None = None) -> Wanted:
    """Unlock a car: must not be sent twice."""
    return call(REMOTE, FLEET, vid=car(number, kind), job_id_=job_id)


def mixed() -> list[Wanted]:
    """A few hundred calls to both APIs, in turn, as several services would ask for them."""
    kinds = [
        reads(150),
        reads(50, OTHER_FLEET),
        [call(TRIPS, FLEET, vid=car(n)) for n in range(1, 7)],
        [call(VEHICLES, FLEET, fid=f"FLEET-{n}") for n in (1, 2, 3)],
        [remote("VEH", n) for n in range(1, 7)],
        authorizations(50),
        authorizations(4, "BLOCKED"),
        authorizations(3, "FLAKY"),
        authorizations(2, "UNKNOWN"),
        starts(8),
        starts(2, "REJECTED-1"),
        [call("hub.stop_session", EMSP, body={"session_id": f"SESSION-{n}"}) for n in range(6)],
        [call("hub.reserve_now", EMSP, body={"reservation_id": f"RES-{n}"}) for n in range(6)],
        [call("hub.list_locations", EMSP) for _ in range(3)],
        [call("hub.get_location", EMSP, location_id=f"LOC-{n:04d}") for n in range(1, 11)],
        [call("hub.get_location", EMSP, location_id="MISSING-1")],
        [call("hub.get_client_info", EMSP) for _ in range(2)],
        list(sessions_and_cdrs(10)),
    ]
    longest = max(map(len, kinds))
    # Each kind spread evenly over the whole.
    return [
        kind[n * len(kind) // longest]
        for n in range(longest)
        for kind in kinds
        if n == 0 or n * len(kind) // longest != (n - 1) * len(kind) // longest
    ]


def sessions_and_cdrs(count: int) -> Iterator[Wanted]:
    """What a charge point operator reports."""
    for n in range(count):
        session = f"SESSION-{n}"
        yield call("hub.put_session", CPO, session_id=session, body={"id": session})
        yield call("hub.post_cdr", CPO, body={"id": f"CDR-{n}", "session_id": session})
