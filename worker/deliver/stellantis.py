"""Deliver: what the answers of the Stellantis Web API mean.

Promise: `classify` gives every exchange exactly one outcome and raises for none; a success needs a 2xx of the shape
the operation is called for. Scope: one exchange; its fate is in `worker/fail/policy.py`.

The status decides: `code` is the status plus two digits, gateways in front answer in shapes of their own, and samples
carry one code under every status. A code only tells apart what a status leaves open (404, 400, 500). Six shapes of
errors are read, with numbers as numbers or strings:
{code, uuid, message, timestamp}, {code, debug, message}, {httpCode, httpMessage, moreInformation},
{error, error_description}, {name, debug, message}, and plain text or HTML.
"""

import re
from typing import Any

from worker.accept.paging import PageLink
from worker.deliver import wire
from worker.deliver.exchange import Asked, Exchange, Response
from worker.deliver.outcome import (
    AccessRefused,
    ConsentNeeded,
    CredentialRefused,
    InvalidRequest,
    NoData,
    Outcome,
    OutcomeUnknown,
    RateLimited,
    ServerTrouble,
    Success,
    Undocumented,
    UnknownId,
    WrongPath,
)

CONSENT_CODE = "50000"
"""A server error after the car's connection module was replaced; only a new consent ends it."""

CARRIED_OUT, NOT_CARRIED_OUT = "carried out", "not carried out"
PENDING, ASKED_TWICE = "pending", "asked for twice: the same action is in progress"

_UNDER_WAY = (
    "Accepted", "WakingUpVehicle", "CheckingVehicle", "SentToVehicle", "VehicleBatteryChargeTooLow",
    "TooManyWakeUpsOverMonth",
)  # fmt: skip
_NO_DATA = re.compile(r"404[0-9]{2}")
_MESSAGES = ("message", "error_description", "moreInformation", "httpMessage")
_MARKS = ("uuid", "timestamp", "error", "debug", "name", "httpCode")
_TAGS = re.compile(r"<[^<>]*>")


def classify(operation: Asked, exchange: Exchange) -> Outcome:
    """The one outcome of `exchange`."""
    response = exchange.response
    if response is not None and response.status in (401, 429):
        # The status alone says that it was not executed, even where the rest was lost on the way.
        return _refused(operation, response, exchange)
    if exchange.failure is not None:
        return wire.from_failure(exchange.failure, exchange.wrote)
    if response is None:
        return wire.no_answer()
    if 200 <= response.status < 300:
        return _success(operation, response)
    if response.status in wire.REDIRECTS:
        return wire.redirected(response)
    return _refused(operation, response, exchange)


def page_link(exchange: Exchange) -> PageLink | None:
    """The next page by `_links.next`; its absence, never a count, is the end."""
    value = wire.parse_json(exchange.response.body) if exchange.response else None
    href = _href(value) if isinstance(value, dict) else None
    return PageLink(href) if href else None


def _href(value: dict[str, Any]) -> str | None:
    links = value.get("_links")
    following = links.get("next") if isinstance(links, dict) else None
    href = following.get("href") if isinstance(following, dict) else None
    return href if isinstance(href, str) and href else None


def _success(operation: Asked, response: Response) -> Outcome:
    empty = not response.body.strip()  # `null` is not: nobody documents it
    value = None if empty else wire.parse_json(response.body)
    said = _said(response, value)
    if isinstance(value, dict) and _is_error(value):
        return Undocumented(**said, detail="the body of an error under a status of success")
    if operation.meaning in ("data", "page") and empty:
        return NoData(**said, result=_no_data())
    if operation.meaning == "page" and isinstance(value, dict):
        return _page(value, said)
    if operation.meaning == "command" and not (isinstance(value, dict) and wire.text(value.get("remoteActionId"))):
        return _wrong_type(said, "accepted without a remoteActionId")
    if not isinstance(value, dict) and not (operation.meaning == "plain" and empty):
        return _wrong_type(said, "a success that is not the JSON object it should be")
    return Success(**said, result=value, detail=meaning_of(value))


