"""Accept, over HTTP: every call of the catalogue, typed: one more file to copy beside `paceline_client.py`.

    call = stellantis_b2b_get_vehicle_status("stellantis:fleet-1", {"fid": "F", "vid": "V"}, key="k-1")
    job = client.ask(call)

Promise: what a type checker lets through has the members that the intake knows, by the vendors' own names.
Scope: types; patterns, lengths and ranges are the intake's to check. Made from `openapi.json` by
`describing_calls.py`, for Python 3.11 and later.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, Unpack

Priority = Literal["urgent", "normal", "bulk"]


class Asked(TypedDict, total=False):
    """What every call takes besides."""

    key: str
    priority: Priority
    deadline_s: float
    callback_url: str


class Call(Asked):
    """A call, ready for `Client.ask` and, with others, for `Client.enqueue_many`."""

    operation: str
    account: str
    params: Any
    body: Any


class AirConditioning(TypedDict):
    """AirConditioning of the catalogue."""

    immediate: NotRequired[bool | None]
    programs: NotRequired[list[AirConditioningProgram] | None]


class AirConditioningProgram(TypedDict):
    """AirConditioningProgram of the catalogue."""

    actionsType: NotRequired[Literal["Delete", "Set"] | None]
    enabled: NotRequired[bool | None]
    occurence: NotRequired[Occurence | None]
    recurrence: NotRequired[Literal["None", "Daily"] | None]
    slot: int
    start: NotRequired[str | None]


class CancelReservation(TypedDict):
    """CancelReservation of the catalogue."""

    reservation_id: str
    response_url: NotRequired[str | None]


class Cdr(TypedDict):
    """Cdr of the catalogue."""

    auth_method: Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]
    authorization_reference: NotRequired[str | None]
    cdr_location: CdrLocation
    cdr_token: CdrToken
    charging_periods: list[ChargingPeriod]
    country_code: str
    credit: NotRequired[bool | None]
    credit_reference_id: NotRequired[str | None]
    currency: str
    end_date_time: str
    home_charging_compensation: NotRequired[bool | None]
    id: str
    invoice_reference_id: NotRequired[str | None]
    last_updated: str
    meter_id: NotRequired[str | None]
    party_id: str
    remark: NotRequired[str | None]
    session_id: NotRequired[str | None]
    signed_data: NotRequired[SignedData | None]
    start_date_time: str
    tariffs: NotRequired[list[dict[str, Any]] | None]
    total_cost: Price
    total_energy: float
    total_energy_cost: NotRequired[Price | None]
    total_fixed_cost: NotRequired[Price | None]
    total_parking_cost: NotRequired[Price | None]
    total_parking_time: NotRequired[float | None]
    total_reservation_cost: NotRequired[Price | None]
    total_time: float
    total_time_cost: NotRequired[Price | None]


class CdrLocation(TypedDict):
    """CdrLocation of the catalogue."""

    address: str
    city: str
    connector_format: Literal["SOCKET", "CABLE"]
    connector_id: str
    connector_power_type: Literal["AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC"]
    connector_standard: str
    coordinates: GeoLocation
    country: str
    evse_id: str
    evse_uid: str
    id: str
    name: NotRequired[str | None]
    postal_code: NotRequired[str | None]
    state: NotRequired[str | None]


class CdrToken(TypedDict):
    """CdrToken of the catalogue."""

    contract_id: str
    country_code: str
    party_id: str
    type: Literal["AD_HOC_USER", "APP_USER", "OTHER", "RFID"]
    uid: str


class Charging(TypedDict):
    """Charging of the catalogue."""

    immediate: NotRequired[bool | None]
    preferences: NotRequired[Preferences | None]
    schedule: NotRequired[Schedule | None]


class ChargingPeriod(TypedDict):
    """ChargingPeriod of the catalogue."""

    dimensions: list[Dimension]
    start_date_time: str
    tariff_id: NotRequired[str | None]


class ChargingProgram(TypedDict):
    """ChargingProgram of the catalogue."""

    enabled: NotRequired[bool | None]
    end: NotRequired[str | None]
    occurence: NotRequired[Occurence | None]
    slot: NotRequired[int | None]
    start: str


class Dimension(TypedDict):
    """Dimension of the catalogue."""

    type: Literal[
        "CURRENT", "ENERGY", "ENERGY_EXPORT", "ENERGY_IMPORT", "MAX_CURRENT", "MIN_CURRENT", "MAX_POWER", "MIN_POWER",
        "PARKING_TIME", "POWER", "RESERVATION_TIME", "STATE_OF_CHARGE", "TIME"
    ]
    volume: float


class Door(TypedDict):
    """Door of the catalogue."""

    state: Literal["Unlocked", "Locked"]


class EnergyContract(TypedDict):
    """EnergyContract of the catalogue."""

    contract_id: NotRequired[str | None]
    supplier_name: str


class FleetsParams(TypedDict):
    """Fleets of the subscription."""

    pageSize: NotRequired[int | None]
    pageToken: NotRequired[str | None]


class GeoLocation(TypedDict):
    """GeoLocation of the catalogue."""

    latitude: str
    longitude: str


class GetRemoteParams(TypedDict):
    """GetRemoteParams of the catalogue."""

    cbid: str
    fid: str
    rid: str
    vid: str


class Horn(TypedDict):
    """Horn of the catalogue."""

    state: Literal["Activated", "Unactivated"]


class Immobilization(TypedDict):
    """Immobilization of the catalogue."""

    activate: bool


class Lights(TypedDict):
    """Lights of the catalogue."""

    on: bool


class ListRemotesParams(TypedDict):
    """ListRemotesParams of the catalogue."""

    cbid: str
    fid: str
    indexRange: NotRequired[str | None]
    pageSize: NotRequired[int | None]
    pageToken: NotRequired[str | None]
    vid: str


class LocationParams(TypedDict):
    """LocationParams of the catalogue."""

    country_code: str
    location_id: str
    party_id: str


class LocationReferences(TypedDict):
    """LocationReferences of the catalogue."""

    evse_uids: NotRequired[list[str] | None]
    location_id: str


class LocationsParams(TypedDict):
    """The hub documents these three; `date_to` of OCPI 2.2.1 is not offered there."""

    date_from: NotRequired[str | None]
    limit: NotRequired[int | None]
    offset: NotRequired[int | None]


class Navigation(TypedDict):
    """Navigation of the catalogue."""

    positions: list[dict[str, Any]]


class NoParams(TypedDict):
    """An operation without parameters."""


class Occurence(TypedDict):
    """Spelled as the vendor spells it."""

    day: list[Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]]


class PartyParams(TypedDict):
    """PartyParams of the catalogue."""

    country_code: str
    party_id: str


class Preconditioning(TypedDict):
    """Preconditioning of the catalogue."""

    airConditioning: AirConditioning


class Preferences(TypedDict):
    """Preferences of the catalogue."""

    level: NotRequired[Literal["Level1", "Level2", "Level3", "Level4", "Level5"] | None]
    type: NotRequired[Literal["Partial", "Full"] | None]


class Price(TypedDict):
    """Price of the catalogue."""

    excl_vat: float
    incl_vat: NotRequired[float | None]


class Remote(TypedDict):
    """Remote of the catalogue."""

    charging: NotRequired[Charging | None]
    door: NotRequired[Door | None]
    horn: NotRequired[Horn | None]
    immobilization: NotRequired[Immobilization | None]
    label: NotRequired[str | None]
    lights: NotRequired[Lights | None]
    navigation: NotRequired[Navigation | None]
    preconditioning: NotRequired[Preconditioning | None]
    stolen: NotRequired[Stolen | None]
    wakeUp: NotRequired[WakeUp | None]


class ReserveNow(TypedDict):
    """ReserveNow of the catalogue."""

    authorization_reference: NotRequired[str | None]
    evse_uid: NotRequired[str | None]
    expiry_date: str
    location_id: str
    reservation_id: str
    response_url: NotRequired[str | None]
    token: Token


class Schedule(TypedDict):
    """Schedule of the catalogue."""

    nextDelayedTime: NotRequired[str | None]
    programs: NotRequired[list[ChargingProgram] | None]


class SendRemoteParams(TypedDict):
    """SendRemoteParams of the catalogue."""

    cbid: str
    fid: str
    vid: str


class Session(TypedDict):
    """Session of the catalogue."""

    auth_method: Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]
    authorization_reference: NotRequired[str | None]
    cdr_token: CdrToken
    charging_periods: NotRequired[list[ChargingPeriod] | None]
    connector_id: str
    country_code: str
    currency: str
    end_date_time: NotRequired[str | None]
    evse_uid: str
    id: str
    kwh: float
    last_updated: str
    location_id: str
    meter_id: NotRequired[str | None]
    party_id: str
    start_date_time: str
    status: Literal["ACTIVE", "COMPLETED", "INVALID", "PENDING", "RESERVATION"]
    total_cost: NotRequired[Price | None]


class SessionParams(TypedDict):
    """SessionParams of the catalogue."""

    country_code: str
    party_id: str
    session_id: str


class SignedData(TypedDict):
    """SignedData of the catalogue."""

    encoding_method: str
    encoding_method_version: NotRequired[int | None]
    public_key: NotRequired[str | None]
    signed_values: list[SignedValue]
    url: NotRequired[str | None]


class SignedValue(TypedDict):
    """SignedValue of the catalogue."""

    nature: str
    plain_data: str
    signed_data: str


class StartSession(TypedDict):
    """The hub's page lists `evse_uid` and `connector_id` as required, OCPI as optional; both are accepted."""

    authorization_reference: NotRequired[str | None]
    connector_id: NotRequired[str | None]
    evse_uid: NotRequired[str | None]
    location_id: str
    response_url: NotRequired[str | None]
    token: Token


