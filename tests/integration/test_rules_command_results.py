"""Commands whose result comes later: who may report it, when it counts, and what happens when it is late."""

import json

import pytest

from tests.integration.desk import ANSWERED, START, UNANSWERED, Desk, Slip

DOOR = "secret"  # what `Desk.sending` gives
DONE = {"done": True}
UNKNOWN = {"class": "outcome_unknown", "code": "read_timeout", "message": "no answer", "alert": True}
FAILED = {"done": False, "why": {"class": "command_failed", "code": "FAILED", "message": "no", "alert": False}}
LATE = {"class": "outcome_unknown", "code": "command_timeout", "message": "its result never came", "alert": True}


@pytest.fixture
def slip(desk: Desk) -> Slip:
    """A command on its way to the other side."""
    desk.put(op=START, rep=0)
    taken = desk.take().one
    assert desk.sending(taken)
    return taken


def report(desk: Desk, slip: Slip, verdict: object = DONE, door: str = DOOR, heard: str = "ACCEPTED") -> str:
    facts = {"id": slip.id, "door": door, "heard": json.dumps({"result": heard}), "verdict": verdict}
    return str(desk.scripts("answer", facts, '{"event":"command_result"}').decode())


def accept(desk: Desk, slip: Slip, seconds: float = 30) -> None:
    assert desk.finish(slip, awaits=int(seconds * 1e6)) == "own"


def bury_unheard(desk: Desk) -> int:
    return int(desk.decide("unheard", {"why": LATE}))


def test_an_accepted_command_is_over_only_when_its_result_has_come(desk: Desk, slip: Slip) -> None:
    accept(desk, slip)
    assert desk.state(slip.id) == "awaiting"
    desk.assert_whole()
    assert report(desk, slip) == "settled"
    assert desk.state(slip.id) == "done"
    desk.assert_whole()


def test_a_result_of_failure_makes_a_dead_letter(desk: Desk, slip: Slip) -> None:
    accept(desk, slip)
    assert report(desk, slip, FAILED, heard="FAILED") == "settled"
    assert (desk.state(slip.id), desk.read(slip.id)["err"]) == ("dead", "command_failed")
    desk.assert_whole()


def test_a_result_that_never_comes_leaves_the_outcome_unknown_and_is_told_once(desk: Desk, slip: Slip) -> None:
    accept(desk, slip, seconds=30)
    desk.wait(29)
    assert bury_unheard(desk) == 0
    desk.wait(2)
    assert bury_unheard(desk) == 1
    assert (desk.state(slip.id), desk.read(slip.id)["err"]) == ("dead", "outcome_unknown")
    assert len(desk.outbox()) == 1
    assert bury_unheard(desk) == 0
    desk.assert_whole()


def test_a_result_that_never_comes_stands_in_what_happened(desk: Desk) -> None:
    desk.put(op=START, rep=0)
    taken = desk.take().one
    accept(desk, taken, seconds=30)
    desk.wait(31)
    assert bury_unheard(desk) == 1
    overdue = desk.events(taken.id)[-1]
    assert (overdue["event"], overdue["code"], overdue["message"]) == (
        "result_overdue", "command_timeout", "its result never came",
    )  # fmt: skip
    desk.assert_whole()


def test_a_result_settles_a_command_of_unknown_outcome_however_late(desk: Desk, slip: Slip) -> None:
    assert desk.bury(slip, UNANSWERED, why=UNKNOWN) == "own"
    desk.wait(86_400)
    assert report(desk, slip) == "settled"
    assert desk.state(slip.id) == "done"
    assert "err" not in desk.read(slip.id)
    desk.assert_whole()


def test_a_result_that_says_it_failed_replaces_unknown_by_known(desk: Desk, slip: Slip) -> None:
    desk.bury(slip, UNANSWERED, why=UNKNOWN)
    assert report(desk, slip, FAILED, heard="FAILED") == "settled"
    assert desk.read(slip.id)["err"] == "command_failed"
    desk.assert_whole()


@pytest.mark.parametrize(("verdict", "state"), [(DONE, "done"), (FAILED, "dead")])
def test_a_result_that_overtakes_the_answer_of_its_call_counts_when_that_ends(
    desk: Desk, slip: Slip, verdict: object, state: str
) -> None:
    assert report(desk, slip, verdict) == "early"
    assert desk.state(slip.id) == "running"
    accept(desk, slip)
    assert desk.state(slip.id) == state
    desk.assert_whole()


