"""Entry: one call that tells whether an account's credential is accepted.

Promise: a cheap read, once, with a permit of the budget `control` that is settled like any other; it goes by the same
door and is understood by the same rules as the calls of jobs. Scope: one account; who asks is `doctor.py`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote

from settings import Account, Settings
from worker.accept.operation import CallSpec
from worker.clock import SYSTEM, Clock
from worker.deliver import http_call
from worker.deliver.attempt import WIRE_FORMATS
from worker.deliver.exchange import Exchange
from worker.deliver.identity import Identity
from worker.deliver.outcome import (
    AccessRefused,
    CertificateTrouble,
    CredentialRefused,
    NeverSent,
    Outcome,
    RateLimited,
    Success,
)
from worker.fail.choosing import settle_of
from worker.fail.explaining import row_of
from worker.limiter.limiter import Limiter, Permit
from worker.limiter.told import told_windows

PERMIT_WAIT_S = 10.0
SEND_WITHIN_S = 5.0
SPARE_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the call told, in one sentence."""

    level: Literal["ok", "warn", "fail"]
    said: str
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The call as the classifiers want to know it."""

    name: str
    api: str
    budget: str = "control"
    repeatable: bool = True
    meaning: str = "data"


class Probe:
    """The call of one account."""

    def __init__(
        self, settings: Settings, credentials: Identity, limiter: Limiter, account: Account, clock: Clock = SYSTEM
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._limiter = limiter
        self._account = account
        self._clock = clock

    def ask(self) -> Answer:
        """Makes the call, if a permit can be had within ten seconds."""
        deliver = self._settings.deliver
        permit = self._limiter.acquire(
            self._account.name,
            "control",
            send_within_s=SEND_WITHIN_S,
            call_s=deliver.total_deadline_s + SPARE_S,
            transit_s=self._settings.limiter.transit_bound_s,
            quiet_s=self._settings.broker.lease_s,
            mode=self._settings.on_empty_store,
            wait_s=PERMIT_WAIT_S,
        )
        if not isinstance(permit, Permit):
            state = replace(self._limiter.budget(self._account.name, "control"), next_s=permit)
            why = self._limiter.why(state) or f"no permit in {PERMIT_WAIT_S:g} s"
            return Answer("warn", f"not asked: {why}; the next permit comes {state.next_words()}.")
        exchange = self._send(permit)
        self._settle(permit, exchange)
        asked = Asked(f"{self._account.api}.probe", self._account.api, meaning=self._meaning)
        return self._judge(WIRE_FORMATS[self._account.api].classify(asked, exchange), exchange)

    @property
    def _meaning(self) -> str:
        return "data" if self._account.api == "hub" else "page"

    def _spec(self) -> CallSpec:
        """The hub: what it knows of ourselves. Stellantis: the fleets of the subscription, one of them."""
        account = self._account
        base = account.base_url.rstrip("/")
        ids = {"X-Request-ID": str(uuid.uuid4()), "X-Correlation-ID": f"doctor-{uuid.uuid4().hex[:12]}"}
        if account.api == "hub":
            party = f"{quote(account.country_code or '', safe='')}/{quote(account.party_id or '', safe='')}"
            return CallSpec("GET", f"{base}/hubclientinfo/{party}", [], None, ids)
        return CallSpec("GET", f"{base}/fleets", [("pageSize", "1")], None, ids)

    def _send(self, permit: Permit) -> Exchange:
        deliver, name = self._settings.deliver, self._account.name
        try:
            return http_call.send(
                self._spec(),
                credentials_headers=self._credentials.headers_for(name),
                query=self._credentials.query_for(name),
                timing=http_call.Timing(permit.send_by_s, deliver.total_deadline_s, deliver.connect_timeout_s),
                fresh_connection=True,
                tls=self._credentials.tls_for(name),
                max_body=deliver.max_body_bytes,
            )
        except Exception:
            self._limiter.settle(permit, {"mode": "refund"})
            raise

    def _settle(self, permit: Permit, exchange: Exchange) -> None:
        settle = settle_of(exchange, self._settings.limiter.transit_bound_s, self._clock.monotonic())
        self._limiter.settle(permit, settle, told_windows(self._account, permit.budget, exchange))

    def _judge(self, outcome: Outcome, exchange: Exchange) -> Answer:
        row = row_of(self._account.api, outcome.error_class)
        advice = f" {row.alert}" if row and row.alert else ""
        said = outcome.message or outcome.detail or outcome.code
        match outcome:
            case Success():
                return self._welcome(outcome, exchange)
            case CredentialRefused():
                return Answer("fail", f"the credential is refused ({outcome.code} {said}).{advice}")
            case CertificateTrouble():
                return Answer("fail", f"no trusted connection ({said}).{advice}")
            case NeverSent():
                return Answer(
                    "fail", f"{self._host} cannot be reached ({said}); look at the base URL and the network.", True
                )
            case AccessRefused():
                return Answer("warn", f"the credential is accepted, but not for this read ({outcome.code} {said}).")
            case RateLimited():
                return Answer("warn", f"refused for its rate ({said}): somebody else uses this account as well.")
        answer = f"HTTP {exchange.response.status}" if exchange.response else "no answer"
        return Answer(
            "fail", f"{answer}, {outcome.error_class} {outcome.code} ({said}).{advice}", exchange.response is None
        )

    def _welcome(self, outcome: Success, exchange: Exchange) -> Answer:
        took = f"{(exchange.ended_at - exchange.started) * 1000:.0f} ms"
        status = self._connection(outcome.result)
        if status in ("OFFLINE", "SUSPENDED"):
            return Answer(
                "warn",
                f"the credential is accepted ({took}), but the hub calls us {status}: "
                "it must reach our GET /ocpi/versions.",
            )
        return Answer(
            "ok", f"the credential is accepted ({took})" + (f"; the hub calls us {status}." if status else ".")
        )

    def _connection(self, result: Any) -> str:
        status = result.get("status") if isinstance(result, dict) else None
        return status if isinstance(status, str) and status.isalpha() else ""

    @property
    def _host(self) -> str:
        return self._account.base_url.partition("//")[2].partition("/")[0].rpartition("@")[2]
