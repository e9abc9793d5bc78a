"""Deliver: one attempt of one job, from the permit in hand to an outcome.

Promise: exactly one HTTP request or none, with the credentials as they are now, under the permit's time to send; an
unrepeatable call passes the store's fence right before its first byte. Scope: the call and its meaning; what follows
from it is decided in `fail`.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from settings import Account, Settings
from settings.callbacks import CallbacksSection, is_address, is_loopback
from worker.accept import envelope
from worker.accept.operation import CallSpec, Operation, account_for
from worker.broker.card import Card
from worker.deliver import callback, http_call, hub, stellantis
from worker.deliver.exchange import Exchange
from worker.deliver.identity import Identity
from worker.deliver.job_event import origin_of
from worker.deliver.outcome import Outcome, Success
from worker.errors import StoreUnavailable

WIRE_FORMATS: dict[str, ModuleType] = {"hub": hub, "stellantis": stellantis, "callback": callback}

MOST_OF_A_RECEIVER = 65_536
"""Of a receiver's answer only the status counts."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was asked, what passed over the wire, and what it means."""

    operation: Operation
    account: Account
    params: Mapping[str, Any]
    body: Mapping[str, Any] | None
    exchange: Exchange
    outcome: Outcome
    request_id: str

    @property
    def own_party_is_offline(self) -> bool:
        """Whether the hub says so of the party that asks. Ids and words of OCPI are compared without case."""
        found, account = self.outcome.result, self.account
        if account.api != "hub" or not isinstance(found, dict) or not self.operation.path.startswith("/hubclientinfo/"):
            return False
        ours = (account.country_code, account.party_id, "OFFLINE")
        said = (found.get("country_code"), found.get("party_id"), found.get("status"))
        return [str(one).casefold() for one in said] == [str(one).casefold() for one in ours]

    def raise_unless_success(self) -> None:
        """Hands a failure to dramatiq the way it expects one."""
        if not isinstance(self.outcome, Success):
            raise self.outcome


class Delivery:
    """Makes calls for a worker process. `fence(card, door)` asks the store whether an unrepeatable call may go out;
    `door` is the secret part of the address its result will come to.
    """

    def __init__(self, settings: Settings, credentials: Identity) -> None:
        self._settings = settings
        self._accounts = settings.accounts()
        self._credentials = credentials
        self.fence: Callable[[Card, str], bool] = _no_fence
        self.told: Callable[[Card, Account, Mapping[str, Any]], CallSpec] = _nothing_to_tell
        """Makes the request that tells an end (`job_event.py`)."""

    def __call__(
        self,
        operation: Operation,
        card: Card,
        account_name: str,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None,
    ) -> Attempt:
        """One attempt. Raises `Refused` when settings have changed so that the call cannot be built any more."""
        account = account_for(self._accounts, account_name, operation.api)
        door = secrets.token_urlsafe(18)
        request_id = str(uuid.uuid4())
        try:
            spec = self._spec(operation, account, card, params, body, door, request_id)
        except StoreUnavailable as error:  # as with the fence: without the store, stay silent
            exchange = http_call.unsent(operation.method, account.base_url, "fenced", str(error))
        else:
            exchange = self._send(operation, account, card, spec, door)
        if operation.ours:
            exchange = replace(exchange, request=replace(exchange.request, url=origin_of(exchange.request.url)))
        outcome = WIRE_FORMATS[operation.api].classify(operation, exchange)
        return Attempt(operation, account, params, body, exchange, outcome, request_id)

    def _spec(
        self,
        operation: Operation,
        account: Account,
        card: Card,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        door: str,
        request_id: str,
    ) -> CallSpec:
        if operation.ours:
            spec = self.told(card, account, params)
        else:
            spec = operation.request(account, params, body, response_url=self._response_url(card, door))
        ids = {"X-Request-ID": request_id, "X-Correlation-ID": card.job_id}
        if (trace := envelope.trace_of(card.encoded)) is not None:
            ids[envelope.TRACE] = envelope.next_span(trace)
        return replace(spec, headers={**spec.headers, **ids})

    def _response_url(self, card: Card, door: str) -> str | None:
        """Unique per command; the secret part keeps strangers from answering for the hub."""
        base = self._settings.public_url
        return f"{base.rstrip('/')}/v1/command-results/{card.job_id}/{door}" if base else None

    def _send(self, operation: Operation, account: Account, card: Card, spec: CallSpec, door: str) -> Exchange:
        deliver, callbacks = self._settings.deliver, self._settings.callbacks
        patience_s, most = deliver.total_deadline_s, deliver.max_body_bytes
        if operation.ours:
            patience_s, most = min(patience_s, callbacks.timeout_s), min(most, MOST_OF_A_RECEIVER)
        fence = None if operation.repeatable else lambda: self.fence(card, door)
        card.began = True
        return http_call.send(
            spec,
            credentials_headers=self._credentials.headers_for(account.name),
            query=self._credentials.query_for(account.name),
            timing=http_call.Timing(card.send_by_s, patience_s, min(deliver.connect_timeout_s, patience_s)),
            fresh_connection=not operation.repeatable,
            fence=fence,
            tls=self._credentials.tls_for(account.name),
            max_body=most,
            public_only=operation.ours and not may_be_private(account, callbacks),
        )


def may_be_private(account: Account, callbacks: CallbacksSection) -> bool:
    """Whether a receiver may be inside: its address was named itself, it is this machine, or settings say so."""
    host = account.name.partition(":")[2]
    return is_address(host) or is_loopback(host) or host in callbacks.private_hosts


def _nothing_to_tell(card: Card, account: Account, params: Mapping[str, Any]) -> CallSpec:
    raise StoreUnavailable("nobody here can say how a job ended")


def _no_fence(card: Card, door: str) -> bool:
    """Fails closed: without a store to ask, an unrepeatable call stays unsent."""
    return False