def meaning_of(action: Any) -> str:
    """What a remote action's state says of it; nothing for any other object. Source: RemoteActionStatus and
    RemoteFailedEventStatus of the B2B file.

    A car that was in the wanted state already is what was asked for. A failure because the same action is in progress
    tells that it was asked for twice: the first one goes on.
    """
    if not (isinstance(action, dict) and wire.text(action.get("remoteActionId")) and "status" in action):
        return ""
    status, cause = wire.text(action["status"]), wire.text(action.get("failureCause"))
    if status in ("Success", "AlreadyDone"):
        return CARRIED_OUT
    if status == "Failed":
        return ASKED_TWICE if cause == "SameActionInProgress" else NOT_CARRIED_OUT
    return PENDING if status in _UNDER_WAY else ""


def _page(value: dict[str, Any], said: dict[str, Any]) -> Outcome:
    embedded = value.get("_embedded")
    lists = [v for v in embedded.values() if isinstance(v, list)] if isinstance(embedded, dict) else []
    empty = embedded is None and value.get("total") == 0
    if len(lists) != 1 and not empty and embedded != {}:
        return OutcomeUnknown("wrong_type", detail="a page without exactly one list of items", vendor=said["vendor"])
    items = lists[0] if lists else []
    total = value.get("total")
    page = {
        "items": len(items),
        "next": _href(value),
        "total": total if isinstance(total, int) and not isinstance(total, bool) else None,
    }
    return Success(**said, result={"data": items, "page": page})


def _is_error(value: dict[str, Any]) -> bool:
    """Whether it has the keys of an error and nothing of a resource."""
    if "_links" in value or "_embedded" in value:
        return False
    return ("code" in value and "message" in value) or "httpCode" in value or "error_description" in value


def _wrong_type(said: dict[str, Any], why: str) -> Outcome:
    return OutcomeUnknown("wrong_type", detail=why, vendor=said["vendor"])


def _no_data() -> dict[str, Any]:
    return {"no_data": True}


def _refused(operation: Asked, response: Response, exchange: Exchange) -> Outcome:
    said, status = _said(response, wire.parse_json(response.body)), response.status
    wait = wire.waiting(exchange)
    if status == 400:
        return CredentialRefused(**said) if said["code"] == "invalid_grant" else InvalidRequest(**said)
    if status == 401:
        return CredentialRefused(**said)
    if status == 403:
        return AccessRefused(**said)
    if status == 404:
        return _not_found(operation, said)
    if status == 429:
        return RateLimited(**said, **wait)
    if status in (500, 502, 503, 504):
        return _trouble(response, exchange, said | wait)
    # A 4xx says that the request was not taken; 408 says that it may have been on its way.
    return Undocumented(
        **said,
        detail="a status the API does not document",
        executed=False if 400 < status < 500 and status != 408 else None,
    )


def _not_found(operation: Asked, said: dict[str, Any]) -> Outcome:
    if operation.meaning in ("data", "page") and operation.repeatable and _NO_DATA.fullmatch(said["code"]):
        return NoData(**said, result=_no_data())
    if said["code"] == "http_404":
        return WrongPath(**said, detail="404 without a code: nothing of the API answers at this address")
    return UnknownId(**said)


def _trouble(response: Response, exchange: Exchange, said: dict[str, Any]) -> Outcome:
    if response.status == 500 and said["code"] == CONSENT_CODE:
        return ConsentNeeded(**said)
    refused = response.status == 503 and wire.rate_headers(exchange).after_s is not None
    return ServerTrouble(**said, executed=False if refused else None)


def _said(response: Response, value: Any) -> dict[str, Any]:
    """Code, message and what support asks for, from whichever shape the body's value is."""
    fields = value if isinstance(value, dict) else {}
    if 200 <= response.status < 300 and not _is_error(fields):
        # A resource has a `name` or `message` of its own; its content is no business of logs.
        fields, plain = {}, ""
    else:
        plain = "" if fields else _TAGS.sub(" ", response.body[:4000].decode("utf-8", "replace"))
    vendor = {"http_status": str(response.status)} | {key: wire.text(fields.get(key)) for key in _MARKS}
    vendor["transaction"] = response.header("x-global-transaction-id") or ""
    return {
        "code": _code(fields) or f"http_{response.status}",
        "message": next((t for key in _MESSAGES if (t := wire.text(fields.get(key)))), plain),
        "vendor": {key: found for key, found in vendor.items() if found},
    }


def _code(fields: dict[str, Any]) -> str:
    """A gateway's `httpCode` only repeats the status, so it is not a code of the API."""
    code = wire.text(fields.get("code")).strip()
    if code:
        return code
    named = wire.text(fields.get("error")) or wire.text(fields.get("debug") if "name" in fields else None)
    return named.strip()
