"""Bench, subject: dramatiq with its own Redis broker and its own window limiter, the way its guide shows.

A job that gets no permit raises, and dramatiq's Retries middleware brings it back. Its defaults would wait 15 s and
longer and give up after 20 times, so the shortest sensible waits and no end of attempts are set here.
"""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend

from bench.subjects.call import get_status

STORE = os.environ["BENCH_STORE"]
broker = RedisBroker(url=STORE)
dramatiq.set_broker(broker)
limiter = WindowRateLimiter(RedisBackend(url=STORE), "fleet-1", limit=100, window=1)


@dramatiq.actor(max_retries=1_000_000, min_backoff=50, max_backoff=1000)
def status(number: int) -> None:
    with limiter.acquire():
        wait_s = get_status(number)
    if wait_s is not None:
        raise dramatiq.Retry(delay=int(wait_s * 1000))


def enqueue(count: int) -> None:
    for number in range(count):
        status.send(number)
