"""A process's turns: who says what in one call, what each is answered, and for which threads new jobs come with it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
import redis
from dramatiq.errors import ConnectionClosed
from redis._parsers import _HiredisParser, _RESP2Parser, _RESP3Parser

from tests.conservation import assert_conserved
from tests.faults.proxy import Proxy, Rule
from tests.integration.conftest import Heard
from tests.integration.desk import ANSWERED, BULK, CAR, NORMAL, READ, REFUND, URGENT, Desk, Slip, micros, slip_of
from tests.integration.floor import DONE, Floor, Hands
from worker.broker.card import JobMessage
from worker.broker.turn import TOGETHER
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.line import Line

MakeFloor = Callable[..., Floor]
NOBODY: Mapping[str, Any] = {"id": "0-nobody", "lease": "l", "group": "a|b", "settle": dict(REFUND)}


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.0005)


def at_once(floor: Floor, *says: Callable[[], Any], meanwhile: Callable[[], None] = lambda: None) -> list[Any]:
    """What each was told, an error as well. All of them wait in line, in this order, while somebody else speaks."""
    turn, busy, go_on = floor.broker.turn, threading.Event(), threading.Event()
    real = turn._scripts.put

    def keeps_the_line(name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Callable[[], Any]:
        turn._scripts.put = real  # type: ignore[method-assign]
        busy.set()
        assert go_on.wait(30)
        return real(name, facts, *blobs)

    turn._scripts.put = keeps_the_line  # type: ignore[method-assign]
    with ThreadPoolExecutor(len(says) + 1) as pool:
        first = pool.submit(turn.end, "finish", NOBODY, "", "")
        assert busy.wait(30)
        said = []
        for number, say in enumerate(says, 1):
            said.append(pool.submit(say))
            until(lambda number=number: len(turn._entries) == number)  # type: ignore[misc]
        meanwhile()
        go_on.set()
        assert first.result(30) == b"missing"
        return [future.exception(30) or future.result() for future in said]


def finish(floor: Floor, message: JobMessage, evidence: Any = "", **facts: Any) -> Callable[[], Any]:
    card = message.card
    whole = {"id": card.job_id, "lease": card.lease, "group": card.group, "settle": DONE.settle, **facts}
    return lambda: floor.broker.turn.end("finish", whole, evidence, "{}")


def leases(floor: Floor) -> int:
    return int(floor.client.hlen(floor.keys("lease")))


# -- who says what ----------------------------------------------------------------------------------------------------


def test_each_end_of_a_turn_is_answered_for_itself(floor: Floor, heard: Heard) -> None:
    floor.put(2)
    own, again = floor.next(), floor.next()
    floor.end(again)
    answers = at_once(floor, finish(floor, own), finish(floor, again), lambda: floor.broker.turn.end("bury", BURY, ""))
    assert answers == [b"own", b"already", b"missing"]
    assert [len(facts["ends"]) for name, facts in heard if name == "turn"] == [3]
    floor.assert_whole()


BURY = {**NOBODY, "why": {"class": "x", "code": ""}}


def test_an_end_that_cannot_be_carried_out_leaves_the_others_of_its_turn_alone(small: MakeFloor) -> None:
    floor = small(3)
    jobs = floor.put(3)
    messages = [floor.next() for _ in jobs]
    floor.client.set(floor.keys("evidence", messages[1].card.job_id), "no list")
    first, bad, last = at_once(floor, *(finish(floor, message, "{}") for message in messages))
    assert (first, type(bad), last) == (b"own", redis.ResponseError, b"own")
    assert leases(floor) == 0
    assert [floor.read(message.card.job_id)["state"] for message in messages] == ["done", "running", "done"]


@pytest.mark.parametrize("evidence", [{"no": "text"}, "\ud800"], ids=["no bytes", "no text"])
def test_an_end_that_cannot_even_be_said_leaves_the_others_of_its_turn_alone(small: MakeFloor, evidence: Any) -> None:
    floor = small(3)
    messages = [floor.next() for _ in floor.put(3)]
    first, bad, last = at_once(
        floor, finish(floor, messages[0]), finish(floor, messages[1], evidence), finish(floor, messages[2])
    )
    assert (first, isinstance(bad, Exception), last) == (b"own", True, b"own")
    floor.assert_whole()


def test_no_call_says_more_ends_than_the_store_should_stand_still_for(floor: Floor, heard: Heard) -> None:
    at_once(floor, *(lambda: floor.broker.turn.end("finish", NOBODY, "", "") for _ in range(TOGETHER + 3)))
    assert [len(facts["ends"]) for name, facts in heard if name == "turn"] == [32, 3]


def test_an_outage_is_told_to_all_and_asked_for_once(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [floor.next() for _ in floor.put(2)]
    floor.refuse(monkeypatch, "turn", redis.ConnectionError("away"))
    floor.refuse(monkeypatch, "finish", AssertionError("asked one by one"), times=0)
    first, other = at_once(floor, finish(floor, messages[0]), finish(floor, messages[1]))
    assert isinstance(first, redis.ConnectionError)
    assert first is other
    assert [floor.read(message.card.job_id)["state"] for message in messages] == ["running"] * 2


def threads_that_put(floor: Floor) -> list[tuple[str, int]]:
    """What is put from now on, and by which thread."""
    found, put = [], floor.broker.turn._scripts.put

    def note(name: str, facts: Mapping[str, Any], *blobs: bytes | str) -> Callable[[], Any]:
        found.append((name, threading.get_ident()))
        return put(name, facts, *blobs)

    floor.broker.turn._scripts.put = note  # type: ignore[method-assign]
    return found


def test_while_the_answers_of_a_call_are_given_the_store_decides_the_next(small: MakeFloor) -> None:
    floor = small(4)
    messages = [floor.next() for _ in floor.put(4)]
    put = threads_that_put(floor)
    at_once(floor, *(finish(floor, message) for message in messages))
    assert [name for name, _ in put] == ["finish", "turn"]
    assert len({thread for _, thread in put}) == 1, "who leads puts the next before anybody hears of this one"
    floor.assert_whole()


def test_one_alone_in_line_is_not_put_before_others_may_have_joined_it(small: MakeFloor) -> None:
    floor = small(2)
    floor.put(1)
    message = floor.next()
    put = threads_that_put(floor)
    at_once(floor, finish(floor, message))
    assert len({thread for _, thread in put}) == 2
    floor.assert_whole()


def test_what_keeps_the_next_call_from_being_made_is_nothing_to_those_of_the_last(
    small: MakeFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = small(3)
    messages = [floor.next() for _ in floor.put(3)]
    away = redis.ConnectionError("away")

    def fail() -> None:
        raise away

    go_away = partial(monkeypatch.setattr, floor.broker.turn._line, "open", fail)
    answers = at_once(floor, *(finish(floor, message) for message in messages), meanwhile=go_away)
    assert answers == [away] * 3, "and the first was answered, as `at_once` has seen"
    monkeypatch.undo()
    for message in messages:
        floor.broker.ending.end(message.card, DONE)
    floor.assert_whole()


def test_a_server_that_forgot_the_scripts_meanwhile_is_sent_them_in_the_call_that_runs_them(floor: Floor) -> None:
    floor.put(1)
    message = floor.next()
    floor.client.script_flush()
    floor.end(message)
    assert floor.read(message.card.job_id)["state"] == "done"
    floor.assert_whole()


# -- for which threads jobs come --------------------------------------------------------------------------------------


def test_the_call_that_ends_jobs_brings_the_next_for_their_threads(small: MakeFloor, heard: Heard) -> None:
    floor = small(2)
    jobs = floor.put(5)
    messages = [floor.next(), floor.next()]
    heard.clear()
    at_once(floor, *(finish(floor, message) for message in messages))
    assert [name for name, _ in heard] == ["finish", "turn"]
    assert sorted(card.job_id for card in floor.broker.threads.held()) == sorted(jobs[2:4])
    floor.assert_whole()


def test_an_end_that_is_said_again_frees_no_thread(small: MakeFloor, heard: Heard) -> None:
    floor = small(1)
    floor.put(9)
    old = floor.next()
    floor.end(old)
    floor.broker.next_job(0)
    heard.clear()
    for _ in range(3):
        floor.broker.ending.end(old.card, DONE)
    assert [name for name, _ in heard] == ["finish"] * 3
    assert leases(floor) == 1
    floor.assert_whole()


def test_ends_said_again_beside_others_bring_no_jobs(small: MakeFloor) -> None:
    floor = small(1)
    floor.put(9)
    old = floor.next()
    floor.end(old)
    new = floor.broker.next_job(0)
    assert new is not None
    answers = at_once(floor, finish(floor, old), finish(floor, new), finish(floor, old))
    assert answers == [b"already", b"own", b"already"]
    assert (leases(floor), len(floor.broker.threads.held())) == (1, 1)
    floor.assert_whole()


@pytest.mark.parametrize("broken", ["refused", "forgotten"])
def test_a_thread_whose_end_was_not_made_gets_no_job(small: MakeFloor, broken: str) -> None:
    floor = small(2)
    floor.put(9)
    messages = [floor.next(), floor.next()]
    bad = messages[0].card.job_id
    if broken == "refused":
        floor.client.set(floor.keys("evidence", bad), "no list")
    else:
        floor.client.delete(floor.keys("job", bad))
    answers = at_once(floor, *(finish(floor, message, "{}") for message in messages))
    assert answers[1] == b"own"
    lease = messages[0].card.lease
    assert len([card for card in floor.broker.threads.held() if card.lease != lease]) == 1
    claims = {claim.decode() for claim in floor.client.hkeys(floor.keys("lease"))}
    assert len(claims - {lease}) == 1


def test_a_turn_wants_no_more_than_settings_allow(small: MakeFloor) -> None:
    floor = small(2, BROKER__MAX_WANT="1")
    floor.put(9)
    messages = [floor.next(), floor.next()]
    at_once(floor, *(finish(floor, message) for message in messages))
    assert leases(floor) == 1
    floor.assert_whole()


def test_an_urgent_successor_is_urgent_demand_at_once(desk: Desk) -> None:
    desk.put(3)
    slip = desk.take(1).one
    born = desk.job(f"{slip.id}.p2", prio=URGENT, chain=slip.id, page=2)
    end = {
        "decision": "finish", "blobs": 3, "in_hand": True, "id": slip.id, "lease": slip.lease, "group": slip.group,
        "settle": {"mode": "answered", "age": 0}, "successors": [born],
    }  # fmt: skip
    take = {
        "worker": "w1", "nonce": "n", "want": 1, "most": 9, "keep": 1, "run": "run-1", "durable": False,
        "mode": "fresh", "lease_us": micros(15), "transit_us": micros(5),
    }  # fmt: skip
    _, taken = desk.scripts("turn", {"ends": [end], "take": take}, "", "{}", "message")
    assert [slip_of(card).id for card in taken[4]] == [born["id"]], "the last thread is kept"
    desk.assert_whole()


def test_the_last_call_of_a_lane_in_trouble_ends_it_in_a_turn_too(desk: Desk) -> None:
    desk.put(1)
    slip = desk.take(1).one
    desk.client.hset(desk.keys("trouble"), f"{CAR}|{READ}", "10 1 0 0")
    end = {"decision": "finish", "blobs": 2, "id": slip.id, "lease": slip.lease, "group": slip.group}
    desk.scripts("turn", {"ends": [{**end, "settle": {"mode": "answered", "age": 0}}]}, "", "{}")
    assert desk.hash("trouble") == {}
    desk.assert_whole()


def in_one_turn(desk: Desk, first: Slip, failed: Sequence[Slip], **facts: Any) -> list[Slip]:
    """`first` is done, the others are put back with these facts; who comes for their threads in the same call."""
    same = {"settle": dict(ANSWERED), "in_hand": True}
    ends = [{"decision": "finish", "blobs": 2, "id": first.id, "lease": first.lease, "group": first.group, **same}]
    ends += [
        {"decision": "park", "blobs": 1, "id": slip.id, "lease": slip.lease, "group": slip.group, **same, **facts}
        for slip in failed
    ]
    take = {
        "worker": "w1", "nonce": "n", "want": 0, "most": 64, "keep": 0, "run": "run-1", "durable": False,
        "mode": "fresh", "lease_us": micros(15), "transit_us": micros(5),
    }  # fmt: skip
    answers, taken = desk.scripts("turn", {"ends": ends, "take": take}, "", "{}", *("" for _ in failed))
    assert set(answers) == {b"own"}
    return [slip_of(card) for card in taken[4]]


def test_a_budget_that_closes_in_a_turn_is_closed_for_its_take(desk: Desk) -> None:
    desk.put(6, budget="other")
    first, refused = desk.take(2).slips
    close = {"after": micros(20), "jitter": 0, "base": 1, "cap": 1}
    assert in_one_turn(desk, first, [refused], close=close, refused=True) == []
    desk.now_us += micros(21)
    assert len(desk.take(2).slips) == 2
    desk.assert_whole()


def test_failures_of_one_turn_are_counted_one_by_one_and_heard_by_its_take(desk: Desk) -> None:
    desk.hire(digest="d2", numbers={"lane_cap": 64})
    desk.put(40)
    first, *failed = desk.take(11).slips
    trouble = {"base": micros(5), "jitter": 1.0, "facts": "{}"}
    assert in_one_turn(desk, first, failed, trouble=trouble, wait=micros(60), **{"class": "server_trouble"}) == []
    assert desk.hash("trouble")[f"{CAR}|{READ}"].startswith("10 1 ")
    desk.assert_whole()


def test_a_cap_holds_over_all_priorities_of_one_take(desk: Desk) -> None:
    desk.hire(digest="d2", numbers={"lane_cap": 3})
    for prio in (URGENT, NORMAL, BULK):
        desk.put(2, prio=prio)
    assert [slip.facts["priority"] for slip in desk.take(8).slips] == [0, 0, 1]
    desk.assert_whole()


# -- replies that are lost, and looks ---------------------------------------------------------------------------------


def test_a_turn_whose_reply_was_lost_brings_the_same_jobs_again(
    small: MakeFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = small(1)
    jobs = floor.put(4)
    message = floor.next()
    floor.refuse(monkeypatch, "turn", redis.TimeoutError("no reply"), ran=True)
    floor.end(message)
    assert [card.job_id for card in floor.broker.threads.held()] == [jobs[1]]
    assert leases(floor) == 1
    floor.assert_whole()


def test_what_a_broken_take_has_claimed_is_not_claimed_again_under_the_same_name(
    floor: Floor, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.put(1)
    floor.refuse(monkeypatch, "take", redis.ConnectionError("no reply"))
    floor.refuse(monkeypatch, "take", redis.ResponseError("ERR user_script:7: attempt to compare nil"))
    asked = []
    for _ in range(3):
        floor.nothing()
        asked.append(floor.broker._taker._nonce)
    assert asked[0] is None
    assert asked[1] is not None
    assert asked[2] is None


def test_a_take_that_stumbles_over_a_record_has_given_nobody_away(desk: Desk) -> None:
    first, second = desk.put(2, prio=BULK)
    message, aside = desk.keys("message", second), desk.keys("message", "aside")
    desk.client.rename(message, aside)
    desk.client.rpush(message, "no message")
    with pytest.raises(redis.ResponseError):
        desk.take(2)
    assert desk.states([first, second]) == ["waiting", "waiting"]
    desk.client.rename(aside, message)
    assert desk.take(2).ids == [first, second]


def test_a_look_in_line_takes_nothing_once_the_process_drains(floor: Floor, heard: Heard) -> None:
    floor.put(1)
    assert at_once(floor, floor.broker.turn.look, meanwhile=floor.broker.threads.drain) == [None]
    assert [name for name, _ in heard if name in ("take", "turn")] == []


def test_the_last_ends_of_a_process_that_drains_bring_nothing(small: MakeFloor) -> None:
    floor = small(1)
    floor.put(2)
    message = floor.next()
    floor.broker.threads.drain()
    floor.end(message)
    assert leases(floor) == 0
    floor.assert_whole()


def test_a_turn_that_failed_is_followed_by_a_look(make_floor: MakeFloor, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()
    floor = make_floor(threads=1, clock=hands.clock)
    floor.put(2)
    message = floor.next()
    floor.refuse(monkeypatch, "turn", redis.ConnectionError("away"), times=1000)
    with pytest.raises(ConnectionClosed):
        floor.end(message)
    floor.broker.threads.total = 2
    hands.s += 1
    assert floor.broker.threads.wait_to_look(0)


def test_a_look_that_raises_is_not_the_last(make_floor: MakeFloor, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()
    floor = make_floor(clock=hands.clock)
    job = floor.put(1)[0]
    floor.client.hdel(floor.keys("conf"), "digest")

    def fails() -> int:
        raise ValueError("no such settings")

    with monkeypatch.context() as patched:
        patched.setattr(floor.broker, "hello", fails)
        with pytest.raises(ValueError, match="no such settings"):
            floor.nothing()
    hands.s += 1
    assert floor.broker.next_job(0) is None  # it says hello
    message = floor.broker.next_job(0)
    assert message is not None
    assert message.card.job_id == job


def test_a_look_is_made_although_cards_have_come_meanwhile(
    floor: Floor, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What woke it may be newer than what brought the cards."""
    floor.put(1)
    card = floor.next().card
    threads, wait = floor.broker.threads, floor.broker.threads.wait_to_look

    def overtaken(timeout_s: float) -> bool:
        looks = wait(timeout_s)
        threads.deal([replace(card, lease="another")], False)
        return looks

    monkeypatch.setattr(threads, "wait_to_look", overtaken)
    threads.wake()
    heard.clear()
    assert floor.broker.next_job(0) is not None
    assert [name for name, _ in heard] == ["take"]


