"""Sandbox, Stellantis: its fleets, cars, their status, telemetry and trips, made up by number.

`FLEET-1` … and in each of them `VEH-00001` … exist. It promises bodies with every field the API's file requires. Its
scope ends at data; links are absolute and start with the root they are given.
"""

from __future__ import annotations

from typing import Any

CREATED = "2026-01-01T00:00:00Z"
UPDATED = "2026-01-02T00:00:00Z"
Linked = dict[str, dict[str, str]]


def links(**targets: str) -> Linked:
    """HAL links by relation."""
    return {name: {"href": target} for name, target in targets.items()}


def fleet(root: str, fid: str) -> dict[str, Any]:
    """One fleet."""
    here = f"{root}/fleets/{fid}"
    made = links(self=here, vehicles=f"{here}/vehicles", callbacks=f"{here}/remote/callbacks")
    return {"_links": made, "id": fid, "name": f"Sandbox {fid}", "createdAt": CREATED, "updatedAt": UPDATED}


def vin(vid: str) -> str:
    """A serial number that belongs to the car's id."""
    digits = "".join(sign for sign in vid if sign.isdigit())[-9:]
    return "VF3SANDB" + digits.zfill(9)


def vehicle(here: str, vid: str) -> dict[str, Any]:
    """One car; `here` is its address."""
    parts = ("status", "telemetry", "trips", "maintenance", "alerts", "lastPosition")
    made = links(self=here, fleet=here.rpartition("/vehicles/")[0], **{name: f"{here}/{name}" for name in parts})
    times = {"createdAt": CREATED, "updatedAt": UPDATED}
    return {"_links": made, "id": vid, "vin": vin(vid), "motorization": "Electric", **times}


def position(_here: str, vid: str) -> dict[str, Any]:
    """Where a car is, as GeoJSON."""
    place = {"type": "Point", "coordinates": [2.35, 48.85, 35]}
    return {"type": "Feature", "geometry": place, "properties": {"createdAt": UPDATED, "vin": vin(vid), "heading": 90}}


def status(here: str, vid: str) -> dict[str, Any]:
    """The last known state of a car."""
    return {
        "_links": links(self=f"{here}/status", vehicle=here),
        "vin": vin(vid),
        "createdAt": CREATED,
        "updatedAt": UPDATED,
        "ignition": {"type": "Stop", "createdAt": UPDATED},
        "lastPosition": position(here, vid),
        "energies": [
            {"createdAt": UPDATED, "type": "Electric", "subType": "ElectricEnergy", "level": 63.0, "autonomy": 210}
        ],
    }


def maintenance(here: str, vid: str) -> dict[str, Any]:
    """When a car is due for service."""
    made = links(self=f"{here}/maintenance", vehicle=here)
    return {"_links": made, "vin": vin(vid), "createdAt": CREATED, "daysBeforeMaintenance": 120}


def telemetry(here: str, vid: str, number: int) -> dict[str, Any]:
    """One telemetry record."""
    energies = [{"type": "Electric", "subType": "ElectricEnergy", "level": float(100 - number % 100)}]
    made = links(self=f"{here}/telemetry/{number}", vehicle=here)
    return {"_links": made, "createdAt": UPDATED, "vehicle": {"energies": energies}}


def trip(here: str, vid: str, number: int) -> dict[str, Any]:
    """One trip."""
    made = links(self=f"{here}/trips/TRIP-{number}", vehicle=here)
    times = {"createdAt": CREATED, "startedAt": CREATED, "stoppedAt": UPDATED}
    return {"_links": made, "id": f"TRIP-{number}", "vin": vin(vid), **times, "distance": 12.5, "done": True}
