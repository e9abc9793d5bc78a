"""What rate headers teach: how much others use, and a limit that is lower or higher than we thought."""

import pytest

from tests.integration.desk import REFUND, Desk, micros
from tests.integration.meter import answer, call, left, limit, opens_s, out, room


def foreign(desk: Desk, window: str = "minute") -> int:
    desk.occupied()
    return desk.window(window)["fgn"]


def test_what_we_cannot_have_used_others_have(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    slips = out(desk, 10)
    for slip in slips[:9]:
        answer(desk, slip)
    answer(desk, slips[9], {"minute": {"limit": 100, "remaining": 40}})
    assert foreign(desk) == 50
    assert left(desk) == 40
    assert room(desk) == (40 - 1) // 3, "not all at once, for others use it too"
    desk.assert_whole()


def test_calls_in_flight_may_have_been_counted_already_and_are_ours(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    first, *_ = out(desk, 30)
    answer(desk, first, {"minute": {"limit": 100, "remaining": 60}})
    assert foreign(desk) == 10
    desk.assert_whole()


def test_calls_sent_between_a_call_and_its_answer_are_ours(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    [slow] = out(desk, 1)
    out(desk, 20)
    answer(desk, slow, {"minute": {"limit": 100, "remaining": 60}})
    assert foreign(desk) == 19
    desk.assert_whole()


def test_a_permit_that_was_given_back_hides_no_foreign_call(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    [slow] = out(desk, 1)
    for slip in out(desk, 20):
        desk.park(slip, REFUND, wait_s=1000)
    answer(desk, slow, {"minute": {"limit": 100, "remaining": 60}})
    assert foreign(desk) == 39
    desk.assert_whole()


def test_the_headers_of_a_call_sent_earlier_change_nothing(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    [early] = out(desk, 1)
    desk.wait(1)
    call(desk, {"minute": {"limit": 100, "remaining": 38}})
    assert foreign(desk) == 60
    answer(desk, early, {"minute": {"limit": 100, "remaining": 0}})
    assert foreign(desk) == 60
    desk.assert_whole()


def test_what_others_use_is_gone_one_window_after_it_was_told(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    call(desk, {"minute": {"limit": 100, "remaining": 0}})
    told = int(desk.hash("meta")["now"])
    desk.put()
    dealt = desk.take()
    assert (dealt.slips, dealt.next_us) == ([], told + micros(60))
    desk.now_us = told + micros(60) - 5
    assert desk.take().slips == []
    desk.now_us = told + micros(60)
    assert len(desk.take().slips) == 1
    assert foreign(desk) == 0
    desk.assert_whole()


def test_our_own_count_is_never_lowered_by_a_header(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    for _ in range(6):
        call(desk, {"minute": {"limit": 10, "remaining": 10}})
    assert desk.occupied() == [6]
    assert room(desk) == 4
    desk.assert_whole()


def test_when_others_turn_out_to_use_less_waiting_jobs_are_woken(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    [slow] = out(desk, 1)
    desk.wait(1)
    [slower] = out(desk, 1)
    answer(desk, slow, {"minute": {"limit": 100, "remaining": 0}})
    desk.put()
    assert desk.take().slips == []
    desk.wait(6)
    desk.hush()
    answer(desk, slower, {"minute": {"limit": 100, "remaining": 50}})
    assert desk.bells() > 0
    assert len(desk.take().slips) == 1
    desk.assert_whole()


def test_a_window_that_is_not_named_learns_nothing(desk: Desk) -> None:
    limit(desk, day=(100, 86_400), second=(100, 1))
    call(desk, {"day": {"limit": 100, "remaining": 49}})
    assert (foreign(desk, "day"), foreign(desk, "second")) == (50, 0)
    desk.assert_whole()


def test_remaining_without_a_limit_is_read_against_the_limit_in_force(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    call(desk, {"minute": {"remaining": 49}})
    assert foreign(desk) == 50
    desk.assert_whole()


def test_a_lower_limit_holds_at_once(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    call(desk, {"minute": {"limit": 30, "remaining": 29}})
    assert desk.window()["lim"] == 30
    assert room(desk) == 29
    desk.assert_whole()


def test_a_lower_limit_than_what_is_out_waits_for_enough_to_leave(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    for _ in range(5):
        call(desk)
        desk.wait(2)
    call(desk, {"minute": {"limit": 3, "remaining": 0}})
    desk.put()
    assert 56 <= opens_s(desk) <= 56 + 0.05  # the fourth of the six was answered at 6 s, and it is 10 s now
    desk.assert_whole()


def test_a_higher_limit_holds_after_three_equal_answers_and_wakes_who_waits(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    first, *others, _ = out(desk, 5)
    answer(desk, first, {"minute": {"limit": 3, "remaining": 0}})
    desk.put(5)
    for slip in others:
        assert desk.window()["lim"] == 3
        assert desk.take(5).slips == []
        desk.hush()
        answer(desk, slip, {"minute": {"limit": 50, "remaining": 45}})
    assert desk.window()["lim"] == 50
    assert desk.bells() > 0
    assert len(desk.take(5).slips) == 5
    desk.assert_whole()


@pytest.mark.parametrize("between", [40, 51, 30, 20])
def test_answers_that_disagree_raise_nothing(desk: Desk, between: int) -> None:
    limit(desk, minute=(100, 60))
    for told in (30, 50, 50, between, 50, 50):
        call(desk, {"minute": {"limit": told, "remaining": 5}})
        desk.wait(61)
    assert desk.window()["lim"] == min(30, between)
    desk.assert_whole()


def test_no_header_raises_a_limit_above_what_settings_allow(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    call(desk, {"minute": {"limit": 40, "remaining": 30}})
    for _ in range(5):
        call(desk, {"minute": {"limit": 100_000, "remaining": 99_999}})
    assert desk.window()["lim"] == 100
    desk.assert_whole()
