"""Time: parked jobs come back when they are due, overdue ones expire, and no call does more than its share."""

from tests.integration.desk import BULK, CAR, READ, ROOMY, URGENT, Desk, micros
from tests.integration.shelf import work_of
from worker.fail.dead_letter import DeadLetters, Filter
from worker.store.partition import Partition


def test_a_parked_job_comes_back_when_it_is_due_and_not_before(desk: Desk) -> None:
    job = desk.put(1)[0]
    desk.park(desk.take(1).one, wait_s=30)
    desk.wait(29.9)
    assert desk.take(8).slips == []
    desk.wait(0.2)
    assert desk.take(8).ids == [job]
    desk.assert_whole()


def test_take_names_the_moment_when_something_can_be_taken(desk: Desk) -> None:
    desk.put(1)
    parked_us = desk.now_us
    desk.park(desk.take(1).one, wait_s=30)
    dealt = desk.take(8)
    assert abs(dealt.next_us - parked_us - micros(30)) < 100
    desk.now_us = dealt.next_us
    assert len(desk.take(8).slips) == 1
    desk.assert_whole()


def test_a_parked_job_keeps_its_place(desk: Desk) -> None:
    jobs = desk.put(4)
    desk.park(desk.take(1).one, wait_s=1)
    desk.wait(2)
    assert desk.take(2).ids == jobs[:2]
    desk.assert_whole()


def test_no_more_due_jobs_are_promoted_than_are_wanted(desk: Desk) -> None:
    desk.hire(threads=200)
    desk.put(100)
    for slip in desk.take(100).slips:
        desk.park(slip, wait_s=1)
    desk.wait(2)
    assert len(desk.take(3).slips) == 3
    assert desk.client.zcard(desk.keys("due", f"{CAR}|{READ}", 1)) == 97
    assert len(desk.take(100).slips) == 97
    desk.assert_whole()


def test_a_due_urgent_job_goes_before_all_due_bulk(desk: Desk) -> None:
    desk.hire(threads=200)
    desk.put(50, prio=BULK)
    for slip in desk.take(50).slips:
        desk.park(slip, wait_s=1)
    urgent = desk.put(1, prio=URGENT)
    desk.park(desk.take(1).one, wait_s=1.5)
    desk.wait(2)
    assert desk.take(1).ids == urgent
    desk.assert_whole()


def test_a_job_past_its_deadline_expires_and_is_never_handed_out(desk: Desk) -> None:
    desk.put(54, dl=micros(10))
    desk.wait(11)
    assert desk.take(8).slips == []  # fifty in passing, four when it was their turn
    assert desk.hash("counts")["expired"] == "54"
    desk.assert_whole()


def test_an_expired_job_is_counted_once_and_listed(desk: Desk) -> None:
    job = desk.put(1, dl=micros(10))[0]
    desk.wait(11)
    for _ in range(3):
        desk.take(8)
    assert (desk.hash("counts")["expired"], desk.hash("counts").get("dead", "0")) == ("1", "0")
    assert desk.client.zrange(desk.keys("expired"), 0, -1) == [job.encode()]
    desk.assert_whole()


def test_a_job_that_was_tried_dies_of_what_it_was_tried_with(desk: Desk) -> None:
    job = desk.put(1, dl=micros(10))[0]
    desk.park(desk.take(1).one, {"mode": "answered", "age": 0}, wait_s=60, attempt=1, **{"class": "remote_trouble"})
    desk.wait(11)
    desk.take(8)
    assert (desk.state(job), desk.read(job)["err"]) == ("dead", "remote_trouble")
    desk.assert_whole()


def test_the_expired_jobs_of_an_account_are_found_among_a_crowd_of_others(desk: Desk) -> None:
    """Of thousands, those that are looked for are read and no others; and no id outlives its job."""
    other = "stellantis:fleet-2"
    hired = {CAR: ROOMY[CAR], other: ROOMY[CAR]}
    desk.hire(accounts=hired, digest="two", numbers={"result_ttl": 1000})
    desk.put(2000, acct=other, dl=micros(1))
    wanted = desk.put(3, dl=micros(1))
    desk.now_us += micros(2)
    while "waiting" in desk.states(wanted) or desk.client.zcard(desk.keys("expired")) < 2003:
        desk.take()
    partition = Partition(desk.client, desk.keys, desk.scripts)
    until_us = desk.now_us + micros(1)
    with work_of(desk.client) as work:
        found = list(DeadLetters(partition).find(Filter(which="expired", account=CAR, until_us=until_us)))
    assert {job.id for job in found} == set(wanted)
    assert work.commands < 20
    desk.assert_whole()
    desk.wait(1001)
    desk.decide("sweep", {"dead_us": micros(10**7)})
    assert desk.client.zcard(desk.keys("expired")) == 0


