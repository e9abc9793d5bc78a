"""Broker: what a process tells the store of its settings: accounts, windows, caps, ages, thresholds.

Promise: two processes with the same settings have the same digest, and no secret is in it; thousands of accounts go in
slices, none of which keeps the store long. Scope: the facts that `configure.lua` applies, and bringing them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from settings import Account, Settings
from worker import VERSION

SLICE = 100  # accounts a call; each costs the store some 40 µs


@dataclass(frozen=True, slots=True)
class Registration:
    """`facts` go to the store; `digest` names them."""

    digest: str
    facts: dict[str, Any]

    def bring(self, decide: Callable[[str, Mapping[str, Any]], Any], process: Mapping[str, Any]) -> tuple[int, str]:
        """Says hello for a process, and brings these settings if they are wanted. The store's time (µs), and what it
        knows of the clock of this machine. Raises redis-py's errors; what was brought by then is brought again.
        """
        now_us, clock = 0, ""
        for part in self._slices():
            said = "again"
            while said == "again":
                now_us, said, clock = (_text(one) for one in decide("configure", {**self.facts, **part, **process}))
            if said != "more":
                break
        return int(now_us), clock

    def _slices(self) -> Iterator[dict[str, Any]]:
        """The accounts in order of their names, with the names that bound each slice."""
        accounts = self.facts["accounts"]
        names = sorted(accounts, key=lambda name: str(name).encode())
        ends = [None, *(names[at - 1] for at in range(SLICE, len(names), SLICE)), None]
        for number, (after, upto) in enumerate(pairwise(ends)):
            some = {name: accounts[name] for name in names[number * SLICE : (number + 1) * SLICE]}
            bounds = {"after": after, "upto": upto}
            yield {"accounts": some} | {name: bound for name, bound in bounds.items() if bound is not None}


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def registration_of(settings: Settings) -> Registration:
    """The facts of these settings."""
    shared: dict[str, Any] = {
        "accounts": {name: _account(account, settings) for name, account in settings.accounts().items()},
        "numbers": _numbers(settings),
        "caps": dict(settings.broker.caps),
    }
    digest = _digest(shared)
    return Registration(digest, shared | {"digest": digest, "version": VERSION})


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def _account(account: Account, settings: Settings) -> dict[str, Any]:
    windows = {window.name: window for budget in account.budgets.values() for window in budget}
    facts = {
        "api": account.api,
        "headers": account.headers,
        "budgets": {name: [window.name for window in budget] for name, budget in account.budgets.items()},
        "windows": {
            name: {
                "limit": window.limit,
                "len_us": window.length_us,
                "rb": round(settings.limiter.reserve_bulk * 1000),
                "rn": round(settings.limiter.reserve_normal * 1000),
            }
            for name, window in windows.items()
        },
    }
    return facts | {"digest": _digest(facts)}


def _numbers(settings: Settings) -> dict[str, int]:
    numbers = {
        "result_ttl": settings.fail.result_ttl_s,
        "dead_ttl": settings.fail.dead_ttl_s,
        "key_ttl": settings.fail.key_ttl_s,
        "brake_count": settings.fail.brake_count,
        "brake_probe": int((settings.fail.brake_probe_s or 0) * 1_000_000),
        "transit": int(settings.limiter.transit_bound_s * 1_000_000),
        "wait": int(settings.on_empty_store == "wait"),
        "brake_window": int(settings.fail.brake_window_s * 1_000_000),
    }
    if settings.broker.lane_cap is not None:
        numbers["lane_cap"] = settings.broker.lane_cap
    return numbers
