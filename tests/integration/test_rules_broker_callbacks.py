"""Ends that are told: every end makes one job that tells it, in the step that ends it, and nothing else makes one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.integration.desk import ANSWERED, BULK, LEASE_S, ROOMY, START, UNANSWERED, Desk, account, micros

HOST = "callback:hooks.example"
UNKNOWN = {"class": "outcome_unknown", "code": "read_timeout", "message": "no answer", "alert": False}
LATE = {"class": "outcome_unknown", "code": "command_timeout", "message": "its result never came", "alert": False}


def callback(**changes: Any) -> str:
    """What `accept/callback.py` prepares; its message is an object of what has ended and the new job's id."""
    facts = {
        "op": "callback.post_result", "acct": HOST, "api": "callback", "budget": "other", "prio": 1, "rep": 1,
        "dl": micros(3600), "text": ['{"ended":', ',"id":"', '"}'], **changes,
    }  # fmt: skip
    return json.dumps(facts)


def ask(desk: Desk, **changes: Any) -> str:
    """One job whose end is told."""
    return desk.put(callback=callback(), **changes)[0]


def tellers(desk: Desk) -> list[str]:
    """The jobs that tell an end."""
    line = desk.client.zrange(desk.keys("queue", f"{HOST}|callback.post_result", 1), 0, -1)
    return [job.decode() for job in line]


def message(desk: Desk, teller: str) -> dict[str, Any]:
    found = desk.client.get(desk.keys("message", teller))
    assert found is not None
    return dict(json.loads(found))


def done(desk: Desk, job: str) -> None:
    desk.finish(desk.take().one)


def buried(desk: Desk, job: str) -> None:
    desk.bury(desk.take().one)


def cancelled(desk: Desk, job: str) -> None:
    desk.person("cancel", id=job)


def expired(desk: Desk, job: str) -> None:
    desk.client.hset(desk.keys("job", job), "dl", str(desk.now_us))
    desk.client.zadd(desk.keys("deadlines"), {job: desk.now_us})
    desk.take(want=0)


def overdue_after_an_attempt(desk: Desk, job: str) -> None:
    desk.park(desk.take().one, ANSWERED, 30, attempt=1, **{"class": "server_trouble", "code": "500"})
    expired(desk, job)


def crashed_while_it_was_sending(desk: Desk, job: str) -> None:
    assert desk.sending(desk.take().one)
    desk.wait(LEASE_S + 1)
    desk.take(want=0)


def crashed_three_times(desk: Desk, job: str) -> None:
    for _ in range(3):
        assert desk.take().ids == [job]
        desk.wait(LEASE_S + 1)
    desk.take(want=0)


def never_heard_of(desk: Desk, job: str) -> None:
    desk.finish(desk.take().one, awaits=micros(5))
    assert tellers(desk) == [], "an accepted command is not over"
    desk.wait(6)
    desk.decide("unheard", {"why": LATE})


def answered(desk: Desk, job: str) -> None:
    slip = desk.take().one
    assert desk.sending(slip)
    desk.finish(slip, awaits=micros(5))
    facts = {"id": job, "door": "secret", "heard": "{}", "verdict": {"done": True}}
    assert desk.scripts("answer", facts, "") == b"settled"


