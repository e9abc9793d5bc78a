"""Leases and fencing: who holds a job, for how long, and what a late answer is still worth."""

from dataclasses import replace

import pytest

from tests.integration.desk import ANSWERED, CAR, LEASE_S, REFUND, START, TRANSIT_S, Desk, account, micros


def lapse(desk: Desk) -> None:
    """Every lease of this moment has lapsed; nobody has looked yet."""
    desk.wait(LEASE_S + 1)


def test_a_job_in_hand_is_nobody_elses(desk: Desk) -> None:
    desk.put(1)
    desk.take(8)
    desk.wait(LEASE_S - 1)
    assert desk.take(8, worker="w1").slips == []
    desk.assert_whole()


def test_a_lease_that_lapses_takes_no_other_with_it(desk: Desk) -> None:
    desk.put(2)
    silent, speaking = desk.take(2).slips
    desk.wait(LEASE_S - 2)
    desk.renew(speaking)
    desk.wait(4)
    assert desk.take(8).ids == [silent.id]
    desk.assert_whole()


def test_a_renewed_lease_does_not_lapse(desk: Desk) -> None:
    desk.put(1)
    slip = desk.take(1).one
    for _ in range(6):
        desk.wait(LEASE_S - 2)
        assert desk.renew(slip) == ["held"]
        assert desk.take(8).slips == []
    assert desk.finish(slip) == "own"
    desk.assert_whole()


def test_a_lapsed_lease_can_be_taken_back_by_anyone(desk: Desk) -> None:
    desk.hire("w2")
    jobs = desk.put(1)
    desk.take(1)
    lapse(desk)
    assert desk.take(1, worker="w2").ids == jobs
    desk.assert_whole()


@pytest.mark.parametrize("decision", ["finish", "park", "bury"])
def test_the_holder_of_a_lapsed_lease_still_counts_until_it_is_taken_back(desk: Desk, decision: str) -> None:
    desk.put(1)
    slip = desk.take(1).one
    lapse(desk)
    assert getattr(desk, decision)(slip) == "own"
    desk.assert_whole()


@pytest.mark.parametrize("decision", ["finish", "park", "bury"])
def test_the_last_holder_still_counts_until_another_take_has_claimed_the_job(desk: Desk, decision: str) -> None:
    job = desk.put(1)[0]
    slip = desk.take(1).one
    lapse(desk)
    assert desk.take(0).slips == []  # takes back, for nobody
    assert desk.state(job) == "waiting"
    assert getattr(desk, decision)(slip) == "waiting"
    assert desk.state(job) == {"finish": "done", "park": "waiting", "bury": "dead"}[decision]
    desk.assert_whole()


@pytest.mark.parametrize("decision", ["finish", "park", "bury"])
def test_a_superseded_lease_decides_nothing(desk: Desk, decision: str) -> None:
    job = desk.put(1)[0]
    old = desk.take(1).one
    lapse(desk)
    new = desk.take(1).one
    assert getattr(desk, decision)(old) == "superseded"
    assert desk.state(job) == "running"
    assert desk.finish(new) == "own"
    desk.assert_whole()


def test_the_evidence_of_a_superseded_lease_is_kept(desk: Desk) -> None:
    job = desk.put(1)[0]
    old = desk.take(1).one
    lapse(desk)
    desk.take(1)
    desk.finish(old)
    assert [event["event"] for event in desk.events(job)] == ["crashed", "tried"]
    desk.assert_whole()


def test_the_permit_of_a_superseded_lease_is_settled_when_its_answer_comes(desk: Desk) -> None:
    desk.put(1)
    old = desk.take(1).one
    lapse(desk)
    new = desk.take(1).one
    desk.finish(new)
    assert desk.window()["late"] == 1
    desk.finish(old)
    assert (desk.window()["late"], desk.window()["inf"], desk.window()["tot"]) == (0, 0, 2)
    desk.assert_whole()


def test_a_renewal_of_a_superseded_lease_is_told_so(desk: Desk) -> None:
    desk.put(1)
    old = desk.take(1).one
    lapse(desk)
    desk.take(1)
    assert desk.renew(old) == ["lost"]
    desk.assert_whole()


