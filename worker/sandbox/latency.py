"""Sandbox, latency: how long a request travels before it counts as arrived, and how long its answer takes after that.

The two are separate because limits are counted between them: `inbound` plays a jittery network on the way in, `fixed`,
`jitter` and the log-normal pair play the API's own time. It promises values drawn from a seeded generator. Its scope
ends at numbers; connection.py waits.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, fields

Z95 = 1.6448536269514722  # the normal distribution's 95 % point, which ties p95 to sigma


@dataclass(slots=True)
class Latency:
    """Delays of one API, in milliseconds."""

    fixed_ms: float = 0.0
    jitter_ms: float = 0.0
    median_ms: float = 0.0
    p95_ms: float = 0.0
    inbound_ms: float = 0.0
    inbound_jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        if any(getattr(self, one.name) < 0 for one in fields(self)):
            raise ValueError("a latency is never negative")
        if self.p95_ms and not 0 < self.median_ms <= self.p95_ms:
            raise ValueError("a log-normal latency needs 0 < median_ms <= p95_ms")

    def inbound_s(self, rng: random.Random) -> float:
        """Seconds between the request's bytes and its arrival at the limits."""
        if not self.inbound_ms and not self.inbound_jitter_ms:
            return 0.0
        return (self.inbound_ms + rng.random() * self.inbound_jitter_ms) / 1000

    def answer_s(self, rng: random.Random) -> float:
        """Seconds between arrival and the first byte of the answer."""
        total = self.fixed_ms
        if self.jitter_ms:
            total += rng.random() * self.jitter_ms
        if self.median_ms:
            sigma = math.log(self.p95_ms / self.median_ms) / Z95 if self.p95_ms else 0.0
            total += rng.lognormvariate(math.log(self.median_ms), sigma)
        return total / 1000
