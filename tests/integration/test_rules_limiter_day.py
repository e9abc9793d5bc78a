"""The longest window there is: 100,000 calls in any 24 hours of the test's clock."""

from bisect import bisect_right

import pytest

from tests.integration.desk import CAR, Desk, micros
from tests.integration.meter import call, limit, out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LIMIT, DAY_S, BUCKET_S = 100_000, 86_400, 60
AT_ONCE, MORE = 500, 5_000


def calls_of_a_day(desk: Desk, calls: int) -> list[int]:
    """When each of that many permits was taken: as fast as the window gives them, each answered a second later."""
    taken: list[int] = []
    put = 0
    with desk.client.pipeline(transaction=False) as pipe:
        told = desk.scripts.over(pipe)
        while len(taken) < calls:
            if put - len(taken) < AT_ONCE:
                put += len(desk.put(2 * AT_ONCE, dl=micros(30 * DAY_S)))
            dealt = desk.take(AT_ONCE, lease_us=micros(3600))
            if not dealt.slips:
                desk.now_us = max(desk.now_us + 1, dealt.next_us)
                continue
            taken += [dealt.now_us] * len(dealt.slips)
            desk.now_us += micros(1)
            for slip in dealt.slips:
                settle = {"mode": "answered", "age": 0}
                told("finish", {"id": slip.id, "lease": slip.lease, "group": slip.group, "settle": settle}, "", "")
            assert set(pipe.execute()) == {b"own"}
    return taken


def most_in_a_day(taken: list[int]) -> int:
    """The fullest window at the other side, where calls arrive as late as they can when they are the first of it, and
    as early as they can when they are the last.
    """
    return max(i + 1 - bisect_right(taken, at - micros(DAY_S) - micros(1)) for i, at in enumerate(taken))


def test_a_whole_day_of_calls_is_exact_nearly_all_used_and_small(desk: Desk) -> None:
    limit(desk, day=(LIMIT, DAY_S))
    [warm] = out(desk, 1)
    desk.park(warm)
    desk.person("cancel", id=warm.id)
    call(desk)  # every script is known to the server from here on
    desk.wait(DAY_S + BUCKET_S)
    taken = calls_of_a_day(desk, LIMIT + MORE)
    assert most_in_a_day(taken) <= LIMIT
    lags = [later - earlier - micros(DAY_S + 1) for earlier, later in zip(taken, taken[LIMIT:], strict=False)]
    assert max(lags) <= micros(DAY_S) / 1000, "a permit came back later than a thousandth of the window"

    desk.wait(DAY_S / 2)
    used = sum(
        int(desk.client.memory_usage(desk.keys(name, f"{CAR}|day"), samples=0) or 0)
        for name in ("window", "ring", "late")
    )
    assert used <= 25 * 1024, f"{used} bytes"
    desk.assert_whole()


def test_looking_for_the_next_permit_costs_the_same_however_full_the_day_is(desk: Desk) -> None:
    """Told a limit of one in the middle of a full day, take looks through every bucket once, and no more."""
    limit(desk, day=(LIMIT, DAY_S))
    for _ in range(1440):
        desk.put(2, dl=micros(30 * DAY_S))
        for slip in desk.take(2, lease_us=micros(3600)).slips:
            desk.finish(slip)
        desk.now_us += micros(BUCKET_S)
    desk.put(dl=micros(30 * DAY_S))
    desk.client.hset(desk.keys("window", f"{CAR}|day"), "lim", 1)
    dealt = desk.take()
    assert dealt.slips == []
    assert dealt.next_us > desk.now_us + micros(DAY_S - 3 * BUCKET_S)
    desk.client.config_resetstat()
    desk.client.delete(desk.keys("gates", CAR))
    desk.client.zadd(desk.keys("ready", 1), {f"{CAR}|calls": 0})
    desk.take()
    commands = desk.client.info("commandstats")
    reads = commands["cmdstat_getrange"]["calls"]
    assert reads <= 1442 / 128 + 4
    assert commands["cmdstat_evalsha"]["usec"] < 50_000
