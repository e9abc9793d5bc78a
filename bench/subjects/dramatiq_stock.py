"""Bench, subject: dramatiq with its own Redis broker, as its guide sets it up; a job that does nothing.

With BENCH_RESULTS results are kept, as Paceline always does.
"""

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench.subjects.marks import Marks

STORE = os.environ["BENCH_STORE"]
KEEP = bool(os.environ.get("BENCH_RESULTS"))
broker = RedisBroker(url=STORE)
if KEEP:
    broker.add_middleware(Results(backend=RedisBackend(url=STORE)))
broker.add_middleware(Marks())
dramatiq.set_broker(broker)


@dramatiq.actor(**({"store_results": True} if KEEP else {}))
def nothing(account: str, params: dict[str, str]) -> dict[str, Any]:
    """Like Paceline's job in the same measurement: the arguments of a call, and a small answer."""
    return {"vid": params["vid"]}


def enqueue(count: int) -> None:
    for number in range(count):
        nothing.send(account="stellantis:fleet-1", params={"fid": "FLEET-1", "vid": f"VEH-{number % 130 + 1:05d}"})
