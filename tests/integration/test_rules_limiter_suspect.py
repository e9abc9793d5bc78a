"""A store that may have forgotten something, or whose clock stepped: nothing for one lease, then with care."""

from itertools import pairwise
from typing import Any

import pytest

from tests.integration.desk import CAR, LEASE_S, TRANSIT_S, UNANSWERED, URGENT, Dealt, Desk, micros
from tests.integration.meter import answer, call, left, limit, opens_s, out, told
from worker.accept.jobs import read_jobs
from worker.accept.waiting import waiting_for
from worker.limiter.holds import Holds
from worker.limiter.limiter import Limiter
from worker.store.partition import Partition

QUIET_S = LEASE_S + 0.001


def asking(desk: Desk, want: int = 1, mode: str = "probe", **changes: Any) -> Dealt:
    return desk.take(want, mode=mode, **changes)


def suspicious(desk: Desk, *, headers: bool, mode: str = "probe") -> None:
    """An emptied store whose quiet time is over."""
    limit(desk, minute=(10, 60), headers=headers)
    asking(desk, mode=mode)
    desk.wait(QUIET_S)


def test_an_empty_store_hands_out_nothing_for_one_lease(desk: Desk) -> None:
    limit(desk, minute=(10, 60), headers=True)
    desk.put(5)
    dealt = asking(desk)
    assert (dealt.verdict, dealt.slips) == ("quiet", [])
    assert dealt.next_us == dealt.now_us + micros(LEASE_S)
    desk.wait(LEASE_S - 0.001)
    assert asking(desk).verdict == "quiet"
    desk.wait(0.002)
    assert len(asking(desk).slips) == 1
    desk.assert_whole()


