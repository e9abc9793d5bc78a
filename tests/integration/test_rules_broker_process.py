"""One process: the threads it counts, the acknowledgements that fail, and what it makes of a job it cannot read."""

from collections.abc import Callable

import pytest
import redis
from dramatiq.errors import ConnectionClosed

from tests.integration.desk import micros
from tests.integration.floor import CAR, DONE, STATUS, WHERE, Floor, Hands, settings_for
from worker.broker.broker import PacelineBroker
from worker.broker.leases import Renewer
from worker.errors import Refused
from worker.fail.fate import Fate
from worker.store.connection import connect

MakeFloor = Callable[..., Floor]


def test_there_are_no_delay_queues(floor: Floor) -> None:
    assert floor.broker.get_declared_delay_queues() == set()
    assert floor.broker.get_declared_queues() == {"paceline"}


def test_a_delay_is_refused(floor: Floor) -> None:
    actor = floor.broker.get_actor(STATUS)
    with pytest.raises(Refused, match="delay"):
        actor.send_with_options(kwargs={"account": CAR, "params": WHERE}, delay=1000)
    floor.assert_whole()


def test_a_sent_message_goes_through_the_same_checks_as_every_other_way_in(floor: Floor) -> None:
    actor = floor.broker.get_actor(STATUS)
    for kwargs in ({"account": "nobody", "params": WHERE}, {"account": CAR, "params": {}}, {"params": WHERE}):
        with pytest.raises(Refused):
            actor.send(**kwargs)
    message = actor.send(account=CAR, params=WHERE)
    assert floor.next().card.job_id == message.message_id
    floor.assert_whole()


def test_jobs_are_taken_for_free_threads_only(floor: Floor) -> None:
    floor.put(9, priority="urgent")
    assert len([floor.next() for _ in range(2)]) == 2  # half of the fleet's four threads
    assert floor.broker.threads.free == 2
    assert floor.client.hget(floor.keys("flying"), f"{CAR}|{STATUS}") == b"2"
    floor.assert_whole()


def test_another_consumer_knows_what_the_one_before_has_handed_out(make_floor: MakeFloor) -> None:
    floor = make_floor(threads=1, clock=Hands().clock)
    floor.put(1)
    message = floor.next()
    floor.consumer().close()
    assert floor.broker.threads.free == 0
    assert floor.nothing()
    message.fate = DONE
    floor.consumer().ack(message)
    assert floor.broker.threads.free == 1
    floor.assert_whole()


