"""Bench, lanes: what a take costs the store with thousands of lanes, a full day, or everything due at once:
`python -m bench lanes`.

The real decisions on the shared store, the store's own microseconds for each call. Two sides by turns, so that what the
machine does meanwhile falls on both. Its scope ends at figures.
"""

from collections.abc import Iterator
from statistics import median
from typing import Any

import redis

from bench.field import Field
from worker.broker.card import read_card
from worker.store.keys import Keys
from worker.store.scripts import Scripts

OPERATIONS = ("car.a", "car.b", "car.c")
DAY_US, BUCKET_US, BEGAN_US = 86_400_000_000, 60_000_000, 1_800_000_000_000_000
AT_ONCE = 500


class Side:
    """One partition under a clock of its own. Each account has one budget; `windows` are (limit, µs)."""

    def __init__(self, client: redis.Redis, partition: str, accounts: int, *windows: tuple[int, int]) -> None:
        self.client, self.partition, self.now_us = client, partition, BEGAN_US
        self.keys = Keys(partition)
        self.scripts = Scripts(client, self.keys, lambda: self.now_us)
        self.put_jobs = self.asked = 0
        named = {f"w{n}": {"limit": limit, "len_us": us, "rb": 0, "rn": 0} for n, (limit, us) in enumerate(windows)}
        one = {"api": "stellantis", "headers": False, "budgets": {"calls": list(named)}, "windows": named}
        facts = {
            "worker": "w", "threads": 10_000, "host": "here", "pid": 1, "version": "0", "started": "0", "digest": "d",
            "silent_us": 10**15, "accounts": {f"stellantis:{n}": one for n in range(accounts)}, "numbers": {},
            "caps": {},
        }  # fmt: skip
        self.scripts("configure", facts)

    def put(self, lanes: Iterator[tuple[int, int]] | list[tuple[int, int]], prio: int = 1) -> None:
        """One job in each lane named (account, operation)."""
        jobs = []
        for account, operation in lanes:
            self.put_jobs += 1
            made = f"{self.partition}-{self.put_jobs}"
            jobs.append(
                {"id": made, "op": OPERATIONS[operation], "acct": f"stellantis:{account}", "api": "stellantis",
                 "budget": "calls", "prio": prio, "rep": 1, "dl": 10**15, "chain": made, "page": 1}
            )  # fmt: skip
        for start in range(0, len(jobs), AT_ONCE):
            some = jobs[start : start + AT_ONCE]
            self.scripts("enqueue", {"jobs": some}, *("m" for _ in some))

    def take(self, want: int) -> tuple[int, list[dict[str, Any]]]:
        """The store's µs for this call, and what was handed out."""
        self.asked += 1
        facts = {
            "worker": "w", "nonce": f"n{self.asked}", "want": want, "keep": 0, "run": "r", "durable": True,
            "mode": "fresh", "lease_us": 10**12, "transit_us": 5_000_000,
        }  # fmt: skip
        before = spent_us(self.client)
        reply = self.scripts("take", facts)
        used = spent_us(self.client) - before
        cards = [read_card(card, reply[1], 0.0, 0.0) for card in reply[4]]
        return used, [{"id": card.job_id, "lease": card.lease, "group": card.group} for card in cards]

    def end(self, slips: list[dict[str, Any]], decision: str = "finish", **facts: Any) -> None:
        settle = {"mode": "answered", "age": 0} if decision == "finish" else {"mode": "refund"}
        for slip in slips:
            self.scripts(decision, {**slip, "settle": settle, **facts}, "", "")


def spent_us(client: redis.Redis) -> int:
    """On scripts, since the beginning."""
    told: dict[str, Any] = client.info("commandstats")
    return int(told.get("cmdstat_evalsha", {"usec": 0})["usec"])


def by_turns(sides: list[Side], want: int, turns: int) -> list[float]:
    """The median µs of a take, for each side."""
    spent: list[list[int]] = [[] for _ in sides]
    for _ in range(turns):
        for number, side in enumerate(sides):
            used, slips = side.take(want)
            side.end(slips)
            side.now_us += 1000
            spent[number].append(used)
    return [median(one[3:]) for one in spent]


def many_lanes(client: redis.Redis, accounts: int, turns: int, want: int) -> dict[str, Any]:
    """Half of the lanes of that many accounts have a job, against ten lanes."""
    client.flushall()
    few, many = Side(client, "few", 10, (100_000, 10**6)), Side(client, "many", accounts, (100_000, 10**6))
    few.put([(account, 0) for _ in range(turns * want) for account in range(10)])
    lanes = [(account, operation) for account in range(accounts) for operation in range(len(OPERATIONS))]
    many.put(lanes[::2])
    less, more = by_turns([few, many], want, turns)
    return {
        "case": f"take of {want}: 10 lanes, {len(lanes):,} lanes",
        "less_us": less,
        "more_us": more,
        "ratio": more / less,
    }


def full_day(client: redis.Redis, turns: int) -> dict[str, Any]:
    """A day with something in every bucket, against one with nothing in it."""
    client.flushall()
    sides = [Side(client, name, 1, (100_000, DAY_US)) for name in ("empty", "full")]
    full = sides[1]
    full.put([(0, 0)] * 2 * 1440)
    for _ in range(1440):
        full.end(full.take(2)[1])
        full.now_us += BUCKET_US
    for side in sides:
        side.put([(0, 0)] * turns)
    less, more = by_turns(sides, 1, turns)
    used = sum(client.memory_usage(full.keys(kind, "stellantis:0|w0"), samples=0) or 0 for kind in ("window", "ring"))
    return {
        "case": "take of 1: an empty day, a full day", "less_us": less, "more_us": more, "ratio": more / less,
        "bytes": used,
    }  # fmt: skip


def all_due(client: redis.Redis, jobs: int, turns: int) -> dict[str, Any]:
    """Everything was put off until the same moment. The longest of many takes."""
    client.flushall()
    side = Side(client, "due", 10, (10**7, 10**6))
    side.put([(number % 10, number % 3) for number in range(jobs)], prio=2)
    until_us = side.now_us + 3_600_000_000
    while slips := side.take(AT_ONCE)[1]:
        side.end(slips, "park", wait=until_us - side.now_us, attempt=0)
        side.now_us += 1
    side.now_us = until_us + 10**6
    spent = []
    for _ in range(turns):
        used, slips = side.take(8)
        side.end(slips)
        side.now_us += 10_000
        spent.append(used)
    return {"case": f"{jobs:,} due at once: median, longest take of 8", "less_us": median(spent), "more_us": max(spent)}


def lanes(accounts: int = 5_000, turns: int = 200, jobs: int = 100_000) -> list[dict[str, Any]]:
    """Rows for the table."""
    with Field() as field:
        client = field.client
        return [
            many_lanes(client, accounts, min(turns, accounts // 8), 1),
            many_lanes(client, accounts, min(turns, accounts // 8), 8),
            full_day(client, turns),
            all_due(client, jobs, turns),
        ]
