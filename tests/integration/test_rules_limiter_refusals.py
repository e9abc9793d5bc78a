"""When the remote side refuses all the same: the budget closes for every process, for as long as was asked, and no job
pays for it.
"""

from typing import Any

import pytest

from tests.integration.desk import ANSWERED, BULK, CAR, UNANSWERED, URGENT, Desk, Slip, account, micros
from tests.integration.meter import answer, call, limit, out, refuse, room, told

SECOND_US = 1_000_000


def closed_s(desk: Desk, window: str = "minute") -> float:
    return max(0, desk.window(window)["shut"] - int(desk.hash("meta")["now"])) / 1e6


def refused(desk: Desk, **close: Any) -> float:
    """One call, refused at once; how long its budget is closed for."""
    [slip] = out(desk, 1)
    refuse(desk, slip, **close)
    desk.person("cancel", id=slip.id)
    return round(closed_s(desk), 2)


def test_a_refusal_closes_the_budget_for_every_process_until_the_time_that_was_asked(desk: Desk) -> None:
    desk.hire("w2", digest="another", accounts={}, numbers={"lane_cap": 1000})
    limit(desk, minute=(50, 60))
    [slip] = out(desk, 1)
    refuse(desk, slip, after_s=20)
    for worker, prio in (("w1", URGENT), ("w2", URGENT), ("w2", BULK)):
        desk.put(prio=prio)
        assert desk.take(5, worker=worker).slips == []
    desk.wait(19.99)
    assert desk.take(5, worker="w2").slips == []
    desk.wait(0.02)
    assert len(desk.take(5, worker="w2").slips) == 4
    desk.assert_whole()