def test_a_thread_is_free_once_its_acknowledgement_has_succeeded_and_once_only(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.put(1)
    message = floor.next()
    floor.refuse(monkeypatch, "finish", redis.ConnectionError("away"), times=1000)
    for _ in range(3):
        with pytest.raises(ConnectionClosed):
            floor.end(message)
        assert floor.broker.threads.free == 3
    monkeypatch.undo()
    floor.end(message)
    floor.end(message)
    assert floor.broker.threads.free == 4
    floor.assert_whole()


@pytest.mark.parametrize("decision", ["finish", "park", "bury"])
def test_an_answer_whose_reply_was_lost_is_said_again_and_made_once(
    floor: Floor, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    job = floor.put(1)[0]
    message = floor.next()
    floor.refuse(monkeypatch, decision, redis.TimeoutError("no reply"), ran=True)
    facts = {"finish": {}, "park": {"wait": 0, "attempt": 1}, "bury": {"why": {"class": "x", "code": ""}}}[decision]
    floor.end(message, Fate(decision, DONE.settle, facts, '{"event":"tried"}'))  # type: ignore[arg-type]
    assert floor.client.llen(floor.keys("evidence", job)) == 1
    assert floor.broker.threads.free == 4
    floor.assert_whole()


@pytest.mark.parametrize(
    "error",
    [redis.ResponseError("ERR user_script:1: attempt to index a nil value"), TypeError("cannot be written as JSON")],
    ids=["the store refuses it", "it cannot even be said"],
)
def test_an_answer_that_can_never_be_said_buries_the_job_and_frees_the_thread(
    floor: Floor, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    job = floor.put(1)[0]
    message = floor.next()
    floor.refuse(monkeypatch, "finish", error, times=1000)
    floor.end(message)
    read = floor.read(job)
    assert (read["state"], read["err"], floor.broker.threads.free) == ("dead", "internal", 4)
    floor.assert_whole()


def test_an_answer_that_can_be_said_in_no_way_frees_the_thread_and_leaves_the_lease_to_lapse(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = floor.put(1)[0]
    message = floor.next()
    message.fate = Fate("finish", {"mode": "no such mode"})
    floor.consumer().ack(message)
    assert floor.broker.threads.free == 4
    assert floor.broker.threads.held() == []
    assert floor.read(job)["state"] == "running"
    floor.assert_whole()


def test_a_job_nobody_decided_about_is_never_done(floor: Floor) -> None:
    job = floor.put(1)[0]
    floor.consumer().ack(floor.next())
    read = floor.read(job)
    assert (read["state"], read["err"]) == ("dead", "internal")
    floor.assert_whole()


@pytest.mark.parametrize("encoded", [b"\xff\x00", b"[]", b"{}", b'{"actor_name": []}', b"null", b""])
def test_a_message_that_cannot_be_read_is_buried_and_stops_nobody(floor: Floor, encoded: bytes) -> None:
    bad, good = floor.put(2)
    floor.client.set(floor.keys("message", bad), encoded)
    assert floor.next().card.job_id == good
    read = floor.read(bad)
    assert (read["state"], read["err"]) == ("dead", "internal")
    assert floor.broker.threads.free == 3
    floor.assert_whole()


def test_a_job_whose_message_is_gone_is_buried(floor: Floor) -> None:
    bad, good = floor.put(2)
    floor.client.delete(floor.keys("message", bad))
    assert floor.next().card.job_id == good
    assert floor.read(bad)["state"] == "dead"
    floor.assert_whole()


def test_an_operation_nobody_here_knows_is_parked_for_another_version_to_find(make_floor: MakeFloor) -> None:
    hands = Hands()
    floor = make_floor(clock=hands.clock, clock_us=lambda: micros(hands.s))
    job = floor.put(1)[0]
    del floor.broker.actors[STATUS]
    assert floor.nothing()
    assert floor.read(job)["state"] == "waiting"
    for _ in range(20):
        hands.s += 29.9
        assert floor.nothing()
        assert floor.read(job)["state"] == "waiting"
        hands.s += 0.2
        assert floor.nothing()
    assert (floor.read(job)["state"], floor.read(job)["code"]) == ("dead", "unknown_operation")
    floor.assert_whole()


def test_a_requeued_job_has_its_old_place_and_nothing_counted(floor: Floor) -> None:
    jobs = floor.put(3)
    first, second = floor.next(), floor.next()
    floor.consumer().requeue([first, second])
    assert floor.broker.threads.free == 4
    read = floor.read(jobs[0])
    assert (read["state"], read.get("attempts", "0"), read.get("crashes", "0")) == ("waiting", "0", "0")
    assert [floor.next().card.job_id for _ in range(2)] == jobs[:2]
    floor.assert_whole()


def test_a_requeue_that_fails_does_not_keep_back_the_next(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = floor.put(2)
    messages = [floor.next(), floor.next()]
    floor.refuse(monkeypatch, "park", redis.ConnectionError("away"))
    floor.consumer().requeue(messages)
    assert [floor.read(job)["state"] for job in jobs] == ["running", "waiting"]
    assert floor.broker.threads.free == 4
    floor.assert_whole()


def test_a_draining_process_takes_nothing_more(floor: Floor) -> None:
    floor.put(3)
    messages = [floor.next(), floor.next()]
    floor.broker.threads.drain()
    for message in messages:
        floor.end(message)
    assert floor.nothing()
    floor.broker.threads.wake()
    assert not floor.broker.threads.wait_to_look(0)
    assert floor.client.hlen(floor.keys("lease")) == 0
    floor.assert_whole()


def test_a_process_that_leaves_asks_an_absent_store_no_longer_than_a_call_could_last(
    make_floor: MakeFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands()
    floor = make_floor(clock=hands.clock, DELIVER__TOTAL_DEADLINE_S="25")
    job = floor.put(1)[0]
    message = floor.next()
    floor.refuse(monkeypatch, "finish", redis.ConnectionError("away"), times=100_000)
    hands.s += 3600
    with pytest.raises(ConnectionClosed):  # a process that stays asks for as long as it takes
        floor.end(message)
    floor.broker.threads.drain()
    leaves_s = hands.s
    with pytest.raises(ConnectionClosed):
        floor.end(message)
    assert floor.broker.threads.free == 3
    floor.broker.threads.drain()  # told twice, as by its master's death
    hands.s = leaves_s + 24
    floor.end(message)
    assert hands.s <= leaves_s + 25.2
    assert floor.broker.threads.wait_until_idle(0)
    assert floor.read(job)["state"] == "running"
    assert floor.client.hlen(floor.keys("lease")) == 1
    floor.assert_whole()


def test_a_blip_while_asking_for_jobs_raises_nothing_and_loses_nothing(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = floor.put(1)
    floor.refuse(monkeypatch, "take", redis.ConnectionError("no reply"), ran=True)
    assert floor.nothing()
    monkeypatch.undo()
    assert floor.next().card.job_id == jobs[0]
    assert floor.client.hlen(floor.keys("lease")) == 1
    floor.assert_whole()


def test_a_job_the_store_has_lost_is_brought_back_before_its_end_is_said(floor: Floor) -> None:
    job = floor.put(1)[0]
    message = floor.next()
    floor.client.flushdb()
    floor.broker.hello()
    floor.end(message)
    assert floor.read(job)["state"] == "done"
    floor.assert_whole()


def test_what_a_worker_remembers_of_a_command_is_the_address_of_its_result_too(floor: Floor) -> None:
    floor.put(1)
    card = floor.next().card
    assert floor.broker.ending.full_record(card)["door"] is None
    assert floor.broker.ending.may_send(card, "a-secret")
    assert floor.broker.ending.full_record(card)["door"] == "a-secret"
    assert "a-secret" not in repr(card)
    floor.assert_whole()


class Ticks:
    """Stands for the event a thread waits on: as many waits as are given, none of them long."""

    def __init__(self, n: int) -> None:
        self.left = n

    def wait(self, seconds: float) -> bool:
        assert seconds == 1.0
        self.left -= 1
        return self.left < 0


def test_a_renewal_that_failed_is_tried_again_long_before_the_next_is_due(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.put(1)
    floor.next()
    renewer = Renewer(floor.broker, [])
    monkeypatch.setattr(renewer, "_leaving", Ticks(6))  # one renewal is due, at the fifth
    floor.refuse(monkeypatch, "renew", redis.ConnectionError("away"))
    before = floor.client.zrange(floor.keys("leases"), 0, 0, withscores=True)
    renewer.run()
    assert floor.client.zrange(floor.keys("leases"), 0, 0, withscores=True) != before
    floor.assert_whole()


def test_a_permit_may_be_used_for_less_than_its_lease_from_before_it_was_asked_for(make_floor: MakeFloor) -> None:
    hands = Hands()
    floor = make_floor(clock=hands.clock, BROKER__LEASE_S="20")
    floor.put(1)
    assert hands.s < floor.next().card.send_by_s <= hands.s + 20 * 0.95


def test_a_clock_of_the_server_that_stepped_forward_is_suspect(floor: Floor) -> None:
    floor.put(1)
    floor.end(floor.next())
    floor.put(1)
    floor.client.hset(floor.keys("meta"), "ahead", micros(3600))
    assert floor.nothing()
    assert floor.client.hget(floor.keys("meta"), "suspect") == b"clock"
    assert floor.nothing()
    assert floor.client.hlen(floor.keys("lease")) == 0
    floor.assert_whole()


@pytest.mark.parametrize("stepped", [True, False])
def test_a_process_that_has_never_asked_knows_the_clock_from_another_of_its_machine(
    make_floor: MakeFloor, stepped: bool
) -> None:
    """It may be the first to ask after the store's clock stepped, and nobody else is left to notice."""
    older = make_floor()
    older.put(1)
    older.end(older.next())
    older.broker.leave_word()
    older.broker.farewell()
    if stepped:
        older.client.hset(older.keys("meta"), "ahead", micros(3600))
    newer = make_floor()
    newer.put(1)
    if stepped:
        assert newer.nothing()
        assert newer.client.hget(newer.keys("meta"), "suspect") == b"clock"
        assert newer.nothing()
    else:
        newer.end(newer.next())
    newer.assert_whole()


def test_a_replaced_clock_is_refused_outside_the_test_environment(redis_url: str) -> None:
    for environment in ("development", "staging", "demo"):
        settings = settings_for(redis_url, ENVIRONMENT=environment)
        with connect(redis_url) as client, pytest.raises(Refused, match="only for tests"):
            PacelineBroker(settings, client, middleware=[], deliver=print, clock_us=lambda: 1)


def test_the_client_repeats_nothing_by_itself(redis_url: str) -> None:
    with connect(redis_url) as client:
        assert client.get_retry().get_retries() == 0