def test_a_first_start_that_says_so_is_not_suspect(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    desk.put(10)
    assert len(asking(desk, 10, mode="fresh").slips) == 10
    assert desk.outbox() == []
    desk.assert_whole()


def test_a_restart_that_may_have_lost_its_tail_is_suspect_whatever_a_first_start_says(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    call(desk)
    assert asking(desk, mode="fresh", run="run-2").verdict == "quiet"
    assert told(desk) == ["suspect:restart opened"]
    desk.wait(QUIET_S)
    asking(desk, run="run-2")
    assert told(desk)[1:] == ["suspect:restart resolved"]
    desk.assert_whole()


def test_a_restart_that_cannot_have_lost_anything_is_not_suspect(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    asking(desk, mode="fresh", durable=True)
    desk.put()
    assert len(asking(desk, run="run-2", durable=True).slips) == 1
    desk.assert_whole()


def test_a_run_that_promises_more_than_the_one_before_cannot_speak_for_it(desk: Desk) -> None:
    """What is lost went with the run that ended: it may have written once a second, whatever this one does."""
    limit(desk, minute=(10, 60))
    asking(desk, mode="fresh", durable=False)
    assert asking(desk, run="run-2", durable=True).verdict == "quiet"
    assert told(desk) == ["suspect:restart opened"]
    desk.wait(QUIET_S)
    assert asking(desk, run="run-2", durable=True).verdict == "ok"
    assert asking(desk, run="run-3", durable=True).verdict == "ok", "of the second one all is known"
    desk.assert_whole()


def test_a_run_that_lost_nothing_cannot_speak_for_a_replica_that_took_over(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    asking(desk, mode="fresh", durable=True)
    assert asking(desk, run="run-2", durable=False).verdict == "quiet"
    assert told(desk) == ["suspect:restart opened"]
    desk.assert_whole()


def test_a_run_that_had_a_replica_for_a_while_is_not_believed_although_it_had_none_at_either_end(desk: Desk) -> None:
    """One that lagged may have taken over and restarted before anybody looked; nothing tells it from this one then."""
    limit(desk, minute=(10, 60))
    for durable in (True, False, True):
        assert asking(desk, mode="fresh", durable=durable).verdict == "ok"
    assert asking(desk, run="run-2", durable=True).verdict == "quiet"
    assert told(desk) == ["suspect:restart opened"]
    desk.assert_whole()


def test_a_run_of_which_nothing_is_known_yet_is_what_it_is_seen_to_be(desk: Desk) -> None:
    """A store that an earlier version has worked with holds the run alone."""
    limit(desk, minute=(10, 60))
    asking(desk, mode="fresh", durable=True)
    desk.client.hdel(desk.keys("meta"), "durable")
    assert asking(desk, durable=True).verdict == "ok"
    assert asking(desk, run="run-2", durable=True).verdict == "ok"
    desk.assert_whole()


def test_after_the_quiet_time_one_call_is_in_flight_until_headers_have_told(desk: Desk) -> None:
    suspicious(desk, headers=True)
    desk.put(10)
    probe = asking(desk, 10).one
    desk.wait(10)
    desk.renew(probe)
    assert asking(desk, 10).slips == []
    answer(desk, probe)
    again = asking(desk, 10).one  # that answer said nothing about limits: one more, alone
    answer(desk, again, {"minute": {"limit": 10, "remaining": 3}})
    assert len(asking(desk, 10).slips) == 3 - 1, "more than one again; one stays free, for others use it too"
    desk.assert_whole()


def test_every_window_must_be_told_of_before_the_care_ends(desk: Desk) -> None:
    limit(desk, day=(50, 86_400), hour=(9, 3600), headers=True)
    asking(desk)
    desk.wait(QUIET_S)
    desk.put(9)
    answer(desk, asking(desk, 9).one, {"day": {"limit": 50, "remaining": 49}})
    answer(desk, asking(desk, 9).one, {"hour": {"limit": 9, "remaining": 7}})
    assert len(asking(desk, 9).slips) == 7
    desk.assert_whole()


def test_the_answer_to_a_call_of_before_the_loss_tells_nothing_about_now(desk: Desk) -> None:
    limit(desk, minute=(10, 60), headers=True)
    [early] = out(desk, 1)
    assert asking(desk, run="run-2").verdict == "quiet"
    answer(desk, early, {"minute": {"limit": 10, "remaining": 9}})
    desk.wait(QUIET_S)
    desk.put(9)
    assert len(asking(desk, 9, run="run-2").slips) == 1
    desk.assert_whole()


def test_the_answer_to_a_claim_that_was_made_again_tells_nothing_about_now(desk: Desk) -> None:
    """The store was emptied while a call was in flight; its answer was written before we knew of any loss."""
    limit(desk, minute=(10, 60), headers=True, digest="same")
    job = desk.job()
    desk.put_jobs([job])
    early = desk.take().one
    desk.client.flushall()
    desk.wait(1)
    limit(desk, minute=(10, 60), headers=True, digest="same")
    assert asking(desk, run="run-2").verdict == "quiet"
    assert desk.renew(early) == ["unknown"]
    assert desk.remember(early, job) == "held"
    answer(desk, early, {"minute": {"limit": 10, "remaining": 9}})
    desk.wait(QUIET_S)
    desk.put(9)
    assert len(asking(desk, 9, run="run-2").slips) == 1
    desk.assert_whole()


def test_a_claim_that_was_made_again_has_its_permit_again(desk: Desk) -> None:
    limit(desk, minute=(3, 60), digest="same")
    jobs = [desk.job() for _ in range(3)]
    desk.put_jobs(jobs)
    slips = desk.take(3).slips
    desk.client.flushall()
    limit(desk, minute=(3, 60), digest="same")
    assert asking(desk, run="run-2").verdict == "quiet"
    for slip, job in zip(slips, jobs, strict=True):
        assert desk.remember(slip, job) == "held"
    for _ in range(3):
        desk.wait(10)
        desk.renew(*slips)
    for slip in slips:
        answer(desk, slip)
    desk.wait(LEASE_S + TRANSIT_S + 60 - 30)
    desk.put(3)
    assert asking(desk, 3, run="run-2").slips == []
    assert desk.occupied() == [3]
    desk.wait(12)
    assert len(asking(desk, 3, run="run-2").slips) == 3
    desk.assert_whole()


def test_a_probe_without_an_answer_is_followed_by_another(desk: Desk) -> None:
    suspicious(desk, headers=True)
    desk.put(3)
    probe = asking(desk, 3).one
    desk.wait(5)
    desk.park(probe, UNANSWERED, wait_s=3000)
    dealt = asking(desk, 3)
    assert dealt.slips == []
    assert dealt.next_us <= dealt.now_us + micros(TRANSIT_S)
    desk.wait(TRANSIT_S + 0.001)
    assert len(asking(desk, 3).slips) == 1
    desk.assert_whole()


def test_what_the_lone_probe_was_told_is_not_made_less_by_calls_that_were_in_flight_together(desk: Desk) -> None:
    """Six forgotten calls are in the window. The headers of one of several calls tell only the least: ours that were
    in flight beside it may or may not be counted in them.
    """
    suspicious(desk, headers=True)
    desk.put(40)
    limit_now, forgotten = 10, 6
    answer(desk, asking(desk, 40).one, {"minute": {"limit": limit_now, "remaining": limit_now - forgotten - 1}})
    one, other = asking(desk, 40).slips
    desk.wait(LEASE_S - 5)
    answer(desk, one, {"minute": {"limit": limit_now, "remaining": limit_now - 2}})
    answer(desk, other, {"minute": {"limit": limit_now, "remaining": limit_now - 3}})
    assert left(desk) == limit_now - forgotten - 3
    desk.wait(60.1)
    assert left(desk) == limit_now
    desk.assert_whole()


def test_an_api_without_headers_waits_its_own_window(desk: Desk) -> None:
    suspicious(desk, headers=False)
    desk.put(10)
    assert asking(desk, 10).slips == []
    left = LEASE_S + TRANSIT_S + 60 - QUIET_S
    desk.wait(left - 0.1)
    assert asking(desk, 10).slips == []
    desk.wait(0.2)
    assert len(asking(desk, 10).slips) == 10
    desk.assert_whole()


@pytest.mark.parametrize("headers", [True, False])
def test_who_asks_is_told_of_the_care_until_it_ends(desk: Desk, headers: bool) -> None:
    class AtTheDesk(Partition):
        def now_us(self) -> int:
            return desk.now_us

    suspicious(desk, headers=headers)
    partition = AtTheDesk(desk.client, desk.keys, desk.scripts)
    [job_id] = desk.put()

    def reasons() -> str:
        [job] = read_jobs(partition, [job_id])
        found = waiting_for(job, partition, Limiter(partition), Holds(partition))
        assert found is not None
        assert (found.expected_s is None) == ("with care" in str(found.reasons))
        return str(found.reasons)

    assert "this budget is paced with care, for 60 s at most" in reasons()
    if headers:
        partition.one("hset", desk.keys("window", f"{CAR}|minute"), "sure", desk.now_us)  # as an answer does
    else:
        desk.wait(60 + TRANSIT_S)
    assert "with care" not in reasons()


def test_who_wants_no_probe_waits_the_window_even_with_headers(desk: Desk) -> None:
    suspicious(desk, headers=True, mode="wait")
    desk.put()
    assert asking(desk, mode="wait").slips == []
    dealt = asking(desk, mode="wait")
    assert dealt.next_us == int(desk.hash("meta")["unsure"]) + micros(LEASE_S + TRANSIT_S + 60)
    desk.assert_whole()


def test_care_ends_by_itself_after_a_window(desk: Desk) -> None:
    suspicious(desk, headers=True)
    desk.wait(60 + TRANSIT_S)
    desk.put(10)
    assert len(asking(desk, 10).slips) == 10
    desk.assert_whole()


def test_a_clock_that_jumped_ahead_is_told_to_who_asks_and_frees_nothing(desk: Desk) -> None:
    limit(desk, second=(5, 1), headers=False)
    for slip in out(desk, 5):
        answer(desk, slip)
    desk.put(5)
    expected = desk.now_us + micros(0.01)
    desk.outage(5)
    dealt = asking(desk, 5, expect=expected)
    assert (dealt.verdict, dealt.slips) == ("clock", [])
    desk.decide("suspect", {"cause": "clock", "lease_us": micros(LEASE_S), "mode": "probe"})
    assert asking(desk, 5).verdict == "quiet"
    assert told(desk) == ["suspect:clock opened"]
    assert opens_s(desk) >= LEASE_S
    desk.assert_whole()


def test_a_clock_as_expected_is_not_suspect(desk: Desk) -> None:
    limit(desk, minute=(5, 60))
    desk.put()
    assert len(desk.take(expect=desk.now_us - 99_000).slips) == 1
    desk.assert_whole()


def test_two_processes_that_saw_the_same_step_wait_once(desk: Desk) -> None:
    limit(desk, minute=(5, 60))
    facts = {"cause": "clock", "lease_us": micros(LEASE_S), "mode": "probe"}
    desk.decide("suspect", facts)
    until = desk.hash("meta")["quiet"]
    desk.wait(5)
    desk.decide("suspect", facts)
    assert desk.hash("meta")["quiet"] == until
    assert told(desk) == ["suspect:clock opened"]


def test_a_clock_that_stepped_back_frees_nothing_early_and_keeps_nothing_longer(desk: Desk) -> None:
    limit(desk, minute=(2, 60))
    for slip in out(desk, 2):
        answer(desk, slip)
    desk.wait(10)
    asked = desk.take().now_us
    desk.now_us -= micros(3600)
    desk.put()
    dealt = desk.take()
    assert dealt.now_us > asked
    assert dealt.slips == []
    assert 49.9 <= (dealt.next_us - dealt.now_us) / 1e6 <= 50.1
    assert 49.9 <= opens_s(desk, at=dealt) <= 50.1
    desk.assert_whole()


def test_a_clock_that_stands_still_still_moves_on(desk: Desk) -> None:
    times = [desk.take().now_us for _ in range(50)]
    assert all(later > earlier for earlier, later in pairwise(times))


def check(desk: Desk, **changes: Any) -> list[int]:
    """A permit without a job, as `doctor` asks for it."""
    facts = {
        "group": f"{CAR}|calls", "lease": "permit.1", "worker": "operator", "lease_us": micros(30),
        "transit_us": micros(TRANSIT_S), "mode": "probe", "run": "run-1", "durable": False,
        "quiet_us": micros(LEASE_S), **changes,
    }  # fmt: skip
    return list(desk.decide("permit", facts))


def test_a_check_of_an_operator_is_not_handed_out_in_the_quiet_time(desk: Desk) -> None:
    limit(desk, minute=(10, 60), headers=False)
    asking(desk)
    given, now, again = check(desk)
    assert (given, again) == (0, now + micros(LEASE_S) - (now - int(desk.hash("meta")["unsure"])))
    desk.wait(QUIET_S)
    given, _, again = check(desk)  # an API without headers waits its own window
    assert (given, again) == (0, int(desk.hash("meta")["unsure"]) + micros(LEASE_S + TRANSIT_S + 60))
    desk.assert_whole()


def test_a_check_of_an_operator_may_be_the_first_to_meet_a_store_that_has_forgotten(desk: Desk) -> None:
    limit(desk, minute=(10, 60), headers=True)
    call(desk)
    given, now, again = check(desk, run="run-2")
    assert (given, again) == (0, now + micros(LEASE_S))
    assert told(desk) == ["suspect:restart opened"]
    desk.put()
    assert asking(desk, run="run-2").verdict == "quiet"
    desk.assert_whole()


def test_a_check_of_an_operator_is_shown_a_clock_that_jumped_ahead(desk: Desk) -> None:
    limit(desk, second=(5, 1), headers=False)
    for slip in out(desk, 5):
        answer(desk, slip)
    expected = desk.now_us + micros(0.01)
    desk.outage(5)
    assert check(desk, expect=expected)[0] == -1
    assert check(desk, expect=desk.now_us)[0] == 1
    desk.decide("settle", {"lease": "permit.1", "settle": {"mode": "refund"}})
    desk.assert_whole()


@pytest.mark.parametrize("headers", [True, False])
def test_who_looks_at_a_budget_is_told_of_the_care_it_is_handed_out_with(desk: Desk, headers: bool) -> None:
    limit(desk, minute=(10, 60), headers=headers)
    asking(desk)
    limiter = Limiter(Partition(desk.client, desk.keys, desk.scripts))
    quiet = limiter.budget(CAR, "calls")
    assert quiet.next_s is not None
    assert quiet.next_s >= LEASE_S - 0.01
    desk.wait(QUIET_S)
    state = limiter.budget(CAR, "calls")
    assert "paced with care" in state.words()
    assert state.next_s == 0 if headers else state.next_s is not None and state.next_s > 60
    if headers:
        desk.put(2)
        probe = asking(desk, 2).one
        assert limiter.budget(CAR, "calls").next_s is None, "one at a time"
        answer(desk, probe, {"minute": {"limit": 10, "remaining": 9}})
        assert "with care" not in limiter.budget(CAR, "calls").words()
    desk.assert_whole()


@pytest.mark.parametrize("prio", [URGENT, 1, 2])
def test_no_priority_passes_a_suspect_window(desk: Desk, prio: int) -> None:
    suspicious(desk, headers=False)
    desk.put(prio=prio)
    assert asking(desk).slips == []
    desk.assert_whole()
