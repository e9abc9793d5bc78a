"""Sandbox, log: every arrival, in the order it came, with what the judge needs to know about it.

It promises one record per request whose head was read (and per foreign arrival), complete with status once answered.
Its scope ends at keeping and filtering: conclusions are drawn in judge.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from worker.sandbox.windows import Described

Executed = Literal["yes", "no", "maybe"]


@dataclass(slots=True)
class Arrival:
    """One request as the remote side saw it."""

    at_ns: int
    api: str
    account: str | None
    method: str
    path: str
    operation: str
    job: str
    request_id: str
    foreign: bool
    repeatable: bool
    windows: Described = ()
    refused: tuple[str, ...] = ()
    unauthorized: bool = False
    status: int = 0
    code: str = ""
    executed: Executed = "no"
    fault: str = ""
    digest: str = ""
    connection: int = 0

    def as_dict(self, utc_offset_ns: int) -> dict[str, Any]:
        """JSON-able; `at` is in seconds on the sandbox's monotonic clock."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name not in ("at_ns", "windows")}
        utc = datetime.fromtimestamp((self.at_ns + utc_offset_ns) / 1e9, UTC)
        return {
            "at": self.at_ns / 1e9,
            "utc": utc.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            **shown,
            "refused": list(self.refused),
            "windows": [name for name, _, _ in self.windows],
        }


class Log:
    """The arrivals since the last reset."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.utc_offset_ns = time.time_ns() - time.monotonic_ns()

    def add(self, arrival: Arrival) -> None:
        """Keep one arrival."""
        self.arrivals.append(arrival)

    def clear(self) -> None:
        """Forget everything."""
        self.arrivals = []

    def select(self, since: int = 0, limit: int = 10_000, **equal: Any) -> list[dict[str, Any]]:
        """Records from number `since` on whose fields equal the given ones, at most `limit`."""
        found: list[dict[str, Any]] = []
        for number in range(since, len(self.arrivals)):
            arrival = self.arrivals[number]
            if all(getattr(arrival, name) == value for name, value in equal.items()):
                found.append({"number": number, **arrival.as_dict(self.utc_offset_ns)})
                if len(found) >= limit:
                    break
        return found
