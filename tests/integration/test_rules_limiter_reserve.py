"""Room kept for urgent work: a share of the longer windows, calls in flight of a lane, a process's last thread."""

import pytest

from tests.integration.desk import BULK, CAR, NORMAL, URGENT, Desk, account
from tests.integration.meter import answer, call, limit, out, room

SHARES = (200, 50)
"""What bulk and normal leave, in thousandths."""


def urgent_seen(desk: Desk) -> None:
    """An urgent job has come and gone, without a permit."""
    [job] = desk.put(prio=URGENT)
    desk.person("cancel", id=job)


@pytest.mark.parametrize(("prio", "free"), [(URGENT, 100), (NORMAL, 95), (BULK, 80)])
def test_while_urgent_work_is_about_the_others_leave_their_share(desk: Desk, prio: int, free: int) -> None:
    limit(desk, minute=(100, 60), reserve=SHARES)
    urgent_seen(desk)
    assert room(desk, prio=prio) == free
    desk.assert_whole()


def test_what_bulk_leaves_normal_and_urgent_can_have(desk: Desk) -> None:
    limit(desk, minute=(100, 60), reserve=SHARES)
    urgent_seen(desk)
    desk.put(100, prio=BULK)
    assert len(desk.take(100).slips) == 80
    desk.put(100, prio=NORMAL)
    assert len(desk.take(100).slips) == 15
    desk.put(100, prio=URGENT)
    assert len(desk.take(100).slips) == 5
    desk.assert_whole()


@pytest.mark.parametrize("prio", [NORMAL, BULK])
def test_without_urgent_work_nothing_is_kept(desk: Desk, prio: int) -> None:
    limit(desk, minute=(100, 60), reserve=SHARES)
    assert room(desk, prio=prio) == 100
    desk.assert_whole()


def test_ten_windows_after_the_last_urgent_job_nothing_is_kept_any_more(desk: Desk) -> None:
    limit(desk, minute=(100, 60), reserve=SHARES)
    urgent_seen(desk)
    desk.wait(599)
    assert room(desk, prio=BULK) == 80
    desk.wait(2)
    assert room(desk, prio=BULK) == 100
    desk.assert_whole()


def test_a_window_shorter_than_a_minute_keeps_nothing(desk: Desk) -> None:
    limit(desk, minute=(100, 59), reserve=SHARES)
    urgent_seen(desk)
    assert room(desk, prio=BULK) == 100
    desk.assert_whole()


@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_at_least_one_permit_is_open_to_everybody(desk: Desk, allowed: int) -> None:
    limit(desk, minute=(allowed, 60), reserve=(990, 990))
    urgent_seen(desk)
    assert room(desk, prio=BULK) == 1
    assert room(desk, prio=NORMAL) == 1
    desk.assert_whole()


def test_urgent_work_of_one_budget_keeps_nothing_in_another(desk: Desk) -> None:
    limit(desk, "calls=minute", "pages=other", minute=(100, 60), other=(100, 60), reserve=SHARES)
    urgent_seen(desk)
    assert room(desk, op="car.page", budget="pages", prio=BULK) == 100
    desk.assert_whole()


def test_the_share_follows_a_limit_that_was_lowered(desk: Desk) -> None:
    limit(desk, minute=(100, 60), reserve=SHARES)
    urgent_seen(desk)
    call(desk, {"minute": {"limit": 50, "remaining": 49}})
    assert room(desk, prio=BULK) == 39
    desk.assert_whole()


def test_urgent_work_that_comes_while_only_the_reserve_is_free_gets_it_at_once(desk: Desk) -> None:
    limit(desk, minute=(10, 60), reserve=SHARES)
    urgent_seen(desk)
    desk.put(20, prio=BULK)
    assert len(desk.take(20).slips) == 8
    assert desk.take(20).slips == []
    desk.hush()
    [job] = desk.put(prio=URGENT)
    assert desk.bells("urgent") > 0
    assert desk.take(1).ids == [job]
    desk.assert_whole()


