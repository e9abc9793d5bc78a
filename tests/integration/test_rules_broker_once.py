"""Once: a reply that was lost and a call that is made again change nothing, whichever decision it was."""

import pytest

from tests.integration.desk import ANSWERED, CAR, LEASE_S, NORMAL, READ, Desk, Slip


def test_the_same_nonce_gets_the_same_jobs(desk: Desk) -> None:
    desk.put(9)
    first = desk.take(3, nonce="n")
    again = desk.take(3, nonce="n")
    assert [(slip.lease, slip.id, slip.message) for slip in again.slips] == [
        (slip.lease, slip.id, slip.message) for slip in first.slips
    ]
    assert desk.occupied() == [3]
    desk.assert_whole()


def test_a_job_asked_for_again_holds_from_the_asking(desk: Desk) -> None:
    desk.put(1)
    desk.take(1, nonce="n")
    desk.wait(LEASE_S - 1)
    slip = desk.take(1, nonce="n").one
    desk.wait(LEASE_S - 1)
    assert desk.take(1).slips == []
    assert desk.finish(slip) == "own"
    desk.assert_whole()


def test_another_nonce_gets_other_jobs(desk: Desk) -> None:
    desk.put(2)
    assert desk.take(1, nonce="a").ids != desk.take(1, nonce="b").ids
    desk.assert_whole()


def test_the_nonces_of_two_workers_do_not_meet(desk: Desk) -> None:
    desk.hire("w2")
    desk.put(4)
    one, two = desk.take(1, nonce="a").ids, desk.take(1, worker="w2", nonce="b").ids
    assert one != two
    assert [desk.take(1, nonce="a").ids, desk.take(1, worker="w2", nonce="b").ids] == [one, two]
    desk.assert_whole()


@pytest.mark.parametrize("decision", ["finish", "park", "bury"])
def test_a_decision_said_twice_is_made_once(desk: Desk, decision: str) -> None:
    job = desk.put(1)[0]
    slip = desk.take(1).one
    decide = getattr(desk, decision)
    assert decide(slip, ANSWERED) == "own"
    once = desk.read(job)
    assert decide(slip, ANSWERED) == "already"
    assert (desk.read(job), len(desk.events(job)), desk.occupied()) == (once, 1, [1])
    desk.assert_whole()


def test_a_park_said_again_after_the_job_was_taken_again_changes_nothing(desk: Desk) -> None:
    job = desk.put(1)[0]
    old = desk.take(1).one
    desk.park(old)
    new = desk.take(1).one
    assert desk.park(old) == "already"
    assert desk.state(job) == "running"
    assert desk.finish(new) == "own"
    desk.assert_whole()


def successor(desk: Desk, slip: Slip) -> dict[str, object]:
    return desk.job(f"{slip.id}.p2", chain=slip.id, page=2)


@pytest.mark.parametrize("decision", ["finish", "bury"])
def test_a_successor_is_born_in_the_step_that_ends_its_parent_and_once(desk: Desk, decision: str) -> None:
    desk.put(1)
    slip = desk.take(1).one
    born = successor(desk, slip)
    for _ in range(2):
        getattr(desk, decision)(slip, successors=[born])
    assert desk.hash("counts")["accepted"] == "2"
    assert desk.take(8).one.message == f"message of {born['id']}".encode()
    assert desk.client.lrange(desk.keys("chain", slip.id), 0, -1) == [slip.id.encode(), f"{slip.id}.p2".encode()]
    desk.assert_whole()


def test_a_superseded_lease_has_no_successors(desk: Desk) -> None:
    desk.put(1)
    old = desk.take(1).one
    desk.wait(LEASE_S + 1)
    new = desk.take(1).one
    desk.finish(old, successors=[successor(desk, old)])
    assert desk.take(8).slips == []
    desk.finish(new, successors=[successor(desk, new)])
    assert len(desk.take(8).slips) == 1
    desk.assert_whole()


def test_the_same_job_is_taken_in_once(desk: Desk) -> None:
    facts = desk.job()
    assert desk.put_jobs([facts]) == [("accepted", facts["id"])]
    assert desk.put_jobs([facts]) == [("duplicate", facts["id"])]
    assert len(desk.take(8).slips) == 1
    assert desk.put_jobs([facts]) == [("duplicate", facts["id"])]
    desk.assert_whole()


def test_the_same_key_with_the_same_content_is_the_same_job(desk: Desk) -> None:
    first, second = desk.job(key="k", psha="same"), desk.job(key="k", psha="same")
    assert desk.put_jobs([first, second]) == [("accepted", first["id"]), ("duplicate", first["id"])]
    assert len(desk.take(8).slips) == 1
    desk.assert_whole()


def test_the_same_key_with_other_content_is_refused(desk: Desk) -> None:
    first, second = desk.job(key="k", psha="one"), desk.job(key="k", psha="two")
    assert desk.put_jobs([first, second]) == [("accepted", first["id"]), ("conflict", first["id"])]
    assert desk.state(second["id"]) == "gone"
    desk.assert_whole()


@pytest.mark.parametrize("decision", ["finish", "bury"])
def test_a_key_is_kept_for_its_time_after_the_end_and_never_less_than_the_result(desk: Desk, decision: str) -> None:
    desk.hire(digest="d2", numbers={"key_ttl": 100, "result_ttl": 300})
    job = desk.job(key="k", psha="same")
    desk.put_jobs([job])
    assert desk.client.ttl(desk.keys("idempotency", "k")) == -1
    getattr(desk, decision)(desk.take(1).one)
    assert desk.client.ttl(desk.keys("idempotency", "k")) in range(*{"finish": (298, 301), "bury": (98, 101)}[decision])
    assert desk.put_jobs([desk.job(key="k", psha="same")]) == [("duplicate", job["id"])]
    desk.assert_whole()


def test_a_key_is_kept_while_its_redriven_job_lives(desk: Desk) -> None:
    job = desk.job(key="k", psha="same")
    desk.put_jobs([job])
    desk.bury(desk.take(1).one)
    desk.person("redrive", id=job["id"])
    assert desk.client.ttl(desk.keys("idempotency", "k")) == -1
    desk.assert_whole()


def test_everything_of_a_job_that_is_done_goes_with_it(desk: Desk) -> None:
    desk.hire(digest="d2", numbers={"result_ttl": 300})
    job = desk.put(1)[0]
    old = desk.take(1).one
    desk.wait(LEASE_S + 1)
    new = desk.take(1).one
    desk.finish(new)
    desk.client.delete(desk.keys("evidence", job))
    desk.finish(old)  # adds its evidence to a job that has ended
    for name in ("job", "message", "evidence", "result"):
        assert 0 < desk.client.ttl(desk.keys(name, job)) <= 300, name
    desk.assert_whole()


def test_a_cancelled_job_is_never_handed_out(desk: Desk) -> None:
    first, second = desk.put(2)
    assert desk.person("cancel", id=first) == "cancelled"
    assert desk.person("cancel", id=first) == "already"
    slip = desk.take(8).one
    assert slip.id == second
    assert desk.person("cancel", id=second) == "running"
    desk.finish(slip)
    assert desk.states([first, second]) == ["cancelled", "done"]
    desk.assert_whole()


def test_a_parked_job_can_be_cancelled(desk: Desk) -> None:
    job = desk.put(1)[0]
    desk.park(desk.take(1).one, wait_s=30)
    assert desk.person("cancel", id=job) == "cancelled"
    desk.wait(60)
    assert desk.take(8).slips == []
    assert not desk.client.exists(desk.keys("due", f"{CAR}|{READ}", NORMAL))
    desk.assert_whole()
