"""The console's streams: who gets one, what it says, what it costs the store, and how it ends."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tests.faults.stage import until
from tests.integration.console_seat import Page, Seat
from tests.integration.console_stream import streaming
from worker.accept.intake.callers import KeyRing
from worker.console import live, sharing
from worker.console.live import MOST_EACH
from worker.console.visitor import COOKIE, cookie_for
from worker.store.embedded import EmbeddedServer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY_S", 0.1)


@pytest.fixture
def seat(store_server: EmbeddedServer, tmp_path: Path) -> Iterator[Seat]:
    with Seat(store_server.url, tmp_path) as made:
        yield made


def test_a_stream_says_that_something_has_changed_and_what_lies_dead(seat: Seat) -> None:
    with streaming(seat) as stream:
        assert stream.answer.status == 200
        assert stream.answer.getheader("content-type", "").startswith("text/event-stream")
        assert stream.answer.getheader("cache-control") == "no-store"
        first = json.loads(stream.until("marks"))
        assert first["counts"]["/dead-letters"] == 0
        seat.not_found()
        while (seen := json.loads(stream.until("marks")))["counts"]["/dead-letters"] == 0:
            pass
        assert seen["marks"]["letters"] != first["marks"]["letters"]


def test_many_streams_cost_the_store_what_one_costs(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    glance = live.glance
    monkeypatch.setattr(live, "glance", lambda partition: asked.append(1) or glance(partition))
    with ExitStack() as stack:
        streams = [stack.enter_context(streaming(seat)) for _ in range(MOST_EACH)]
        for stream in streams:
            stream.until("marks")
        before, began = len(asked), time.monotonic()
        until(lambda: len(asked) >= before + 3)
        assert len(asked) - before <= (time.monotonic() - began) / live.EVERY_S + 2
        with streaming(seat) as one_more:
            assert one_more.answer.status == 503 and one_more.answer.getheader("retry-after")
    until(lambda: seat.console.live.streams == 0 and not seat.console.live.polling)
    rest = len(asked)
    time.sleep(1.5 * live.EVERY_S)
    assert len(asked) == rest, "nobody looks, so nobody asks"


def test_who_looks_after_nobody_did_is_told_how_it_is_now(seat: Seat) -> None:
    with streaming(seat) as stream:
        assert json.loads(stream.until("marks"))["counts"]["/dead-letters"] == 0
    until(lambda: not seat.console.live.polling)
    seat.not_found()
    with streaming(seat) as stream:
        assert json.loads(stream.until("marks"))["counts"]["/dead-letters"] == 1


def test_looks_at_one_page_are_made_once_and_name_nobody(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sharing.FRESH_S < 1, "a look is given away for less than a second"
    monkeypatch.setattr(sharing, "FRESH_S", 60.0)
    seat.waiting()
    made = seat.console.shared.looks
    looks = [seat.get("/lanes", hx_request="true") for _ in range(5)]
    assert seat.console.shared.looks - made == 1
    assert {look.status for look in looks} == {200}
    assert all(look.text.strip().startswith('<div id="live"') for look in looks), "only the part that changes"
    assert "<nav" not in looks[0].text and "console@" not in looks[0].text.replace("by console@", "")
    assert seat.get("/lanes").text.strip().startswith("<!doctype html>")


def test_a_stream_ends_when_its_visitor_signs_out_or_is_nobody_any_more(seat: Seat) -> None:
    ring = KeyRing(seat.partition)
    _, key = ring.create("ann", ("operate",), None, "test")
    _, other = ring.create("bob", ("view",), None, "test")
    seat.parts.callers.refresh()
    anns, bobs = cookie_for(key), cookie_for(other)
    try:
        with streaming(seat) as nobody:
            assert nobody.answer.status == 204, "a browser does not ask again"
        with streaming(seat, anns) as first, streaming(seat, anns) as second, streaming(seat, bobs) as third:
            for stream in (first, second, third):
                stream.until("marks")
            seat.post("/sign-out", cookie=f"{COOKIE}={anns}")
            first.until("closed")
            second.until("closed")
            assert first.event() == ("", "")
            assert seat.get("/lanes", cookie=f"{COOKIE}={anns}").status == 303, "a browser may not have heard yet"
            assert seat.get("/lanes", cookie=f"{COOKIE}={cookie_for(key)}").status == 200, "another visit goes on"
            ring.revoke("bob", "test", "left")
            third.until("closed")
        again = cookie_for(key).replace(".", "0.", 1)
        with streaming(seat, again) as forged:
            assert forged.answer.status == 204
    finally:
        ring.revoke("ann", "test", "over")


def test_the_web_process_leaves_with_streams_open(store_server: EmbeddedServer, tmp_path: Path) -> None:
    with Seat(store_server.url, tmp_path) as seat, streaming(seat) as stream:
        stream.until("marks")
        seat.parts.watching.leave()
        began = time.monotonic()
        while stream.event() != ("", ""):
            pass
        assert time.monotonic() - began < 30
        with streaming(seat) as late:
            assert late.answer.status == 503


def test_streams_outlive_a_store_that_is_away(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    glance = live.glance
    with streaming(seat) as stream:
        stream.until("marks")

        asked = threading.Event()

        def away(_: object) -> None:
            asked.set()
            raise redis.exceptions.ConnectionError("away")

        monkeypatch.setattr(live, "glance", away)
        assert asked.wait(30)
        monkeypatch.setattr(live, "glance", glance)
        seat.not_found()
        assert json.loads(stream.until("marks"))["marks"]


def test_pages_name_the_marks_that_streams_compare_with(seat: Seat) -> None:
    with streaming(seat) as stream:
        told = json.loads(stream.until("marks"))["marks"]
        part = next(given for _, given in Page(seat.get("/dead-letters").text).elements if given.get("id") == "live")
        shown = dict(one.split("=") for one in str(part["data-marks"]).split())
        assert shown["letters"] == told["letters"] and shown["alerts"] == told["alerts"]
        assert part["data-live"] == "offer", "letters never change by themselves"