def test_an_early_result_decides_for_a_call_whose_answer_was_lost(desk: Desk, slip: Slip) -> None:
    report(desk, slip)
    assert desk.bury(slip, UNANSWERED, why=UNKNOWN) == "own"
    assert desk.state(slip.id) == "done"
    desk.assert_whole()


def test_an_early_result_decides_for_a_call_whose_worker_crashed(desk: Desk, slip: Slip) -> None:
    report(desk, slip)
    desk.wait(16)
    desk.take()
    assert desk.state(slip.id) == "done"
    desk.assert_whole()


def test_who_does_not_know_the_secret_changes_nothing(desk: Desk, slip: Slip) -> None:
    accept(desk, slip)
    assert report(desk, slip, door="guess") == "stranger"
    assert report(desk, slip, door="") == "stranger"
    assert desk.state(slip.id) == "awaiting"
    assert all(event["event"] != "command_result" for event in desk.events(slip.id))


def test_a_job_that_never_sent_has_no_address(desk: Desk) -> None:
    desk.put(op=START, rep=0)
    taken = desk.take().one
    assert report(desk, taken) == "stranger"
    assert report(desk, taken, door="") == "stranger"


def test_saying_it_again_changes_nothing(desk: Desk, slip: Slip) -> None:
    accept(desk, slip)
    assert [report(desk, slip) for _ in range(3)] == ["settled", "already", "already"]
    assert desk.hash("counts")["done"] == "1"
    assert len([event for event in desk.events(slip.id) if event["event"] == "command_result"]) == 1
    desk.assert_whole()


def test_a_second_result_that_contradicts_the_first_does_not_count(desk: Desk, slip: Slip) -> None:
    accept(desk, slip)
    report(desk, slip)
    assert report(desk, slip, FAILED, heard="FAILED") == "noted"
    assert desk.state(slip.id) == "done"
    desk.assert_whole()


def test_an_answer_that_refuses_the_command_stands_against_an_early_result(desk: Desk, slip: Slip) -> None:
    report(desk, slip)
    desk.bury(slip, ANSWERED, error="command_rejected")
    assert (desk.state(slip.id), desk.read(slip.id)["err"]) == ("dead", "command_rejected")
    desk.assert_whole()


def test_a_command_that_waits_to_be_sent_again_is_not_when_its_first_result_comes(desk: Desk, slip: Slip) -> None:
    desk.bury(slip, UNANSWERED, why=UNKNOWN)
    assert desk.person("redrive", id=slip.id, unknown=True) == "waiting"
    assert report(desk, slip) == "settled"
    assert desk.state(slip.id) == "done"
    assert desk.take().ids == []
    desk.assert_whole()


def test_a_new_attempt_has_an_address_and_a_result_of_its_own(desk: Desk, slip: Slip) -> None:
    accept(desk, slip)
    report(desk, slip, FAILED, heard="FAILED")
    desk.person("redrive", id=slip.id)
    again = desk.take().one
    assert desk.sending(again)
    accept(desk, again)
    assert desk.state(slip.id) == "awaiting"
    assert report(desk, again) == "settled"
    desk.assert_whole()


def test_a_result_nobody_needs_keeps_no_record_for_longer_than_the_job(desk: Desk, slip: Slip) -> None:
    desk.finish(slip)
    assert report(desk, slip) == "noted"
    assert 0 < desk.client.ttl(desk.keys("evidence", slip.id)) <= desk.client.ttl(desk.keys("job", slip.id))


@pytest.mark.parametrize("ends", ["accepted", "unknown"])
def test_a_result_finds_its_command_in_a_store_that_was_emptied_while_it_was_being_sent(desk: Desk, ends: str) -> None:
    job = desk.job(op=START, rep=0)
    desk.put_jobs([job])
    slip = desk.take().one
    assert desk.sending(slip)
    desk.client.flushdb()
    desk.hire()
    assert desk.renew(slip) == ["unknown"]
    assert desk.remember(slip, job, sent=True, door=DOOR) == "held"
    if ends == "accepted":
        accept(desk, slip)
    else:
        assert desk.bury(slip, UNANSWERED, why=UNKNOWN) == "own"
    assert report(desk, slip, door="guessed") == "stranger"
    assert report(desk, slip) == "settled"
    assert desk.state(slip.id) == "done"
    desk.assert_whole()
