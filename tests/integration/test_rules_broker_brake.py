"""The brake's own way out: where settings say so, single calls of the held lane are tried until one succeeds."""

from typing import Any

import pytest

from tests.integration.desk import CAR, READ, UNANSWERED, Desk, Slip, micros

SCOPE = f"lane:{CAR}|{READ}"
EVERY_S = 30.0
DIES: dict[str, Any] = {"error": "malformed"}


def brake(desk: Desk, every_s: float = EVERY_S) -> None:
    """Three dead letters of one problem stop the lane; a call may be tried every so often."""
    numbers = {"brake_count": 3, "brake_window": micros(60), "brake_probe": micros(every_s)}
    desk.hire(threads=64, digest="d2", numbers=numbers)
    desk.put(20)
    for slip in desk.take(3).slips:
        desk.bury(slip, **DIES)
    assert SCOPE in desk.hash("holds")


def probe(desk: Desk) -> Slip:
    """The one call let through, when its time has come."""
    assert desk.take(64).ids == []
    desk.wait(EVERY_S + 0.001)
    return desk.take(64).one


def test_a_braked_lane_tries_one_call_when_its_time_has_come(desk: Desk) -> None:
    brake(desk)
    assert abs(desk.take(64).next_us - desk.now_us - micros(EVERY_S)) < 1000
    probe(desk)
    assert desk.take(64).ids == []
    desk.assert_whole()


def test_a_call_that_succeeds_releases_the_brake_and_resolves_its_alert(desk: Desk) -> None:
    brake(desk)
    desk.finish(probe(desk))
    assert SCOPE not in desk.hash("holds")
    assert desk.hash("alert", f"hold:{SCOPE}")["state"] == "resolved"
    assert len(desk.take(64).slips) == 16
    desk.assert_whole()


@pytest.mark.parametrize("end", ["buried", "parked with an attempt", "never answered"])
def test_a_call_that_fails_keeps_it_for_another_while(desk: Desk, end: str) -> None:
    brake(desk)
    slip = probe(desk)
    if end == "buried":
        desk.bury(slip, **DIES)
    else:
        settle = UNANSWERED if end == "never answered" else {"mode": "answered", "age": 0}
        desk.park(slip, settle, wait_s=1, attempt=1, **{"class": "server_trouble"})
    assert SCOPE in desk.hash("holds")
    probe(desk)
    desk.assert_whole()


def test_a_call_that_never_went_out_is_followed_by_another_at_once(desk: Desk) -> None:
    brake(desk)
    desk.park(probe(desk))
    assert len(desk.take(64).slips) == 1
    desk.assert_whole()


def test_a_worker_that_ends_with_the_call_is_followed_by_another(desk: Desk) -> None:
    brake(desk)
    probe(desk)
    desk.wait(16)
    assert len(desk.take(64).slips) == 1
    desk.assert_whole()


def test_without_such_a_setting_a_person_ends_it(desk: Desk) -> None:
    brake(desk, every_s=0)
    desk.wait(600)
    assert desk.take(64).ids == []
    desk.person("release", scope=SCOPE)
    assert len(desk.take(64).ids) == 17
    desk.assert_whole()
