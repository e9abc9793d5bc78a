"""Bench, subject: one caller that asks Paceline's limiter for a permit and settles it, or takes a job with its permit
and ends it: `python -m bench.subjects.deciding_paceline permit|check|job PERMITS THREADS`.

`permit` is the limiter's two decisions over a kept connection; `check` is the way of operators' checks, which look
anew at the server behind a connection of their own each time.
A job goes the worker's own way, without its threads and without a call: taken from its lane under a lease for THREADS
free threads at once, decoded, and finished with evidence and result of a usual length. The window is in the settings.
"""

import json
import sys
import time
import uuid
from importlib import import_module

from bench.subjects.deciding import WARM, Decide, timed
from worker import main
from worker.accept.enqueue import Wanted
from worker.accept.operation import operations
from worker.fail.fate import Fate, answered
from worker.limiter.limiter import Limiter, Permit
from worker.store.line import Line
from worker.store.partition import Partition

ACCOUNT, BUDGET, OPERATION = "hub:IN-ABC", "tokens", "hub.authorize_token"
EVIDENCE = json.dumps({"event": "attempt", "said": "-" * 700})
RESULT = json.dumps({"allowed": "ALLOWED", "location": "LOC-0001", "said": "-" * 60})
LOST_AFTER_S = 30.0
broker = main.broker
import_module("tasks")  # its actors are declared on the broker that is there by then


def permit() -> Decide:
    """The right to make one call, from before it until its answer."""
    line = Line(broker.client)
    line.open()
    scripts, server = broker.scripts.over(line), line.server()
    facts = {
        "group": f"{ACCOUNT}|{BUDGET}", "worker": "bench", "lease_us": 35_000_000, "transit_us": 5_000_000,
        "quiet_us": 15_000_000, "mode": "fresh", "run": server.run, "durable": server.durable,
    }  # fmt: skip

    def decide() -> None:
        lease = f"permit.{uuid.uuid4().hex}"
        assert scripts("permit", {**facts, "lease": lease})[0] == 1
        assert scripts("settle", {"lease": lease, "settle": answered(0.0)}) == 1

    return decide


def check() -> Decide:
    """The same for a call that is no job, as `doctor` makes them."""
    limiter = Limiter(Partition(broker.client, broker.keys, broker.scripts))

    def decide() -> None:
        given = limiter.acquire(
            ACCOUNT, BUDGET, send_within_s=10.0, call_s=25.0, transit_s=5.0, quiet_s=15.0, mode="fresh", wait_s=5.0
        )
        assert isinstance(given, Permit)
        assert limiter.settle(given, answered(0.0))

    return decide


def job(count: int, threads: int) -> Decide:
    """A job and its permit in one step, then its end and the permit's in another."""
    broker.threads.total = threads
    params, body = operations[OPERATION].example
    call = Wanted(OPERATION, ACCOUNT, params, body, priority="normal", deadline_s=3600.0)
    broker.accept.enqueue_many([call] * count)

    def decide() -> None:
        until = time.monotonic() + LOST_AFTER_S
        while (message := broker.next_job(1.0)) is None:
            if time.monotonic() > until:
                raise SystemExit("bench: no job was handed out within 30 s")
        message.fate = Fate("finish", answered(0.0), {}, EVIDENCE, RESULT)
        broker.acknowledge(message)

    return decide


if __name__ == "__main__":
    kind, permits, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    broker.hello()
    ways = {"permit": permit, "check": check, "job": lambda: job(permits + WARM + at_once, at_once)}
    timed(ways[kind](), permits)