def test_take_names_the_moment_a_closed_budget_opens(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    [slip] = out(desk, 1)
    refuse(desk, slip, after_s=10)
    dealt = desk.take()
    assert dealt.slips == []
    assert 9.9 < (dealt.next_us - dealt.now_us) / 1e6 <= 10
    desk.assert_whole()


def test_a_refused_job_keeps_its_place_and_its_attempts(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    [slip] = out(desk, 1)
    desk.put(2)
    refuse(desk, slip, after_s=20)
    desk.wait(21)
    again = desk.take().one
    assert (again.id, again.facts["attempts"]) == (slip.id, 0)
    desk.assert_whole()


def test_only_the_windows_that_are_used_up_are_closed(desk: Desk) -> None:
    limit(desk, "calls=day,second", "control=own,day", day=(99, 86_400), second=(50, 1), own=(9, 60))
    [slip] = out(desk, 1)
    refuse(desk, slip, after_s=20, windows=["second"])
    assert room(desk) == 0
    assert room(desk, op="car.token", budget="control") == 9
    desk.assert_whole()


def test_a_closed_window_closes_every_budget_that_draws_on_it(desk: Desk) -> None:
    limit(desk, "calls=day,second", "control=own,day", day=(99, 86_400), second=(50, 1), own=(9, 60))
    [slip] = out(desk, 1)
    refuse(desk, slip, after_s=20)
    assert room(desk) == 0
    assert room(desk, op="car.token", budget="control") == 0
    desk.assert_whole()


def test_another_account_and_another_budget_stay_open(desk: Desk) -> None:
    accounts = {
        name: account("calls=minute", "pages=other", windows={"minute": (5, 60), "other": (5, 60)})
        for name in (CAR, "hub:IN-ABC")
    }
    limit(desk, of=accounts)
    [slip] = out(desk, 1)
    refuse(desk, slip, after_s=20)
    assert room(desk) == 0
    assert room(desk, op="car.page", budget="pages") == 5
    assert room(desk, acct="hub:IN-ABC") == 5
    desk.assert_whole()


def test_a_shorter_wait_does_not_open_what_a_longer_one_has_closed(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    one, two = out(desk, 2)
    refuse(desk, one, after_s=40)
    refuse(desk, two, after_s=5)
    assert 39.9 < closed_s(desk) <= 40
    desk.assert_whole()


def test_without_a_hint_each_refusal_in_a_row_doubles_the_wait(desk: Desk) -> None:
    limit(desk, hour=(50, 3600))
    waits = []
    for _ in range(5):
        [slip] = out(desk, 1)
        refuse(desk, slip, base=SECOND_US, jitter=1)
        waits.append(round(closed_s(desk, "hour"), 2))
        desk.person("cancel", id=slip.id)
        desk.wait(waits[-1] + 0.01)
    assert waits == [1, 2, 4, 8, 16]
    desk.assert_whole()


@pytest.mark.parametrize(("jitter", "expected"), [(0, 0.5), (0.5, 0.75), (1, 1.0)])
def test_the_wait_without_a_hint_is_spread(desk: Desk, jitter: float, expected: float) -> None:
    limit(desk, minute=(50, 60))
    assert refused(desk, jitter=jitter) == expected
    desk.assert_whole()


def test_calls_that_were_out_together_double_the_wait_once(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    for slip in out(desk, 8):
        refuse(desk, slip)
    assert desk.hash("refusals")[f"{CAR}|calls"].split()[0] == "1"
    assert closed_s(desk) <= 1
    desk.assert_whole()


def test_a_success_starts_the_row_anew(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    for _ in range(3):
        desk.wait(refused(desk) + 0.01)
    call(desk)
    assert refused(desk) == 1
    desk.assert_whole()


def test_the_wait_without_a_hint_is_never_longer_than_the_setting(desk: Desk) -> None:
    limit(desk, day=(50, 86_400))
    for _ in range(9):
        [slip] = out(desk, 1)
        refuse(desk, slip, cap=micros(30))
        desk.person("cancel", id=slip.id)
        assert closed_s(desk, "day") <= 30
        desk.wait(31)
    desk.assert_whole()


def test_the_wait_without_a_hint_is_never_longer_than_the_window_and_a_tenth(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    waits = []
    for _ in range(9):
        waits.append(refused(desk))
        desk.wait(waits[-1] + 0.01)
    assert waits[-2:] == [66, 66]
    desk.assert_whole()


@pytest.mark.parametrize(
    ("close", "why"), [({"after_s": 66.1}, "longer than the window and a tenth"), ({"nonsense": True}, "nonsense")]
)
def test_a_wait_that_no_window_can_explain_holds_the_budget_and_alerts_once(
    desk: Desk, close: dict[str, Any], why: str
) -> None:
    limit(desk, minute=(50, 60))
    scope = f"budget:{CAR}|calls"
    one, two = out(desk, 2)
    refuse(desk, one, **close)
    refuse(desk, two, **close)
    assert scope in desk.hash("holds"), why
    assert told(desk) == [f"hold:{scope} opened"]
    desk.wait(1000)
    assert desk.take(5).slips == []
    assert desk.person("release", scope=scope) == "released"
    assert len(desk.take(5).slips) == 2
    assert told(desk)[1:] == [f"hold:{scope} resolved"]
    desk.assert_whole()


def test_a_wait_as_long_as_the_window_and_a_tenth_is_believed(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    assert refused(desk, after_s=66) == 66
    assert desk.hash("holds") == {}
    desk.assert_whole()


def test_a_budget_without_windows_closes_too(desk: Desk) -> None:
    limit(desk, "calls=minute", "other", minute=(50, 60))
    free: dict[str, Any] = {"op": "car.free", "budget": "other"}
    [slip] = out(desk, 1, **free)
    refuse(desk, slip, after_s=20)
    assert room(desk, **free) == 0
    permit = {
        "group": f"{CAR}|other", "lease": "p", "worker": "operator", "lease_us": 1, "transit_us": 0, "mode": "probe",
        "run": "run-1", "durable": False, "quiet_us": 1,
    }  # fmt: skip
    assert desk.decide("permit", permit)[0] == 0
    assert room(desk) == 50
    desk.wait(20.001)
    assert room(desk, **free) > 0
    desk.assert_whole()


def test_a_refusal_counts_even_when_somebody_else_has_the_job_by_now(desk: Desk) -> None:
    limit(desk, minute=(50, 60))
    [slip] = out(desk, 1)
    desk.wait(16)
    [again] = desk.take(5).slips
    assert again.id == slip.id
    assert refuse(desk, slip, after_s=20) == "superseded"
    assert closed_s(desk) > 19
    answer(desk, again)
    desk.assert_whole()


def held(desk: Desk, every_s: float = 900) -> Slip:
    """A credential is refused; its hold lets one job try after `every_s`. That one is in hand now."""
    limit(desk, minute=(50, 60))
    [slip] = out(desk, 1)
    hold = {"cause": "credential", "by": "paceline", "reason": "401", "every": micros(every_s)}
    facts = {"scope": f"account:{CAR}", "hold": hold, "facts": "{}"}
    desk.park(slip, ANSWERED, refused=True, hold=facts)
    desk.put(5)
    desk.wait(every_s - 0.1)
    assert desk.take(5).slips == []
    desk.wait(0.2)
    return desk.take(5).one


def test_a_held_account_lets_one_call_try_and_opens_when_it_is_not_refused(desk: Desk) -> None:
    probe = held(desk)
    assert desk.take(5).slips == []
    answer(desk, probe)
    assert desk.hash("holds") == {}
    assert len(desk.take(5).slips) == 5
    desk.assert_whole()


@pytest.mark.parametrize("settle", [UNANSWERED, {"mode": "refund"}])
def test_a_try_that_came_to_no_answer_opens_nothing_and_is_followed_by_another(
    desk: Desk, settle: dict[str, Any]
) -> None:
    probe = held(desk)
    desk.park(probe, settle, wait_s=100)
    assert f"account:{CAR}" in desk.hash("holds")
    assert len(desk.take(5).slips) == 1
    desk.assert_whole()


@pytest.mark.parametrize("settle", [UNANSWERED, {"mode": "refund"}])
def test_a_try_that_was_refused_before_it_was_a_request_is_not_followed_by_another_at_once(
    desk: Desk, settle: dict[str, Any]
) -> None:
    """A certificate that one side does not accept: no answer, and yet an answer."""
    probe = held(desk)
    desk.park(probe, settle, wait_s=100, refused=True)
    assert f"account:{CAR}" in desk.hash("holds")
    assert desk.take(5).slips == []
    desk.wait(901)
    assert len(desk.take(5).slips) == 1
    desk.assert_whole()


def test_a_try_that_met_a_limit_says_nothing_about_the_credential(desk: Desk) -> None:
    probe = held(desk)
    refuse(desk, probe, after_s=20)
    assert f"account:{CAR}" in desk.hash("holds")
    desk.wait(20.1)
    assert len(desk.take(5).slips) == 1
    desk.assert_whole()


def test_a_try_for_an_account_does_not_pass_a_budget_that_is_held_as_well(desk: Desk) -> None:
    probe = held(desk)
    desk.person("hold", scope=f"budget:{CAR}|calls")
    desk.park(probe)
    assert desk.take(5).slips == []
    desk.person("release", scope=f"budget:{CAR}|calls")
    assert len(desk.take(5).slips) == 1
    desk.assert_whole()