class StatusParams(TypedDict):
    """StatusParams of the catalogue."""

    fid: str
    profile: NotRequired[Literal["fleet", "endUser"] | None]
    vid: str


class Stolen(TypedDict):
    """Stolen of the catalogue."""

    immobilization: NotRequired[Immobilization | None]
    stolen: NotRequired[bool | None]
    trackingPeriod: NotRequired[TrackingPeriod | None]


class StopSession(TypedDict):
    """StopSession of the catalogue."""

    response_url: NotRequired[str | None]
    session_id: str


class TelemetryParams(TypedDict):
    """TelemetryParams of the catalogue."""

    extension: NotRequired[list[Literal["location", "maintenance"]] | None]
    fid: str
    indexRange: NotRequired[str | None]
    pageSize: NotRequired[int | None]
    pageToken: NotRequired[str | None]
    profile: NotRequired[Literal["fleet", "endUser"] | None]
    timestamps: NotRequired[list[str] | None]
    type: NotRequired[list[Literal[
        "environment", "privacy", "vehicle", "vehicle.adas", "vehicle.battery", "vehicle.doorsState",
        "vehicle.energies", "vehicle.engines", "vehicle.ignition", "vehicle.lighting", "vehicle.lightingSystem",
        "vehicle.safety", "vehicle.transmission", "vehicle.drivingBehavior", "vehicle.alarm.status",
        "vehicle.alarm.trigger", "vehicle.wipingBlades"
    ]] | None]
    vid: str


