"""How each row of the error table is provoked over the wire, and which rows cannot be, with the reason.

`fate` is written out here and compared with the table, so that neither side can change alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

READ, START, CDR = "hub.authorize_token", "hub.start_session", "hub.post_cdr"
STATUS, REMOTE = "stellantis.b2b.get_vehicle_status", "stellantis.b2b.send_remote"

RETRY = "retry, then dead letter + alert"
QUIETLY = "retry, then dead letter"
DEAD, DEAD_TELL = "dead letter", "dead letter + alert"
UNKNOWN = "dead letter outcome_unknown + alert"
CLOSE, PARK = "close the budget, park + alert", "park until the named time, else by backoff"
HOLD_ACCOUNT, HOLD_BUDGET = "hold the account, park + alert", "hold the budget, park + alert"


@dataclass(frozen=True)
class Provocation:
    """One call, what goes wrong with it, and the fate it must have."""

    api: str
    sign: str
    operation: str
    fate: str
    code: str = ""
    fault: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    arrives: bool = True
    said: str = ""  # what the record says instead of the sign, where two signs share a class and a fate

    def __str__(self) -> str:
        how = str((self.fault or {}).get("action", "")) + str((self.fault or {}).get("code", ""))
        return f"{self.sign} / {self.operation.rpartition('.')[2]} {how}".strip()


def ocpi(code: int, message: str = "Something happened", **more: Any) -> dict[str, Any]:
    return {"action": "ocpi", "code": code, "message": message, **more}


def status(number: int, **more: Any) -> dict[str, Any]:
    return {"action": "status", "status": number, **more}


def error(number: int, code: int | str, **more: Any) -> dict[str, Any]:
    return {"action": "error_body", "status": number, "code": code, **more}


def both(
    api: str, sign: str, fates: str | tuple[str, str], code: str, *faults: Mapping[str, Any], **more: Any
) -> list[Provocation]:
    """The same faults for a call that may be repeated and for one that may not."""
    first, second = fates if isinstance(fates, tuple) else (fates, fates)
    names = {"hub": (READ, START), "stellantis": (STATUS, REMOTE)}[api]
    return [
        Provocation(api, sign, name, fate, code, fault, **more)
        for name, fate in zip(names, (first, second), strict=True)
        for fault in faults
    ]


def target(name: str) -> dict[str, Any]:
    """The body of a start that the sandbox answers as the location's name says."""
    token = {"country_code": "IN", "party_id": "ABC", "uid": "U-1", "type": "APP_USER", "contract_id": "C-1"}
    more = {"issuer": "ABC", "valid": True, "whitelist": "NEVER", "last_updated": "2026-01-31T09:00:00Z"}
    return {"token": token | more, "location_id": f"{name}-1"}


def uid(name: str) -> dict[str, str]:
    return {"country_code": "IN", "party_id": "ABC", "token_uid": name}


def car(name: str) -> dict[str, str]:
    return {"fid": "FLEET-1", "vid": f"{name}-1"}


HUB_429 = "HTTP 429, or 2004"
HUB_ABSURD = "HTTP 429, or 2004, with a wait that cannot be obeyed"
HUB_NOBODY = "HTTP 404 without envelope, or 404 with 2004"
HUB_ODD = "another code, or an unreadable or wrong envelope"
HUB_LATER = "4003, or HTTP 503 with Retry-After"
SOME_ANSWER = "1000, authorization BLOCKED, NOT_ALLOWED, EXPIRED or NO_CREDIT"
UNSUPPORTED = "1000, command NOT_SUPPORTED or UNKNOWN_SESSION"
FAILED = "a later command result FAILED, CANCELED_RESERVATION or UNKNOWN_RESERVATION"
OFFLINE = "1000, and the hub calls our own party OFFLINE"
OWED = "a push that never came, as a service or a person reports"
UNHEARD = "no command result within its timeout, or the result TIMEOUT"

