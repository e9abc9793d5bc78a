"""Fail: how long to wait before another attempt.

Promise: a pure function of its arguments; waits of many jobs that failed together are spread over the whole span,
so that they do not come back together. Scope: waits nobody asked for; a wait the remote side named is obeyed by the
limiter.
"""

import random


def full_jitter(attempt: int, base_s: float, cap_s: float, rng: random.Random) -> float:
    """Seconds before the attempt after number `attempt` (from 1): anywhere below a ceiling that doubles up to
    `cap_s`.

    A tenth of the base is always waited: a job that may return at once turns a dead peer into a busy loop.
    """
    doublings = min(max(attempt, 1) - 1, 64)
    ceiling = min(cap_s, base_s * 2.0**doublings)
    return max(min(base_s / 10, ceiling), rng.uniform(0.0, ceiling))