def test_an_outage_longer_than_a_lease_takes_no_job_from_its_living_worker(desk: Desk) -> None:
    desk.hire("w2")
    job = desk.put(1)[0]
    slip = desk.take(1).one
    desk.outage(10 * LEASE_S)
    assert desk.take(8, worker="w2").slips == []
    assert desk.renew(slip) == ["held"]
    assert desk.finish(slip) == "own"
    assert desk.read(job).get("crashes", "0") == "0"
    desk.assert_whole()


def test_an_ordinary_silence_lengthens_no_lease(desk: Desk) -> None:
    desk.put(1)
    desk.take(1)
    for _ in range(4):
        desk.outage(LEASE_S / 3)
        taken = desk.take(1)
    assert len(taken.slips) == 1
    desk.assert_whole()


def test_a_lease_that_the_store_has_forgotten_is_made_again_by_its_worker(desk: Desk) -> None:
    facts = desk.job()
    desk.put_jobs([facts])
    before = desk.client.dump(desk.keys("job", facts["id"]))
    slip = desk.take(1).one
    forget_lease(desk, slip.lease)
    desk.client.restore(desk.keys("job", facts["id"]), 0, before, replace=True)
    desk.client.zadd(desk.keys("queue", f"{CAR}|{facts['op']}", facts["prio"]), {facts["id"]: 1})
    assert desk.renew(slip) == ["unknown"]
    assert desk.remember(slip, facts) == "held"
    assert desk.take(8).slips == []
    assert desk.finish(slip) == "own"
    desk.assert_whole()


def test_a_job_that_the_store_has_forgotten_is_taken_in_again_by_its_worker(desk: Desk) -> None:
    facts = desk.job(op=START, rep=0)
    desk.put_jobs([facts])
    slip = desk.take(1).one
    desk.client.flushdb()
    desk.hire()
    assert desk.finish(slip) == "missing"
    assert desk.renew(slip) == ["unknown"]
    assert desk.remember(slip, facts, sent=True) == "held"
    assert desk.take(8).slips == []
    assert desk.read(facts["id"])["sending"] == "1"
    assert desk.finish(slip) == "own"
    desk.assert_whole()


def test_a_lease_made_again_has_one_permit_not_two(desk: Desk) -> None:
    facts = desk.job()
    desk.put_jobs([facts])
    slip = desk.take(1).one
    for _ in range(2):
        lapse(desk)
        desk.take(0)
        assert desk.remember(slip, facts) == "held"
        assert desk.occupied() == [1]
    desk.finish(slip)
    desk.wait(2 * LEASE_S + TRANSIT_S)
    assert desk.occupied() == [1]
    desk.assert_whole()


def test_only_the_holder_may_send_an_unrepeatable_call(desk: Desk) -> None:
    desk.put(1, op=START, rep=0)
    old = desk.take(1).one
    lapse(desk)
    new = desk.take(1).one
    assert not desk.sending(old)
    desk.put(1, op=START, rep=0)
    other = desk.take(1).one
    assert not desk.sending(replace(new, lease=other.lease))
    assert desk.sending(new)
    desk.assert_whole()


def test_nothing_may_be_sent_for_a_lease_the_store_does_not_know(desk: Desk) -> None:
    job = desk.put(1, op=START, rep=0)[0]
    slip = desk.take(1).one
    desk.client.zrem(desk.keys("leases"), slip.lease)
    assert not desk.sending(slip)
    assert "sending" not in desk.read(job)


def test_a_job_parked_after_its_fence_is_not_marked_as_being_sent(desk: Desk) -> None:
    job = desk.put(1, op=START, rep=0)[0]
    slip = desk.take(1).one
    assert desk.sending(slip)
    desk.park(slip, REFUND)
    assert "sending" not in desk.read(job)
    desk.take(1)
    lapse(desk)
    desk.take(0)
    assert desk.state(job) == "waiting"
    desk.assert_whole()


def buried_unknown(desk: Desk) -> tuple[str, object]:
    job = desk.put(1, op=START, rep=0)[0]
    slip = desk.take(1).one
    assert desk.sending(slip)
    lapse(desk)
    desk.take(0)
    assert (desk.state(job), desk.read(job)["err"]) == ("dead", "outcome_unknown")
    return job, slip


