"""Crashes: what counts as one, what does not, and what becomes of a job whose worker has ended."""

from typing import Any

import pytest

from tests.integration.desk import ANSWERED, LEASE_S, REFUND, START, Desk, Slip


def crash(desk: Desk, worker: str = "w1") -> Slip:
    """The next job is taken by a worker that then ends; its lease is taken back."""
    slip = desk.take(1, worker=worker).one
    desk.wait(LEASE_S + 1)
    desk.take(0)
    return slip


def crashes(desk: Desk, job: str) -> int:
    return int(desk.read(job).get("crashes", "0"))


def test_a_job_whose_worker_has_ended_is_handed_out_again(desk: Desk) -> None:
    job = desk.put(1)[0]
    crash(desk)
    assert (desk.state(job), crashes(desk, job)) == ("waiting", 1)
    assert desk.take(1).ids == [job]
    desk.assert_whole()


def test_a_job_whose_worker_has_ended_keeps_its_place(desk: Desk) -> None:
    jobs = desk.put(3)
    crash(desk)
    assert desk.take(1).ids == jobs[:1]
    desk.assert_whole()


def test_three_crashes_bury_a_job_and_tell_somebody(desk: Desk) -> None:
    job = desk.put(1)[0]
    for _ in range(2):
        crash(desk)
        assert desk.state(job) == "waiting"
    crash(desk)
    assert (desk.state(job), desk.read(job)["err"]) == ("dead", "crashed")
    assert len(desk.outbox()) == 1
    desk.assert_whole()


def test_a_crash_leaves_evidence(desk: Desk) -> None:
    job = desk.put(1)[0]
    crash(desk)
    event = desk.events(job)[-1]
    assert (event["event"], event["worker"], event["crashes"]) == ("crashed", "w1", 1)
    assert int(event["taken_us"]) > 0
    assert "sending_began_us" not in event
    desk.assert_whole()


def test_a_completed_attempt_resets_the_count(desk: Desk) -> None:
    job = desk.put(1)[0]
    crash(desk)
    crash(desk)
    desk.park(desk.take(1).one, ANSWERED, attempt=1, **{"class": "remote_trouble"})
    crash(desk)
    assert (desk.state(job), crashes(desk, job)) == ("waiting", 1)
    desk.assert_whole()


def test_a_requeue_is_no_crash_and_no_attempt_and_costs_no_permit(desk: Desk) -> None:
    jobs = desk.put(2)
    for _ in range(5):
        desk.park(desk.take(1).one, REFUND)
    read = desk.read(jobs[0])
    assert (read.get("crashes", "0"), read.get("attempts", "0"), read.get("runs", "0")) == ("0", "0", "0")
    assert desk.occupied() == [0]
    assert desk.take(1).ids == jobs[:1]
    desk.assert_whole()


def test_an_outage_is_no_crash(desk: Desk) -> None:
    job = desk.put(1)[0]
    slip = desk.take(1).one
    for _ in range(4):
        desk.outage(3 * LEASE_S)
        desk.take(0)
        desk.renew(slip)
    assert crashes(desk, job) == 0
    desk.assert_whole()


def test_a_lost_reply_of_take_is_no_crash(desk: Desk) -> None:
    desk.hire("w2")
    job = desk.put(1)[0]
    desk.take(1, nonce="lost")
    for _ in range(4):
        desk.wait(LEASE_S - 1)
        desk.take(0, worker="w2")
        again = desk.take(1, nonce="lost").one
    assert crashes(desk, job) == 0
    assert desk.finish(again) == "own"
    desk.assert_whole()


@pytest.mark.parametrize(
    ("changes", "sent", "state"),
    [
        ({"op": START, "rep": 0}, False, "waiting"),
        ({"op": START, "rep": 0}, True, "dead"),
        ({"rep": 1}, True, "waiting"),
    ],
    ids=["unrepeatable, before sending", "unrepeatable, after sending", "repeatable, after sending"],
)
def test_a_crash_is_unknown_only_when_an_unrepeatable_call_may_have_gone_out(
    desk: Desk, changes: dict[str, Any], sent: bool, state: str
) -> None:
    job = desk.put(1, **changes)[0]
    slip = desk.take(1).one
    if sent:
        assert desk.sending(slip)
    desk.wait(LEASE_S + 1)
    desk.take(0)
    assert desk.state(job) == state
    assert desk.read(job).get("err") == ("outcome_unknown" if state == "dead" else None)
    assert ("sending_began_us" in desk.events(job)[-1]) == sent
    assert len(desk.outbox()) == (1 if state == "dead" else 0)
    desk.assert_whole()


def test_an_unknown_outcome_is_sent_again_only_by_somebody_who_says_so(desk: Desk) -> None:
    job = desk.put(1, op=START, rep=0)[0]
    assert desk.sending(desk.take(1).one)
    desk.wait(LEASE_S + 1)
    desk.take(0)
    assert desk.person("redrive", id=job) == "unknown"
    assert desk.person("redrive", id=job, unknown=True) == "waiting"
    assert desk.take(1).ids == [job]
    desk.assert_whole()


def test_a_redriven_job_begins_at_the_end_of_the_line_with_nothing_counted(desk: Desk) -> None:
    first, second = desk.put(2)
    desk.bury(desk.take(1).one)
    assert desk.person("redrive", id=first) == "waiting"
    read = desk.read(first)
    assert (read["attempts"], read["crashes"], read["redrives"]) == ("0", "0", "1")
    assert desk.take(2).ids == [second, first]
    desk.assert_whole()


def test_a_redriven_job_of_an_unknown_operation_is_given_new_patience(desk: Desk) -> None:
    job = desk.put(1)[0]
    why = {"class": "internal", "code": "unknown_operation", "message": "", "alert": True}
    desk.park(desk.take(1).one, patience=1000, why=why)
    desk.wait(1)
    desk.park(desk.take(1).one, patience=1000, why=why)
    assert desk.state(job) == "dead"
    desk.person("redrive", id=job)
    desk.park(desk.take(1).one, patience=1000, why=why)
    assert desk.state(job) == "waiting"
    desk.assert_whole()


def test_a_discarded_letter_is_not_sent_again_until_the_mark_is_undone(desk: Desk) -> None:
    job = desk.put(1)[0]
    desk.bury(desk.take(1).one)
    assert desk.person("discard", id=job) == "discarded"
    assert desk.person("redrive", id=job) == "discarded"
    assert desk.person("discard", id=job, undo=True) == "restored"
    assert desk.person("redrive", id=job) == "waiting"
    desk.assert_whole()


def test_a_worker_that_ended_leaves_no_keys(desk: Desk) -> None:
    desk.hire("w2")
    desk.client.rpush(desk.keys("bell", "w2"), "1")
    desk.wait(60)
    desk.renew(silent_us=45_000_000)
    left = [key.decode() for key in desk.client.keys("*w2*")]
    assert left == []
    assert desk.hash("meta")["fleet"] == "8"
    desk.assert_whole()
