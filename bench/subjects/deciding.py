"""Bench, subjects: one caller that asks a limiter for one permit after another, each limiter as its documentation says.

`python -m bench.subjects.deciding NAME PERMITS WINDOW_S`: warms up, prints `ready`, begins at a line on its standard
input, and prints how many seconds passed and how many it computed itself. The limit is never reached: this is the
price of being let through.
"""

import json
import os
import sys
import time
from collections.abc import Callable

LIMIT = 1_000_000
WARM = 200
Decide = Callable[[], object]


def timed(decide: Decide, permits: int) -> None:
    """The protocol between a caller and the bench."""
    for _ in range(WARM):
        decide()
    print("ready", flush=True)
    sys.stdin.readline()
    began, computed = time.perf_counter(), time.process_time()
    for _ in range(permits):
        decide()
    print(json.dumps({"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - computed}), flush=True)


def dramatiq_window(window_s: int) -> Decide:
    """dramatiq's own. It counts by whole seconds and adds up as many keys as the window has seconds."""
    from dramatiq.rate_limits import WindowRateLimiter
    from dramatiq.rate_limits.backends import RedisBackend

    limiter = WindowRateLimiter(RedisBackend(url=os.environ["BENCH_STORE"]), "tokens", limit=LIMIT, window=window_s)

    def decide() -> None:
        with limiter.acquire():
            pass

    return decide


def limits_moving(window_s: int) -> Decide:
    """The exact one of the library `limits`: one script in the store, which keeps the moment of every permit."""
    from limits import RateLimitItemPerSecond
    from limits.storage import RedisStorage
    from limits.strategies import MovingWindowRateLimiter

    limiter = MovingWindowRateLimiter(RedisStorage(os.environ["BENCH_STORE"]))
    item = RateLimitItemPerSecond(LIMIT, window_s)

    def decide() -> None:
        assert limiter.hit(item, "tokens")

    return decide


def celery_bucket(_: int) -> Decide:
    """What `rate_limit` is made of: a bucket in the memory of one worker, which no other worker knows of. It spreads
    calls evenly, so at a rate that 60 s would allow it would be waited for, and not measured.
    """
    from kombu.utils.limits import TokenBucket

    bucket = TokenBucket(LIMIT, capacity=1)

    def decide() -> None:
        while not bucket.can_consume():
            pass

    return decide


SUBJECTS: dict[str, Callable[[int], Decide]] = {
    "dramatiq_window": dramatiq_window,
    "limits_moving": limits_moving,
    "celery_bucket": celery_bucket,
}

if __name__ == "__main__":
    timed(SUBJECTS[sys.argv[1]](int(sys.argv[3])), int(sys.argv[2]))
