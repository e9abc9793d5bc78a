"""Signing out of the console: it holds in every web process, for a copied cookie too, and no longer than it must."""

import hashlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from settings import load
from tests.faults.proxy import Proxy
from tests.faults.stage import until
from tests.integration.console_seat import Answer, WebSeat
from tests.integration.console_stream import streaming
from tests.integration.intake import ACCOUNTS
from worker.accept.enqueue import Enqueuer
from worker.accept.intake import callers as callers_module
from worker.accept.intake import ended_visits
from worker.accept.intake.ended_visits import CLOCKS_APART_S, EndedVisits
from worker.accept.intake.parts import Parts
from worker.console import live
from worker.console.visitor import COOKIE, HOLDS_S, cookie_for
from worker.observe.redact import Redactor
from worker.store.connection import connect
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys
from worker.store.partition import Partition
from worker.store.scripts import Scripts

KEY, OTHER = "pace_of-somebody-who-signs-out", "pace_of-somebody-who-stays"
NUMBERS = itertools.count()
Web = Callable[..., WebSeat]


def entry(name: str, key: str) -> dict[str, object]:
    return {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), "roles": ["view"]}


KEYS = (entry("ann", KEY), entry("bob", OTHER))


@contextmanager
def web_process(url: str, partition: str, keys: tuple[dict[str, object], ...]) -> Iterator[WebSeat]:
    said = {"PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": url, "PACELINE_INTAKE__KEYS": json.dumps(keys)}
    settings = load(said | ACCOUNTS)
    client = connect(url, timeout_s=2.0)
    scripts = Scripts(client, Keys(partition))
    part = Partition(client, Keys(partition), scripts)
    try:
        with WebSeat(Parts(settings, part, Enqueuer(settings, client, scripts), Redactor(list))) as seat:
            yield seat
    finally:
        client.close()


