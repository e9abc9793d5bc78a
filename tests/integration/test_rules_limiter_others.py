"""While others use a window too: what they use is not forgotten too fast, and the care that it asks of us."""

import pytest

from tests.integration.desk import CAR, READ, UNANSWERED, Dealt, Desk, Slip, account, micros
from tests.integration.meter import Told, answer, call, left, limit, out, refuse

MANY = 200
LULL_S = 7.745966  # of a minute


def telling(desk: Desk, remaining: int, allowed: int = 100) -> Told:
    """What an answer says of the minute."""
    return {"minute": {"limit": allowed, "remaining": remaining}}


def told(desk: Desk, others: int, allowed: int = 100) -> None:
    """One call of ours, answered at once; all else that is counted is others'."""
    used = desk.occupied()[0]
    call(desk, telling(desk, allowed - others - used - 1, allowed))


def more(desk: Desk, want: int = MANY) -> list[Slip]:
    """All that can be taken now; there are always enough jobs in line."""
    return asked(desk, want).slips


def asked(desk: Desk, want: int = MANY) -> Dealt:
    if desk.client.zcard(desk.keys("queue", f"{CAR}|{READ}", 1)) < MANY:
        desk.put(MANY)
    return desk.take(want)


def test_of_calls_in_flight_together_the_one_that_knows_most_is_believed(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    slips = out(desk, 9)
    for slip, counted in zip(slips, (31, 39, 34, 37, 36, 38, 32, 35, 33), strict=True):
        answer(desk, slip, telling(desk, 100 - counted))
    assert left(desk) == 100 - 9 - 30
    desk.assert_whole()


def test_more_use_by_others_counts_at_once(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 20)
    told(desk, 70)
    assert left(desk) == 100 - 70 - 2
    desk.assert_whole()


@pytest.mark.parametrize("steps", [1, 10, 70])
def test_what_others_use_becomes_less_no_faster_than_the_window_passes(desk: Desk, steps: int) -> None:
    limit(desk, minute=(1000, 60))
    told(desk, 800, 1000)
    for _ in range(steps):
        desk.wait(30 / steps)
        told(desk, 0, 1000)
    assert left(desk) == pytest.approx(1000 - (800 - 500) - 1 - steps, abs=1)
    desk.assert_whole()


def test_a_margin_is_left_that_grows_while_nothing_is_told(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 90)
    slips = more(desk)
    assert len(slips) == 2
    for slip in slips:
        desk.park(slip)
    desk.wait(6)
    assert left(desk) == 9
    assert len(more(desk)) == 2, "7 stay free: 1.5 times the root of twice 90 in a tenth of the window"
    desk.assert_whole()


def test_a_margin_that_takes_all_is_waited_out_until_the_lull(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 93)
    desk.wait(6)
    assert left(desk) == 6
    dealt = asked(desk)
    assert dealt.slips == []
    assert dealt.next_us - dealt.now_us == pytest.approx(micros(LULL_S - 6), abs=100)
    desk.now_us = dealt.next_us
    assert len(more(desk)) == 1
    desk.assert_whole()


def test_a_margin_that_takes_all_gives_way_when_an_answer_has_told(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 92)
    first, _ = more(desk)
    desk.wait(6)
    assert left(desk) == 5
    assert asked(desk).slips == []
    desk.hush()
    answer(desk, first, telling(desk, 100 - 92 - 3))
    assert desk.bells() > 0
    desk.assert_whole()


def test_a_third_of_what_is_free_may_be_out_unheard(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 38)
    slips = more(desk)
    assert len(slips) == (100 - 38 - 1 - 1) // 3
    assert asked(desk).slips == []
    answer(desk, slips[-1], telling(desk, 100 - 38 - 21))
    assert len(more(desk)) == (100 - 38 - 21 - 1) // 3, "all that were taken before it are as good as heard"
    desk.assert_whole()


def test_near_the_limit_two_may_be_out(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 95)
    assert len(more(desk)) == 2
    assert asked(desk).slips == []
    desk.assert_whole()


def test_calls_that_keep_quiet_hold_the_others_up_for_a_second(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 80)
    hanging = more(desk)
    dealt = asked(desk)
    assert (dealt.slips, dealt.next_us) == ([], int(hanging[0].facts["taken"]) + micros(1))
    desk.now_us = dealt.next_us
    assert len(more(desk)) == 1
    assert asked(desk).slips == []
    desk.wait(1)
    assert len(more(desk)) == 1
    desk.assert_whole()


def test_calls_that_will_not_be_answered_are_not_waited_for(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 40)
    slips = more(desk)
    for slip in slips:
        desk.park(slip, UNANSWERED)
    assert len(more(desk)) == (100 - 40 - 1 - len(slips) - 1) // 3
    desk.assert_whole()


def test_after_a_lull_one_call_asks_before_others_follow(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 40)
    desk.wait(LULL_S + 0.001)
    asks = more(desk)
    assert len(asks) == 1
    assert asked(desk).slips == []
    answer(desk, asks[0], telling(desk, 100 - 40 - 2))
    assert len(more(desk)) == (100 - 40 - 2 - 1) // 3
    desk.assert_whole()


def test_for_a_slow_api_a_lull_is_two_journeys(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    [slow] = out(desk, 1)
    desk.wait(10)
    answer(desk, slow, telling(desk, 100 - 40 - 1))
    desk.wait(LULL_S + 1)
    assert len(more(desk)) > 1
    desk.assert_whole()


def test_where_others_are_long_gone_a_third_may_go_after_a_lull(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 1)
    desk.wait(60 * 10)
    told(desk, 0)
    assert len(more(desk, 9)) == 9
    desk.wait(LULL_S + 0.001)
    assert len(more(desk)) == (100 - 10) // 3 - 9
    desk.assert_whole()


def test_where_nobody_else_was_ever_seen_all_may_go_after_a_lull(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 0)
    assert len(more(desk, 9)) == 9
    desk.wait(LULL_S + 0.001)
    assert len(more(desk)) == 100 - 10
    desk.assert_whole()


def test_where_others_are_long_gone_all_may_go_at_once_when_there_is_no_lull(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 1)
    desk.wait(60 * 10)
    told(desk, 0)
    desk.wait(LULL_S - 0.1)
    assert len(more(desk)) == 99
    desk.assert_whole()


@pytest.mark.parametrize("account_of_headers", [True, False])
def test_where_nothing_was_ever_told_there_is_no_care(desk: Desk, account_of_headers: bool) -> None:
    limit(desk, minute=(100, 60), headers=account_of_headers)
    call(desk)
    desk.wait(50)
    [slip] = out(desk, 1)
    refuse(desk, slip, 1)
    desk.wait(1.001)
    assert len(more(desk)) == 98
    desk.assert_whole()


def test_an_account_without_headers_has_no_care_after_its_window_has_grown(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    call(desk)
    limit(desk, minute=(100, 600))
    desk.wait(30)
    assert len(more(desk)) == 99
    desk.assert_whole()


def test_when_answers_tell_nothing_any_more_nobody_waits_for_them(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 10)
    desk.wait(LULL_S + 0.001)
    [asks] = more(desk)
    assert asked(desk).slips == []
    answer(desk, asks)
    assert len(more(desk)) == 100 - 10 - 2, "all at once, but what others use is not forgotten"
    desk.assert_whole()


def test_a_refusal_says_that_there_are_others(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 0)
    [slip] = out(desk, 1)
    refuse(desk, slip, 1)
    desk.wait(1.001)
    assert len(more(desk)) == (100 - 2) // 3
    desk.assert_whole()


@pytest.mark.parametrize(("windows", "careful"), [(1.45, True), (1.55, False)])
def test_others_are_reckoned_with_for_a_window_and_a_half_after_their_last_sign(
    desk: Desk, windows: float, careful: bool
) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 1)
    for _ in range(10):
        desk.wait(6 * windows)
        told(desk, 0)
    free = left(desk)
    assert len(more(desk)) == (free // 3 if careful else free)
    desk.assert_whole()


@pytest.mark.parametrize(("windows", "alone"), [(9.5, True), (10.5, False)])
def test_one_call_alone_ends_a_lull_for_ten_windows_after_their_last_sign(
    desk: Desk, windows: float, alone: bool
) -> None:
    limit(desk, minute=(100, 60))
    told(desk, 1)
    desk.wait(60 * (windows - 1))
    told(desk, 0)
    desk.wait(60)
    assert len(more(desk)) == (1 if alone else 100 // 3)
    desk.assert_whole()


def test_a_budget_waits_for_the_window_that_others_use(desk: Desk) -> None:
    windows = {"minute": (100, 60.0), "second": (50, 1.0)}
    limit(desk, of={CAR: account("calls=minute,second", windows=windows, headers=True)})
    call(desk, {"minute": {"limit": 100, "remaining": 59}, "second": {"limit": 50, "remaining": 49}})
    assert len(more(desk)) == (100 - 40 - 1 - 1) // 3
    assert asked(desk).slips == []
    desk.assert_whole()
