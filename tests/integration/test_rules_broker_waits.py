"""Waiting in a process: what is worth waiting for, until when, and what ends it."""

import threading

import pytest
import redis

from tests.integration.floor import Hands
from worker.broker.threads import Threads
from worker.store.connection import is_outage


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (redis.ConnectionError(), True),
        (redis.TimeoutError(), True),
        (redis.exceptions.BusyLoadingError(), True),
        (redis.exceptions.ReadOnlyError(), True),
        (redis.exceptions.ClusterDownError("x"), True),
        (redis.exceptions.TryAgainError(), True),
        (redis.exceptions.OutOfMemoryError(), True),
        (redis.ResponseError("MISCONF Redis is configured to save RDB snapshots"), True),
        (redis.ResponseError("BUSY Redis is busy running a script"), True),
        (redis.ResponseError("ERR user_script:1: no such thing"), False),
        (redis.ResponseError("WRONGTYPE Operation against a key"), False),
        (redis.exceptions.NoPermissionError(), False),
        (redis.AuthenticationError(), False),
        (TypeError(), False),
    ],
    ids=lambda value: f"{type(value).__name__} {value}" if isinstance(value, Exception) else str(value),
)
def test_only_what_time_can_mend_is_waited_for(error: Exception, outage: bool) -> None:
    assert is_outage(error) is outage


def test_waiting_ends_at_the_moment_that_take_has_named() -> None:
    hands = Hands()
    threads = Threads(lambda: hands.s)
    threads.total = 1
    assert threads.wait_to_look(0)  # the first look is at once
    threads.look_again_at(hands.s + 5)
    assert not threads.wait_to_look(0)
    hands.s += 5
    assert threads.wait_to_look(0)


def test_a_bell_heard_meanwhile_is_not_overwritten_by_a_later_look() -> None:
    threads = Threads(lambda: 0.0)
    threads.total = 1
    threads.wait_to_look(0)
    threads.wake()
    threads.look_again_at(60)
    assert threads.wait_to_look(0)


def test_waiting_is_ended_by_a_bell_at_once() -> None:
    threads = Threads()
    threads.total = 1
    threads.wait_to_look(0)
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(threads.wait_to_look(10)))
    waiting.start()
    threads.wake()
    waiting.join(30)
    assert heard == [True]
