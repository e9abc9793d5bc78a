"""Sandbox, limits: exact sliding windows, counted by arrival on a monotonic clock.

An arrival at t belongs to every window (t - length, t]: what arrived exactly one length ago has left. It promises that
nothing is approximated; each window keeps every arrival it may still need. Whether a refused call occupies a place is
not documented by either vendor, so it is settable, and counts by default: the harsher reading, under which a client
that keeps knocking is never let in. Its scope ends at counting; what a refusal looks like on the wire is each API's
matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

SECOND = 1_000_000_000


@dataclass(slots=True)
class Window:
    """One limit of one account: at most `limit` arrivals in any `length_ns`."""

    name: str
    limit: int
    length_ns: int
    suffix: str = ""
    counted: deque[int] = field(default_factory=deque)
    arrived: deque[int] = field(default_factory=deque)
    max_arrived: int = 0
    total: int = 0

    def trim(self, now: int) -> None:
        """Let go of what left the window."""
        gone = now - self.length_ns
        for times in (self.counted, self.arrived):
            while times and times[0] <= gone:
                times.popleft()

    def full(self, now: int) -> bool:
        """Is the limit reached before this arrival?"""
        self.trim(now)
        return len(self.counted) >= self.limit

    def add(self, now: int, counts: bool) -> None:
        """Note one arrival; it occupies a place only if it counts."""
        self.arrived.append(now)
        self.total += 1
        if counts:
            self.counted.append(now)
        self.max_arrived = max(self.max_arrived, len(self.arrived))

    def remaining(self) -> int:
        """Places left, never under zero."""
        return max(0, self.limit - len(self.counted))

    def wait_ns(self, now: int) -> int:
        """How long until a call would be let in, if nothing else arrives."""
        over = len(self.counted) - self.limit
        return 0 if over < 0 else max(0, self.counted[over] + self.length_ns - now)

    def prefill(self, times: Iterable[int]) -> None:
        """Put arrivals of the past into the window, as if they had been seen."""
        for target in (self.counted, self.arrived):
            merged = sorted([*target, *times])
            target.clear()
            target.extend(merged)
        self.max_arrived = max(self.max_arrived, len(self.arrived))

    def clear(self) -> None:
        """Forget all arrivals."""
        self.counted.clear()
        self.arrived.clear()
        self.max_arrived = self.total = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the windows said to one arrival; figures are those right after it was counted."""

    refused: tuple[str, ...]
    wait_ns: int
    figures: tuple[tuple[str, int, int], ...]  # header suffix, limit, remaining


LET_IN = Verdict((), 0, ())
Described = tuple[tuple[str, int, int], ...]  # name, limit, length in ns: what the log keeps beside an arrival


class Windows:
    """All windows, by account and budget."""

    def __init__(self) -> None:
        self._budgets: dict[tuple[str, str], list[Window]] = {}
        self._described: dict[tuple[str, str], Described] = {}

    def add(self, account: str, budget: str, windows: list[Window]) -> None:
        """Declare the windows of one budget."""
        self._budgets[account, budget] = windows
        self._describe()

    def _describe(self) -> None:
        for key, windows in self._budgets.items():
            self._described[key] = tuple((w.name, w.limit, w.length_ns) for w in windows)

    def described(self, account: str, budget: str) -> Described:
        """Names, limits and lengths in force for this budget, as one shared tuple."""
        return self._described.get((account, budget), ())

    def arrive(self, account: str, budget: str, now: int, count_refused: bool) -> Verdict:
        """Count one arrival in all windows of its budget and say whether any of them refuses it."""
        windows = self._budgets.get((account, budget))
        if windows is None:
            return LET_IN
        full = [window for window in windows if window.full(now)]
        for window in windows:
            window.add(now, counts=count_refused or not full)
        return Verdict(
            tuple(window.name for window in full),
            max((window.wait_ns(now) for window in full), default=0),
            tuple((window.suffix, window.limit, window.remaining()) for window in windows),
        )

    def full(self, account: str, budget: str, now: int) -> bool:
        """Would a call be refused now?"""
        return any(window.full(now) for window in self._budgets.get((account, budget), ()))

    def change(self, account: str | None, name: str, limit: int | None, window_s: float | None) -> int:
        """Set limit or length of the named window, for one account or for all; says how many were changed."""
        changed = 0
        for owner, window in self.each():
            if window.name == name and account in (None, owner):
                window.limit = window.limit if limit is None else limit
                window.length_ns = window.length_ns if window_s is None else round(window_s * SECOND)
                changed += 1
        self._describe()
        return changed

    def each(self) -> list[tuple[str, Window]]:
        """Every window with its account."""
        return [(account, window) for (account, _), windows in self._budgets.items() for window in windows]

    def budget_of(self, account: str, name: str) -> str | None:
        """The budget a window of this name belongs to."""
        for (owner, budget), windows in self._budgets.items():
            if owner == account and any(window.name == name for window in windows):
                return budget
        return None

    def clear(self) -> None:
        """Forget all arrivals, keep limits."""
        for _, window in self.each():
            window.clear()
