"""Observe: the record that one attempt leaves.

Promise: everything the vendors' supports ask for (time, ids, endpoint, both bodies, code, uuid, message, timestamp)
and everything our own people ask (who, how long, what was decided and why), as plain JSON values, each of them
through the redactor. Scope: one attempt; it is kept by the store and printed by `log.py`.
"""

from collections.abc import Mapping
from typing import Any

from worker.deliver.exchange import Asked, Exchange, Response
from worker.deliver.outcome import Outcome
from worker.observe.redact import Redactor

PLAIN = frozenset({"job", "chain", "account", "worker", "attempt", "lease", "queued_ms", "decision", "wait_s"})
"""Facts that are made of our own names and numbers; all others may quote somebody."""
IDS = ("x-request-id", "x-correlation-id", "x-global-transaction-id")


def evidence(
    exchange: Exchange, outcome: Outcome, operation: Asked, facts: Mapping[str, Any], redactor: Redactor
) -> dict[str, Any]:
    """The record. `facts` are the job's: job, attempt, worker, account, correlation id, action, wait_s, why and the
    like.
    """
    request, response = exchange.request, exchange.response
    own = {
        "at": exchange.started_at,
        "operation": operation.name,
        "api": operation.api,
        "method": request.method,
        "url": redactor.redact_url(request.url),
        "ids": _ids(exchange, redactor),
        "request": {
            "headers": redactor.redact_headers(request.headers),
            "body": redactor.redact_body(request.body, _content_type(request.headers), asked=True),
        },
        "response": None if response is None else _response(response, redactor),
        "failure": _failure(exchange, redactor),
        "wrote": exchange.wrote,
        "latency_ms": _ms(exchange.ended_at - exchange.started),
        "sent_ms": _since(exchange, exchange.sent_at),
        "first_byte_ms": _since(exchange, exchange.first_byte_at),
        "outcome": _outcome(outcome, redactor),
    }
    said = {str(name): value if name in PLAIN else _fact(value, redactor) for name, value in facts.items()}
    return said | own


def _outcome(outcome: Outcome, redactor: Redactor) -> dict[str, Any]:
    return {
        "class": outcome.error_class,
        "code": redactor.redact_text(outcome.code),
        "message": redactor.redact_text(outcome.message),
        "detail": redactor.redact_text(outcome.detail),
        "executed": outcome.executed,
        "retry_after_s": outcome.retry_after_s,
        "hint": outcome.hint,
        "vendor": {name: redactor.redact_text(value) for name, value in outcome.vendor.items()},
    }


def _response(response: Response, redactor: Redactor) -> dict[str, Any]:
    return {
        "status": response.status,
        "http_version": response.http_version,
        "headers": redactor.redact_headers(response.headers),
        "body": redactor.redact_body(response.body, _content_type(response.headers)),
    }


def _failure(exchange: Exchange, redactor: Redactor) -> dict[str, str] | None:
    failure = exchange.failure
    return None if failure is None else {"kind": failure.kind, "detail": redactor.redact_text(failure.detail)}


def _ids(exchange: Exchange, redactor: Redactor) -> dict[str, str]:
    """The ids by which a call is found at the other side; its answer's go before ours, which it may have replaced."""
    headers = list(exchange.request.headers)
    if exchange.response is not None:
        headers += exchange.response.headers
    found = redactor.redact_headers({name.lower(): value for name, value in headers if name.lower() in IDS})
    return {name.removeprefix("x-").replace("-", "_"): value for name, value in found.items()}


def _content_type(headers: tuple[tuple[str, str], ...]) -> str | None:
    return next((value for name, value in headers if name.lower() == "content-type"), None)


def _fact(value: Any, redactor: Redactor) -> Any:
    """Facts are ours, so they are shown; but text among them may quote anything."""
    if isinstance(value, str):
        return redactor.redact_text(value)
    if isinstance(value, Mapping):
        return {str(name): _fact(item, redactor) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fact(item, redactor) for item in value]
    return value if value is None or isinstance(value, (bool, int, float)) else redactor.redact_text(str(value))


def _since(exchange: Exchange, moment: float | None) -> float | None:
    return None if moment is None else _ms(moment - exchange.started)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
