"""What the Stellantis operations take in path and query, in the vendor's own names.

Promise: names, ranges and values are those of the vendor's Reference pages for fleet owners (B2B, v3).
Scope: shapes only. `client_id` is missing on purpose: it is a credential and added at send time.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from worker.accept.fields import Fields, PathId, Personal, Text


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


FleetId = Annotated[PathId, StringConstraints(max_length=200), Field(description="id of the fleet")]
VehicleId = Annotated[
    PathId, StringConstraints(max_length=200), Personal(), Field(description="the vendor's id of the vehicle")
]
CallbackId = Annotated[PathId, StringConstraints(max_length=200), Field(description="id of the remote callback")]
RemoteId = Annotated[
    PathId, StringConstraints(max_length=200), Field(description="remoteActionId from the answer to send_remote")
]
PageToken = Annotated[Text, Field(description="made by the vendor; never write one yourself")]
IndexRange = Annotated[str, StringConstraints(pattern=r"^\d+-\d*$"), Field(description="a range such as 0-9 or 5-")]
Range = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d)?-(\d+(\.\d)?)?$")]
TimeRange = Annotated[
    str,
    StringConstraints(pattern=r"^\S*/\S*$", min_length=2),
    Field(description="a range such as 2026-01-01T00:00:00Z/P1D"),
]
Timestamps = Annotated[
    list[TimeRange],
    BeforeValidator(_as_list),
    Field(min_length=1, max_length=10),
]
Locale = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]{2}([-_][A-Za-z]{2})?$"), Field(description="a language such as fr-FR")
]
Profile = Literal["fleet", "endUser"]
TelemetryType = Literal[
    "environment", "privacy", "vehicle", "vehicle.adas", "vehicle.battery", "vehicle.doorsState", "vehicle.energies",
    "vehicle.engines", "vehicle.ignition", "vehicle.lighting", "vehicle.lightingSystem", "vehicle.safety",
    "vehicle.transmission", "vehicle.drivingBehavior", "vehicle.alarm.status", "vehicle.alarm.trigger",
    "vehicle.wipingBlades",
]  # fmt: skip
TripState = Literal["Nominal", "Unstarted", "DataLacking", "Unfinished"]


class Paged(Fields):
    pageSize: Annotated[int, Field(ge=1, le=60)] | None = None
    pageToken: PageToken | None = None


class FleetsParams(Paged):
    """Fleets of the subscription."""


class VehiclesParams(Paged):
    fid: FleetId
    locale: Locale | None = None
    extension: (
        Annotated[list[Literal["branding", "pictures"]], BeforeValidator(_as_list), Field(min_length=1, max_length=2)]
        | None
    ) = None
    vinPrefix: Annotated[Text, StringConstraints(max_length=17), Personal()] | None = None


class StatusParams(Fields):
    fid: FleetId
    vid: VehicleId
    profile: Profile | None = None


class TelemetryParams(Fields):
    fid: FleetId
    vid: VehicleId
    profile: Profile | None = None
    timestamps: Timestamps | None = None
    indexRange: IndexRange | None = None
    pageSize: Annotated[int, Field(ge=1, le=2000)] | None = None
    pageToken: PageToken | None = None
    type: Annotated[list[TelemetryType], BeforeValidator(_as_list), Field(min_length=1, max_length=17)] | None = None
    extension: (
        Annotated[
            list[Literal["location", "maintenance"]], BeforeValidator(_as_list), Field(min_length=1, max_length=2)
        ]
        | None
    ) = None


class TripsParams(Paged):
    fid: FleetId
    vid: VehicleId
    profile: Profile | None = None
    timestamps: Timestamps | None = None
    distance: Annotated[Range, Field(description="kilometres, such as 1-150 or 0.1-")] | None = None
    duration: Annotated[Range, Field(description="seconds, such as 10-3600 or 20-")] | None = None
    states: Annotated[list[TripState], BeforeValidator(_as_list), Field(min_length=1)] | None = None
    indexRange: IndexRange | None = None


class SendRemoteParams(Fields):
    fid: FleetId
    vid: VehicleId
    cbid: CallbackId


class GetRemoteParams(SendRemoteParams):
    rid: RemoteId


class ListRemotesParams(Paged):
    fid: FleetId
    vid: VehicleId
    cbid: CallbackId
    indexRange: IndexRange | None = None
