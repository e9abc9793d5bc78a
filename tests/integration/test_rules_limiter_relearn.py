"""Forgetting what answers have taught: a way back from one that was wrong, without a rush."""

import json
from typing import Any

import pytest

from tests.integration.desk import CAR, Desk, micros
from tests.integration.meter import answer, call, limit, out, refuse, room
from worker.errors import NotFound
from worker.limiter.relearning import relearn
from worker.store.partition import Partition

DAY_S = 86_400
SCOPE = f"budget:{CAR}|calls"


def forget(desk: Desk, account: str = CAR) -> list[str]:
    """As `lanes relearn` does; the words for what was forgotten."""
    return [one.words() for one in relearn(AtTheDesk(desk), account, "ann", "their gateway was misconfigured")]


class AtTheDesk(Partition):
    """Looks at the store with the desk's clock."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.client, desk.keys, desk.scripts)
        self._desk = desk

    def now_us(self) -> int:
        return self._desk.now_us


def hold(desk: Desk) -> dict[str, Any]:
    return {scope: json.loads(text) for scope, text in desk.hash("holds").items()}


def test_a_limit_that_one_odd_answer_lowered_for_a_day_is_the_configured_one_again(desk: Desk) -> None:
    limit(desk, day=(1000, DAY_S), headers=True)
    call(desk, {"day": {"limit": 1, "remaining": 0}})
    assert room(desk) == 0
    assert forget(desk) == ["day: limit 1 instead of 1,000"]
    assert desk.window("day")["lim"] == 1000
    assert desk.occupied() == [1], "what we have used ourselves stays"
    desk.assert_whole()


def test_what_others_were_told_to_use_is_forgotten_even_where_nothing_may_be_sent_any_more(desk: Desk) -> None:
    limit(desk, day=(1000, DAY_S), headers=True)
    call(desk, {"day": {"limit": 1000, "remaining": 0}})
    assert room(desk) == 0
    assert forget(desk) == ["day: 999 used by others"]
    desk.put(5)
    [probe] = desk.take(5).slips
    answer(desk, probe, {"day": {"limit": 1000, "remaining": 998}})
    assert len(desk.take(5).slips) > 0
    desk.assert_whole()


def test_a_window_that_a_refusal_closed_for_hours_is_tried_by_one_call(desk: Desk) -> None:
    limit(desk, day=(1000, DAY_S), headers=True)
    [slip] = out(desk, 1)
    refuse(desk, slip, after_s=36_000)
    desk.put(5)
    assert desk.take(5).slips == []
    assert forget(desk) == ["day: closed for another 36000 s"]
    [probe] = desk.take(5).slips
    refuse(desk, probe, after_s=36_000)
    assert desk.take(5).slips == [], "refused again, closed again"
    desk.assert_whole()


def test_one_call_goes_first_and_what_it_is_told_holds_before_the_second(desk: Desk) -> None:
    limit(desk, day=(1000, DAY_S), headers=True)
    call(desk, {"day": {"limit": 1, "remaining": 0}})
    desk.put(20)
    assert desk.take(20).slips == []
    desk.hush()
    forget(desk)
    assert desk.bells() > 0
    probe = desk.take(20).one
    assert desk.take(20).slips == []
    assert hold(desk)[SCOPE]["cause"] == "relearn"
    answer(desk, probe, {"day": {"limit": 12, "remaining": 10}})
    assert hold(desk) == {}
    assert 0 < len(desk.take(20).slips) <= 10
    desk.assert_whole()


def test_a_first_call_without_an_answer_is_followed_by_another(desk: Desk) -> None:
    limit(desk, day=(1000, DAY_S), headers=True)
    call(desk, {"day": {"limit": 1, "remaining": 0}})
    forget(desk)
    desk.put(5)
    desk.park(desk.take(5).one, {"mode": "unanswered", "more": micros(5)}, wait_s=1)
    assert len(desk.take(5).slips) == 1
    desk.assert_whole()


def test_a_budget_that_checks_alone_use_is_not_held_for_a_job_that_never_comes(desk: Desk) -> None:
    limit(desk, "calls=day", "control=day", day=(1000, DAY_S), headers=True)
    call(desk, {"day": {"limit": 1, "remaining": 0}})
    assert len(forget(desk)) == 1
    assert set(hold(desk)) == {SCOPE}


def test_where_nothing_was_taught_nothing_is_held(desk: Desk) -> None:
    limit(desk, day=(1000, DAY_S), headers=True)
    call(desk, {"day": {"limit": 1000, "remaining": 999}})
    for account in (CAR, "stellantis:nobody"):
        with pytest.raises(NotFound):
            forget(desk, account)
    assert (hold(desk), desk.client.llen(desk.keys("audit"))) == ({}, 0)
    desk.assert_whole()


def test_who_forgot_it_is_in_the_audit(desk: Desk) -> None:
    limit(desk, day=(1000, DAY_S), headers=True)
    call(desk, {"day": {"limit": 1, "remaining": 0}})
    forget(desk)
    entry = json.loads(desk.client.lindex(desk.keys("audit"), 0))
    assert (entry["what"], entry["by"], entry["scope"], entry["count"]) == ("relearn", "ann", f"account:{CAR}", 1)
    assert entry["reason"] == "their gateway was misconfigured"
