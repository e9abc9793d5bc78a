"""Limiter: how near each account is to its long limit, and how long its jobs have waited for it.

Promise: the alert, `doctor` and `lanes list` say the same figure, from one reckoning (`parts/quota.lua`). Scope:
numbers and words; when somebody is told is decided by `judge.lua`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from settings.limiter import LimiterSection
from worker.accept.envelope import PRIORITIES
from worker.store.partition import Partition

NEVER = -1
SLICE = 100  # accounts a call
RAISE: Mapping[str, str] = {
    "stellantis": "the limit of a subscription can be raised: contact Stellantis to have its ratios increased",
    "callback": "the limit is of our own settings, PACELINE_CALLBACKS__LIMITS: ask the receiver what it can bear",
    "hub": "ask the hub's operator whether the party's limits can be raised",
}
"""By API. Stellantis' page on limits ends with it; the hub's names nobody."""


@dataclass(frozen=True, slots=True)
class Quota:
    """An account, its longest window, and what waits. `of_use`: the window is long enough to do something about it."""

    account: str
    window: str
    used: int
    limit: int
    length_s: float
    of_use: bool
    waiting: int
    ages_s: dict[str, float]

    @property
    def share(self) -> float:
        return self.used / self.limit if self.limit else 0.0

    def reasons(self, limiter: LimiterSection) -> list[str]:
        """Why advice is due; empty when all is well."""
        found = []
        if self.of_use and self.share >= limiter.quota_advice_share:
            found.append(f"{self.share:.0%} of the limit is used")
        for priority, age_s in self.ages_s.items():
            bound_s = age_bound_s(limiter, priority)
            if bound_s is not None and age_s >= bound_s:
                found.append(f"the oldest {priority} job has waited {length_words(age_s)}")
        return found

    def words(self) -> str:
        """Such as `91,000 of 100,000 calls in 24 h are used, 12 jobs wait`."""
        return figures(self.used, self.limit, self.length_s, self.waiting)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def figures(used: int, limit: int, length_s: float | None, waiting: int) -> str:
    """The same figures wherever they are said."""
    waits = f"{waiting:,} {'job waits' if waiting == 1 else 'jobs wait'}"
    if not limit or not length_s:
        return waits
    return f"{used:,} of {limit:,} calls in {length_words(length_s)} are used, {waits}"


def length_words(seconds: float) -> str:
    """Such as `60 s`, `45 min` or `24 h`."""
    if seconds >= 7200 or seconds == 3600:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.0f} min" if seconds > 120 else f"{seconds:g} s"


def age_bound_s(limiter: LimiterSection, priority: str) -> float | None:
    """How long a job of this priority may wait before somebody is advised."""
    return limiter.oldest_age_alerts.get(priority, limiter.oldest_age_alert_s)


def quotas(partition: Partition) -> dict[str, Quota]:
    """Every account of the settings in force, by name."""
    return {quota.account: quota for quota in _all(partition)}


def _all(partition: Partition) -> Iterator[Quota]:
    after, rows = "", list[Any]()
    while not after or len(rows) == SLICE:
        rows = partition.decide("quota", {"after": after, "limit": SLICE})
        for account, window, used, limit, length_us, of_use, waiting, *ages in rows:
            after = account
            yield Quota(
                account=account,
                window=window.rpartition("|")[2],
                used=used,
                limit=limit,
                length_s=length_us / 1e6,
                of_use=bool(of_use),
                waiting=waiting,
                ages_s={name: age / 1e6 for name, age in zip(PRIORITIES, ages, strict=True) if age != NEVER},
            )
        if not rows:
            return
