"""Deliver: what the hub's answers mean (OCPI 2.2.1 in the hub's own dialect).

Promise: `classify` gives every exchange exactly one outcome and raises for none; a success needs HTTP 2xx, the
envelope's 1000 and the content the operation is called for. Scope: one exchange; its fate is in
`worker/fail/policy.py`.

The hub gives standard numbers meanings of its own (2002 credential, 2003 not found, 2004 rate), so nothing here
comes from a general OCPI table. Errors mostly arrive with HTTP 200. Where status and code disagree, the status
wins: 401, 429, 5xx and 404 are read first, and a code that contradicts another 4xx is undocumented.
"""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from worker.accept.paging import PageLink
from worker.deliver import wire
from worker.deliver.exchange import Asked, Exchange, Response
from worker.deliver.outcome import (
    AuthorizationUnknown,
    CommandRejected,
    CommandUnsupported,
    CredentialRefused,
    GenericError,
    Malformed,
    NotFoundRemote,
    Outcome,
    RateLimited,
    ReceiverNotConnected,
    RemoteTrouble,
    RoleRefused,
    Success,
    Undocumented,
    UnknownReceiver,
    WrongPath,
)

NO_ROUTING = "no locations on the first, unfiltered page"
ANSWERS = ("ALLOWED", "BLOCKED", "NOT_ALLOWED", "EXPIRED", "NO_CREDIT")

