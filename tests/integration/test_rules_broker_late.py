"""What comes late, or to a process that leaves: questions, replies, bells, and ends that could not be said."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from tests.integration.conftest import Heard
from tests.integration.desk import Desk
from tests.integration.floor import DONE, STATUS, Floor
from tests.integration.test_rules_broker_memory import bring_back, copy, end_and_forget, put
from tests.integration.test_rules_broker_turn import at_once, finish, leases, until
from worker.broker.card import JobMessage
from worker.broker.errands import aside
from worker.broker.turn import TOGETHER_BYTES

MakeFloor = Callable[..., Floor]
RESET = redis.ConnectionError("reset by peer")


# -- an end that is said again ----------------------------------------------------------------------------------------


def test_an_end_that_could_not_be_said_again_is_said_at_the_next_beat(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that has just come back is often away once more; what it forgot must not go out a second time."""
    floor.nothing()
    floor.broker.recall.remind()
    job, _ = end_and_forget(floor, DONE)
    floor.refuse(monkeypatch, "finish", RESET)
    with pytest.raises(redis.ConnectionError):
        floor.broker.recall.remind()
    assert floor.read(job)["state"] == "waiting"
    floor.broker.recall.remind()
    assert floor.read(job)["state"] == "done"
    floor.assert_whole()


def test_an_end_that_can_never_be_said_again_keeps_back_no_other(floor: Floor) -> None:
    floor.nothing()
    floor.broker.recall.remind()
    jobs = [put(floor) for _ in range(2)]
    copied = copy(floor.client)
    for _ in jobs:
        floor.end(floor.next())
    bring_back(floor, copied)
    floor.client.set(floor.keys("evidence", jobs[0]), "no list")
    floor.broker.recall.remind()
    floor.broker.recall.remind()
    assert floor.read(jobs[1])["state"] == "done"


def test_an_errand_that_takes_long_is_run_beside_the_beat_and_once_at_a_time() -> None:
    began: list[threading.Thread] = []
    go_on = threading.Event()

    def long_errand() -> None:
        began.append(threading.current_thread())
        if began[-1] is not threading.main_thread():
            go_on.wait(30)

    beat = aside(long_errand)
    beat()
    until(lambda: len(began) == 1)
    assert began[0] is not threading.main_thread()
    for _ in range(3):
        beat()  # it is under way
    go_on.set()
    began[0].join(30)
    assert len(began) == 1
    beat()
    until(lambda: len(began) == 2)


# -- a question that arrives late -------------------------------------------------------------------------------------


def test_a_question_that_was_held_up_until_a_later_one_was_answered_deals_nothing(desk: Desk) -> None:
    """Its claims would have the names of those that were made when it was asked again, and take their place."""
    desk.put(3)
    first = desk.take(1, nonce="x", number=1).one
    second = desk.take(1, nonce="y", number=2).one
    late = desk.take(1, nonce="x", number=1)
    assert (late.verdict, late.slips) == ("ok", [])
    desk.assert_whole()
    desk.finish(first)
    desk.finish(second)
    desk.finish(desk.take(1, nonce="z", number=3).one)
    assert desk.take(1).slips == []
    desk.assert_whole()


