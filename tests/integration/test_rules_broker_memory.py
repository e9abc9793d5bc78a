"""The store is another one than a moment ago, and has lost its last moments: what a process knows of them counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.faults.proxy import Proxy
from tests.integration.floor import CAR, DONE, STATUS, Floor, Hands
from worker.accept.enqueue import Wanted
from worker.accept.operation import operations
from worker.broker.card import JobMessage
from worker.broker.recalling import KEEPS_S
from worker.fail.fate import Fate
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.line import DESCRIBED_S, Line

MakeFloor = Callable[..., Floor]
REMOTE = "stellantis.b2b.send_remote"
BURIED = Fate("bury", DONE.settle, {"why": {"class": "access_refused", "code": "40300"}}, '{"event":"tried"}')
PARKED = Fate("park", DONE.settle, {"wait": 0, "attempt": 1}, '{"event":"tried"}')


def put(floor: Floor, operation: str = REMOTE) -> str:
    params, body = operations[operation].example
    return floor.broker.accept.enqueue(Wanted(operation, CAR, params, body)).job_id


def copy(client: redis.Redis) -> dict[bytes, Any]:
    return {key: client.dump(key) for key in client.scan_iter(count=1000)}


def bring_back(floor: Floor, copied: dict[bytes, Any]) -> None:
    """Another run of the server, which has only what it had when it was copied."""
    floor.client.flushdb()
    for key, value in copied.items():
        floor.client.restore(key, 0, value)
    floor.client.hset(floor.keys("meta"), "run", "the one before")
    assert floor.nothing()  # it is looked at, and hands nothing out for a while


def end_and_forget(floor: Floor, fate: Fate, operation: str = REMOTE) -> tuple[str, JobMessage]:
    """A job has ended, and the store comes back without its having been taken."""
    floor.nothing()
    job = put(floor, operation)
    copied = copy(floor.client)
    message = floor.next()
    floor.end(message, fate)
    bring_back(floor, copied)
    assert floor.read(job)["state"] == "waiting"
    return job, message


@pytest.mark.parametrize(("fate", "state"), [(DONE, "done"), (BURIED, "dead")], ids=["done", "dead"])
def test_the_end_of_an_unrepeatable_call_is_said_again_to_a_store_that_forgot_it(
    floor: Floor, fate: Fate, state: str
) -> None:
    floor.nothing()
    floor.broker.recall.remind()
    job, _ = end_and_forget(floor, fate)
    floor.broker.recall.remind()
    assert floor.read(job)["state"] == state
    assert floor.client.llen(floor.keys("evidence", job)) == 1
    floor.assert_whole()


def test_what_was_told_before_the_first_look_is_said_again_too(floor: Floor) -> None:
    job, _ = end_and_forget(floor, DONE)
    floor.broker.recall.remind()
    assert floor.read(job)["state"] == "done"
    floor.assert_whole()


def test_a_job_that_came_and_ended_within_what_was_lost_is_known_again(floor: Floor) -> None:
    floor.nothing()
    copied = copy(floor.client)
    job = put(floor)
    floor.end(floor.next())
    bring_back(floor, copied)
    assert floor.read(job) == {}
    floor.broker.recall.remind()
    assert floor.read(job)["state"] == "done"
    floor.assert_whole()


def test_a_store_that_has_forgotten_nothing_is_not_changed_by_what_is_said_again(floor: Floor) -> None:
    floor.nothing()
    job = put(floor)
    floor.end(floor.next())
    floor.broker.recall.remind()
    before = {key: value for key, value in copy(floor.client).items() if not key.endswith(b":meta")}
    floor.client.hset(floor.keys("meta"), "unsure", 1)
    floor.broker.recall.remind()
    assert {key: value for key, value in copy(floor.client).items() if not key.endswith(b":meta")} == before
    assert floor.read(job)["state"] == "done"
    floor.assert_whole()


@pytest.mark.parametrize(("fate", "operation"), [(PARKED, REMOTE), (DONE, STATUS)], ids=["parked", "repeatable"])
def test_what_may_go_out_again_is_left_to_the_store(floor: Floor, fate: Fate, operation: str) -> None:
    floor.broker.recall.remind()
    job, _ = end_and_forget(floor, fate, operation)
    floor.broker.recall.remind()
    assert floor.read(job)["state"] == "waiting"
    assert floor.client.llen(floor.keys("evidence", job)) == 0
    floor.assert_whole()


def test_what_a_store_has_had_for_long_is_not_said_again(make_floor: MakeFloor) -> None:
    hands = Hands()
    floor = make_floor(clock=hands.clock)
    floor.nothing()
    job = put(floor)
    copied = copy(floor.client)
    floor.end(floor.next())
    floor.broker.recall.remind()
    hands.s += KEEPS_S + 1
    floor.broker.recall.remind()
    bring_back(floor, copied)
    floor.broker.recall.remind()
    assert floor.read(job)["state"] == "waiting"
    floor.assert_whole()


def test_an_outage_does_not_make_a_process_forget(make_floor: MakeFloor) -> None:
    """However long the store was away: what counts is how long it had known before."""
    hands = Hands()
    floor = make_floor(clock=hands.clock)
    floor.broker.recall.remind()
    job, _ = end_and_forget(floor, DONE)
    hands.s += 10 * KEEPS_S
    floor.broker.recall.remind()
    assert floor.read(job)["state"] == "done"
    floor.assert_whole()


def test_a_connection_made_anew_is_never_taken_for_the_one_before(store_server: EmbeddedServer, tmp_path: Path) -> None:
    """Whoever takes one server for another believes that nothing was forgotten."""
    with EmbeddedServer.start(tmp_path) as other, Proxy(store_server.url) as proxy:
        runs = {}
        for server in (store_server, other):
            with connect(server.url) as asked:
                runs[server.url] = asked.info("server")["run_id"]
        client = connect(proxy.url)
        line = Line(client)
        for number in range(20):
            url = (store_server.url, other.url)[number % 2]
            proxy.leave()
            for _ in range(3):
                with pytest.raises(redis.ConnectionError):
                    line.open()
                    line.info("server")
            proxy.lead_to(url)
            proxy.come_back()
            line.open()
            assert line.server().run == runs[url]
        line.close()
        client.close()


def test_what_a_server_has_become_is_seen_within_a_minute_by_who_stays_connected(tmp_path: Path) -> None:
    """What it was for a while decides whether it is believed after its end."""
    hands = Hands()
    with EmbeddedServer.start(tmp_path, "always") as server, connect(server.url) as client:
        line = Line(client, monotonic=hands.clock.monotonic)
        line.open()
        assert line.server().durable
        client.config_set("appendfsync", "everysec")
        hands.s += DESCRIBED_S
        assert line.server().durable, "nothing is asked for each call"
        hands.s += 0.001
        assert not line.server().durable
        line.close()