@pytest.fixture
def web(store_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Starts web processes of one partition that nobody used before."""
    monkeypatch.setattr(live, "EVERY_S", 0.1)
    monkeypatch.setattr(live, "BEAT_S", 0.5)
    monkeypatch.setattr(callers_module, "FRESH_S", 0.3)
    partition = f"out-{os.getpid()}-{next(NUMBERS)}"
    with_end = []

    def start(url: str = store_server.url, keys: tuple[dict[str, object], ...] = KEYS) -> WebSeat:
        made = web_process(url, partition, keys)
        with_end.append(made)
        return made.__enter__()

    yield start
    for made in reversed(with_end):
        made.__exit__(None, None, None)


@pytest.fixture
def ended(web: Web) -> EndedVisits:
    return web().parts.callers.ended


def look(seat: WebSeat, cookie: str, path: str = "/policy") -> int:
    return seat.get(path, cookie=f"{COOKIE}={cookie}").status


def sign_out(seat: WebSeat, cookie: str) -> Answer:
    return seat.post("/sign-out", cookie=f"{COOKIE}={cookie}")


def kept(seat: WebSeat) -> dict[str, float]:
    partition = seat.partition
    return dict(partition.one("zrange", partition.key("visits"), 0, -1, False, True))


def test_a_copied_cookie_is_refused_by_every_process_and_its_streams_end(web: Web) -> None:
    first, second = web(), web()
    cookie, another = cookie_for(KEY), cookie_for(KEY)
    assert [look(seat, cookie) for seat in (first, second)] == [200, 200]
    with streaming(first, cookie) as here, streaming(second, cookie) as there, streaming(second, another) as other:
        for stream in (here, there, other):
            stream.until("marks")
        answer = sign_out(first, cookie)
        assert answer.to == "/sign-in" and "max-age=0" in answer.headers["set-cookie"].lower()
        assert look(first, cookie) == 303, "here at once"
        for stream in (here, there):
            stream.until("closed")
            assert stream.event() == ("", "")
        assert look(second, cookie) == 303
        other.until("beat")
    assert [look(seat, another) for seat in (first, second)] == [200, 200], "another visit with the same key goes on"
    assert look(second, cookie_for(KEY)) == 200, "one may sign in again"


def test_a_process_hears_of_it_without_a_stream_and_one_that_starts_later_as_well(web: Web) -> None:
    first, second = web(), web()
    cookie = cookie_for(KEY)
    assert look(second, cookie) == 200
    sign_out(first, cookie)
    until(lambda: look(second, cookie) == 303)
    assert look(web(), cookie) == 303


def test_what_is_kept_opens_nothing_and_lapses_with_the_cookie(web: Web) -> None:
    seat = web()
    cookie = cookie_for(KEY)
    lapses, _, proof = cookie.partition(".")
    key = seat.partition.key("visits")
    seat.partition.one("zadd", key, {"lapsed:1": time.time() - CLOCKS_APART_S - 5, "not-quite:1": time.time()})
    sign_out(seat, cookie)
    (visit,) = kept(seat).keys() - {"not-quite:1"}
    assert kept(seat)[visit] == int(lapses)
    assert not any(proof[at : at + 20] in visit for at in range(len(proof) - 20)) and len(visit) < 40
    assert hashlib.sha256(KEY.encode()).hexdigest() not in visit and KEY not in visit
    left = seat.partition.one("ttl", key)
    assert HOLDS_S < left <= HOLDS_S + CLOCKS_APART_S, "and all of it goes when nobody signs out any more"
    seat.partition.one("expire", key, 5)
    sign_out(seat, cookie_for(KEY))
    assert seat.partition.one("ttl", key) > HOLDS_S
    again = EndedVisits(seat.partition)
    again.end("0:short", int(time.time()) + 60)
    assert seat.partition.one("ttl", key) > HOLDS_S, "one that lapses sooner takes nothing from the others"


def test_a_process_forgets_what_has_lapsed_and_nothing_sooner(ended: EndedVisits) -> None:
    assert ended.end("k:soon", int(time.time()) + 2) and ended.end("k:later", int(time.time()) + 3600)
    assert "k:soon" in ended
    ended.hear([])
    assert "k:later" in ended, "an answer from before, or a store that was emptied, brings nobody back"

    def forgotten() -> bool:
        ended.hear([])
        return "k:soon" not in ended

    until(forgotten)
    assert "k:later" in ended


def test_of_one_key_a_bounded_number_is_kept(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_visits, "MOST_EACH", 3)
    seat = web()
    ended, now_s = seat.parts.callers.ended, int(time.time())
    ended.end("other:0", now_s + 10)
    for number in range(5):
        assert ended.end(f"mine:{number}", now_s + 100 + number)
    wanted = {"other:0", "mine:2", "mine:3", "mine:4"}
    assert kept(seat).keys() == wanted, "those that hold longest; and nobody pushes out another's"
    assert {one for one in (*wanted, "mine:0", "mine:1") if one in ended} == wanted


def test_without_any_key_an_old_cookie_is_none(web: Web) -> None:
    first = web(keys=())
    made, key = first.parts.callers.ring.create("ann", ["view"], None, "test")
    first.parts.callers.refresh()
    second = web(keys=())
    cookie, later = cookie_for(key), cookie_for(key)
    sign_out(first, cookie)
    assert look(first, cookie) == 303
    first.parts.callers.ring.revoke(made.id, "test", "the last one")
    for seat in (first, second):
        seat.parts.callers.refresh()
        page = seat.get("/audit", cookie=f"{COOKIE}={cookie}")
        assert page.status == 200 and "sign out" not in page.text
        assert seat.get("/audit", cookie=f"{COOKIE}={cookie}", x_forwarded_for="192.0.2.1").status == 403
        with streaming(seat, cookie) as stream:
            stream.until("marks")
    assert sign_out(first, later).to == "/sign-in" and len(kept(first)) == 1, "nobody's visit is none that ends"


def test_a_forged_cookie_ends_nobodys_visit(web: Web) -> None:
    seat = web()
    cookie = cookie_for(KEY)
    lapses, _, proof = cookie.partition(".")
    number = proof[:16]
    for value in (f"{lapses}.{number}{'0' * 64}", f"{int(lapses) + 1}.{proof}", proof, f"{lapses}.{number}", ""):
        assert sign_out(seat, value).to.startswith("/sign-in?"), "who is nobody has nothing to end"
    assert kept(seat) == {} and look(seat, cookie) == 200


def test_a_key_that_gets_another_name_brings_no_visit_back(web: Web) -> None:
    first, renamed = web(), web(keys=(entry("ann-of-old", KEY),))
    cookie = cookie_for(KEY)
    assert look(renamed, cookie) == 200
    sign_out(first, cookie)
    until(lambda: look(renamed, cookie) == 303)


def test_pages_ask_the_store_nothing_more_for_it(
    web: Web, store_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(store_server.url) as proxy:
        seat = web(proxy.url)
        cookie = cookie_for(KEY)
        assert look(seat, cookie) == 200
        monkeypatch.setattr(callers_module, "FRESH_S", 3600.0)
        before = proxy.counts()
        assert [look(seat, cookie, "/sign-in") for _ in range(5)] == [200] * 5, "a page that needs no store itself"
        assert proxy.counts() == before
        seat.parts.callers.refresh()
        assert proxy.counts() - before == {"hgetall": 1, "zrange": 1}, "together with the keys"


def test_signing_out_while_the_store_is_away_holds_here_says_so_and_is_told_later(
    web: Web, store_server: EmbeddedServer
) -> None:
    with Proxy(store_server.url) as proxy:
        first, second = web(proxy.url), web()
        cookie = cookie_for(KEY)
        assert [look(seat, cookie) for seat in (first, second)] == [200, 200]
        with streaming(first, cookie) as stream:
            stream.until("marks")
            proxy.leave()
            answer = sign_out(first, cookie)
            stream.until("closed")
        assert answer.status == 503 and "max-age=0" in answer.headers["set-cookie"].lower()
        assert "You are signed out here" in answer.text and "keys revoke" in answer.text
        assert "ann" not in answer.text and "<nav" not in answer.text
        assert look(first, cookie) == 303
        assert look(first, cookie_for(KEY), "/sign-in") == 200, "the keys known last hold"
        assert kept(second) == {} and look(second, cookie) == 200, "which is what the answer warns of"
        proxy.come_back()
        until(lambda: look(first, "", "/healthz") == 200 and look(second, cookie) == 303)
        assert look(first, cookie) == 303 and len(kept(second)) == 1


def test_a_store_that_is_full_still_says_which_keys_there_are(web: Web, store_server: EmbeddedServer) -> None:
    seat = web()
    cookie, other = cookie_for(KEY), cookie_for(OTHER)
    assert look(seat, cookie) == 200
    with redis.Redis.from_url(store_server.url) as client:
        client.config_set("maxmemory", "1")
        try:
            assert sign_out(seat, cookie).status == 503
            seat.parts.callers.refresh()
            assert not seat.parts.callers.stale and look(seat, other) == 200 and look(seat, cookie) == 303
        finally:
            client.config_set("maxmemory", "0")
    seat.parts.callers.refresh()
    assert len(kept(seat)) == 1, "told as soon as there was room"
