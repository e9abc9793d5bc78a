"""Deliver: a bearer token from an OAuth 2.0 token endpoint, with a client's own credentials (RFC 6749, section 4.4).

Promise: one request through the one door to the network, with a permit of the account's budget `control`; whatever
comes back is a token or an outcome, never an exception. Scope: the fetch; keeping the token is `bearer.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from settings import Settings
from worker.clock import SYSTEM, Clock
from worker.deliver import http_call, stellantis, wire
from worker.deliver.bearer import Issued
from worker.deliver.exchange import Exchange, TlsFiles
from worker.deliver.outcome import CredentialRefused, NeverSent, Outcome, Success, Undocumented
from worker.fail.choosing import settle_of
from worker.limiter.limiter import Limiter, Permit
from worker.limiter.told import told_windows

PERMIT_WAIT_S, SEND_WITHIN_S, SPARE_S = 10.0, 5.0, 5.0
UNSAID_LIFE_S = 300.0
"""`expires_in` is only recommended; without it a token is taken for a short one."""
OUR_FAULT = ("invalid_client", "invalid_grant", "unauthorized_client")


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, and where. The secret travels in the Authorization header, not in the body."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    scope: str = ""
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class _Form:
    """A request with a form instead of JSON."""

    url: str
    form: Mapping[str, str]
    method: str = "POST"
    query: tuple[tuple[str, str], ...] = ()
    json: None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The call as the classifiers want to know it."""

    name: str = "stellantis.token"
    api: str = "stellantis"
    budget: str = "control"
    repeatable: bool = True
    meaning: str = "plain"


class TokenEndpoint:
    """Fetches tokens for the accounts it has a client for."""

    def __init__(
        self, settings: Settings, limiter: Limiter, clients: Mapping[str, Client], clock: Clock = SYSTEM
    ) -> None:
        self._settings = settings
        self._limiter = limiter
        self._clients = clients
        self._clock = clock
        self._accounts = settings.accounts()

    @property
    def longest_s(self) -> float:
        return PERMIT_WAIT_S + SEND_WITHIN_S + self._settings.deliver.total_deadline_s + SPARE_S

    def issue(self, account: str) -> Issued | Outcome:
        deliver = self._settings.deliver
        permit = self._limiter.acquire(
            account,
            "control",
            send_within_s=SEND_WITHIN_S,
            call_s=deliver.total_deadline_s + SPARE_S,
            transit_s=self._settings.limiter.transit_bound_s,
            quiet_s=self._settings.broker.lease_s,
            mode=self._settings.on_empty_store,
            wait_s=PERMIT_WAIT_S,
        )
        if not isinstance(permit, Permit):
            return NeverSent("no_permit", detail="no permit of the budget control for fetching a token")
        exchange = self._send(permit, self._clients[account])
        settle = settle_of(exchange, self._settings.limiter.transit_bound_s, self._clock.monotonic())
        self._limiter.settle(permit, settle, told_windows(self._accounts.get(account), permit.budget, exchange))
        return read(exchange)

    def _send(self, permit: Permit, client: Client) -> Exchange:
        deliver = self._settings.deliver
        form = {"grant_type": "client_credentials"} | ({"scope": client.scope} if client.scope else {})
        try:
            return http_call.send(
                _Form(client.url, form),
                credentials_headers=client.headers,
                query={},
                timing=http_call.Timing(permit.send_by_s, deliver.total_deadline_s, deliver.connect_timeout_s),
                fresh_connection=True,
                tls=client.tls,
                max_body=deliver.max_body_bytes,
            )
        except Exception:
            self._limiter.settle(permit, {"mode": "refund"})
            raise


def read(exchange: Exchange) -> Issued | Outcome:
    """The token in the answer, or what the answer means."""
    outcome = stellantis.classify(_Asked(), exchange)
    if outcome.code in OUR_FAULT:
        return CredentialRefused(outcome.code, outcome.message)
    if not isinstance(outcome, Success):
        return outcome
    said: Any = outcome.result if isinstance(outcome.result, dict) else {}
    token, life = said.get("access_token"), said.get("expires_in", UNSAID_LIFE_S)
    usable = isinstance(token, str) and token and all("!" <= one <= "~" for one in token)
    if not usable or str(said.get("token_type", "")).lower() != "bearer":
        return Undocumented("no_token", detail="the token endpoint answered without a bearer token")
    try:
        lapses_in_s = float(wire.text(life))
    except ValueError:
        lapses_in_s = UNSAID_LIFE_S
    return Issued(token, lapses_in_s if 0 < lapses_in_s < 366 * 86_400 else UNSAID_LIFE_S)
