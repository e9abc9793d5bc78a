"""Limiter: how a budget and its windows stand at a moment, as plain values for people and programs.

Promise: nothing here asks the store; the numbers are those of `windows.lua`, taken in one step. Scope: description.
What may be sent is decided by `take.lua` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WindowState:
    """One window. `used` are our permits inside it, in flight or settled; `foreign` is what others were told to use;
    `unsure` while the store may have forgotten calls of it, so that it is paced with care.
    """

    name: str
    limit: int
    ceiling: int
    length_s: float
    used: int
    in_flight: int
    foreign: int
    shut_s: float
    unsure: bool = False

    @property
    def share(self) -> float:
        """How much of the limit is taken, by whomever."""
        return (self.used + self.foreign) / self.limit if self.limit else 0.0

    def length_words(self) -> str:
        """Such as `60 s` or `24 h`."""
        return f"{self.length_s / 3600:g} h" if self.length_s >= 3600 else f"{self.length_s:g} s"

    def words(self) -> str:
        """Such as `17/50 in 60 s, 3 by others`."""
        said = f"{self.used + self.foreign}/{self.limit} in {self.length_words()}"
        if self.foreign:
            said += f", {self.foreign} by others"
        if self.limit < self.ceiling:
            said += f", {self.ceiling} configured"
        if self.shut_s > 0:
            said += f", closed for {self.shut_s:.1f} s"
        if self.unsure:
            said += ", paced with care"
        return said

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "limit": self.limit, "configured": self.ceiling, "length_s": self.length_s,
            "used": self.used, "in_flight": self.in_flight, "foreign": self.foreign, "closed_s": self.shut_s,
            "unsure": self.unsure,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget of an account. `next_s` is when a permit can be had: 0 is now, None is when a call in flight ends."""

    account: str
    budget: str
    known: bool
    windows: tuple[WindowState, ...]
    next_s: float | None

    def words(self) -> str:
        """The windows, in one line."""
        if not self.known:
            return "unknown to the store"
        return "; ".join(window.words() for window in self.windows) or "no limit"

    def why(self) -> str:
        """What holds the next permit back, as far as the windows tell it."""
        for window in self.windows:
            if window.shut_s > 0:
                return f"its limit {window.name} was refused, and is closed for {window.shut_s:.1f} s"
            if window.unsure:
                return "the store is new, or may have forgotten earlier calls, so that it is paced with care"
            if window.used + window.foreign >= window.limit:
                return f"its limit {window.name} is used up ({window.words()})"
        return ""

    def next_words(self) -> str:
        """When the next permit can be had."""
        if not self.known:
            return "never: no running worker has this account in its settings"
        if self.next_s is None:
            return "when a call in flight ends"
        return "now" if self.next_s <= 0 else f"in {self.next_s:.1f} s"

    def as_dict(self) -> dict[str, Any]:
        return {
            "account": self.account, "budget": self.budget, "known": self.known, "next_permit_s": self.next_s,
            "windows": [window.as_dict() for window in self.windows],
        }  # fmt: skip


def read_budget(account: str, budget: str, reply: list[Any], closed_until_us: int = 0) -> BudgetState:
    """The state behind the reply of `windows.lua`. A budget without windows may still be closed by a refusal."""
    if not reply:
        return BudgetState(account, budget, False, (), None)
    now_us, next_us, *rows = reply
    windows = tuple(
        WindowState(
            name=str(name).rpartition("|")[2],
            limit=int(limit),
            ceiling=int(ceiling),
            length_s=int(length) / 1e6,
            used=int(used),
            in_flight=int(flying),
            foreign=int(foreign),
            shut_s=max(0.0, (int(shut) - now_us) / 1e6),
            unsure=bool(unsure),
        )
        for name, limit, ceiling, length, used, flying, foreign, shut, unsure in rows
    )
    opens_us = max(int(next_us), closed_until_us)
    next_s = None if next_us < 0 else max(0.0, (opens_us - now_us) / 1e6) if opens_us else 0.0
    return BudgetState(account, budget, True, windows, next_s)
