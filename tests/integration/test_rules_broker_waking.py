"""Waking: whatever can make a lane ready earlier rings, and the right process hears it."""

import pytest

from tests.integration.desk import ANSWERED, BULK, CAR, LEASE_S, NORMAL, READ, REFUND, URGENT, Desk, account

TIGHT = {CAR: account("calls=tight", windows={"tight": (1, 60)})}


def test_a_new_job_rings(desk: Desk) -> None:
    desk.hush()
    desk.put(1)
    assert desk.bells() == 1
    desk.assert_whole()


def test_an_urgent_job_rings_its_own_bell(desk: Desk) -> None:
    desk.put(1)
    desk.hush()
    desk.put(1, prio=URGENT)
    assert (desk.bells("urgent"), desk.bells()) == (1, 0)
    desk.assert_whole()


def test_a_thousand_jobs_for_a_lane_that_is_ready_ring_no_more(desk: Desk) -> None:
    desk.put(1000)
    assert desk.bells() == 1
    desk.assert_whole()


def test_bells_nobody_hears_stay_few(desk: Desk) -> None:
    desk.put(50)
    for n in range(50):
        desk.put(1, op=f"car.{n}", budget=f"b{n}")
    assert desk.bells() <= 8


def test_an_urgent_job_rings_although_a_bulk_job_waits_for_the_same_budget(desk: Desk) -> None:
    desk.hire(accounts=TIGHT, digest="d2")
    desk.put(2, prio=BULK)
    desk.take(8)
    desk.take(8)
    desk.hush()
    desk.put(1, prio=URGENT)
    assert desk.bells("urgent") == 1
    desk.assert_whole()


@pytest.mark.parametrize("decision", ["park", "finish", "bury"])
def test_a_permit_that_comes_back_rings(desk: Desk, decision: str) -> None:
    desk.hire(accounts=TIGHT, digest="d2")
    desk.put(2)
    slip = desk.take(8).one
    assert desk.take(8).next_us > desk.now_us
    desk.person("cancel", id=slip.id)
    desk.hush()
    getattr(desk, decision)(slip, REFUND)
    assert desk.bells() > 0
    desk.assert_whole()


def test_a_settled_call_wakes_those_who_waited_for_it(desk: Desk) -> None:
    desk.hire(accounts=TIGHT, digest="d2")
    desk.put(2)
    slip = desk.take(8).one
    assert desk.take(8).slips == []  # only the call in flight can tell when a permit comes
    desk.hush()
    desk.finish(slip, ANSWERED)
    assert desk.bells() > 0
    dealt = desk.take(8)
    assert desk.now_us + 59_000_000 < dealt.next_us < desk.now_us + 61_000_000
    desk.assert_whole()


def test_an_earlier_due_time_rings(desk: Desk) -> None:
    desk.put(2)
    late, soon = desk.take(2).slips
    desk.park(late, wait_s=100)
    desk.take(1)
    desk.hush()
    desk.park(soon, wait_s=10)
    assert desk.bells() == 1
    desk.assert_whole()


@pytest.mark.parametrize("scope", [f"account:{CAR}", f"lane:{CAR}|{READ}", f"budget:{CAR}|calls"])
def test_a_release_rings(desk: Desk, scope: str) -> None:
    desk.put(1)
    desk.person("hold", scope=scope)
    desk.take(8)
    desk.hush()
    desk.person("release", scope=scope)
    assert desk.bells() > 0
    desk.assert_whole()


def test_new_settings_ring(desk: Desk) -> None:
    desk.hire(accounts=TIGHT, digest="d2")
    desk.put(2)
    desk.take(8)
    desk.take(8)
    desk.hush()
    desk.hire(accounts={CAR: account("calls=tight", windows={"tight": (9, 60)})}, digest="d3")
    assert desk.bells() > 0
    assert len(desk.take(8).slips) == 1
    desk.assert_whole()


def test_a_redriven_job_rings(desk: Desk) -> None:
    job = desk.put(1)[0]
    desk.bury(desk.take(1).one)
    desk.hush()
    desk.person("redrive", id=job)
    assert desk.bells() == 1
    desk.assert_whole()


def test_a_job_that_comes_back_from_a_dead_worker_can_be_taken_at_once(desk: Desk) -> None:
    desk.put(1)
    desk.take(1)
    desk.wait(LEASE_S + 1)
    desk.hush()
    dealt = desk.take(0)
    assert dealt.more
    assert desk.bells() == 1
    desk.assert_whole()


def test_a_full_worker_that_is_alone_wakes_nobody(desk: Desk) -> None:
    desk.put(4, prio=NORMAL)
    desk.hush()
    assert desk.take(1).more
    assert desk.bells() == 0
    desk.assert_whole()


def test_a_full_worker_passes_on_what_is_left(desk: Desk) -> None:
    desk.hire("w2")
    desk.put(4, prio=NORMAL)
    desk.hush()
    assert desk.take(1).more
    assert desk.bells() == 1
    desk.assert_whole()


def test_take_names_the_moment_the_next_lease_lapses(desk: Desk) -> None:
    desk.hire("w2")
    desk.put(1)
    taken_us = desk.now_us
    desk.take(1)
    assert abs(desk.take(1, worker="w2").next_us - taken_us - LEASE_S * 1e6) < 100
    desk.assert_whole()


def test_nothing_in_sight_is_said_as_such(desk: Desk) -> None:
    assert desk.take(8).next_us == -1
    desk.assert_whole()