WAYS: dict[Callable[[Desk, str], None], tuple[str, dict[str, Any]]] = {
    done: ("done", {}),
    buried: ("dead", {}),
    cancelled: ("cancelled", {}),
    expired: ("expired", {}),
    overdue_after_an_attempt: ("dead", {}),
    crashed_while_it_was_sending: ("dead", {"op": START, "rep": 0}),
    crashed_three_times: ("dead", {}),
    never_heard_of: ("dead", {"op": START, "rep": 0}),
    answered: ("done", {"op": START, "rep": 0}),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_to_end_makes_one_job_that_tells_it(told: Desk, way: Callable[[Desk, str], None]) -> None:
    state, changes = WAYS[way]
    job = ask(told, **changes)
    way(told, job)
    assert told.state(job) == state
    (teller,) = tellers(told)
    ended = message(told, teller)["ended"]
    assert (teller, ended["job"], ended["state"], ended["number"]) == (f"{job}.c1", job, state, 1)
    told.assert_whole()


def test_it_says_which_job_ended_how_and_when(told: Desk) -> None:
    job = ask(told)
    done(told, job)
    (teller,) = tellers(told)
    record = told.read(job)
    assert message(told, teller) == {
        "ended": {
            "job": job, "chain": job, "operation": "car.read", "account": "stellantis:fleet-1", "state": "done",
            "number": 1, "at_us": record["ended"], "created_us": record["created"],
        },
        "id": teller,
    }  # fmt: skip
    own = told.read(teller)
    assert (own["acct"], own["op"], own["chain"], own["repeat"]) == (HOST, "callback.post_result", teller, "1")
    assert int(own["dl"]) == int(record["ended"]) + micros(3600)


def test_an_end_said_again_is_told_once(told: Desk) -> None:
    job = ask(told)
    slip = told.take().one
    assert [told.finish(slip), told.finish(slip), told.bury(slip)] == ["own", "already", "already"]
    assert tellers(told) == [f"{job}.c1"]
    assert told.hash("counts")["accepted"] == "2"
    told.assert_whole()


def test_an_end_after_a_redrive_is_told_anew(told: Desk) -> None:
    job = ask(told)
    buried(told, job)
    assert told.person("redrive", id=job) == "waiting"
    assert tellers(told) == [f"{job}.c1"], "being sent again is no end"
    slip = next(slip for slip in told.take(2).slips if slip.id == job)
    told.finish(slip)
    again = f"{job}.c2"
    assert told.state(again) == "waiting"
    ended = message(told, again)["ended"]
    assert (ended["state"], ended["number"]) == ("done", 2)
    told.assert_whole()


def test_a_truth_that_comes_late_is_told_after_what_was_believed(told: Desk) -> None:
    job = ask(told, op=START, rep=0)
    slip = told.take().one
    assert told.sending(slip)
    told.wait(LEASE_S + 1)
    told.take(want=0)
    assert told.finish(slip) == "truth"
    assert [message(told, teller)["ended"]["state"] for teller in tellers(told)] == ["dead", "done"]
    assert tellers(told) == [f"{job}.c1", f"{job}.c2"]
    told.assert_whole()


def test_a_job_that_is_parked_or_given_back_has_not_ended(told: Desk) -> None:
    ask(told)
    told.park(told.take().one, ANSWERED, 1, attempt=1, **{"class": "server_trouble", "code": "500"})
    assert tellers(told) == []


def test_a_list_is_told_once_when_its_last_page_has_ended(told: Desk) -> None:
    first = ask(told)
    second = told.job(f"{first}.p2", page=2, callback=callback())
    told.finish(told.take().one, successors=[second])
    assert tellers(told) == []
    slip = told.take().one
    assert slip.id == f"{first}.p2"
    told.finish(slip)
    (teller,) = tellers(told)
    ended = message(told, teller)["ended"]
    assert (teller, ended["job"], ended["chain"]) == (f"{first}.p2.c1", f"{first}.p2", first)
    told.assert_whole()


def test_a_list_is_told_when_one_of_its_pages_has_died(told: Desk) -> None:
    first = ask(told)
    second = told.job(f"{first}.p2", page=2, callback=callback())
    told.finish(told.take().one, successors=[second])
    told.bury(told.take().one)
    (teller,) = tellers(told)
    assert message(told, teller)["ended"]["state"] == "dead"


def test_an_end_that_nobody_wants_to_know_of_is_told_to_nobody(told: Desk) -> None:
    told.put()
    told.finish(told.take().one)
    assert told.hash("counts")["accepted"] == "1"


def test_the_end_of_a_job_that_tells_is_told_to_nobody(told: Desk) -> None:
    job = ask(told)
    done(told, job)
    told.bury(told.take().one)
    assert told.state(f"{job}.c1") == "dead"
    assert told.hash("counts")["accepted"] == "2"
    told.assert_whole()


def test_what_tells_the_end_of_bulk_work_is_bulk(told: Desk) -> None:
    job = told.put(prio=BULK, callback=callback(prio=BULK))[0]
    done(told, job)
    assert told.read(f"{job}.c1")["prio"] == str(BULK)


def test_a_job_brought_back_from_its_workers_memory_is_still_told(told: Desk) -> None:
    facts = told.job(callback=callback())
    told.put_jobs([facts])
    slip = told.take().one
    told.client.delete(*told.client.keys(told.keys.prefix.replace("{", "[{]").replace("}", "[}]") + "*"))
    told.hire(accounts={**ROOMY, HOST: account("other", api="callback")}, digest="d2")
    assert told.remember(slip, facts) == "held"
    assert told.finish(slip) == "own"
    assert tellers(told) == [f"{facts['id']}.c1"]


@pytest.mark.parametrize(
    "bad",
    ["no JSON", "[]", callback(acct=None), callback(dl="soon"), callback(text=["a", "b"]), callback(text="abc")],
    ids=["text", "list", "account", "deadline", "pieces", "piece"],
)
def test_what_could_not_be_told_later_is_refused_at_once(told: Desk, bad: str) -> None:
    with pytest.raises(redis.ResponseError, match="callback"):
        told.put(callback=bad)
    assert told.client.exists(told.keys("counts")) == 0


def test_the_one_who_waits_for_work_hears_of_it(told: Desk) -> None:
    job = ask(told)
    slip = told.take().one
    told.hush()
    told.finish(slip)
    assert (told.bells(), told.take().ids) == (1, [f"{job}.c1"])


def test_the_end_of_a_command_that_was_unknown_is_told_when_its_result_comes(told: Desk) -> None:
    job = ask(told, op=START, rep=0)
    slip = told.take().one
    assert told.sending(slip)
    told.bury(slip, UNANSWERED, why=UNKNOWN)
    facts = {"id": job, "door": "secret", "heard": "{}", "verdict": {"done": True}}
    assert told.scripts("answer", facts, "") == b"settled"
    assert [message(told, teller)["ended"]["state"] for teller in tellers(told)] == ["dead", "done"]
    told.assert_whole()
