"""Limiter: forgetting what answers have taught, on a person's word.

Promise: the configured limits are in force again, one call goes first alone, and what its answer tells holds before the
second; what we have used ourselves is never forgotten. Scope: one account; the step itself is `relearn.lua`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from worker.errors import NotFound
from worker.store.partition import Partition

TRY_AGAIN_S = 60.0
"""After a first call that was refused, the next one tries so much later."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was taught of one window, or of a budget without any: `limit` instead of `configured`, what others used, for
    how long it was closed.
    """

    name: str
    limit: int
    configured: int
    foreign: int
    closed_s: float

    def words(self) -> str:
        """Such as `calls.day: limit 1 instead of 100,000, 3 used by others`."""
        said = []
        if self.limit < self.configured:
            said.append(f"limit {self.limit:,} instead of {self.configured:,}")
        if self.foreign:
            said.append(f"{self.foreign:,} used by others")
        if self.closed_s > 0:
            said.append(f"closed for another {self.closed_s:.0f} s")
        return f"{self.name}: {', '.join(said)}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def relearn(partition: Partition, account: str, by: str, reason: str) -> list[Forgotten]:
    """What was forgotten. Raises `NotFound` when the workers do not know the account, or nothing differs."""
    facts = {"account": account, "by": by, "reason": reason, "every": int(TRY_AGAIN_S * 1e6)}
    rows = partition.decide("relearn", facts)
    if rows is None:
        raise NotFound(f"no running worker has the account {account} in its settings.")
    if not rows:
        raise NotFound(f"answers have taught nothing about {account} that stands: its configured limits are in force.")
    now_us = partition.now_us()
    return [
        Forgotten(
            name=str(name).rpartition("|")[2],
            limit=int(limit),
            configured=int(configured),
            foreign=int(foreign),
            closed_s=max(0.0, (int(shut) - now_us) / 1e6),
        )
        for name, limit, configured, foreign, shut in rows
    ]
