"""What a CPO tells the hub about charging: sessions, charge detail records and their parts, in OCPI's own names.

Promise: required fields, lengths and values of OCPI 2.2.1; `cdr_token` is required, since the hub delivers by it.
Scope: shapes only. Tariffs inside a CDR pass as they are: a CPO takes them from its own tariff module.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tasks.hub.models import ContractId, CountryCode, Currency, EvseUid, Id36, LocationId, PartyId, TokenType, TokenUid
from worker.accept.fields import AnyObject, Fields, Text, UtcTime

AuthMethod = Literal["AUTH_REQUEST", "COMMAND", "WHITELIST"]
Amount = Annotated[float, Field(ge=0)]
Text255 = Annotated[Text, StringConstraints(max_length=255)]
DimensionType = Literal[
    "CURRENT", "ENERGY", "ENERGY_EXPORT", "ENERGY_IMPORT", "MAX_CURRENT", "MIN_CURRENT", "MAX_POWER", "MIN_POWER",
    "PARKING_TIME", "POWER", "RESERVATION_TIME", "STATE_OF_CHARGE", "TIME",
]  # fmt: skip


class CdrToken(Fields):
    country_code: CountryCode
    party_id: PartyId
    uid: TokenUid
    type: TokenType
    contract_id: ContractId


DeliveryToken = Annotated[
    CdrToken,
    Field(description="country_code, party_id, uid, type and contract_id of the token: the hub delivers to its eMSP"),
]


class Price(Fields):
    excl_vat: float
    incl_vat: float | None = None


class Dimension(Fields):
    type: DimensionType
    volume: float


class ChargingPeriod(Fields):
    start_date_time: UtcTime
    dimensions: Annotated[list[Dimension], Field(min_length=1)]
    tariff_id: Id36 | None = None


class _Charge(Fields):
    """What a session and a CDR have in common."""

    country_code: CountryCode
    party_id: PartyId
    start_date_time: UtcTime
    cdr_token: DeliveryToken
    auth_method: AuthMethod
    authorization_reference: Annotated[Text, StringConstraints(max_length=36)] | None = None
    meter_id: Text255 | None = None
    currency: Currency
    last_updated: UtcTime


class Session(_Charge):
    id: Id36
    end_date_time: UtcTime | None = None
    kwh: Amount
    location_id: LocationId
    evse_uid: EvseUid
    connector_id: Id36
    charging_periods: list[ChargingPeriod] | None = None
    total_cost: Price | None = None
    status: Literal["ACTIVE", "COMPLETED", "INVALID", "PENDING", "RESERVATION"]


class GeoLocation(Fields):
    latitude: Annotated[str, Field(pattern=r"^-?[0-9]{1,2}\.[0-9]{5,7}$", description="degrees such as 18.520430")]
    longitude: Annotated[str, Field(pattern=r"^-?[0-9]{1,3}\.[0-9]{5,7}$", description="degrees such as 73.856743")]


class CdrLocation(Fields):
    id: Id36
    name: Text255 | None = None
    address: Annotated[Text, StringConstraints(max_length=45)]
    city: Annotated[Text, StringConstraints(max_length=45)]
    postal_code: Annotated[Text, StringConstraints(max_length=10)] | None = None
    state: Annotated[Text, StringConstraints(max_length=20)] | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="three letters of ISO 3166, such as IND")]
    coordinates: GeoLocation
    evse_uid: EvseUid
    evse_id: Annotated[Text, StringConstraints(max_length=48)]
    connector_id: Id36
    connector_standard: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,50}$", description="such as IEC_62196_T2")]
    connector_format: Literal["SOCKET", "CABLE"]
    connector_power_type: Literal["AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC"]


class SignedValue(Fields):
    nature: Annotated[Text, StringConstraints(max_length=32)]
    plain_data: Annotated[str, StringConstraints(max_length=512)]
    signed_data: Annotated[str, StringConstraints(max_length=5000)]


class SignedData(Fields):
    encoding_method: Annotated[Text, StringConstraints(max_length=36)]
    encoding_method_version: int | None = None
    public_key: Annotated[str, StringConstraints(max_length=512)] | None = None
    signed_values: Annotated[list[SignedValue], Field(min_length=1)]
    url: Annotated[str, StringConstraints(max_length=512)] | None = None


class Cdr(_Charge):
    id: Annotated[Text, StringConstraints(max_length=39)]
    end_date_time: UtcTime
    session_id: Id36 | None = None
    cdr_location: CdrLocation
    tariffs: list[AnyObject] | None = None
    charging_periods: Annotated[list[ChargingPeriod], Field(min_length=1)]
    signed_data: SignedData | None = None
    total_cost: Price
    total_fixed_cost: Price | None = None
    total_energy: Amount
    total_energy_cost: Price | None = None
    total_time: Amount
    total_time_cost: Price | None = None
    total_parking_time: Amount | None = None
    total_parking_cost: Price | None = None
    total_reservation_cost: Price | None = None
    remark: Text255 | None = None
    invoice_reference_id: Annotated[Text, StringConstraints(max_length=39)] | None = None
    credit: bool | None = None
    credit_reference_id: Annotated[Text, StringConstraints(max_length=39)] | None = None
    home_charging_compensation: bool | None = None
