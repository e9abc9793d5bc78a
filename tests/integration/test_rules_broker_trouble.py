"""A lane whose calls fail one after another: a trickle during the trouble, a ramp after it, one alert for all of it."""

from collections.abc import Mapping
from typing import Any

from tests.integration.desk import ANSWERED, CAR, READ, START, UNANSWERED, Desk, Slip, micros

LANE = f"{CAR}|{READ}"
BASE_S = 2.0
PATIENCE = 10
TROUBLE: Mapping[str, Any] = {"base": micros(BASE_S), "jitter": 1.0, "facts": '{"kind":"trouble"}'}


def fail(desk: Desk, slip: Slip, **changes: Any) -> str:
    facts = {"class": "server_trouble", "trouble": TROUBLE, **changes}
    return desk.park(slip, UNANSWERED, wait_s=1, attempt=1, **facts)


def get_into_trouble(desk: Desk, jobs: int = 60) -> None:
    """As many failures as it takes; the calls were in flight together."""
    desk.hire(threads=64)
    desk.put(jobs)
    for slip in desk.take(PATIENCE).slips:
        fail(desk, slip)


def state(desk: Desk) -> list[int]:
    """Failures in a row, calls allowed in flight, no call before (s from now)."""
    n, cap, till, _ = desk.hash("trouble").get(LANE, "0 0 0 0").split()
    return [int(n), int(cap), max(0, int(till) - desk.now_us) // 1_000_000]


def serve(desk: Desk, want: int = 64) -> int:
    """How many calls go out now; each is answered well."""
    slips = desk.take(want).slips
    for slip in slips:
        desk.finish(slip)
    return len(slips)


def test_a_few_failures_in_a_row_are_no_trouble(desk: Desk) -> None:
    desk.hire(threads=64)
    desk.put(60)
    for slip in desk.take(PATIENCE - 1).slips:
        fail(desk, slip)
    assert state(desk)[1] == 0
    assert len(desk.take(64).slips) == 32  # half of the fleet's threads, as ever
    desk.assert_whole()


def test_an_answer_among_them_ends_the_row(desk: Desk) -> None:
    desk.hire(threads=64)
    desk.put(60)
    slips = desk.take(PATIENCE + 5).slips
    for slip in slips[:9]:
        fail(desk, slip)
    desk.finish(slips[9])
    for slip in slips[10:]:
        fail(desk, slip)
    assert state(desk)[:2] == [5, 0]
    desk.assert_whole()


def test_a_dead_letter_of_the_other_side_ends_the_row_too(desk: Desk) -> None:
    desk.hire(threads=64)
    desk.put(60)
    slips = desk.take(PATIENCE).slips
    for slip in slips[:9]:
        fail(desk, slip)
    desk.bury(slips[9], ANSWERED, error="not_found")
    assert state(desk) == [0, 0, 0]


def test_in_trouble_nothing_goes_out_until_its_time_and_then_one_call(desk: Desk) -> None:
    get_into_trouble(desk)
    assert state(desk) == [PATIENCE, 1, 2]
    dealt = desk.take(64)
    assert dealt.ids == []
    assert abs(dealt.next_us - desk.now_us - micros(BASE_S)) < 1000
    desk.wait(BASE_S + 0.001)
    assert len(desk.take(64).slips) == 1
    assert desk.take(64).ids == []
    desk.assert_whole()


def test_each_further_failure_doubles_the_wait_up_to_half_a_minute(desk: Desk) -> None:
    get_into_trouble(desk)
    waits = []
    for _ in range(7):
        desk.wait(state(desk)[2] + 1)
        fail(desk, desk.take(64).one)
        waits.append(state(desk)[2])
    assert waits == [4, 8, 16, 30, 30, 30, 30]
    desk.assert_whole()


def test_calls_that_were_in_flight_when_it_began_say_nothing_new(desk: Desk) -> None:
    desk.hire(threads=64)
    desk.put(60)
    slips = desk.take(30).slips
    for slip in slips:
        fail(desk, slip)
    assert state(desk) == [PATIENCE, 1, 2]


def test_an_answer_to_an_old_call_does_not_open_it_either(desk: Desk) -> None:
    desk.hire(threads=64)
    desk.put(60)
    slips = desk.take(30).slips
    for slip in slips[:20]:
        fail(desk, slip)
    desk.now_us += 1000
    desk.finish(slips[20])
    assert state(desk)[1] == 1


def test_after_a_success_it_ramps_up_by_doubling_and_is_over_when_it_is_as_fast_as_it_was(desk: Desk) -> None:
    get_into_trouble(desk, jobs=200)
    desk.wait(BASE_S + 0.001)
    ramp = []
    for _ in range(7):
        slips = desk.take(64).slips
        ramp.append(len(slips))
        desk.now_us += 1000
        for slip in slips:
            desk.finish(slip)
        desk.now_us += 1000
    assert ramp == [1, 2, 4, 8, 16, 32, 32]
    assert state(desk) == [0, 0, 0]
    assert desk.hash("alert", f"trouble:{LANE}")["state"] == "resolved"
    desk.assert_whole()


def test_a_failure_on_the_ramp_begins_it_anew(desk: Desk) -> None:
    get_into_trouble(desk)
    desk.wait(BASE_S + 0.001)
    assert serve(desk) == 1
    desk.now_us += 1000
    first, second = desk.take(64).slips
    desk.now_us += 1000
    fail(desk, first)
    desk.finish(second)
    assert state(desk) == [PATIENCE, 1, 2]
    desk.assert_whole()


def test_all_of_it_is_told_once_and_resolved_once(desk: Desk) -> None:
    get_into_trouble(desk, jobs=12)
    for _ in range(3):
        desk.wait(state(desk)[2] + 1)
        fail(desk, desk.take(64).one)
    assert [one.rsplit("#", 1)[1] for one in desk.outbox()] == ["opened"]
    desk.wait(60)
    while serve(desk):
        desk.wait(2)
    assert sorted(one.rsplit("#", 1)[1] for one in desk.outbox()) == ["opened", "resolved"]
    assert state(desk) == [0, 0, 0]
    desk.assert_whole()


def test_another_lane_of_the_same_budget_is_not_slowed(desk: Desk) -> None:
    get_into_trouble(desk)
    desk.put(40, op=START)
    assert len(desk.take(64).slips) == 32


def test_dead_letters_of_a_trouble_that_was_told_are_no_news(desk: Desk) -> None:
    get_into_trouble(desk)
    desk.wait(BASE_S + 0.001)
    why = {"class": "server_trouble", "code": "50001", "message": "", "alert": True}
    desk.bury(desk.take(64).one, why=why, trouble=TROUBLE)
    assert [one.partition("#")[0] for one in desk.outbox()] == [f"trouble:{LANE}"]


def test_a_call_that_must_not_be_repeated_is_told_all_the_same(desk: Desk) -> None:
    desk.hire(threads=64)
    desk.put(60, op=START, rep=0)
    why = {"class": "outcome_unknown", "code": "50001", "message": "", "alert": True}
    *first, last = desk.take(PATIENCE + 1).slips
    for slip in first:
        fail(desk, slip)
    desk.bury(last, UNANSWERED, why=why, trouble=TROUBLE)
    assert sorted(one.partition(":")[0] for one in desk.outbox()) == ["problem", "trouble"]
