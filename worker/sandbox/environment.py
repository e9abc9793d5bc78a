"""Sandbox, environment: the settings under which the project talks to a sandbox.

It promises the same credentials, limits and window lengths on both sides. Its scope ends at names and values; nobody
reads the process's own environment here.
"""

from __future__ import annotations

import json
from typing import Any

from worker.sandbox.options import Options

HUB_WINDOWS = ("tokens", "commands", "locations")
CALLS_WINDOWS = ("calls.day", "calls.second")


def environment(urls: dict[str, str], options: Options) -> dict[str, str]:
    """`PACELINE_*` variables that name this sandbox's addresses and accounts."""
    parties: list[dict[str, Any]] = []
    for party in options.parties:
        own = {name: _table(value) for name, value in party.limits.items()}
        limits = {**own, **_limits(options, party.account, HUB_WINDOWS)}
        row = {name: getattr(party, name) for name in ("country_code", "party_id", "role", "token", "token_encoding")}
        parties.append({**row, **({"limits": limits} if limits else {})})
    subscriptions: list[dict[str, Any]] = []
    for one in options.subscriptions:
        names = ("name", "kind", "client_id", "username", "password", "client_certificate", "client_key", "ca_bundle")
        row = {name: getattr(one, name) for name in names}
        calls = _limits(options, one.account, CALLS_WINDOWS)
        day, second = calls.get("calls.day", {}), calls.get("calls.second", {})
        row["limit_per_day"] = day.get("limit", one.limit_per_day)
        row["limit_per_second"] = second.get("limit", one.limit_per_second)
        row["day_window_s"] = day.get("window_s", one.day_window_s)
        row["second_window_s"] = second.get("window_s", one.second_window_s)
        subscriptions.append(row)
    return {
        "PACELINE_HUB__BASE_URL": urls["hub"],
        "PACELINE_HUB__PARTIES": json.dumps(parties),
        "PACELINE_STELLANTIS__B2B_BASE_URL": urls["stellantis"],
        "PACELINE_STELLANTIS__SUBSCRIPTIONS": json.dumps(subscriptions),
    }


def _limits(options: Options, account: str, windows: tuple[str, ...]) -> dict[str, Any]:
    """The limits set at the start: for all accounts by window, then for this one by account/window."""
    named = ((window, key) for window in windows for key in (window, f"{account}/{window}"))
    return {window: _table(options.limits[key]) for window, key in named if key in options.limits}


def _table(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    limit, window_s = value
    return {"limit": limit, "window_s": window_s}