HUB = [
    *both("hub", "1000", "done", "", {"action": "delay", "delay_s": 0.01}),
    Provocation("hub", "1000", CDR, "done"),
    *both("hub", HUB_429, CLOSE, "2004", ocpi(2004, status=429), ocpi(2004)),
    *both("hub", HUB_429, CLOSE, "http_429", status(429, retry_after=0.2)),
    *both("hub", HUB_ABSURD, HOLD_BUDGET, "http_429", status(429, retry_after="soon")),
    *both("hub", HUB_ABSURD, HOLD_BUDGET, "http_429", status(429, retry_after="31536000")),
    *both("hub", "2002, or HTTP 401", HOLD_ACCOUNT, "2002", ocpi(2002), ocpi(2002, status=401)),
    *both("hub", "2002, or HTTP 401", HOLD_ACCOUNT, "http_401", status(401)),
    *both("hub", "2003, or HTTP 404 with envelope", DEAD, "2003", ocpi(2003), ocpi(2003, status=404)),
    Provocation("hub", "2003, or HTTP 404 with envelope", READ, DEAD, "2003", params=uid("MISSING-1")),
    *both("hub", "2003, or HTTP 404 with envelope", DEAD, "2003", status(200, body={"status_code": "2003"})),
    *both("hub", HUB_NOBODY, DEAD_TELL, "2004", ocpi(2004, status=404)),
    *both("hub", HUB_NOBODY, DEAD_TELL, "http_404", {"action": "html", "status": 404}),
    *both("hub", "2000", (QUIETLY, UNKNOWN), "2000", ocpi(2000)),
    *both("hub", "2000 with a message of refusal", (QUIETLY, DEAD), "2000", ocpi(2000, "Invalid EVSE id")),
    *both("hub", "2001", DEAD, "2001", ocpi(2001)),
    *both("hub", "role or party message", DEAD_TELL, "2000", ocpi(2000, "CPO-only endpoint called by eMSP")),
    *both("hub", "role or party message", DEAD_TELL, "2003", ocpi(2003, "Party mismatch: not yours", status=404)),
    *both("hub", "3xxx, 4002, or HTTP 5xx", (RETRY, UNKNOWN), "3001", ocpi(3001)),
    *both("hub", "3xxx, 4002, or HTTP 5xx", (RETRY, UNKNOWN), "4002", ocpi(4002)),
    *both("hub", "3xxx, 4002, or HTTP 5xx", (RETRY, UNKNOWN), "http_502", {"action": "html"}),
    *both("hub", HUB_LATER, (RETRY, PARK), "4003", ocpi(4003)),
    *both("hub", HUB_LATER, (RETRY, PARK), "http_503", status(503, retry_after=0.1)),
    *both("hub", "4001", DEAD_TELL, "4001", ocpi(4001)),
    *both("hub", HUB_ODD, (RETRY, UNKNOWN), "2999", ocpi(2999)),
    *both("hub", HUB_ODD, (RETRY, UNKNOWN), "http_200", {"action": "wrong_envelope"}, {"action": "invalid_json"}),
    *both("hub", HUB_ODD, (RETRY, UNKNOWN), "http_200", {"action": "empty_body"}, {"action": "html", "status": 200}),
    Provocation("hub", "1000, authorization UNKNOWN", READ, "quick bounded retries, then dead letter + alert", "1000",
                params=uid("UNKNOWN-1")),
    *[Provocation("hub", SOME_ANSWER, READ, "done", params=uid(f"{name}-1"), said="1000")
      for name in ("BLOCKED", "NOT_ALLOWED", "EXPIRED", "NO_CREDIT")],
    Provocation("hub", "1000, command REJECTED", START, DEAD, "1000", body=target("REJECTED")),
    *[Provocation("hub", UNSUPPORTED, START, DEAD, "1000", body=target(name))
      for name in ("NOT_SUPPORTED", "UNKNOWN_SESSION")],
]  # fmt: skip

STELLANTIS = [
    Provocation("stellantis", "2xx of the right shape", STATUS, "done"),
    Provocation("stellantis", "2xx of the right shape", REMOTE, "done"),
    *both("stellantis", "400", DEAD, "40000", error(400, 40000)),
    Provocation("stellantis", "400", STATUS, DEAD, "40000", params=car("BADID")),
    *both("stellantis", "401, or 400 invalid_grant", HOLD_ACCOUNT, "40100", error(401, 40100)),
    *both("stellantis", "401, or 400 invalid_grant", HOLD_ACCOUNT, "http_401", error(401, 0, shape="html")),
    *both("stellantis", "401, or 400 invalid_grant", HOLD_ACCOUNT, "invalid_grant", error(400, 0, shape="oauth")),
    *both("stellantis", "401, or 400 invalid_grant", HOLD_ACCOUNT, "40499", error(401, 40499)),
    *both("stellantis", "403", DEAD, "40300", error(403, 40300), error(403, "40300")),
    *both("stellantis", "403", DEAD, "403123", error(403, 0, shape="legacy")),
    *both("stellantis", "403", DEAD, "40499", error(403, "40499")),
    *[Provocation("stellantis", "404 with a 404xx code, on a data read", STATUS, "done", params=car(name))
      for name in ("NODATA", "NOSTATUS", "NOVEHICLE")],
    Provocation("stellantis", "404 with a 404xx code, on a data read, where the settings call that an error", STATUS,
                DEAD, "40499", params=car("NODATA"), settings={"FAIL__NO_DATA": "dead"}),
    *both("stellantis", "other 404 with a code", DEAD, "40001", error(404, 40001)),
    Provocation("stellantis", "other 404 with a code", REMOTE, DEAD, "40499", error(404, 40499)),
    *both("stellantis", "other 404 with a code", DEAD, "4049", error(404, 4049)),
    *both("stellantis", "other 404 with a code", DEAD, "404991", error(404, "404991")),
    *both("stellantis", "other 404 with a code", DEAD, "ERROR_NOT_FOUND", error(404, 0, shape="named")),
    *both("stellantis", "404 without a code", DEAD_TELL, "http_404", error(404, 0, shape="gateway")),
    *both("stellantis", "429", CLOSE, "42900", error(429, 42900)),
    *both("stellantis", "429", CLOSE, "40499", error(429, 40499)),
    *both("stellantis", "429", CLOSE, "http_429", status(429, retry_after=0.2)),
    *both("stellantis", "429 with a wait that cannot be obeyed", HOLD_BUDGET, "http_429", status(429, retry_after=-5)),
    *both("stellantis", "500, 502, 503, 504", (RETRY, UNKNOWN), "50001", error(500, 50001)),
    *both("stellantis", "500, 502, 503, 504", (RETRY, UNKNOWN), "40499", error(500, 40499)),
    *both("stellantis", "500, 502, 503, 504", (RETRY, UNKNOWN), "http_504", {"action": "html", "status": 504}),
    *both("stellantis", "503 with Retry-After", (RETRY, PARK), "http_503", status(503, retry_after=0.1)),
    *both("stellantis", "500 with code 50000", DEAD_TELL, "50000", error(500, 50000), error(500, "50000")),
    *both("stellantis", "anything else", (DEAD_TELL, UNKNOWN), "http_505", status(505)),
    *both("stellantis", "anything else", (DEAD_TELL, UNKNOWN), "42", status(200, body={"code": 42, "message": "Odd"})),
    *both("stellantis", "anything else, with a 4xx status", DEAD_TELL, "http_418", status(418)),
]  # fmt: skip

