"""One complete, valid call of each hub operation: shown by `operations`, used by the README, the demo and the tests.

Promise: every pair of parameters and body here passes its operation's own check. Scope: data of invented parties.
"""

from typing import Any

Example = tuple[dict[str, Any], dict[str, Any] | None]

TOKEN: dict[str, Any] = {
    "country_code": "IN",
    "party_id": "ABC",
    "uid": "012345678",
    "type": "APP_USER",
    "contract_id": "IN-ABC-C00000001-X",
    "issuer": "ABC Mobility",
    "valid": True,
    "whitelist": "NEVER",
    "last_updated": "2026-01-31T09:00:00Z",
}
CDR_TOKEN: dict[str, Any] = {name: TOKEN[name] for name in ("country_code", "party_id", "uid", "type", "contract_id")}
CHARGE: dict[str, Any] = {
    "country_code": "IN",
    "party_id": "CPO",
    "start_date_time": "2026-01-31T09:30:00Z",
    "end_date_time": "2026-01-31T10:15:00Z",
    "cdr_token": CDR_TOKEN,
    "auth_method": "COMMAND",
    "currency": "INR",
    "charging_periods": [
        {
            "start_date_time": "2026-01-31T09:30:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 12.5}, {"type": "TIME", "volume": 0.75}],
        }
    ],
    "total_cost": {"excl_vat": 225.0, "incl_vat": 265.5},
    "last_updated": "2026-01-31T10:15:05Z",
}

AUTHORIZE: Example = (
    {"country_code": "IN", "party_id": "ABC", "token_uid": "012345678"},
    {"location_id": "LOC-0001", "evse_uids": ["LOC-0001-E1"]},
)
START: Example = (
    {},
    {"token": TOKEN, "location_id": "LOC-0001", "evse_uid": "LOC-0001-E1", "connector_id": "1"},
)
STOP: Example = ({}, {"session_id": "SESSION-1"})
RESERVE: Example = (
    {},
    {
        "token": TOKEN,
        "expiry_date": "2026-01-31T10:00:00Z",
        "reservation_id": "RES-1",
        "location_id": "LOC-0001",
        "evse_uid": "LOC-0001-E1",
    },
)
CANCEL: Example = ({}, {"reservation_id": "RES-1"})
LOCATIONS: Example = ({"limit": 50, "date_from": "2026-01-01T00:00:00Z"}, None)
LOCATION: Example = ({"country_code": "IN", "party_id": "CPO", "location_id": "LOC-0001"}, None)
PARTY: Example = ({"country_code": "IN", "party_id": "CPO"}, None)
SESSION: Example = (
    {"country_code": "IN", "party_id": "CPO", "session_id": "SESSION-1"},
    {
        **CHARGE,
        "id": "SESSION-1",
        "kwh": 12.5,
        "location_id": "LOC-0001",
        "evse_uid": "LOC-0001-E1",
        "connector_id": "1",
        "status": "COMPLETED",
    },
)
CDR: Example = (
    {},
    {
        **CHARGE,
        "id": "CDR-1",
        "session_id": "SESSION-1",
        "cdr_location": {
            "id": "LOC-0001",
            "address": "1 Ring Road",
            "city": "Bengaluru",
            "country": "IND",
            "coordinates": {"latitude": "12.900100", "longitude": "77.500100"},
            "evse_uid": "LOC-0001-E1",
            "evse_id": "IN*CPO*E1",
            "connector_id": "1",
            "connector_standard": "IEC_62196_T2_COMBO",
            "connector_format": "CABLE",
            "connector_power_type": "DC",
        },
        "total_energy": 12.5,
        "total_time": 0.75,
    },
)