_ROLE = re.compile(
    r"\b(cpo|e-?msp|hub)[- ]only\b|\bparty mismatch\b|\bwrong role\b|\brole mismatch\b"
    r"|\bdoes not match (the )?authenticated party\b",
    re.IGNORECASE,
)
_DOUBTFUL = re.compile(
    r"time[d -]?\s?out|internal|unexpected|unknown error|server error|unavailable|upstream|gateway|forward|try again"
    r"|failed to|could not|unable|exception|partial",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\b(invalid|missing|required|malformed|not found|not allowed|not permitted|forbidden|unauthori[sz]ed|refused"
    r"|rejected|denied|unsupported|not supported|validation|must (not )?be|expected)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"<([^<>]*)>\s*((?:;[^,<>]*(?:\"[^\"]*\")?)*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next)\s*(?:;|$)", re.IGNORECASE)


def classify(operation: Asked, exchange: Exchange) -> Outcome:
    """The one outcome of `exchange`."""
    response = exchange.response
    if response is not None and response.status in (401, 429):
        # The status alone says that it was not executed, even where the rest was lost on the way.
        return _by_status(response, exchange, _envelope(response))
    if exchange.failure is not None:
        return wire.from_failure(exchange.failure, exchange.wrote)
    if response is None:
        return wire.no_answer()
    envelope = _envelope(response)
    if response.status in (401, 404, 429) or response.status >= 500:
        return _by_status(response, exchange, envelope)
    if response.status in wire.REDIRECTS:
        return wire.redirected(response)
    if envelope is None or not (200 <= response.status < 300 or response.status >= 400):
        return _undocumented(response, envelope, "no envelope with a status_code in the answer")
    if 200 <= response.status < 300 and _is_1000(envelope):
        return _inside(operation, exchange, response, envelope)
    return _by_code(response, exchange, envelope)


def page_link(exchange: Exchange) -> PageLink | None:
    """The next page by the `Link` header; its absence, never a count, is the end."""
    for name, value in exchange.response.headers if exchange.response else ():
        if name.lower() == "link":
            for target, parameters in _LINK.findall(value):
                if _NEXT.search(parameters):
                    return PageLink(target.strip())
    return None


def _envelope(response: Response) -> dict[str, Any] | None:
    value = wire.parse_json(response.body)
    return value if isinstance(value, dict) and _code(value) is not None else None


def _code(envelope: dict[str, Any]) -> int | None:
    """An error's number may be quoted; a success's may not (see `_is_1000`)."""
    code = envelope.get("status_code")
    if isinstance(code, str) and re.fullmatch(r"[0-9]{4}", code):
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _is_1000(envelope: dict[str, Any]) -> bool:
    code = envelope["status_code"]
    return isinstance(code, int) and code == 1000


def _said(response: Response, envelope: dict[str, Any] | None) -> dict[str, Any]:
    if envelope is None:
        return {"code": f"http_{response.status}"}
    vendor = {"http_status": str(response.status), "timestamp": wire.text(envelope.get("timestamp"))}
    message = wire.text(envelope.get("status_message"))
    return {"code": _code(envelope), "message": message, "vendor": {k: v for k, v in vendor.items() if v}}


def _undocumented(response: Response, envelope: dict[str, Any] | None, why: str) -> Outcome:
    return Undocumented(**_said(response, envelope), detail=why)


def _by_status(response: Response, exchange: Exchange, envelope: dict[str, Any] | None) -> Outcome:
    said, wait = _said(response, envelope), wire.waiting(exchange)
    if response.status == 401:
        return CredentialRefused(**said)
    if response.status == 429:
        return RateLimited(**said, **wait)
    if response.status == 404:
        return _not_found(said, envelope)
    if response.status == 503 and wire.rate_headers(exchange).after_s is not None:
        return ReceiverNotConnected(**said, **wait)
    return RemoteTrouble(**said, **wait)


def _not_found(said: dict[str, Any], envelope: dict[str, Any] | None) -> Outcome:
    if envelope is None:
        return WrongPath(**said, detail="404 without an envelope: nothing of the hub answers at this address")
    if said["code"] == 2004:
        return WrongPath(**said, detail="404 with 2004: another dialect, where 2004 means an unknown token")
    if _ROLE.search(said["message"]):
        return RoleRefused(**said)
    return NotFoundRemote(**said)


def _by_code(response: Response, exchange: Exchange, envelope: dict[str, Any]) -> Outcome:
    said, code = _said(response, envelope), _code(envelope)
    if code in (2000, 2001, 2002, 2003) and _ROLE.search(said["message"]):
        return RoleRefused(**said)
    if code == 2000:
        return GenericError(**said, executed=_known_from(said["message"]))
    if code == 2001:
        return Malformed(**said)
    if code == 2002:
        return CredentialRefused(**said)
    if code == 2003:
        return NotFoundRemote(**said)
    if response.status >= 400:
        return Undocumented(**said, detail=f"HTTP {response.status} and the code contradict each other")
    return _by_code_alone(said, exchange, code)


def _by_code_alone(said: dict[str, Any], exchange: Exchange, code: int | None) -> Outcome:
    """Codes that only count inside a 2xx."""
    wait = wire.waiting(exchange)
    if code == 2004:
        return RateLimited(**said, **wait)
    if code == 4001:
        return UnknownReceiver(**said)
    if code == 4003:
        return ReceiverNotConnected(**said, **wait)
    if code == 4002 or (code is not None and 3000 <= code <= 3999):
        return RemoteTrouble(**said, **wait)
    return Undocumented(**said, detail="a code the hub does not document")


def _known_from(message: str) -> bool | None:
    """False if the message says that the request was refused; None if it leaves any doubt."""
    return False if _REFUSED.search(message) and not _DOUBTFUL.search(message) else None


def _inside(operation: Asked, exchange: Exchange, response: Response, envelope: dict[str, Any]) -> Outcome:
    data = envelope.get("data")
    if operation.meaning in ("authorization", "command", "data") and isinstance(data, list) and len(data) == 1:
        data = data[0]  # one object is sometimes sent as a list of one
    if operation.meaning == "authorization":
        return _authorization(response, envelope, data)
    if operation.meaning == "command":
        return _command(response, envelope, data)
    if operation.meaning == "page":
        return _page(operation, exchange, response, envelope)
    if operation.meaning == "data" and not isinstance(data, (dict, list)):
        return _undocumented(response, envelope, "a success without the data it is asked for")
    return Success(**_said(response, envelope), result=data)


def _authorization(response: Response, envelope: dict[str, Any], data: Any) -> Outcome:
    allowed = data.get("allowed") if isinstance(data, dict) else None
    if allowed == "UNKNOWN":
        return AuthorizationUnknown(**_said(response, envelope), detail="UNKNOWN", result=data)
    if allowed not in ANSWERS:
        return _undocumented(response, envelope, "a success without a known value of 'allowed'")
    return Success(**_said(response, envelope), result=data)


def _command(response: Response, envelope: dict[str, Any], data: Any) -> Outcome:
    result = data.get("result") if isinstance(data, dict) else None
    said = _said(response, envelope)
    if result == "ACCEPTED":
        return Success(**said, result=data)
    if result == "REJECTED":
        return CommandRejected(**said, detail="REJECTED", result=data)
    if result in ("NOT_SUPPORTED", "UNKNOWN_SESSION"):
        return CommandUnsupported(**said, detail=result, result=data)
    return _undocumented(response, envelope, "a success without a known 'result' of the command")


def _page(operation: Asked, exchange: Exchange, response: Response, envelope: dict[str, Any]) -> Outcome:
    data, link = envelope.get("data"), page_link(exchange)
    if not isinstance(data, list):
        return _undocumented(response, envelope, "a page whose data is not a list")
    total = response.header("x-total-count") or ""
    page = {
        "items": len(data),
        "next": link.href if link else None,
        "total": int(total) if total.isascii() and total.isdecimal() and len(total) < 16 else None,
    }
    unrouted = not data and link is None and operation.budget == "locations" and _first_and_whole(exchange.request.url)
    return Success(
        **_said(response, envelope), result={"data": data, "page": page}, detail=NO_ROUTING if unrouted else ""
    )


def _first_and_whole(url: str) -> bool:
    """Whether the request asked for the start of everything: later pages and filtered ones are often empty."""
    query = parse_qs(urlsplit(url).query)
    return query.get("offset", ["0"]) == ["0"] and not query.keys() & {"date_from", "date_to"}
