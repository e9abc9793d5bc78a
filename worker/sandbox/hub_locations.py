"""Sandbox, hub: the locations, tariffs and connected parties it knows, made up by number.

`LOC-0001` … `LOC-{locations}` exist, each with one EVSE of two connectors. It promises the same objects for the same
number, so that pages can be compared. Its scope ends at data.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

UPDATED = "2026-01-{day:02d}T00:00:00Z"


@lru_cache(maxsize=10_000)
def location(number: int) -> dict[str, Any]:
    """One location in full."""
    name = f"LOC-{number:04d}"
    updated = UPDATED.format(day=1 + number % 28)
    return {
        "country_code": "IN",
        "party_id": "CPO",
        "id": name,
        "publish": True,
        "name": f"Sandbox charging point {number}",
        "address": f"{number} Ring Road",
        "city": "Bengaluru",
        "country": "IND",
        "coordinates": {"latitude": f"{12.9 + number / 10000:.6f}", "longitude": f"{77.5 + number / 10000:.6f}"},
        "evses": [_evse(name, updated)],
        "time_zone": "Asia/Kolkata",
        "last_updated": updated,
    }


def _evse(name: str, updated: str) -> dict[str, Any]:
    connectors = [
        {
            "id": str(number),
            "standard": "IEC_62196_T2_COMBO",
            "format": "CABLE",
            "power_type": "DC",
            "max_voltage": 500,
            "max_amperage": 120,
            "last_updated": updated,
        }
        for number in (1, 2)
    ]
    return {"uid": f"{name}-E1", "status": "AVAILABLE", "connectors": connectors, "last_updated": updated}


@lru_cache(maxsize=1000)
def tariff(number: int) -> dict[str, Any]:
    """One tariff in full."""
    return {
        "country_code": "IN",
        "party_id": "CPO",
        "id": f"TARIFF-{number:02d}",
        "currency": "INR",
        "elements": [{"price_components": [{"type": "ENERGY", "price": 10.0 + number, "step_size": 1}]}],
        "last_updated": UPDATED.format(day=1 + number % 28),
    }


def number_of(identifier: str, prefix: str, count: int) -> int | None:
    """The number in an id such as LOC-0007, if such an object exists."""
    digits = identifier.removeprefix(prefix)
    if digits == identifier or not digits.isdigit() or not 1 <= int(digits) <= count:
        return None
    return int(digits)