WIRE = "time-out, reset or close after a byte was written; truncated, oversized, wrong type"
BROKEN_ANSWERS = {
    "closed": {"action": "close_before_reply"},
    "truncated": {"action": "close_mid_reply"},
    "reset": {"action": "reset"},
    "oversized": {"action": "huge_body", "megabytes": 1},
    "header_too_large": {"action": "huge_header"},
}
DRIP = {"action": "drip", "interval_s": 0.05}
BRIEF = {"DELIVER__TOTAL_DEADLINE_S": "0.5", "DELIVER__CONNECT_TIMEOUT_S": "0.5"}
REDIRECT = {"action": "redirect", "location": "http://other.invalid/elsewhere"}

EITHER = [
    *[each for api in ("hub", "stellantis") for code, fault in BROKEN_ANSWERS.items()
      for each in both(api, WIRE, (RETRY, UNKNOWN), code, fault)],
    *[each for api in ("hub", "stellantis")
      for each in both(api, WIRE, (RETRY, UNKNOWN), "read_timeout", {"action": "hang"}, settings=BRIEF)],
    *both("hub", WIRE, (RETRY, UNKNOWN), "read_timeout", DRIP, settings=BRIEF),
    *both("stellantis", WIRE, (RETRY, UNKNOWN), "wrong_type", {"action": "wrong_type"}, {"action": "invalid_json"}),
    Provocation("stellantis", WIRE, REMOTE, UNKNOWN, "wrong_type", {"action": "empty_body"}),
    *both("hub", "redirect", DEAD_TELL, "302", REDIRECT),
    *both("stellantis", "redirect", DEAD_TELL, "308", {**REDIRECT, "status": 308}),
]  # fmt: skip
"""Rows for both APIs, by the API they are provoked on."""

PROVOCATIONS = [*HUB, *STELLANTIS, *EITHER]

NEVER: dict[tuple[str, str, str], str] = {
    ("hub", "1000, no locations on the first, unfiltered page", "unrepeatable"): "listing locations only reads",
    ("hub", OFFLINE, "unrepeatable"): "asking for a party only reads",
    ("hub", "1000, authorization UNKNOWN", "unrepeatable"): "only an authorization is answered so; it may be repeated",
    ("hub", SOME_ANSWER, "unrepeatable"): "only an authorization is answered so; it may be repeated",
    ("hub", "1000, command REJECTED", "repeatable"): "no command of the catalogue may be repeated",
    ("hub", UNSUPPORTED, "repeatable"): "no command of the catalogue may be repeated",
    ("hub", FAILED, "repeatable"): "no command of the catalogue may be repeated",
    ("hub", UNHEARD, "repeatable"): "no command of the catalogue may be repeated",
    ("stellantis", "404 with a 404xx code, on a data read", "unrepeatable"): "reads may be repeated",
    ("stellantis", "404 with a 404xx code, on a data read, where the settings call that an error", "unrepeatable"):
        "reads may be repeated",
    **{("callback", sign, "unrepeatable"): "a callback may be repeated" for sign in (
        "2xx", "410", "429", "429 with a wait that cannot be obeyed", "another 4xx", "5xx, 408 or 425",
        "503 with Retry-After", "3xx", "another status",
    )},
    ("both", "the name of a callback's host leads to a private address", "unrepeatable"): "a callback may be repeated",
}  # fmt: skip
"""Rows that no call of the catalogue can show in this kind."""