class Token(TypedDict):
    """OCPI's Token, or the short form of the hub's own samples (`uid`, `type`, `contract_id`)."""

    contract_id: str
    country_code: NotRequired[str | None]
    default_profile_type: NotRequired[Literal["CHEAP", "FAST", "GREEN", "REGULAR"] | None]
    energy_contract: NotRequired[EnergyContract | None]
    group_id: NotRequired[str | None]
    issuer: NotRequired[str | None]
    language: NotRequired[str | None]
    last_updated: NotRequired[str | None]
    party_id: NotRequired[str | None]
    type: Literal["AD_HOC_USER", "APP_USER", "OTHER", "RFID"]
    uid: str
    valid: NotRequired[bool | None]
    visual_number: NotRequired[str | None]
    whitelist: NotRequired[Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"] | None]


class TokenParams(TypedDict):
    """TokenParams of the catalogue."""

    country_code: str
    party_id: str
    token_uid: str


class TrackingPeriod(TypedDict):
    """TrackingPeriod of the catalogue."""

    running: NotRequired[int | None]
    shutdown: NotRequired[int | None]


class TripsParams(TypedDict):
    """TripsParams of the catalogue."""

    distance: NotRequired[str | None]
    duration: NotRequired[str | None]
    fid: str
    indexRange: NotRequired[str | None]
    pageSize: NotRequired[int | None]
    pageToken: NotRequired[str | None]
    profile: NotRequired[Literal["fleet", "endUser"] | None]
    states: NotRequired[list[Literal["Nominal", "Unstarted", "DataLacking", "Unfinished"]] | None]
    timestamps: NotRequired[list[str] | None]
    vid: str


class VehiclesParams(TypedDict):
    """VehiclesParams of the catalogue."""

    extension: NotRequired[list[Literal["branding", "pictures"]] | None]
    fid: str
    locale: NotRequired[str | None]
    pageSize: NotRequired[int | None]
    pageToken: NotRequired[str | None]
    vinPrefix: NotRequired[str | None]


class WakeUp(TypedDict):
    """WakeUp of the catalogue."""

    action: Literal["WakeUp"]


def hub_authorize_token(
    account: str, params: TokenParams, body: LocationReferences | None = None, **asked: Unpack[Asked]
) -> Call:
    """PUT /tokens/{country_code}/{party_id}/{token_uid}/authorize of the hub API (OCPI 2.2.1, Tokens module, real-time
    authorization; the hub's page Rate Limits & Errors). It may be repeated: it only asks a question; asking again
    changes nothing.
    """
    return {
        "operation": "hub.authorize_token",
        "account": account,
        "params": params,
        "body": body,
        **asked,
    }


def hub_cancel_reservation(
    account: str, body: CancelReservation, **asked: Unpack[Asked]
) -> Call:
    """POST /commands/CANCEL_RESERVATION of the hub API (OCPI 2.2.1, Commands module, CancelReservation). It must not
    be repeated: a cancellation sent late may hit a reservation made since under the same id.
    """
    return {
        "operation": "hub.cancel_reservation",
        "account": account,
        "params": {},
        "body": body,
        **asked,
    }


def hub_get_client_info(
    account: str, params: PartyParams, **asked: Unpack[Asked]
) -> Call:
    """GET /hubclientinfo/{country_code}/{party_id} of the hub API (OCPI 2.2.1, HubClientInfo module, one client info
    object). It may be repeated: it only reads.
    """
    return {
        "operation": "hub.get_client_info",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def hub_get_location(
    account: str, params: LocationParams, **asked: Unpack[Asked]
) -> Call:
    """GET /locations/{country_code}/{party_id}/{location_id} of the hub API (OCPI 2.2.1, Locations module, one
    location object). It may be repeated: it only reads.
    """
    return {
        "operation": "hub.get_location",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def hub_list_locations(
    account: str, params: LocationsParams | None = None, **asked: Unpack[Asked]
) -> Call:
    """GET /locations of the hub API (OCPI 2.2.1, Locations module, Sender interface; paging in Transport and format).
    It may be repeated: it only reads.
    """
    return {
        "operation": "hub.list_locations",
        "account": account,
        "params": params or {},
        "body": None,
        **asked,
    }


def hub_post_cdr(
    account: str, body: Cdr, **asked: Unpack[Asked]
) -> Call:
    """POST /cdrs of the hub API (OCPI 2.2.1, CDRs module, Receiver interface POST; the hub's page Rate Limits & Errors
    on cdr_token). It must not be repeated: a CDR cannot be changed or taken back, and a second one may bill the
    driver twice.
    """
    return {
        "operation": "hub.post_cdr",
        "account": account,
        "params": {},
        "body": body,
        **asked,
    }


def hub_put_session(
    account: str, params: SessionParams, body: Session, **asked: Unpack[Asked]
) -> Call:
    """PUT /sessions/{country_code}/{party_id}/{session_id} of the hub API (OCPI 2.2.1, Sessions module, Receiver
    interface PUT; the hub's page Rate Limits & Errors on cdr_token). It may be repeated: the whole session replaces
    the whole session; the newer last_updated wins.
    """
    return {
        "operation": "hub.put_session",
        "account": account,
        "params": params,
        "body": body,
        **asked,
    }


def hub_reserve_now(
    account: str, body: ReserveNow, **asked: Unpack[Asked]
) -> Call:
    """POST /commands/RESERVE_NOW of the hub API (OCPI 2.2.1, Commands module, ReserveNow). It must not be repeated: a
    second reservation of the same id replaces the first one, and may meanwhile find the EVSE taken.
    """
    return {
        "operation": "hub.reserve_now",
        "account": account,
        "params": {},
        "body": body,
        **asked,
    }


def hub_start_session(
    account: str, body: StartSession, **asked: Unpack[Asked]
) -> Call:
    """POST /commands/START_SESSION of the hub API (OCPI 2.2.1, Commands module, StartSession). It must not be
    repeated: a second start may begin a second session, or lock another connector.
    """
    return {
        "operation": "hub.start_session",
        "account": account,
        "params": {},
        "body": body,
        **asked,
    }


def hub_stop_session(
    account: str, body: StopSession, **asked: Unpack[Asked]
) -> Call:
    """POST /commands/STOP_SESSION of the hub API (OCPI 2.2.1, Commands module, StopSession). It must not be repeated:
    a stop sent late may reach a charge point that has moved on; its result tells, sending again does not.
    """
    return {
        "operation": "hub.stop_session",
        "account": account,
        "params": {},
        "body": body,
        **asked,
    }


def stellantis_b2b_get_remote(
    account: str, params: GetRemoteParams, **asked: Unpack[Asked]
) -> Call:
    """GET /fleets/{fid}/vehicles/{vid}/callbacks/{cbid}/remotes/{rid} of the stellantis API (Stellantis B2B v3
    Reference, Remote: get remote action by id). It may be repeated: it only reads.
    """
    return {
        "operation": "stellantis.b2b.get_remote",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def stellantis_b2b_get_vehicle_status(
    account: str, params: StatusParams, **asked: Unpack[Asked]
) -> Call:
    """GET /fleets/{fid}/vehicles/{vid}/status of the stellantis API (Stellantis B2B v3 Reference, Vehicles: vehicle
    status). It may be repeated: it only reads.
    """
    return {
        "operation": "stellantis.b2b.get_vehicle_status",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def stellantis_b2b_get_vehicle_telemetry(
    account: str, params: TelemetryParams, **asked: Unpack[Asked]
) -> Call:
    """GET /fleets/{fid}/vehicles/{vid}/telemetry of the stellantis API (Stellantis B2B v3 Reference, Vehicles:
    telemetry of vehicle). It may be repeated: it only reads.
    """
    return {
        "operation": "stellantis.b2b.get_vehicle_telemetry",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def stellantis_b2b_list_fleets(
    account: str, params: FleetsParams | None = None, **asked: Unpack[Asked]
) -> Call:
    """GET /fleets of the stellantis API (Stellantis B2B v3 Reference, Fleet: fleets owned by a partner). It may be
    repeated: it only reads.
    """
    return {
        "operation": "stellantis.b2b.list_fleets",
        "account": account,
        "params": params or {},
        "body": None,
        **asked,
    }


def stellantis_b2b_list_remotes(
    account: str, params: ListRemotesParams, **asked: Unpack[Asked]
) -> Call:
    """GET /fleets/{fid}/vehicles/{vid}/callbacks/{cbid}/remotes of the stellantis API (Stellantis B2B v3 Reference,
    Remote: get all remote actions of vehicle and callback). It may be repeated: it only reads.
    """
    return {
        "operation": "stellantis.b2b.list_remotes",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def stellantis_b2b_list_vehicle_trips(
    account: str, params: TripsParams, **asked: Unpack[Asked]
) -> Call:
    """GET /fleets/{fid}/vehicles/{vid}/trips of the stellantis API (Stellantis B2B v3 Reference, Trips: the vehicle's
    trip list). It may be repeated: it only reads.
    """
    return {
        "operation": "stellantis.b2b.list_vehicle_trips",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def stellantis_b2b_list_vehicles(
    account: str, params: VehiclesParams, **asked: Unpack[Asked]
) -> Call:
    """GET /fleets/{fid}/vehicles of the stellantis API (Stellantis B2B v3 Reference, Vehicles: list of vehicles). It
    may be repeated: it only reads.
    """
    return {
        "operation": "stellantis.b2b.list_vehicles",
        "account": account,
        "params": params,
        "body": None,
        **asked,
    }


def stellantis_b2b_send_remote(
    account: str, params: SendRemoteParams, body: Remote, **asked: Unpack[Asked]
) -> Call:
    """POST /fleets/{fid}/vehicles/{vid}/callbacks/{cbid}/remotes of the stellantis API (Stellantis B2B v3 Reference,
    Remote: send a remote action to a vehicle). It must not be repeated: the vendor has no idempotency key: a second
    request acts on the car a second time.
    """
    return {
        "operation": "stellantis.b2b.send_remote",
        "account": account,
        "params": params,
        "body": body,
        **asked,
    }