def test_a_refund_wakes_who_waits_for_a_time(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    given_back, *others = out(desk, 10)
    for slip in others:
        answer(desk, slip)
    desk.put(2)
    dealt = desk.take(2)
    assert dealt.next_us > desk.now_us + 10_000_000
    desk.hush()
    desk.park(given_back, wait_s=1000)
    assert desk.bells() > 0
    assert len(desk.take(2).slips) == 1
    desk.assert_whole()


# -- calls in flight --------------------------------------------------------------------------------------------------


def cramped(desk: Desk, threads: int = 8, caps: dict[str, int] | None = None, **numbers: int) -> None:
    accounts = {CAR: account("calls=minute", windows={"minute": (1000, 60)})}
    desk.hire(threads=threads, accounts=accounts, caps=caps, numbers=numbers, digest=f"cramped {threads} {caps}")


def test_one_lane_has_at_most_half_of_the_fleets_threads_in_flight(desk: Desk) -> None:
    cramped(desk)
    desk.put(20)
    slips = desk.take(20).slips
    assert len(slips) == 4
    desk.put(20, op="car.start")
    assert len(desk.take(20).slips) == 4
    answer(desk, slips[0])
    assert len(desk.take(20).slips) == 1
    desk.assert_whole()


def test_the_cap_grows_with_the_fleet(desk: Desk) -> None:
    cramped(desk)
    desk.hire("w2", threads=12, digest="cramped 8 None", accounts={})
    desk.put(20)
    assert len(desk.take(20).slips) == 10
    desk.assert_whole()


def test_a_lane_that_was_set_aside_takes_part_when_the_fleet_has_grown(desk: Desk) -> None:
    cramped(desk)
    desk.put(20)
    slips = desk.take(20).slips
    desk.take(20)
    desk.hush()
    desk.hire("w2", threads=12, digest="cramped 8 None", accounts={})
    assert desk.bells() > 0
    assert len(desk.take(20, worker="w2").slips) == 6
    desk.renew(*slips)
    desk.assert_whole()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_lane_may_always_have_one_call_in_flight(desk: Desk, threads: int) -> None:
    cramped(desk, threads)
    desk.put(5)
    assert len(desk.take(5).slips) == 1
    desk.assert_whole()


def test_a_cap_in_the_settings_goes_before_the_half(desk: Desk) -> None:
    cramped(desk, lane_cap=3)
    desk.put(20)
    assert len(desk.take(20).slips) == 3
    desk.assert_whole()


def test_an_operations_own_cap_goes_before_all_others(desk: Desk) -> None:
    cramped(desk, caps={"car.read": 2}, lane_cap=3)
    desk.put(20)
    desk.put(20, op="car.start")
    assert len(desk.take(20).slips) == 5
    desk.assert_whole()


@pytest.mark.parametrize("end", ["finish", "refund", "lapse"])
def test_a_lane_at_its_cap_is_looked_at_again_when_a_call_of_it_is_over(desk: Desk, end: str) -> None:
    cramped(desk)
    desk.put(20)
    slips = desk.take(20).slips
    assert desk.take(20).slips == []
    desk.hush()
    if end == "lapse":
        desk.wait(8)
        desk.renew(*slips[1:])
        desk.wait(8)
        assert len(desk.take(20).slips) == 1
    else:
        desk.finish(slips[0]) if end == "finish" else desk.park(slips[0], wait_s=100)
        assert desk.bells() > 0
        assert len(desk.take(20).slips) == 1
    desk.assert_whole()


# -- threads ----------------------------------------------------------------------------------------------------------


def test_while_urgent_work_is_about_a_process_keeps_its_last_thread_for_it(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    urgent_seen(desk)
    desk.put(10)
    assert len(desk.take(4, keep=1).slips) == 3
    assert desk.take(1, keep=1).slips == []
    [job] = desk.put(prio=URGENT)
    assert desk.take(1, keep=1).ids == [job]
    desk.assert_whole()


def test_without_urgent_work_the_last_thread_is_kept_for_nobody(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    desk.put(10)
    assert len(desk.take(4, keep=1).slips) == 4
    urgent_seen(desk)
    desk.wait(601)
    desk.put(10)
    assert len(desk.take(4, keep=1).slips) == 4
    desk.assert_whole()


def test_permits_in_flight_and_settled_count_alike_against_a_share(desk: Desk) -> None:
    limit(desk, minute=(10, 60), reserve=SHARES)
    for slip in out(desk, 4):
        answer(desk, slip)
    out(desk, 3)
    urgent_seen(desk)
    assert room(desk, prio=BULK) == 1
    desk.assert_whole()
