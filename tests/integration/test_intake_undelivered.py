"""A service reports over HTTP what the hub should have pushed: kept once, read by its address, refused by name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.integration.intake import Answer, Web, emptied, entry, serving
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys

KEYS = Keys()
SERVICE = "pace_a-service-of-the-tests-which-is-long-enough"
MISSING = {"account": "hub:IN-ABC", "kind": "cdr", "id": "CDR-77", "detail": "the third time"}


@pytest.fixture(scope="module")
def served(store_server: EmbeddedServer) -> Iterator[Web]:
    keys = json.dumps([entry("billing", SERVICE, "enqueue")])
    with serving(emptied(store_server.url), INTAKE__KEYS=keys, INTAKE__MAX_BODY_BYTES="5000") as web:
        yield web


@pytest.fixture
def web(served: Web, store: "redis.Redis[bytes]") -> Web:
    """The web process, over an emptied store."""
    return served


def report(web: Web, said: Any = MISSING, **headers: str) -> Answer:
    return web.ask("POST", "/v1/undelivered", said, headers, key=SERVICE)


def test_a_report_is_kept_as_a_dead_letter_at_its_location(web: Web, store: "redis.Redis[bytes]") -> None:
    said = report(web)
    job = said.json["id"]
    assert (said.status, said.json["status"], said.headers["Idempotency-Replayed"]) == (201, "reported", None)
    assert said.headers["Location"] == said.json["location"] == f"/v1/jobs/{job}"
    letter = web.ask("GET", said.headers["Location"], key=SERVICE)
    assert (letter.status, letter.json["state"], letter.json["account"]) == (200, "dead", "hub:IN-ABC")
    assert (letter.json["problem"]["class"], letter.json["problem"]["code"]) == ("undelivered", "cdr")
    assert store.zscore(KEYS("dead"), job) is not None
    noted = [json.loads(one) for one in store.lrange(KEYS("evidence", job), 0, -1)]
    assert [(one["by"], one["note"], one["id"]) for one in noted] == [("billing", "the third time", "CDR-77")]


def test_the_same_thing_reported_again_is_the_same_letter(web: Web, store: "redis.Redis[bytes]") -> None:
    first, again = report(web), report(web, {**MISSING, "id": "cdr-77", "detail": None})
    assert (again.status, again.json) == (201, first.json | {"status": "noted"})
    assert (again.headers["Location"], again.headers["Idempotency-Replayed"]) == (first.headers["Location"], "true")
    other = report(web, {**MISSING, "kind": "session"})
    assert other.json["id"] != first.json["id"] and store.zcard(KEYS("dead")) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account": "hub:IN-ZZZ"}, "known accounts"),
        ({"account": "stellantis:fleet-1"}, "an account of the hub"),
        ({"account": None}, "account"),
        ({"kind": "invoice"}, "session, cdr, command_result, other"),
        ({"kind": ["cdr"]}, "kind"),
        ({"id": ""}, "1 to 64 characters"),
        ({"id": "x" * 65}, "1 to 64 characters"),
        ({"id": 77}, "expected id to be"),
        ({"detail": {}}, "detail"),
        ({"details": "x"}, "did you mean 'detail'"),
    ],
)
def test_a_report_that_names_nothing_is_refused(
    web: Web, store: "redis.Redis[bytes]", change: dict[str, Any], words: str
) -> None:
    said = report(web, MISSING | change)
    assert (said.status, said.problem) == (422, "refused")
    assert words in said.json["detail"]
    assert store.zcard(KEYS("dead")) == 0


@pytest.mark.parametrize("name", ["account", "kind", "id"])
def test_what_is_left_out_is_named(web: Web, store: "redis.Redis[bytes]", name: str) -> None:
    said = report(web, {key: value for key, value in MISSING.items() if key != name})
    assert (said.status, said.problem, f"expected {name} " in said.json["detail"]) == (422, "refused", True)


def test_what_cannot_be_read_is_told_apart(web: Web, store: "redis.Redis[bytes]") -> None:
    assert report(web, b"{", **{"Content-Type": "application/json"}).problem == "malformed"
    assert report(web, [MISSING]).problem == "malformed"
    assert report(web, json.dumps(MISSING).encode(), **{"Content-Type": "text/plain"}).problem == "unsupported"
    assert report(web, MISSING | {"detail": "x" * 5000}).problem == "too-large"
    assert web.ask("POST", "/v1/undelivered", MISSING).problem == "unauthorized"
    assert web.ask("GET", "/v1/undelivered", key=SERVICE).headers["Allow"] == "POST"
    assert store.zcard(KEYS("dead")) == 0
