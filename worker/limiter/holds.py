"""Limiter: what is stopped on purpose: accounts, lanes and budgets; by whom, since when and why.

Promise: a hold is in force for all processes at once and keeps every waiting job in its place; each change by a person
is kept in the audit. Scope: setting, ending and reading holds; what a hold keeps back is decided in `take.lua`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from settings import Account
from worker.accept.operation import account_for, find, operations
from worker.errors import Conflict, NotFound, Refused
from worker.store.partition import Partition

TRIED = ("credential", "certificate")
"""Causes of holds that a release lets one job try (`release.lua`)."""
KINDS = ("account", "lane", "budget")


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. `probe_us` is when the next single job may try, for holds that end by themselves."""

    scope: str
    cause: str
    by: str
    reason: str
    since_us: int
    probe_us: int | None
    probing: bool

    def words(self) -> str:
        return f"{self.scope} held ({self.cause}) by {self.by}" + (f": {self.reason}" if self.reason else "")

    def as_dict(self) -> dict[str, Any]:
        return {
            "scope": self.scope, "cause": self.cause, "by": self.by, "reason": self.reason,
            "since_us": self.since_us, "probe_us": self.probe_us, "probing": self.probing,
        }  # fmt: skip


class Holds:
    """All holds of a partition."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def all(self) -> dict[str, Hold]:
        """Every hold by its scope."""
        found = self._partition.one("hgetall", self._partition.key("holds"))
        return {scope: read_hold(scope, text) for scope, text in sorted(found.items())}

    def hold(self, scope: str, by: str, reason: str) -> None:
        """Stops a scope. Raises `Conflict` when it is held already."""
        if self._partition.decide("hold", {"scope": scope, "by": by, "reason": reason}) == "already":
            held = self.all().get(scope)
            who = f" ({held.cause}, by {held.by}{': ' + held.reason if held.reason else ''})" if held else ""
            raise Conflict(f"{scope} is held already{who}; release it first.")

    def release(self, scope: str, by: str, reason: str) -> Hold | None:
        """Ends a hold. What it answers is the hold that stays until one job has tried a refused credential.

        Raises `NotFound` when nothing holds this scope.
        """
        before = self.all().get(scope)
        said = self._partition.decide("release", {"scope": scope, "by": by, "reason": reason})
        if said == "none":
            held = ", ".join(self.all()) or "nothing at all"
            raise NotFound(f"{scope} is not held; held are: {held}.")
        # Not read again: the one job may be through, and the hold over, by now.
        tried = before is not None and before.cause in TRIED and before.probe_us is not None
        return before if tried else None


def read_hold(scope: str, text: str) -> Hold:
    """The record of a hold; one that cannot be read still holds, and says so."""
    try:
        record: Mapping[str, Any] = json.loads(text)
    except ValueError:
        record = {"cause": "unreadable"}
    probe = record.get("probe_at")
    return Hold(
        scope=scope,
        cause=str(record.get("cause", "")),
        by=str(record.get("by", "")),
        reason=str(record.get("reason") or ""),
        since_us=int(float(record.get("since") or 0)),
        probe_us=None if probe is None else int(float(probe)),
        probing=bool(record.get("probe")),
    )


def over(holds: Mapping[str, Hold], account: str, operation: str, budget: str) -> Hold | None:
    """The hold that keeps this lane back: the widest one first."""
    scopes = (f"account:{account}", f"budget:{account}|{budget}", f"lane:{account}|{operation}")
    return next((holds[scope] for scope in scopes if scope in holds), None)


def scope_of(words: Sequence[str], accounts: Mapping[str, Account]) -> str:
    """The scope behind what a person wrote: `ACCOUNT`, `ACCOUNT OPERATION`, `ACCOUNT BUDGET`, or a scope as listed.

    Raises `Refused` when no such account, operation or budget exists.
    """
    first, second = (*words, "", "")[:2]
    kind, _, rest = first.partition(":")
    if kind in KINDS and rest:
        first = rest
    if not second:
        first, _, second = first.partition("|")
    account = account_for(accounts, first)
    if not second:
        return f"account:{account.name}"
    if second in account.budgets:
        return f"budget:{account.name}|{second}"
    if "." not in second:
        raise Refused(
            f"expected an operation or a budget of {account.name} ({', '.join(account.budgets)}), got {second[:80]!r}; "
            "correct it, or leave it out to stop the whole account."
        )
    if find(second).api != account.api:
        known = ", ".join(name for name, row in operations.items() if row.api == account.api)
        raise Refused(f"expected an operation of the {account.api} API, got {second!r}; choose one of {known}.")
    return f"lane:{account.name}|{second}"