def test_between_a_job_and_the_next_of_its_thread_nobody_sees_an_idle_process(
    small: MakeFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the last job to end would stop the consumer, and the job that has just come would lie there."""
    floor = small(1)
    floor.put(2)
    message = floor.next()
    threads, seen = floor.broker.threads, []
    notify = threads._condition.notify_all
    monkeypatch.setattr(threads._condition, "notify_all", lambda: (seen.append(len(threads._held)), notify()))
    floor.end(message)
    assert set(seen) == {1}


# -- the line ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("parser", [_HiredisParser, _RESP2Parser, _RESP3Parser])
def test_an_error_inside_a_reply_is_an_answer_whoever_reads_it(redis_url: str, protocol: int, parser: type) -> None:
    if (protocol, parser) == (2, _RESP3Parser):
        pytest.skip("it reads the other protocol")
    with connect(f"{redis_url}?protocol={protocol}") as client:
        client.connection_pool.connection_kwargs["parser_class"] = parser
        line = Line(client)
        line.open()
        try:
            assert line.server().run == client.info("server")["run_id"]
            first, error, last = line.eval("return {'own', {err='WRONGTYPE no'}, 'own'}", 0)
            assert (first, type(error), last) == (b"own", redis.ResponseError, b"own")
            assert line.eval("return {{'own'}, false}", 0) == [[b"own"], None]
        finally:
            line.close()


def test_a_line_that_broke_connects_to_nobody_until_it_is_opened(redis_url: str) -> None:
    with Proxy(redis_url) as proxy, connect(proxy.url) as client:
        line = Line(client)
        line.open()
        assert line.server().run
        proxy.cut()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                line.eval("return 1", 0)
        line.open()
        assert line.eval("return 1", 0) == 1
        line.close()


def test_a_primary_that_has_become_a_replica_is_left(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path) as server, connect(server.url) as client:
        line = Line(client)
        line.open()
        before = line._connection
        client.replicaof("127.0.0.1", "9")
        with pytest.raises(redis.exceptions.ReadOnlyError):
            line.eval("return redis.call('SET', KEYS[1], '1')", 1, "a")
        line.open()
        assert line._connection is not before
        line.close()


# -- all of it --------------------------------------------------------------------------------------------------------


def stampede(floor: Floor, jobs: list[str], disturb: Callable[[int], bool] = lambda ended: True) -> None:
    """All threads end jobs while a consumer fetches. `disturb` is told again and again how many have ended, and says
    whether it is through; it may add jobs.
    """
    threads, ended = floor.broker.threads.total, list[str]()
    work, over = SimpleQueue[Any](), threading.Event()

    def consume() -> None:
        while not over.is_set():
            if (message := floor.broker.next_job(0.05)) is not None:
                work.put(message)

    def run() -> None:
        while not over.is_set():
            try:
                message = work.get(timeout=0.05)
            except Empty:
                continue
            floor.end(message)
            ended.append(message.card.job_id)

    def all_ended() -> bool:
        through = disturb(len(ended))
        return (through and len(ended) >= len(jobs)) or any(future.done() for future in running)

    with ThreadPoolExecutor(threads + 1) as pool:
        running = [pool.submit(consume), *(pool.submit(run) for _ in range(threads))]
        try:
            until(all_ended)
        finally:
            over.set()
        for future in running:
            future.result(30)
    assert sorted(ended) == sorted(jobs)
    assert floor.broker.threads.free == threads


def test_a_stampede_of_threads_ends_each_job_once_and_loses_none(
    make_floor: MakeFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies are lost meanwhile, and the bell wakes at every moment."""
    floor = make_floor(threads=24, BROKER__LANE_CAP="1000")
    floor.refuse(monkeypatch, "turn", redis.TimeoutError("no reply"), times=5, ran=True)
    floor.refuse(monkeypatch, "take", redis.TimeoutError("no reply"), times=2, ran=True)
    stampede(floor, floor.put(600))
    assert floor.client.hget(floor.keys("counts"), "done") == b"600"
    floor.assert_whole()


def test_a_line_that_breaks_again_and_again_under_a_stampede_stops_nobody_and_loses_nothing(
    redis_url: str, store: redis.Redis, lua_folder: Path
) -> None:
    """Before a call has come to the store, or before its answer has come back: now and then, while all goes on."""
    breaks, each = 12, 50
    jobs: list[str] = []
    rules: list[Rule] = []

    def break_now_and_then(ended: int) -> bool:
        if all(rule.struck for rule in rules):
            if len(rules) == breaks:
                return True
            if ended >= each * len(rules):
                rules.append((proxy.lose_request, proxy.lose_reply)[len(rules) % 2]("finish"))
        if len(jobs) - ended < each:
            jobs.extend(floor.put(each))
        return False

    with Proxy(redis_url) as proxy:
        floor = Floor(proxy.url, 16, folder=lua_folder, BROKER__LANE_CAP="1000")
        stampede(floor, jobs, break_now_and_then)
        floor.close()
    assert [rule.struck for rule in rules] == [1] * breaks
    assert store.hget(floor.keys("counts"), "done") == b"%d" % len(jobs)
    assert_conserved(store, floor.keys)