def test_questions_are_numbered_and_one_that_is_asked_again_keeps_its_number(
    small: MakeFloor, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = small(8)
    floor.nothing()
    floor.refuse(monkeypatch, "take", RESET, ran=True)
    for _ in range(3):
        floor.nothing()
    asked = [(facts["nonce"], facts["number"]) for name, facts in heard if name == "take"]
    assert asked[1] == asked[2]
    assert [number for _, number in asked] == [1, 2, 2, 3]
    assert len(set(asked)) == 3


# -- a reply that comes to a process that leaves ----------------------------------------------------------------------


def left_behind(floor: Floor) -> None:
    """Nothing of it: every job waits as if it had never been taken."""
    assert leases(floor) == 0
    records = [floor.read(job.decode().rpartition("job:")[2]) for job in floor.client.scan_iter(floor.keys("job", "*"))]
    assert {(record["state"], record.get("crashes", "0"), record.get("runs", "0")) for record in records} == {
        ("waiting", "0", "0")
    }
    floor.assert_whole()


def test_what_was_dealt_while_a_process_left_goes_back_to_its_place_and_counts_nothing(small: MakeFloor) -> None:
    floor = small(8)
    floor.put(5)
    message = floor.next()  # four are with the broker, which dramatiq knows nothing of
    floor.put(2)
    floor.broker.turn.look()  # and two have come with a look since
    floor.broker.threads.drain()
    floor.consumer().requeue([message])
    assert leases(floor) == 6
    floor.broker.hand_back()
    left_behind(floor)


def test_what_a_lost_reply_dealt_to_a_process_that_leaves_goes_back_too(
    small: MakeFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = small(8)
    floor.put(5)
    floor.refuse(monkeypatch, "take", RESET, ran=True)
    assert floor.nothing()
    floor.broker.threads.drain()
    assert leases(floor) == 5
    floor.broker.hand_back()
    left_behind(floor)


def test_a_process_that_leaves_takes_nothing_by_asking_what_it_was_dealt(
    small: MakeFloor, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    floor = small(8)
    floor.put(5)
    floor.refuse(monkeypatch, "take", RESET)
    assert floor.nothing()
    floor.broker.threads.drain()
    heard.clear()
    floor.broker.hand_back()
    assert [(name, facts["want"]) for name, facts in heard] == [("take", 0)]
    left_behind(floor)


def test_a_process_whose_store_is_away_leaves_without_handing_back(
    small: MakeFloor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    floor = small(8)
    floor.put(3)
    floor.next()
    floor.refuse(monkeypatch, "park", RESET, times=9)
    floor.broker.hand_back()
    assert "leases lapse" in caplog.text
    assert leases(floor) == 3


# -- a bell that is heard too late ------------------------------------------------------------------------------------


def bell(floor: Floor) -> str:
    return floor.keys("bell", "any")


def test_a_bell_heard_for_a_thread_that_has_a_job_by_now_rings_for_others(small: MakeFloor) -> None:
    floor = small(1)
    floor.put(1)
    floor.client.delete(bell(floor))

    def heard_meanwhile(*_: Any) -> Any:
        floor.broker.threads.wake(bell(floor))  # the look that deals the last thread is under way
        return told(*_)

    told, floor.broker.turn._hear = floor.broker.turn._hear, heard_meanwhile  # type: ignore[method-assign]
    floor.broker.turn.look()
    assert floor.broker.threads.free == 0
    assert floor.client.llen(bell(floor)) == 1
    floor.broker.turn.pass_on()
    assert floor.client.llen(bell(floor)) == 1, "once"


def test_a_bell_heard_by_a_process_that_leaves_rings_for_others(small: MakeFloor) -> None:
    floor = small(1)
    floor.broker.threads.wake(bell(floor))
    floor.broker.threads.drain()
    floor.broker.turn.pass_on()
    assert floor.client.llen(bell(floor)) == 1


@pytest.mark.parametrize("looks", ["the consumer", "an end"])
def test_a_bell_that_was_answered_by_a_look_rings_for_nobody_else(small: MakeFloor, looks: str) -> None:
    floor = small(1)
    floor.put(3)
    message = floor.next() if looks == "an end" else None
    floor.client.delete(bell(floor))
    floor.broker.threads.wake(bell(floor))
    if message:
        floor.end(message)
    else:
        floor.broker.next_job(0)
    assert floor.broker.threads.free == 0
    assert floor.client.llen(bell(floor)) == 0


def test_nobody_waits_until_the_bell_thread_has_been_told(small: MakeFloor) -> None:
    """It is told over another connection, whose trouble is nothing to those that the store has answered."""
    floor = small(2)
    floor.put(2)
    messages = [floor.next(), floor.next()]
    told, before = threading.Event(), []
    floor.broker.threads._bells = ["urgent"]  # as where it listens for urgent work alone

    def slow() -> None:
        before.append(told.wait(10))

    floor.broker.ending.nudge_bell = slow  # type: ignore[method-assign]
    ends = [finish(floor, message) for message in messages]

    def second() -> Any:
        try:
            return ends[1]()
        finally:
            told.set()

    assert at_once(floor, ends[0], second) == [b"own", b"own"]
    assert before == [True], "the other had been answered by then"


# -- what one says is nothing to the others ---------------------------------------------------------------------------


def test_ends_that_say_much_are_said_in_calls_of_their_own(small: MakeFloor, heard: Heard) -> None:
    floor = small(8)
    floor.put(6)
    messages = [floor.next() for _ in range(6)]
    heard.clear()
    much, little = f'"{"x" * (TOGETHER_BYTES // 2)}"', '"y"'
    at_once(floor, *(finish(floor, one, text) for one, text in zip(messages, [much] * 3 + [little] * 3, strict=True)))
    said = [[end["id"] for end in facts.get("ends", [facts])] for name, facts in heard if name in ("finish", "turn")]
    ids = [message.card.job_id for message in messages]
    assert said == [["0-nobody"], ids[:1], ids[1:2], ids[2:]]
    floor.assert_whole()


@pytest.mark.parametrize("field", ["attempts", "created"])
def test_a_record_whose_numbers_are_none_is_buried_and_holds_up_nobody(small: MakeFloor, field: str) -> None:
    floor = small(8)
    jobs = floor.put(3)
    floor.client.hset(floor.keys("job", jobs[1]), field, "1e0")
    dealt: list[JobMessage] = [floor.next(), floor.next()]
    assert [message.card.job_id for message in dealt] == [jobs[0], jobs[2]]
    assert floor.nothing()
    for message in dealt:
        floor.end(message)
    assert [floor.read(job)["state"] for job in jobs] == ["done", "dead", "done"]
    assert "cannot be read" in (floor.client.lindex(floor.keys("evidence", jobs[1]), -1) or b"").decode()
    assert floor.read(jobs[1])["op"] == STATUS


def test_a_process_that_wants_one_job_at_a_time_finds_ordinary_work_beside_a_thread_kept_for_urgent(
    small: MakeFloor, heard: Heard
) -> None:
    floor = small(8, BROKER__MAX_WANT="1")
    floor.put(1, priority="urgent")
    floor.end(floor.next())
    floor.put(20)
    heard.clear()
    taken = [floor.next() for _ in range(7)]
    assert floor.nothing(), "the eighth thread is kept"
    assert len(heard) < 12
    for message in taken:
        floor.end(message)
    floor.assert_whole()
