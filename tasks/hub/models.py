"""What the hub's operations take: parameters, tokens and commands, in OCPI's own names.

Promise: required and optional fields, lengths and values are those of OCPI 2.2.1 and of the hub's pages; where the two
differ, the class says so. Scope: shapes only; sessions and CDRs are in `charge_models.py`.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from worker.accept.fields import Fields, PathId, Personal, Text, UtcTime, rule

CountryCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2}$"),
    Field(description="two letters of ISO 3166, such as IN"),
]
PartyId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9]{3}$"),
    Field(description="three letters or digits, given out by the hub's account team"),
]
Id36 = Annotated[PathId, StringConstraints(max_length=36)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(description="ISO 4217, such as INR")]
TokenUid = Annotated[Id36, Personal(), Field(description="unique id of the token, for a card the one the reader reads")]
ContractId = Annotated[Text, StringConstraints(max_length=36), Personal()]
TokenType = Literal["AD_HOC_USER", "APP_USER", "OTHER", "RFID"]
LocationId = Annotated[Id36, Field(description="id of the location in the CPO's system")]
EvseUid = Annotated[Id36, Field(description="uid of the EVSE within the location")]


class NoParams(Fields):
    """An operation without parameters."""


class TokenParams(Fields):
    country_code: CountryCode
    party_id: PartyId
    token_uid: TokenUid


class LocationParams(Fields):
    country_code: CountryCode
    party_id: PartyId
    location_id: LocationId


class SessionParams(Fields):
    country_code: CountryCode
    party_id: PartyId
    session_id: Annotated[Id36, Field(description="id of the session in the CPO's system")]


class PartyParams(Fields):
    country_code: CountryCode
    party_id: PartyId


class LocationsParams(Fields):
    """The hub documents these three; `date_to` of OCPI 2.2.1 is not offered there."""

    offset: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    date_from: Annotated[UtcTime, Field(description="only locations updated since then")] | None = None


class LocationReferences(Fields):
    location_id: LocationId
    evse_uids: list[EvseUid] | None = None


class EnergyContract(Fields):
    supplier_name: Annotated[Text, StringConstraints(max_length=64)]
    contract_id: Annotated[Text, StringConstraints(max_length=64), Personal()] | None = None


class Token(Fields):
    """OCPI's Token, or the short form of the hub's own samples (`uid`, `type`, `contract_id`).

    The short form is accepted because the hub documents it. Send the full one: a strict CPO may refuse the short form.
    """

    country_code: CountryCode | None = None
    party_id: PartyId | None = None
    uid: TokenUid
    type: TokenType
    contract_id: ContractId
    visual_number: Annotated[Text, StringConstraints(max_length=64), Personal()] | None = None
    issuer: Annotated[Text, StringConstraints(max_length=64)] | None = None
    group_id: Annotated[Text, StringConstraints(max_length=36), Personal()] | None = None
    valid: bool | None = None
    whitelist: Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"] | None = None
    language: Annotated[str | None, Field(pattern=r"^[A-Za-z]{2}$", description="two letters of ISO 639-1")] = None
    default_profile_type: Literal["CHEAP", "FAST", "GREEN", "REGULAR"] | None = None
    energy_contract: EnergyContract | None = None
    last_updated: UtcTime | None = None

    @model_validator(mode="after")
    def _short_or_full(self) -> Self:
        full = ("country_code", "party_id", "issuer", "valid", "whitelist", "last_updated")
        absent = [name for name in full if getattr(self, name) is None]
        short = self.model_fields_set <= {"uid", "type", "contract_id"}
        if absent and not short:
            raise rule(
                "expected the full OCPI token or the hub's short form (uid, type, contract_id), "
                f"got one without {', '.join(absent)}; add what is missing"
            )
        return self


class Command(Fields):
    response_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$", max_length=255)] | None = Field(
        None, description="where the result is posted; leave it out to have Paceline receive it"
    )


class _AtEvse(Command):
    location_id: LocationId
    evse_uid: EvseUid | None = None


class StartSession(_AtEvse):
    """The hub's page lists `evse_uid` and `connector_id` as required, OCPI as optional; both are accepted."""

    token: Annotated[Token, Field(description="the OCPI token of the driver")]
    connector_id: Id36 | None = None
    authorization_reference: Annotated[Text, StringConstraints(max_length=36)] | None = None

    @model_validator(mode="after")
    def _connector_of_an_evse(self) -> Self:
        if self.connector_id is not None and self.evse_uid is None:
            raise rule("expected evse_uid together with connector_id, got connector_id alone; add evse_uid")
        return self


class StopSession(Command):
    session_id: Annotated[Id36, Field(description="id of the session as the CPO sent it")]


class ReserveNow(_AtEvse):
    token: Annotated[Token, Field(description="the OCPI token of the driver")]
    expiry_date: UtcTime
    reservation_id: Annotated[Id36, Field(description="chosen by the caller; the same id again replaces it")]
    authorization_reference: Annotated[Text, StringConstraints(max_length=36)] | None = None


class CancelReservation(Command):
    reservation_id: Annotated[Id36, Field(description="the id given to hub.reserve_now")]
