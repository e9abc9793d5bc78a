"""Settings that change while permits are out: at once, without a flap, and without forgetting what has been used."""

import pytest

from tests.integration.desk import ANSWERED, UNANSWERED, Desk
from tests.integration.meter import answer, call, left, limit, opens_s, out, room


def test_a_lowered_limit_holds_at_once_and_what_is_out_counts(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    slips = out(desk, 6)
    limit(desk, minute=(8, 60))
    assert room(desk) == 2
    limit(desk, minute=(4, 60))
    assert room(desk) == 0
    for slip in slips:
        answer(desk, slip)
    desk.put()
    assert 60 <= opens_s(desk) <= 60.05
    desk.assert_whole()


def test_a_raised_limit_holds_at_once_and_wakes_who_waits(desk: Desk) -> None:
    limit(desk, minute=(2, 60))
    out(desk, 2)
    desk.put(5)
    assert desk.take(5).slips == []
    desk.hush()
    limit(desk, minute=(5, 60))
    assert desk.bells() > 0
    assert len(desk.take(5).slips) == 3
    desk.assert_whole()


def test_a_limit_that_headers_have_lowered_stays_low_when_settings_are_raised(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    call(desk, {"minute": {"limit": 20, "remaining": 19}})
    limit(desk, minute=(200, 60))
    assert desk.window()["lim"] == 20
    for _ in range(3):
        call(desk, {"minute": {"limit": 150, "remaining": 147}})
    assert desk.window()["lim"] == 150
    desk.assert_whole()


@pytest.mark.parametrize("length", [30, 61, 600])
def test_a_window_of_another_length_keeps_what_was_used_for_a_whole_new_window(desk: Desk, length: float) -> None:
    limit(desk, minute=(5, 60))
    for slip in out(desk, 3):
        answer(desk, slip)
    [flying] = out(desk, 1)
    desk.wait(10)
    desk.renew(flying)
    limit(desk, minute=(5, length))
    assert desk.occupied() == [4]
    assert room(desk) == 1
    answer(desk, flying)
    desk.put(5)
    assert len(desk.take(1).slips) == 1
    assert length <= opens_s(desk) <= length * 1.001 + 0.001
    desk.assert_whole()


def test_what_had_left_the_old_window_is_not_brought_back_by_a_new_length(desk: Desk) -> None:
    limit(desk, minute=(5, 60))
    for slip in out(desk, 5):
        answer(desk, slip)
    desk.wait(3000)
    limit(desk, minute=(5, 3600))
    assert desk.occupied() == [0]
    assert room(desk) == 5
    desk.assert_whole()


def test_an_unanswered_call_that_becomes_certain_with_the_new_length_counts_once(desk: Desk) -> None:
    limit(desk, minute=(5, 60))
    slip, *settled = out(desk, 3)
    for other in settled:
        desk.finish(other, ANSWERED)
    desk.park(slip, UNANSWERED, wait_s=3000)
    desk.wait(6)
    limit(desk, minute=(5, 600))
    assert desk.occupied() == [3]
    desk.assert_whole()


def test_what_others_use_stays_as_long_as_the_new_window(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    call(desk, {"minute": {"limit": 50, "remaining": 19}})
    limit(desk, minute=(50, 600))
    desk.wait(599)
    assert left(desk) == 50 - 30 - 1
    desk.wait(2)
    assert left(desk) == 50
    desk.assert_whole()


def test_a_new_window_of_a_budget_counts_from_now_on(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    slips = out(desk, 3)
    limit(desk, minute=(50, 60), second=(10, 1))
    assert room(desk) == 10
    for slip in slips:
        answer(desk, slip)
    out(desk, 10)
    assert desk.occupied() == [13, 10]
    desk.assert_whole()


def test_a_window_that_settings_no_longer_name_keeps_nobody_back(desk: Desk) -> None:
    limit(desk, minute=(50, 60), second=(3, 1))
    slips = out(desk, 3)
    limit(desk, minute=(50, 60))
    assert room(desk) == 47
    for slip in slips:
        answer(desk, slip)
    desk.assert_whole()


def test_an_account_that_settings_no_longer_name_keeps_its_jobs(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    strange = {"acct": "stellantis:later"}
    desk.put(3, **strange)
    assert desk.take(5).slips == []
    limit(desk, of={"stellantis:later": {
        "api": "stellantis", "headers": False, "budgets": {"calls": ["minute"]},
        "windows": {"minute": {"limit": 2, "len_us": 60_000_000, "rb": 0, "rn": 0}},
    }})  # fmt: skip
    assert len(desk.take(5).slips) == 2
    desk.assert_whole()


# -- two versions at once ---------------------------------------------------------------------------------------------


def beat(desk: Desk, seconds: float, *digests: str) -> None:
    """Time in which these versions of the settings have living workers."""
    for _ in range(int(seconds / 5)):
        desk.wait(5)
        for digest in digests:
            desk.renew(digest=digest)


def test_the_older_version_of_a_rolling_deploy_does_not_bring_its_limits_back(desk: Desk) -> None:
    limit(desk, minute=(10, 60), digest="one")
    beat(desk, 60, "one")
    assert limit(desk, minute=(20, 60), digest="two") == "applied"
    beat(desk, 30, "one", "two")
    assert limit(desk, minute=(10, 60), digest="one") == "kept"
    assert desk.window()["lim"] == 20
    assert limit(desk, minute=(20, 60), digest="two") == "kept"
    desk.assert_whole()


def test_a_version_whose_workers_are_gone_may_come_back(desk: Desk) -> None:
    limit(desk, minute=(10, 60), digest="one")
    limit(desk, minute=(20, 60), digest="two")
    beat(desk, 65, "two")
    assert limit(desk, minute=(10, 60), digest="one") == "applied"
    assert desk.window()["lim"] == 10
    desk.assert_whole()


def test_after_a_deploy_was_taken_back_the_settings_of_who_is_left_hold(desk: Desk) -> None:
    limit(desk, minute=(10, 60), digest="one")
    beat(desk, 30, "one")
    limit(desk, minute=(20, 60), digest="two")
    beat(desk, 30, "one", "two")
    assert limit(desk, minute=(10, 60), digest="one") == "kept"
    beat(desk, 65, "one")
    assert desk.take().verdict == "configure"
    assert limit(desk, minute=(10, 60), digest="one") == "applied"
    assert desk.window()["lim"] == 10
    assert desk.take().verdict == "ok"
    desk.assert_whole()
