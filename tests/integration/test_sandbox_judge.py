"""The judge: does it count exactly, and does it see what went wrong?"""

import random
from typing import Any

import pytest

from tests.integration.sandbox_caller import Caller
from worker.sandbox.judge import judge, sliding, usage
from worker.sandbox.log import Arrival
from worker.sandbox.server import Sandbox

SECOND = 1_000_000_000


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


def arrival(at_s: float, limit: int = 3, **changes: Any) -> Arrival:
    facts: dict[str, Any] = {
        "at_ns": round(at_s * SECOND),
        "api": "hub",
        "account": "hub:IN-ABC",
        "method": "PUT",
        "path": "/x",
        "operation": "hub.authorize_token",
        "job": "",
        "request_id": "",
        "foreign": False,
        "repeatable": True,
        "windows": (("tokens", limit, SECOND),),
    }
    return Arrival(**{**facts, **changes})


def test_an_arrival_exactly_one_window_ago_has_left() -> None:
    assert sliding([(0, 10), (9, 10), (10, 10), (11, 10)]) == [1, 2, 2, 3]


def test_the_counts_are_those_of_a_naive_recount() -> None:
    rng = random.Random(7)
    times = sorted(rng.randrange(1000) for _ in range(400))
    naive = [sum(1 for other in times[: n + 1] if other > at - 50) for n, at in enumerate(times)]
    assert sliding([(at, 50) for at in times]) == naive


def test_a_window_that_grew_reaches_back_to_earlier_arrivals() -> None:
    assert sliding([(0, 10), (20, 10), (21, 100)]) == [1, 1, 3]


def test_usage_is_the_share_of_the_limit_after_the_first_full_window() -> None:
    assert usage(count=2000, limit=100, window_s=1, span_s=20.0) == pytest.approx(0.95)
    assert usage(count=200, limit=100, window_s=60, span_s=60.0) == pytest.approx(1.0)
    assert usage(count=100, limit=100, window_s=1, span_s=1.0) is None


def test_a_full_window_is_no_violation_and_one_more_arrival_is() -> None:
    full = [arrival(0.1 * number) for number in range(3)]
    assert judge(full)["ok"] is True
    verdict = judge([*full, arrival(0.9)])
    assert verdict["ok"] is False
    assert verdict["windows"][0]["max"] == 4
    assert verdict["windows"][0]["ratio"] == pytest.approx(4 / 3)
    assert verdict["violations"] == [
        {"account": "hub:IN-ABC", "window": "tokens", "at": 0.9, "count": 4, "limit": 3, "ours": True}
    ]


def test_a_burst_over_the_edge_of_two_clock_seconds_is_seen() -> None:
    times = (0.9, 0.95, 0.99, 1.01, 1.05)
    assert judge([arrival(at) for at in times])["windows"][0]["max"] == 5


def test_limits_are_judged_by_their_value_at_each_arrival() -> None:
    assert judge([arrival(0, limit=1), arrival(5, limit=2), arrival(5.1, limit=2)])["ok"] is True
    assert judge([arrival(0, limit=2), arrival(0.1, limit=1)])["ok"] is False


def test_the_foreign_user_counts_in_the_total_and_not_in_ours() -> None:
    verdict = judge([arrival(0, foreign=True), arrival(0.1, foreign=True), arrival(0.2), arrival(0.3)])
    window = verdict["windows"][0]
    assert (window["max"], window["max_ours"], window["ours"]) == (4, 2, 2)
    assert verdict["violations"][0]["ours"] is True


def test_a_foreign_user_over_the_limit_is_no_fault_of_ours() -> None:
    verdict = judge([arrival(0.1 * number, foreign=True, refused=("tokens",)) for number in range(5)])
    assert (verdict["ok"], verdict["refusals"]) == (True, {"ours": 0, "foreign": 5})


def test_overrunning_a_real_limit_is_reported_with_its_refusals(caller: Caller) -> None:
    caller.sandbox.limits("tokens", 5, 60.0)
    for number in range(8):
        caller.authorize(X_Correlation_ID=f"job-{number}")
    verdict = caller.sandbox.judge()
    window = verdict["windows"][0]
    assert (verdict["ok"], verdict["refusals"]["ours"], len(verdict["violations"])) == (False, 3, 3)
    assert (window["max"], window["over_limit"], window["refused_ours"]) == (8, 3, 3)


def test_overrunning_is_reported_even_where_refused_calls_take_no_place(caller: Caller) -> None:
    caller.sandbox.limits("tokens", 5, 60.0)
    caller.sandbox.config({"count_refused": False})
    for _ in range(7):
        caller.authorize()
    assert caller.sandbox.judge()["windows"][0]["max"] == 7


def test_staying_within_all_limits_is_all_right(caller: Caller) -> None:
    for number in range(5):
        caller.authorize(X_Correlation_ID=f"job-{number}")
        caller.status(X_Correlation_ID=f"car-{number}")
    verdict = caller.sandbox.judge()
    assert (verdict["ok"], verdict["jobs"]["count"], verdict["arrivals"]) == (True, 10, 10)
    assert {row["window"]: row["max"] for row in verdict["windows"]} == {
        "tokens": 5,
        "calls.day": 5,
        "calls.second": 5,
    }
    assert caller.sandbox.judge("hub:IN-ABC")["arrivals"] == 5


def test_arrivals_per_job_are_counted(caller: Caller) -> None:
    for job in ("a", "b", "a", "a"):
        caller.authorize(X_Correlation_ID=job)
    assert caller.sandbox.judge()["jobs"]["most_repeated"] == {"a": 3}


def test_a_session_started_twice_for_one_job_is_a_duplicate(caller: Caller) -> None:
    caller.sandbox.fault("close_before_reply", times=1)
    with pytest.raises(ConnectionError):
        caller.start(job="j")
    assert caller.sandbox.judge()["ok"] is True
    caller.start(job="j")
    verdict = caller.sandbox.judge()
    assert verdict["ok"] is False
    assert [(one["by"], one["operation"]) for one in verdict["duplicates"]] == [("job", "hub.start_session")]


def test_the_same_command_in_two_jobs_is_a_duplicate_by_its_content(caller: Caller) -> None:
    caller.start(job="j-1")
    caller.start(job="j-2")
    assert [one["by"] for one in caller.sandbox.judge()["duplicates"]] == ["content"]


@pytest.mark.parametrize(
    ("action", "details", "duplicate"),
    [
        ("status", {"status": 429}, False),
        ("status", {"status": 503, "retry_after": 1}, False),
        ("ocpi", {"code": 4003}, False),
        ("status", {"status": 502}, True),
        ("ocpi", {"code": 3001}, True),
        ("empty_body", {}, True),
    ],
)
def test_repeating_is_a_duplicate_only_after_an_answer_that_leaves_it_open(
    caller: Caller, action: str, details: dict[str, Any], duplicate: bool
) -> None:
    caller.sandbox.fault(action, times=1, **details)
    caller.start(job="j")
    caller.start(job="j")
    assert bool(caller.sandbox.judge()["duplicates"]) is duplicate


def test_equal_remote_actions_of_two_jobs_may_both_be_meant(caller: Caller) -> None:
    for job in ("j-1", "j-2"):
        path = "/fleets/FLEET-1/vehicles/VEH-00001/callbacks/CB-1/remotes"
        caller.car(path, "POST", {"horn": {"state": "Activated"}}, X_Correlation_ID=job)
    assert caller.sandbox.judge()["ok"] is True
