"""What the tests of lanes by the thousands share: accounts with three lanes each, the store's work as counts of the
commands that a decision ran (the same on any machine), and decisions asked for in bulk.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis

from tests.integration.desk import Desk, Slip, account, micros
from worker.store.composing import compose
from worker.store.scripts import Scripts

OPERATIONS = ("car.a", "car.b", "car.c")
AT_ONCE = 500
LONG_US = micros(10**6)


def account_name(number: int) -> str:
    return f"stellantis:fleet-{number}"


def hire_accounts(desk: Desk, count: int, threads: int = 64, **numbers: int) -> None:
    """A worker whose settings name that many accounts; their limits are reached by no test."""
    roomy = account("calls=second", windows={"second": (100_000, 1.0)}, reserve=(0, 0))
    accounts = {account_name(number): roomy for number in range(count)}
    desk.hire(threads=threads, accounts=accounts, digest=f"{count} accounts", numbers={"brake_count": 10**6, **numbers})


def put_each(desk: Desk, lanes: Mapping[tuple[int, str], int], **changes: Any) -> list[str]:
    """That many jobs in each lane (account's number, operation)."""
    jobs = [
        desk.job(acct=account_name(number), op=operation, **{"dl": LONG_US, **changes})
        for (number, operation), count in lanes.items()
        for _ in range(count)
    ]
    for start in range(0, len(jobs), AT_ONCE):
        desk.put_jobs(jobs[start : start + AT_ONCE])
    return [str(job["id"]) for job in jobs]


def half_of_the_lanes(accounts: int) -> dict[tuple[int, str], int]:
    """One job in every second lane of that many accounts."""
    lanes = [(number, operation) for number in range(accounts) for operation in OPERATIONS]
    return dict.fromkeys(lanes[::2], 1)


@contextmanager
def in_bulk(desk: Desk, decision: str) -> Iterator[Scripts]:
    """Asked for together, when the block ends; replies are not looked at, but an error is raised."""
    desk.client.script_load(compose(decision, desk.folder))
    with desk.client.pipeline(transaction=False) as pipe:
        yield desk.scripts.over(pipe)
        pipe.execute()


def finish_all(desk: Desk, slips: list[Slip]) -> None:
    """Every call is answered at once."""
    with in_bulk(desk, "finish") as told:
        for slip in slips:
            settle = {"mode": "answered", "age": 0}
            told("finish", {"id": slip.id, "lease": slip.lease, "group": slip.group, "settle": settle}, "", "")


def park_all(desk: Desk, slips: list[Slip], wait_s: float) -> None:
    """Every job is put off by that long."""
    with in_bulk(desk, "park") as told:
        for slip in slips:
            facts = {"id": slip.id, "lease": slip.lease, "group": slip.group, "settle": {"mode": "refund"}}
            told("park", facts | {"wait": micros(wait_s), "attempt": 0}, "", "")


class Work:
    """What the store did within a block: commands run by scripts, and microseconds spent on them."""

    commands = 0
    scripts = 0
    longest_us = 0


@contextmanager
def work_of(client: "redis.Redis[bytes]") -> Iterator[Work]:
    """Counts from here to the end of the block. The longest script is the store's own measurement."""
    found = Work()
    client.config_set("slowlog-log-slower-than", 0)
    client.config_set("slowlog-max-len", 20_000)
    client.slowlog_reset()
    client.config_resetstat()
    try:
        yield found
        stats = client.info("commandstats")
        own = {name: one["calls"] for name, one in stats.items() if name.startswith("cmdstat_")}
        found.scripts = own.pop("cmdstat_evalsha", 0)
        found.commands = sum(calls for name, calls in own.items() if "config" not in name and "slowlog" not in name)
        entries = client.slowlog_get(20_000)
        found.longest_us = max(
            (entry["duration"] for entry in entries if entry["command"].upper().startswith(b"EVALSHA")), default=0
        )
    finally:
        client.config_set("slowlog-log-slower-than", 10_000)
