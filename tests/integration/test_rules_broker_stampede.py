"""A stampede: many workers take, finish, park, bury and die on one store at once, and afterwards everything is there.

The clock is the server's. Leases are so short that those who stall lose theirs, which is meant: late answers, reclaimed
jobs and redriven letters cross each other. No thread believes the others; `assert_whole` counts.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conservation import assert_conserved
from tests.integration.desk import ANSWERED, CAR, REFUND, UNANSWERED, Desk, Slip, account, micros
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.scripts import Scripts

WORKERS, JOBS = 8, 2400
LEASE_US = micros(0.4)
ACCOUNTS = {CAR: account("calls=second,day", "other", windows={"second": (900, 1), "day": (100_000, 86_400)})}


class Live(Desk):
    """A desk under the server's own clock, with a connection of its own."""

    def __post_init__(self) -> None:
        self.keys = Keys(self.partition)
        self.scripts = Scripts(self.client, self.keys, None, self.folder)


def work(url: str, folder: Path, name: str, seed: int, over: threading.Event) -> None:
    rng = random.Random(seed)
    with redis.Redis.from_url(url) as client:
        desk = Live(client, folder)
        desk._made = seed * 1_000_000
        held: list[Slip] = []
        while not over.is_set():
            nonce = f"{name}.{rng.random()}"
            facts: dict[str, Any] = {"lease_us": LEASE_US, "transit_us": micros(0.2), "keep": 1}
            held += desk.take(rng.randint(0, 6), worker=name, nonce=nonce, **facts).slips
            if rng.random() < 0.2:  # its reply was lost, it asks again
                again = desk.take(3, worker=name, nonce=nonce, **facts).slips
                known = {slip.lease for slip in held}
                held += [slip for slip in again if slip.lease not in known]
            if rng.random() < 0.3:
                desk.renew(*held, worker=name, lease_us=LEASE_US)
            rng.shuffle(held)
            for slip in held[: rng.randint(0, len(held))]:
                held.remove(slip)
                act(desk, slip, rng)


def act(desk: Live, slip: Slip, rng: random.Random) -> None:
    """One job's end, or its worker's."""
    settle = rng.choice([ANSWERED, ANSWERED, UNANSWERED, REFUND])
    settle = {**settle, "more": micros(0.2)} if settle is UNANSWERED else settle
    failed = {"class": "remote_trouble", "code": "500"}
    ends: list[Callable[[], object]] = [
        lambda: None,  # crashes
        lambda: desk.sending(slip),  # crashes after its fence
        lambda: desk.finish(slip, settle),
        lambda: desk.finish(slip, settle),
        lambda: [desk.finish(slip, settle), desk.finish(slip, settle)],
        lambda: desk.finish(slip, settle, successors=[desk.job(f"{slip.id}.p2", chain=slip.id, page=2)]),
        lambda: desk.park(slip, settle, wait_s=rng.random() / 5, attempt=1, **failed),
        lambda: desk.park(slip, REFUND),
        lambda: [desk.bury(slip, settle), desk.person("redrive", id=slip.id, unknown=True)],
        lambda: [desk.bury(slip, settle), desk.person("discard", id=slip.id)],
        lambda: desk.person("cancel", id=slip.id),
        lambda: desk.finish(replace(slip, lease=slip.lease + "x"), settle),
    ]
    if ".p" in slip.id:
        del ends[5]
    rng.choice(ends)()


def meddle(url: str, folder: Path, over: threading.Event) -> None:
    """An operator who cannot leave it alone."""
    rng = random.Random(99)
    scopes = [f"account:{CAR}", f"lane:{CAR}|car.0", f"budget:{CAR}|calls"]
    with redis.Redis.from_url(url) as client:
        desk = Live(client, folder)
        while not over.wait(0.02):
            scope = rng.choice(scopes)
            desk.person(rng.choice(["hold", "release", "release"]), scope=scope)
        for scope in scopes:
            desk.person("release", scope=scope)


def run(url: str, folder: Path, seconds: float) -> None:
    over = threading.Event()
    mistakes: list[str] = []

    def guarded(target: Callable[..., None], *args: Any) -> None:
        try:
            target(*args, over)
        except Exception as error:
            mistakes.append(f"{type(error).__name__}: {error}")
            over.set()

    threads = [threading.Thread(target=guarded, args=(work, url, folder, f"w{n}", n + 1)) for n in range(WORKERS)]
    threads.append(threading.Thread(target=guarded, args=(meddle, url, folder)))
    for thread in threads:
        thread.start()
    over.wait(seconds)
    with redis.Redis.from_url(url) as client:
        desk, patience = Live(client, folder), time.monotonic() + 60
        while not {"done", "dead", "expired"} <= set(desk.hash("counts")) and time.monotonic() < patience:
            over.wait(0.1)
    over.set()
    for thread in threads:
        thread.join(60)
    assert mistakes == []


@pytest.mark.slow
def test_after_a_stampede_every_job_is_in_one_place_and_can_still_be_done(lua_folder: Path, tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        desk = Live(client, lua_folder)
        for n in range(WORKERS):
            desk.hire(f"w{n}", accounts=ACCOUNTS, numbers={"brake_count": 10**6, "lane_cap": 40})
        for n in range(JOBS // 100):
            rep = n % 3 != 0
            desk.put(100, op=f"car.{n % 5}", prio=n % 3, rep=int(rep), dl=micros(2 if n % 8 == 7 else 3600))
        desk.put(10, dl=1)  # whatever the machine, some are past their time
        run(server.url, lua_folder, 6)
        assert_conserved(client, desk.keys)
        finish_all(desk)
        assert_conserved(client, desk.keys)
        counts = {name: int(n) for name, n in desk.hash("counts").items()}
        assert counts["accepted"] == sum(counts.get(end, 0) for end in ("done", "dead", "cancelled", "expired"))
        assert min(counts[end] for end in ("done", "dead", "expired")) > 0


def finish_all(desk: Live) -> None:
    """Whoever is left does what is left. The jobs of the dead come back by themselves."""
    until = threading.Event()
    for _ in range(3000):
        dealt = desk.take(40, worker="w0", lease_us=LEASE_US, transit_us=micros(0.2))
        for slip in dealt.slips:
            desk.finish(slip)
        left = desk.client.hlen(desk.keys("lease")) + desk.client.zcard(desk.keys("deadlines"))
        if not left:
            return
        if not dealt.slips:
            until.wait(0.02)
    pytest.fail(f"{left} jobs are still not done")
