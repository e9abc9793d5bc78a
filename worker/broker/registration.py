"""Broker: what a process tells the store of its settings: accounts, windows, caps, ages, thresholds.

Promise: two processes with the same settings have the same digest, and no secret is in it. Scope: building the facts
that `configure.lua` applies.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from settings import Account, Settings
from worker import VERSION


@dataclass(frozen=True, slots=True)
class Registration:
    """`facts` go to the store; `digest` names them."""

    digest: str
    facts: dict[str, Any]


def registration_of(settings: Settings) -> Registration:
    """The facts of these settings."""
    shared: dict[str, Any] = {
        "accounts": {name: _account(account, settings) for name, account in settings.accounts().items()},
        "numbers": _numbers(settings),
        "caps": dict(settings.broker.caps),
    }
    text = json.dumps(shared, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Registration(digest, shared | {"digest": digest, "version": VERSION})


def _account(account: Account, settings: Settings) -> dict[str, Any]:
    windows = {window.name: window for budget in account.budgets.values() for window in budget}
    return {
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


def _numbers(settings: Settings) -> dict[str, int]:
    numbers = {
        "result_ttl": settings.fail.result_ttl_s,
        "dead_ttl": settings.fail.dead_ttl_s,
        "key_ttl": settings.fail.key_ttl_s,
        "brake_count": settings.fail.brake_count,
        "brake_probe": int((settings.fail.brake_probe_s or 0) * 1_000_000),
        "brake_window": int(settings.fail.brake_window_s * 1_000_000),
    }
    if settings.broker.lane_cap is not None:
        numbers["lane_cap"] = settings.broker.lane_cap
    return numbers