def test_jobs_of_a_held_lane_expire_too(desk: Desk) -> None:
    job = desk.put(1, dl=micros(10))[0]
    desk.person("hold", scope=f"lane:{CAR}|{READ}")
    desk.take(8)
    desk.wait(11)
    desk.take(8)
    assert desk.state(job) == "expired"
    desk.assert_whole()


def test_take_names_the_moment_when_the_next_job_expires(desk: Desk) -> None:
    desk.person("hold", scope=f"lane:{CAR}|{READ}")
    put_us = desk.now_us
    desk.put(1, dl=micros(10))
    desk.take(8)
    assert abs(desk.take(8).next_us - put_us - micros(10)) < 100
    desk.assert_whole()


def test_at_most_fifty_jobs_expire_in_one_call_which_then_asks_to_be_called_again(desk: Desk) -> None:
    desk.put(120, dl=micros(10))
    desk.wait(11)
    for expired in (50, 100):
        dealt = desk.take(0)
        assert desk.hash("counts")["expired"] == str(expired)
        assert dealt.next_us <= dealt.now_us
    desk.take(0)
    assert desk.hash("counts")["expired"] == "120"
    desk.assert_whole()


def test_at_most_fifty_leases_are_taken_back_in_one_call_which_then_asks_to_be_called_again(desk: Desk) -> None:
    desk.hire(threads=300)
    jobs = desk.put(120)
    desk.take(120)
    desk.wait(16)
    dealt = desk.take(0)
    assert desk.states(jobs).count("waiting") == 50
    assert dealt.next_us <= dealt.now_us
    desk.assert_whole()


def test_an_expired_job_can_be_sent_again(desk: Desk) -> None:
    job = desk.put(1, dl=micros(10))[0]
    desk.wait(11)
    desk.take(8)
    assert desk.person("redrive", id=job) == "waiting"
    assert desk.take(8).ids == [job]
    desk.assert_whole()


def test_a_job_nobody_here_knows_is_parked_for_its_patience_and_then_buried(desk: Desk) -> None:
    job = desk.put(1)[0]
    why = {"class": "internal", "code": "unknown_operation", "message": "no such", "alert": True}
    for _ in range(3):
        assert desk.state(job) == "waiting"
        desk.park(desk.take(1).one, wait_s=250, patience=micros(600), why=why)
        desk.wait(251)
    desk.park(desk.take(1).one, wait_s=250, patience=micros(600), why=why)
    assert (desk.state(job), desk.read(job)["code"]) == ("dead", "unknown_operation")
    assert len(desk.outbox()) == 1
    desk.assert_whole()


def test_retention_forgets_old_dead_letters_fifty_at_a_time(desk: Desk) -> None:
    desk.hire(threads=200, digest="d2", numbers={"brake_count": 1000})
    desk.put(60)
    for slip in desk.take(60).slips:
        desk.bury(slip)
    desk.outage(100)
    assert desk.decide("sweep", {"dead_us": micros(200)}) == 0
    assert desk.client.zcard(desk.keys("dead")) == 60
    assert desk.decide("sweep", {"dead_us": micros(50)}) == 1
    assert desk.client.zcard(desk.keys("dead")) == 10
    assert desk.decide("sweep", {"dead_us": micros(50)}) == 0
    left = [key.decode() for kind in ("job", "msg", "ev", "dead") for key in desk.client.scan_iter(f"*:{kind}:*")]
    assert left == []


def test_many_dead_letters_of_one_problem_hold_their_lane_and_say_so_once(desk: Desk) -> None:
    desk.hire(threads=200, digest="d2", numbers={"brake_count": 5, "brake_window": micros(60)})
    desk.put(20)
    for slip in desk.take(8).slips:
        desk.bury(slip)
    assert list(desk.hash("holds")) == [f"lane:{CAR}|{READ}"]
    assert len(desk.outbox()) == 1
    assert desk.take(8).slips == []
    desk.assert_whole()


def test_the_same_number_over_a_longer_time_holds_nothing(desk: Desk) -> None:
    desk.hire(threads=200, digest="d2", numbers={"brake_count": 5, "brake_window": micros(60)})
    desk.put(20)
    for _ in range(8):
        desk.bury(desk.take(1).one)
        desk.wait(20)
    assert desk.hash("holds") == {}
    desk.assert_whole()
