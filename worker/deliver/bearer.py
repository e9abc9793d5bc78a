"""Deliver: bearer tokens, which are fetched and lapse: where they will plug in.

Promise: one token per account for all processes; one process at a time fetches the next one, before the old one lapses,
and nobody waits for it while the old one is good; a fetch that was refused is not repeated by the others. A token that
the API refuses is replaced once; if that one is refused too, the credential is. In the store it lies sealed.

Scope: keeping a token. Who fetches is an `Issuer` (`token_endpoint.py` is the one of OAuth); whoever sends asks `get`
before the call, and with `refused` after a 401. No subscription that can be configured today uses it: those of the kind
"b2b" have a password (`credentials.py`). The kinds that come with an end user's or a client's token put a `Bearers`
behind `identity.Identity`.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from worker.clock import SYSTEM, Clock
from worker.deliver.outcome import BY_NAME, NeverSent, Outcome, Undocumented
from worker.deliver.sealing import Seal
from worker.store.partition import Partition

EARLY_S = 60.0
POLL_S = 0.05
BARRED_S: Mapping[str, float] = {"credential_refused": 60.0, "rate_limited": 60.0}
BARRED_ELSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as it was given out."""

    token: str = field(repr=False)
    lapses_in_s: float


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token to call with. `version` is a mark of it: equal for equal tokens, and no secret."""

    token: str = field(repr=False)
    version: str
    good_until_s: float  # this process's steady clock

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Issuer(Protocol):
    """Fetches a token: one call, with a permit of the budget `control`, within `longest_s`. Never raises for what the
    other side or the network does: that is the outcome it answers with.
    """

    @property
    def longest_s(self) -> float: ...
    def issue(self, account: str) -> Issued | Outcome: ...


class Bearers:
    """The tokens of one process. Safe to use from all of its threads."""

    def __init__(
        self, partition: Partition, issuer: Issuer, seals: Mapping[str, Seal], early_s: float = EARLY_S,
        clock: Clock = SYSTEM,
    ) -> None:  # fmt: skip
        self._partition = partition
        self._issuer = issuer
        self._seals = seals
        self._early_s = early_s
        self._clock = clock
        self._known: dict[str, Bearer] = {}
        self._lock = threading.Lock()

    def get(self, account: str, refused: str = "") -> Bearer | Outcome:
        """A token that is good now, or why there is none. `refused` is the version the API has just refused."""
        known = self._known.get(account)
        if known is not None and known.version != refused and self._left_s(known) > self._early_s:
            return known
        until = self._clock.monotonic() + self._issuer.longest_s
        while (answer := self._ask(account, refused)) is None:
            if self._clock.monotonic() > until:
                return NeverSent("no_token", detail="another process fetches a token and has not got one in time")
            self._clock.sleep(POLL_S)
        return answer

    def secrets(self) -> tuple[str, ...]:
        """The tokens this process knows, to be masked wherever they turn up."""
        return tuple(bearer.token for bearer in list(self._known.values()))

    def _ask(self, account: str, refused: str) -> Bearer | Outcome | None:
        """None: somebody else fetches it."""
        claim = uuid.uuid4().hex
        facts = {
            "account": account,
            "claim": claim,
            "early_us": int(self._early_s * 1e6),
            "claim_us": int(self._issuer.longest_s * 1e6),
            "refused": refused,
        }
        verdict, *more = self._partition.decide("bearer", facts)
        if verdict == "token":
            return self._opened(account, *more)
        if verdict == "barred":
            why = json.loads(more[0])
            kind = BY_NAME.get(str(why.get("class")), Undocumented)
            return kind(why.get("code", ""), detail="a token was asked for and not given")
        return self._fetch(account, claim) if verdict == "fetch" else None

    def _opened(self, account: str, sealed: str, lapses: str, version: str, now: str) -> Bearer | Outcome:
        token = self._seals[account].open(sealed)
        if token is None:
            return NeverSent("no_token", detail="the shared token was sealed with another secret; it lapses by itself")
        return self._keep(account, token, version, (int(lapses) - int(now)) / 1e6)

    def _fetch(self, account: str, claim: str) -> Bearer | Outcome:
        issued = self._issuer.issue(account)
        facts: dict[str, object] = {"account": account, "claim": claim}
        if isinstance(issued, Outcome):
            wait_s = issued.retry_after_s or BARRED_S.get(issued.error_class, BARRED_ELSE_S)
            why = json.dumps({"class": issued.error_class, "code": issued.code})
            self._partition.decide("bearer_fetched", facts | {"bar_us": int(wait_s * 1e6), "why": why})
            return issued
        version = hashlib.sha256(issued.token.encode()).hexdigest()[:12]
        facts |= {"version": version, "lapse_us": int(issued.lapses_in_s * 1e6)}
        self._partition.decide("bearer_fetched", facts, self._seals[account].close(issued.token))
        return self._keep(account, issued.token, version, issued.lapses_in_s)

    def _keep(self, account: str, token: str, version: str, left_s: float) -> Bearer:
        bearer = Bearer(token, version, self._clock.monotonic() + left_s)
        with self._lock:
            self._known[account] = bearer
        return bearer

    def _left_s(self, bearer: Bearer) -> float:
        return bearer.good_until_s - self._clock.monotonic()
