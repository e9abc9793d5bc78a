"""Accept, over HTTP: how often the holder of a key may ask.

Promise: never more than its limit in any minute, exactly, however many web processes serve it: the store counts
(`lua/pace.lua`). A caller learns from every answer how much is left (`RateLimit`, `RateLimit-Policy`), and from a
refusal how long to wait. While the store is away nobody is refused for this reason: nothing can be asked of it anyway.
Scope: counting; who has a limit is `callers.py`'s, who is counted `guard.py`'s and `posting.py`'s.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from worker.accept.intake.trouble import Trouble
from worker.store.connection import is_outage
from worker.store.partition import Partition

SPAN_S = 60
SLICES = 120
"""What is lost of a minute by counting in slices: half a second."""


@dataclass(frozen=True, slots=True)
class Standing:
    """So many requests were granted; so many are left; when there is one again, and when there are all."""

    limit: int
    granted: int
    left: int
    wait_s: float
    full_s: float

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        again_s = self.wait_s if self.left == 0 else self.full_s
        return {
            "RateLimit-Policy": f'"key";q={self.limit};w={SPAN_S}',
            "RateLimit": f'"key";r={self.left};t={math.ceil(again_s)}',
        }


class Pace:
    """The limit of one key. `take` asks the store and is for a thread."""

    def __init__(self, partition: Partition, digest: str, per_minute: int) -> None:
        self._partition = partition
        # Not the digest itself: a key's name in the store is seen by whoever may look at its statistics.
        self._key = hashlib.sha256(digest.encode()).hexdigest()[:24]
        self._per_minute = per_minute

    def take(self, want: int = 1) -> Standing:
        """Counts up to `want` requests."""
        facts = {
            "key": self._key, "limit": self._per_minute, "want": want, "span": SPAN_S * 1_000_000, "slices": SLICES,
        }  # fmt: skip
        try:
            granted, left, wait_us, full_us = self._partition.decide("pace", facts)
        except Exception as error:
            if not is_outage(error):
                raise
            return Standing(self._per_minute, want, self._per_minute, 0.0, 0.0)
        return Standing(self._per_minute, int(granted), int(left), int(wait_us) / 1e6, int(full_us) / 1e6)


def too_many(standing: Standing) -> Trouble:
    """This key has asked too often."""
    seconds = max(1, math.ceil(standing.wait_s))
    return Trouble(
        "too-many-requests",
        f"expected at most {standing.limit} requests a minute with this key, got more; wait {seconds} s.",
        headers={"Retry-After": str(seconds), **standing.headers},
    )
