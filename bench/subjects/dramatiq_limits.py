"""Bench, subject: dramatiq with its own Redis broker, and the limiter library `limits` with its exact moving window.

A job that gets no permit waits in its thread until the oldest permit leaves the window: nothing is re-queued.
"""

import os
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter

from bench.subjects.call import get_status

STORE = os.environ["BENCH_STORE"]
broker = RedisBroker(url=STORE)
dramatiq.set_broker(broker)
limiter = MovingWindowRateLimiter(RedisStorage(STORE))
LIMIT = RateLimitItemPerSecond(100)


@dramatiq.actor(max_retries=1_000_000, min_backoff=50, max_backoff=1000)
def status(number: int) -> None:
    while not limiter.hit(LIMIT, "fleet-1"):
        opens_at = limiter.get_window_stats(LIMIT, "fleet-1").reset_time
        time.sleep(min(1.0, max(0.001, opens_at - time.time())))
    wait_s = get_status(number)
    if wait_s is not None:
        raise dramatiq.Retry(delay=int(wait_s * 1000))


def enqueue(count: int) -> None:
    for number in range(count):
        status.send(number)
