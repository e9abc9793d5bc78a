"""How often the holder of a key may ask: exactly its limit in any minute, whichever web process serves it."""

import itertools
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from tests.integration.desk import Desk
from tests.integration.intake import READ, Web, emptied, entry, serving
from worker.store.embedded import EmbeddedServer

LIMIT = 9
SECRETS = {name: f"pace_{name}-of-the-tests" for name in ("slow", "other", "free")}
FREE, SLOW = SECRETS["free"], SECRETS["slow"]


@pytest.fixture(scope="module")
def two(store_server: EmbeddedServer) -> Iterator[tuple[Web, Web]]:
    """Two processes with the same keys: two that may ask so many times a minute, and one without a limit."""
    keys = [entry(name, SECRETS[name], "admin", per_minute=None if name == "free" else LIMIT) for name in SECRETS]
    settings = {"INTAKE__KEYS": json.dumps(keys)}
    with serving(emptied(store_server.url), **settings) as one, serving(store_server.url, **settings) as other:
        yield one, other


def test_two_processes_together_serve_a_key_as_often_as_it_may_ask(
    two: tuple[Web, Web], store: "redis.Redis[bytes]"
) -> None:
    def ask(web: Web) -> Any:
        return web.ask("GET", "/v1/lanes", key=SLOW)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, itertools.islice(itertools.cycle(two), 30)))
    assert sorted(answer.status for answer in answers) == [200] * LIMIT + [429] * (30 - LIMIT)
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.problem for answer in refused} == {"too-many-requests"}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 61 for answer in refused)
    assert [two[1].ask("GET", "/v1/lanes", key=SECRETS[name]).status for name in ("other", "free")] == [200, 200]


def test_every_answer_says_what_is_left(two: tuple[Web, Web], store: "redis.Redis[bytes]") -> None:
    left = []
    for _ in range(LIMIT + 1):
        said = two[0].ask("GET", "/v1/lanes", key=SLOW)
        assert said.headers["RateLimit-Policy"] == f'"key";q={LIMIT};w=60'
        name, remaining, again = said.headers["RateLimit"].split(";")
        assert (name, again[:2]) == ('"key"', "t=")
        assert 0 < int(again[2:]) <= 61
        left.append(int(remaining[2:]))
    assert left == [*range(LIMIT - 1, -1, -1), 0]
    free = two[0].ask("GET", "/v1/lanes", key=FREE)
    assert (free.headers["RateLimit"], free.headers["RateLimit-Policy"]) == (None, None)


def test_what_does_not_exist_counts_and_health_does_not_refuse(
    two: tuple[Web, Web], store: "redis.Redis[bytes]"
) -> None:
    assert [two[0].ask("GET", "/v1/nothing", key=SLOW).status for _ in range(LIMIT + 1)] == [404] * LIMIT + [429]
    assert two[0].ask("GET", "/healthz", key=SLOW).status == 200


def test_each_line_of_a_batch_counts(two: tuple[Web, Web], store: "redis.Redis[bytes]") -> None:
    said = two[0].batch([READ] * (LIMIT + 3), key=SLOW)
    assert [one["status"] for one in said.lines] == [202] * LIMIT + [429] * 3
    assert said.lines[-1]["error"]["type"] == "/v1/errors/too-many-requests"
    assert said.headers["RateLimit"].startswith('"key";r=0;t=')
    assert two[1].post(READ, key=SLOW).status == 429
    assert [one["status"] for one in two[1].batch([READ] * 250, key=FREE).lines] == [202] * 250


def test_no_window_of_a_minute_holds_more_than_the_limit_and_little_of_it_is_lost(desk: Desk) -> None:
    rng = random.Random(20)
    limit, span, served = 50, 60_000_000, []
    for _ in range(4_000):
        desk.now_us += rng.choice((0, 1_000, 300_000, 700_000, 4_000_000))
        want = rng.choice((1, 1, 1, 7, 100))
        facts = {"key": "k", "limit": limit, "want": want, "span": span, "slices": 120}
        granted, left, wait, full = (int(one) for one in desk.scripts("pace", facts))
        served += [desk.now_us] * granted
        now = desk.now_us
        counted = sum(now - at < span for at in served[-2 * limit :])
        kept = sum(now - at < span + 500_000 + 1 for at in served[-2 * limit :])
        assert counted <= limit, "in a true window"
        assert left >= limit - kept, "what is lost is half a second of requests"
        assert (wait > 0) == (left == 0) and wait <= full <= span + 500_000
    assert desk.client.hlen(desk.keys("pace", "k")) <= 122


def test_who_comes_back_when_told_is_served(desk: Desk) -> None:
    facts = {"key": "k", "limit": 3, "want": 1, "span": 60_000_000, "slices": 120}
    for _ in range(3):
        desk.now_us += 2_000_000
        desk.scripts("pace", facts)
    for _ in range(9):
        granted, _, wait, _ = desk.scripts("pace", facts)
        assert granted == 0
        desk.now_us += wait - 1
        assert desk.scripts("pace", facts)[0] == 0
        desk.now_us += 1
        assert desk.scripts("pace", facts)[0] == 1


def test_a_lower_limit_holds_at_once(desk: Desk) -> None:
    facts = {"key": "k", "limit": 10, "want": 10, "span": 60_000_000, "slices": 120}
    assert desk.scripts("pace", facts)[0] == 10
    granted, left, wait, _ = desk.scripts("pace", {**facts, "limit": 4, "want": 1})
    assert (granted, left) == (0, 0)
    desk.now_us += wait + 1
    assert desk.scripts("pace", {**facts, "limit": 4})[0] == 4
    for _ in range(3):
        desk.now_us += 5_000_000
        desk.scripts("pace", {**facts, "key": "l", "limit": 3, "want": 1})
    fewer = {**facts, "key": "l", "limit": 2, "want": 1}
    wait = desk.scripts("pace", fewer)[2]
    desk.now_us += wait - 2
    assert desk.scripts("pace", fewer)[0] == 0, "two must have gone before there is room for one"
    desk.now_us += 2
    assert desk.scripts("pace", fewer)[0] == 1
