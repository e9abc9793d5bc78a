"""What the state machine has found, each as the shortest story of it."""

import json

import redis

from tests.integration.desk import START, Desk, micros
from tests.state.machine import FAILED, LATE

KEYED = {"key": "k1", "psha": "a"}


def report(desk: Desk, job: str) -> str:
    facts = {"id": job, "door": "secret", "heard": json.dumps({"result": "FAILED"}), "verdict": FAILED}
    return str(desk.scripts("answer", facts, '{"event":"command_result"}').decode())


def test_retention_of_an_old_letter_leaves_a_key_alone_that_has_come_to_another_job(
    store: "redis.Redis[bytes]",
) -> None:
    desk = Desk(store)
    desk.hire()
    desk.put(**KEYED)
    desk.bury(desk.take().one)
    store.delete(desk.keys("idempotency", "k1"))  # its time is over
    [job] = desk.put(**KEYED)
    desk.outage(100)
    desk.decide("sweep", {"dead_us": micros(50)})
    assert store.ttl(desk.keys("idempotency", "k1")) == -1
    assert desk.put(**KEYED) == [job]
    desk.assert_whole()


def test_a_late_answer_does_not_ask_again_for_a_result_that_has_come(store: "redis.Redis[bytes]") -> None:
    desk = Desk(store)
    desk.hire()
    desk.put(op=START, rep=0)
    slip = desk.take().one
    assert desk.sending(slip)
    desk.wait(16)
    desk.take()
    assert desk.read(slip.id)["err"] == "outcome_unknown"
    assert report(desk, slip.id) == "settled"
    assert desk.finish(slip, awaits=micros(30)) == "superseded"
    assert (desk.state(slip.id), desk.read(slip.id)["err"]) == ("dead", "command_failed")
    desk.assert_whole()


def test_the_result_of_an_earlier_sending_does_not_outlive_its_job(store: "redis.Redis[bytes]") -> None:
    desk = Desk(store)
    desk.hire()
    desk.put(op=START, rep=0)
    slip = desk.take().one
    assert desk.sending(slip)
    desk.finish(slip, awaits=micros(30))
    desk.wait(31)
    assert desk.decide("unheard", {"why": LATE}) == 1
    assert desk.person("redrive", id=slip.id, unknown=True) == "waiting"
    assert desk.person("cancel", id=slip.id) == "cancelled"
    assert store.exists(desk.keys("result", slip.id)) == 0
    desk.assert_whole()
