"""How long a permit occupies its windows: from take until the answer and one window more, and never less."""

from typing import Any

import pytest

from tests.integration.desk import BULK, CAR, LEASE_S, REFUND, TRANSIT_S, UNANSWERED, URGENT, Desk, micros
from tests.integration.meter import answer, limit, opens_s, out, refuse, room

BUCKET_S = 60 / 1440
TICKS_S = 0.001  # scripts that ask in between move the store's clock by a microsecond each


def test_no_more_permits_than_the_limit_are_out(desk: Desk) -> None:
    limit(desk, minute=(7, 60))
    desk.put(20)
    assert len(desk.take(20).slips) == 7
    assert desk.take(20).slips == []
    desk.assert_whole()


def test_a_permit_is_held_from_take_until_its_answer_and_one_window_more(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    [slip] = out(desk, 1)
    desk.wait(20)
    answer(desk, slip)
    desk.put()
    assert 60 <= opens_s(desk) <= 60 + BUCKET_S + TICKS_S
    desk.assert_whole()


def test_a_call_that_waits_for_its_answer_holds_its_permit_for_longer_than_the_window(desk: Desk) -> None:
    limit(desk, second=(1, 1))
    [slip] = out(desk, 1)
    desk.put()
    for _ in range(4):
        desk.wait(5)
        desk.renew(slip)
        assert desk.take().slips == []
    answer(desk, slip)
    assert 1 <= opens_s(desk) < 1.001
    desk.assert_whole()


def test_the_first_byte_of_the_answer_counts_not_the_moment_it_is_told(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    [slip] = out(desk, 1)
    desk.wait(10)
    answer(desk, slip, age_s=8)
    desk.put()
    assert 52 <= opens_s(desk) <= 52 + BUCKET_S + TICKS_S
    desk.assert_whole()


@pytest.mark.parametrize("offset_us", [0, 1, 20_833, 41_665, 41_666, 41_667])
def test_a_bucket_frees_at_its_end_plus_the_window_and_not_a_microsecond_earlier(desk: Desk, offset_us: int) -> None:
    limit(desk, minute=(2, 60))
    bucket = 41_667
    desk.now_us += bucket - desk.now_us % bucket + offset_us
    slips = out(desk, 2)
    for slip in slips:
        answer(desk, slip)
    settled = int(desk.hash("meta")["now"])  # the later of the two
    ends = (settled // bucket + 1) * bucket
    desk.put()
    desk.now_us = ends + micros(60) - 3
    dealt = desk.take()
    assert dealt.slips == []
    assert dealt.next_us == ends + micros(60)
    desk.now_us = dealt.next_us
    assert len(desk.take().slips) == 1
    desk.assert_whole()


def test_take_names_the_very_moment_of_the_next_permit(desk: Desk) -> None:
    limit(desk, day=(3, 86_400), second=(2, 1))
    for slip in out(desk, 2):
        answer(desk, slip)
    desk.put(2, dl=micros(200_000))
    assert 1 <= opens_s(desk) <= 1.001
    answer(desk, desk.take().one)
    desk.wait(2)
    assert 86_400 - 3.1 <= opens_s(desk) <= 86_400 - 3 + 61
    desk.assert_whole()


def test_windows_of_a_budget_are_taken_together_or_not_at_all(desk: Desk) -> None:
    limit(desk, day=(100, 86_400), second=(3, 1))
    out(desk, 3)
    desk.put(5)
    for _ in range(5):
        assert desk.take(5).slips == []
    assert desk.occupied() == [3, 3]
    desk.assert_whole()


@pytest.mark.parametrize("windows", [{"day": (2, 86_400), "second": (9, 1)}, {"day": (9, 86_400), "second": (2, 1)}])
def test_the_fullest_window_decides_whichever_it_is(desk: Desk, windows: dict[str, Any]) -> None:
    limit(desk, **windows)
    desk.put(9)
    assert len(desk.take(9).slips) == 2
    assert desk.occupied() == [2, 2]
    desk.assert_whole()


def test_permits_for_which_no_job_was_there_are_not_kept(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    desk.put(3)
    assert len(desk.take(40).slips) == 3
    assert desk.occupied() == [3]
    desk.assert_whole()


def test_a_permit_of_which_no_byte_was_sent_goes_back_at_once(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    [slip] = out(desk, 1)
    desk.put()
    assert desk.take().slips == []
    desk.hush()
    desk.park(slip, REFUND, wait_s=500)
    assert desk.bells() > 0
    assert desk.occupied() == [0]
    assert len(desk.take().slips) == 1
    desk.assert_whole()


def test_an_unanswered_call_is_held_until_it_can_no_longer_arrive_and_one_window_more(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    [slip] = out(desk, 1)
    desk.wait(10)
    desk.park(slip, UNANSWERED, wait_s=0)
    assert TRANSIT_S + 60 <= opens_s(desk) <= TRANSIT_S + 60 + BUCKET_S + TICKS_S
    desk.assert_whole()


@pytest.mark.parametrize("looks_s", [4.9, 5.1, 59.9, 60.1, 64.9])
def test_an_unanswered_call_is_held_as_long_when_nobody_looks_in_between(desk: Desk, looks_s: float) -> None:
    limit(desk, minute=(1, 60))
    [slip] = out(desk, 1)
    desk.park(slip, UNANSWERED, wait_s=0)
    desk.wait(looks_s)
    assert desk.occupied() == [1]
    assert desk.take().slips == []
    desk.wait(TRANSIT_S + 60 + BUCKET_S + TICKS_S - looks_s)
    assert len(desk.take().slips) == 1
    desk.assert_whole()


def test_what_a_look_in_vain_has_counted_stays_counted(desk: Desk) -> None:
    """A take that finds no room has moved buckets on all the same."""
    limit(desk, minute=(4, 60), reserve=(750, 750))
    first, *others = out(desk, 4, prio=URGENT)
    answer(desk, first)
    desk.wait(10)
    for slip in others:
        answer(desk, slip)
    desk.put(4, prio=BULK)
    assert desk.take(4).slips == []
    desk.wait(45)
    desk.occupied()
    desk.wait(6)
    desk.person("hold", scope=f"account:{CAR}")
    desk.person("release", scope=f"account:{CAR}")  # looks again at everything
    assert desk.take(4).slips == []
    desk.wait(10)
    assert desk.occupied() == [0]
    desk.assert_whole()


def test_an_unanswered_call_does_not_push_a_settled_one_out(desk: Desk) -> None:
    """Its bucket may lie a whole turn of the ring after one that is about to be freed."""
    limit(desk, minute=(3, 60))
    lost, *answered = out(desk, 3)
    desk.park(lost, {"mode": "unanswered", "more": micros(59)}, wait_s=0)
    desk.wait(30)
    for slip in answered:
        answer(desk, slip)
    desk.put(3)
    desk.wait(60 + BUCKET_S)
    assert len(desk.take(3).slips) == 2
    assert desk.occupied() == [3]
    desk.assert_whole()


def test_a_refused_call_occupies_its_permit_like_any_arrival(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    [slip] = out(desk, 1)
    refuse(desk, slip, after_s=1)
    desk.wait(2)
    assert desk.occupied() == [1]
    assert 58 <= opens_s(desk) <= 58 + BUCKET_S + TICKS_S
    desk.assert_whole()


def test_the_permit_of_a_dead_worker_is_held_until_lease_and_transit_and_window_are_over(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    out(desk, 1)
    desk.wait(LEASE_S + 0.1)
    assert desk.take().slips == []  # taken back: the job waits again, its permit does not come back
    assert desk.occupied() == [1]
    left = TRANSIT_S + 60 - 0.1
    assert left - TICKS_S <= opens_s(desk) <= left + BUCKET_S + TICKS_S
    desk.assert_whole()


def test_a_dead_worker_found_late_is_held_no_longer_than_one_found_at_once(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    out(desk, 1)
    desk.wait(LEASE_S + TRANSIT_S + 30)
    assert desk.take().slips == []
    assert 30 - TICKS_S <= opens_s(desk) <= 30 + BUCKET_S + TICKS_S
    desk.assert_whole()


def test_an_answer_that_comes_after_its_lease_puts_the_permit_where_it_belongs(desk: Desk) -> None:
    limit(desk, minute=(1, 60))
    [slip] = out(desk, 1)
    desk.wait(LEASE_S + 0.1)
    desk.take()
    desk.wait(1)
    answer(desk, slip, age_s=3)
    desk.put()
    assert 57 <= opens_s(desk) <= 57 + BUCKET_S + TICKS_S
    desk.assert_whole()


def test_lanes_of_one_budget_draw_on_the_same_windows(desk: Desk) -> None:
    limit(desk, minute=(5, 60))
    out(desk, 3, op="car.read")
    assert room(desk, op="car.start") == 2
    desk.assert_whole()


def test_control_calls_have_their_own_budget_and_count_where_the_vendor_counts_them(desk: Desk) -> None:
    windows: dict[str, Any] = {"day": (10, 86_400), "own": (2, 60)}
    limit(desk, "calls=day", "control=own,day", **windows)
    control: dict[str, Any] = {"op": "car.token", "budget": "control"}
    assert room(desk, **control) == 2
    out(desk, 2, **control)
    assert desk.occupied("calls") == [2]
    assert room(desk, **control) == 0
    assert room(desk) == 8
    desk.assert_whole()


def test_a_budget_without_windows_has_no_limit(desk: Desk) -> None:
    limit(desk, "calls=minute", "other", minute=(1, 60))
    out(desk, 200, op="car.free", budget="other")
    desk.assert_whole()


def test_an_urgent_job_waits_for_an_unanswered_call_and_not_for_all_that_hang_beside_it(desk: Desk) -> None:
    """One call will count as arrived at a time that is known; another may be answered before, or hang for long."""
    limit(desk, minute=(2, 60))
    lost, hanging = out(desk, 2)
    desk.park(lost, {"mode": "unanswered", "more": micros(1)}, wait_s=3000)
    desk.put(1, prio=0)
    assert desk.take(1).ids == []
    desk.wait(61.001 + 60 / 1440)
    desk.renew(hanging)
    assert len(desk.take(1).slips) == 1
    desk.assert_whole()