@pytest.mark.parametrize("decision", ["finish", "park", "bury"])
def test_a_late_answer_settles_a_job_whose_outcome_was_unknown(desk: Desk, decision: str) -> None:
    job, slip = buried_unknown(desk)
    assert getattr(desk, decision)(slip) == "truth"
    read = desk.read(job)
    assert (read["state"], read.get("err")) == {
        "finish": ("done", None), "park": ("waiting", None), "bury": ("dead", "malformed"),
    }[decision]  # fmt: skip
    desk.assert_whole()


def test_the_alert_of_an_unknown_outcome_is_resolved_by_the_truth(desk: Desk) -> None:
    job, slip = buried_unknown(desk)
    problem = desk.read(job)["fp"]
    desk.finish(slip)
    assert [change for change in desk.outbox() if problem in change and change.endswith("#resolved")]
    desk.assert_whole()


def test_a_late_answer_settles_a_job_that_was_buried_as_crashed(desk: Desk) -> None:
    job = desk.put(1)[0]
    for _ in range(3):
        slip = desk.take(1).one
        lapse(desk)
        desk.take(0)
    assert desk.read(job)["err"] == "crashed"
    assert desk.finish(slip) == "truth"
    assert desk.state(job) == "done"
    desk.assert_whole()


def test_a_late_answer_settles_a_job_that_expired_meanwhile(desk: Desk) -> None:
    job = desk.put(1, dl=micros(LEASE_S))[0]
    slip = desk.take(1).one
    lapse(desk)
    desk.take(0)
    desk.take(0)
    assert desk.state(job) == "expired"
    assert desk.finish(slip) == "truth"
    assert desk.state(job) == "done"
    desk.assert_whole()


def test_after_a_redrive_a_late_answer_decides_nothing(desk: Desk) -> None:
    job, slip = buried_unknown(desk)
    assert desk.person("redrive", id=job, unknown=True) == "waiting"
    assert desk.finish(slip) == "superseded"
    assert desk.state(job) == "waiting"
    desk.assert_whole()


def test_the_permit_of_a_lapsed_lease_is_held_until_the_call_can_no_longer_arrive_and_a_window_more(desk: Desk) -> None:
    desk.hire(accounts={CAR: account("calls=tight", windows={"tight": (1, 10)})}, digest="d2")
    desk.put(2)
    desk.take(1)  # at 0: lapses at 15, may arrive until 20, occupies until 30
    desk.wait(LEASE_S + TRANSIT_S + 9.9)
    desk.take(0)  # taken back
    assert desk.take(1).slips == []
    desk.wait(0.2)
    assert len(desk.take(1).slips) == 1
    desk.assert_whole()


def test_a_late_permit_is_not_forgotten_while_nobody_looks(desk: Desk) -> None:
    desk.hire(accounts={CAR: account("calls=tight", windows={"tight": (1, 10)})}, digest="d2")
    desk.put(2)
    desk.take(1)
    desk.wait(LEASE_S + 0.1)
    desk.take(0)  # taken back; may arrive until 20
    assert desk.window("tight")["late"] == 1
    desk.wait(TRANSIT_S + 8)  # more than a window later than the last look
    assert desk.take(1).slips == []
    desk.assert_whole()


def test_a_truth_settles_its_permit_where_it_belongs(desk: Desk) -> None:
    _, slip = buried_unknown(desk)
    desk.finish(slip, ANSWERED)
    assert (desk.window()["inf"], desk.window()["late"], desk.window()["tot"]) == (0, 0, 1)
    desk.assert_whole()


def forget_lease(desk: Desk, lease: str) -> None:
    """As a restart with a lost tail does: the claim, its count and its permit never were."""
    desk.client.zrem(desk.keys("leases"), lease)
    desk.client.hdel(desk.keys("lease"), lease)
    desk.client.delete(desk.keys("flying"))
    desk.client.hset(desk.keys("window", f"{CAR}|minute"), "inf", 0)
    for job_id in desk.client.zrange(desk.keys("deadlines"), 0, -1):
        desk.client.zrem(desk.keys("deadlines"), job_id)
