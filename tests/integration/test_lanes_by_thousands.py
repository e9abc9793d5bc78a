"""Lanes by the thousands: a take costs what it hands out, not what there is; nobody starves; nothing blocks the store.

Work is counted in commands, which are the same on any machine; times are printed.
"""

from collections import Counter
from statistics import median

import pytest

from tests.integration.desk import BULK, URGENT, Desk, micros
from tests.integration.shelf import (
    OPERATIONS,
    account_name,
    finish_all,
    half_of_the_lanes,
    hire_accounts,
    park_all,
    put_each,
    work_of,
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ACCOUNTS = 5_000
TURNS = 40


@pytest.fixture
def many(desk: Desk) -> Desk:
    """A partition with 15,000 lanes, every second of them with a job."""
    made = Desk(desk.client, desk.folder, partition="many")
    hire_accounts(made, ACCOUNTS)
    put_each(made, half_of_the_lanes(ACCOUNTS))
    return made


@pytest.fixture
def few(desk: Desk) -> Desk:
    """A partition with ten lanes and as many jobs."""
    made = Desk(desk.client, desk.folder, partition="few")
    hire_accounts(made, 10)
    put_each(made, {(number, OPERATIONS[0]): 800 for number in range(10)})
    return made


@pytest.mark.parametrize("want", [1, 8])
def test_a_take_costs_the_same_with_15000_lanes_as_with_ten(
    few: Desk, many: Desk, want: int, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: dict[str, list[int]] = {"few": [], "many": []}
    times: dict[str, list[int]] = {"few": [], "many": []}
    for _ in range(TURNS):
        for name, desk in (("few", few), ("many", many)):
            with work_of(desk.client) as work:
                slips = desk.take(want).slips
            assert len(slips) == want
            assert work.scripts == 1
            finish_all(desk, slips)
            commands[name].append(work.commands)
            times[name].append(work.longest_us)
    ratio = median(commands["many"]) / median(commands["few"])
    with capsys.disabled():
        print(f"\n  take of {want}: {median(times['few'])} µs with 10 lanes, {median(times['many'])} µs with 15,000; "
              f"commands {median(commands['few'])} and {median(commands['many'])}")  # fmt: skip
    assert ratio <= 1.5


def test_lanes_that_wait_for_their_budget_or_are_idle_cost_a_take_nothing(desk: Desk) -> None:
    hire_accounts(desk, ACCOUNTS)
    put_each(desk, half_of_the_lanes(ACCOUNTS))
    gone = put_each(desk, {(0, OPERATIONS[0]): 400})
    first = [slip for _ in range(12) for slip in desk.take(64).slips]
    assert len(first) == 12 * 64
    for start in range(ACCOUNTS):
        desk.client.hset(desk.keys("window", f"{account_name(start)}|second"), "shut", desk.now_us + micros(1000))
    while desk.take(64).slips:
        pass
    while desk.take(64).next_us <= desk.now_us + micros(1):
        pass
    with work_of(desk.client) as idle:
        assert desk.take(8).slips == []
    assert idle.commands < 60
    assert gone


def test_a_held_lane_costs_one_look(desk: Desk) -> None:
    """Held lanes, and those whose calls fail until the brake holds them, are looked at once."""
    hire_accounts(desk, 500)
    put_each(desk, {(number, OPERATIONS[0]): 5 for number in range(500)})
    put_each(desk, {(0, OPERATIONS[1]): 400})
    for number in range(500):
        desk.person("hold", scope=f"lane:{account_name(number)}|{OPERATIONS[0]}")
    finish_all(desk, [slip for _ in range(30) for slip in desk.take(4).slips])  # each has been looked at
    with work_of(desk.client) as work:
        slips = desk.take(1).slips
    assert [slip.facts["operation"] for slip in slips] == [OPERATIONS[1]]
    assert work.commands < 100
    desk.assert_whole()


def test_every_one_of_thousands_of_lanes_is_served_before_a_busy_one_is_served_much_again(desk: Desk) -> None:
    hire_accounts(desk, 2_000)
    lanes = half_of_the_lanes(2_000)
    busy = (0, OPERATIONS[0])
    put_each(desk, {busy: 4_000})
    put_each(desk, {lane: 1 for lane in lanes if lane != busy})
    served: Counter[str] = Counter()
    while len(served) < len(lanes):
        slips = desk.take(8).slips
        assert slips
        served.update(f"{slip.facts['account']}|{slip.facts['operation']}" for slip in slips)
        finish_all(desk, slips)
        desk.now_us += 1000
    of_the_busy = served[f"{account_name(0)}|{OPERATIONS[0]}"]
    assert of_the_busy <= 8, f"the busy lane was served {of_the_busy} times before the last of {len(lanes)} others once"
    desk.assert_whole()


def test_a_lane_whose_calls_hang_for_25_seconds_delays_nobody_else(desk: Desk) -> None:
    hire_accounts(desk, 50, threads=16)
    put_each(desk, {(0, OPERATIONS[0]): 1_000})
    put_each(desk, {(number, OPERATIONS[1]): 40 for number in range(50)})
    hanging, others = [], 0
    for _ in range(100):  # 25 s, a quarter of a second each
        free = 16 - len(hanging)
        slips = desk.take(free).slips
        assert len(slips) == free  # no thread is idle for those that hang
        hanging += [slip for slip in slips if slip.facts["operation"] == OPERATIONS[0]]
        healthy = [slip for slip in slips if slip.facts["operation"] != OPERATIONS[0]]
        others += len(healthy)
        finish_all(desk, healthy)
        desk.now_us += micros(0.25)
        desk.renew(*hanging)
    assert len(hanging) == 8  # half of the threads
    assert others >= 100 * 8


def test_100000_jobs_that_fall_due_at_once_never_block_the_store(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs, at_once = 100_000, 500
    hire_accounts(desk, 10, threads=10_000)
    put_each(desk, {(number, operation): 3334 for number in range(10) for operation in OPERATIONS}, prio=BULK)
    due_s = 3600.0
    began = desk.now_us
    while slips := desk.take(at_once).slips:
        park_all(desk, slips, due_s - (desk.now_us - began) / 1e6)
        desk.now_us += micros(1)
    desk.wait(due_s - (desk.now_us - began) / 1e6 + 1)
    urgent = put_each(desk, {(3, OPERATIONS[0]): 1}, prio=URGENT)
    taken, most, longest = 0, 0, 0
    for turn in range(200):
        with work_of(desk.client) as work:
            slips = desk.take(8).slips
        assert len(slips) == 8
        assert turn or slips[0].id == urgent[0]
        most, longest = max(most, work.commands), max(longest, work.longest_us)
        taken += 8
        finish_all(desk, slips)
        desk.now_us += micros(0.1)
    waiting = sum(
        desk.client.zcard(key) for kind in ("q", "due") for key in desk.client.scan_iter(f"{desk.keys.prefix}{kind}:*")
    )
    assert waiting == 100_020 + 1 - taken >= jobs - taken
    with capsys.disabled():
        print(
            f"\n  100,000 due at once: the longest take needed {longest / 1000:.1f} ms and {most} commands for 8 jobs"
        )
    assert most <= 8 * 60


def test_100000_jobs_past_their_deadline_leave_fifty_at_a_time(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    hire_accounts(desk, 10)
    put_each(desk, {(number, OPERATIONS[0]): 10_000 for number in range(10)}, dl=micros(10))
    desk.wait(11)
    most, longest = 0, 0
    for call in range(100):
        with work_of(desk.client) as work:
            dealt = desk.take(0)
        assert desk.hash("counts")["expired"] == str(50 * (call + 1))
        assert dealt.next_us <= dealt.now_us
        most, longest = max(most, work.commands), max(longest, work.longest_us)
    with capsys.disabled():
        print(f"\n  100,000 overdue at once: the longest take needed {longest / 1000:.1f} ms and {most} commands")
    assert most <= 50 * 30
