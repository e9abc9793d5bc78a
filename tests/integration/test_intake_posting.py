"""Asking for calls over HTTP: accepted once, refused with a reason, many at once."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.intake import READ, STOP, Web, emptied, serving
from worker.store.embedded import EmbeddedServer
from worker.store.keys import Keys

KEYS = Keys()


@pytest.fixture(scope="module")
def served(store_server: EmbeddedServer) -> Iterator[Web]:
    with serving(emptied(store_server.url), INTAKE__MAX_BODY_BYTES="20000", INTAKE__MAX_LINES="12000") as web:
        yield web


@pytest.fixture
def web(served: Web, store: "redis.Redis[bytes]") -> Web:
    """The web process, over an emptied store."""
    return served


def waiting(store: "redis.Redis[bytes]") -> int:
    return int(store.zcard(KEYS("deadlines")))


def test_a_call_is_stored_before_it_is_answered_with_its_job(web: Web, store: "redis.Redis[bytes]") -> None:
    said = web.post(READ)
    assert said.status == 202
    assert said.json.keys() == {"id", "location", "operation", "account", "expected_send_at"}
    assert said.headers["Location"] == said.json["location"] == f"/v1/jobs/{said.json['id']}"
    assert int(said.headers["Retry-After"]) >= 1
    assert store.hget(KEYS("job", said.json["id"]), "state") == b"waiting"


def test_everything_a_call_may_say_is_kept(web: Web, store: "redis.Redis[bytes]") -> None:
    said = web.post({**READ, "body": None, "priority": "urgent", "key": "k", "deadline_s": 30})
    job = store.hgetall(KEYS("job", said.json["id"]))
    assert (job[b"prio"], int(job[b"dlrel"])) == (b"0", 30_000_000)


def test_twenty_posts_at_once_with_one_key_are_one_job_and_have_one_answer(
    web: Web, store: "redis.Redis[bytes]"
) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: web.post(STOP, idempotency_key="one and the same"), range(20)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert sum(answer.headers["Idempotency-Replayed"] is None for answer in answers) == 1
    assert waiting(store) == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (READ | {"operation": "stellantis.b2b.get_vehicle_stat"}, "GET /v1/catalogue lists them all"),
        (READ | {"callback_url": "https://hooks.example.com/x"}, "ask whoever runs this service to allow its host"),
    ],
)
def test_what_is_refused_is_said_in_words_for_a_caller_who_has_the_api_alone(
    web: Web, call: dict[str, Any], said: str
) -> None:
    refused = web.post(call)
    assert (refused.status, said in refused.json["detail"]) == (422, True), refused.json
    assert "PACELINE" not in refused.json["detail"] and "python" not in refused.json["detail"]


def test_a_job_that_is_not_known_is_said_without_the_names_of_settings(web: Web) -> None:
    said = web.ask("GET", "/v1/jobs/0-none")
    assert said.status == 404 and "PACELINE" not in said.json["detail"]


def test_everything_that_is_wrong_with_a_call_is_told_at_once(web: Web) -> None:
    detail = web.post({"operaton": "x", "params": [], "account": 7}).json["detail"]
    assert detail.count(" Also: ") == 2 and "did you mean 'operation'" in detail
    assert "expected params to be an object" in detail and "expected account to be" in detail
    detail = web.post(READ | {"params": {"fid": "FLEET-1", "vdi": "VEH-00001", "colour": "red"}}).json["detail"]
    assert "params.vdi is not known; did you mean 'vid'" in detail and " Also: params.colour is not known" in detail


def test_an_address_that_there_is_not_is_answered_with_the_nearest(web: Web) -> None:
    said = web.ask("GET", "/v1/job")
    assert said.problem == "not-found"
    assert "got '/v1/job'; near is /v1/jobs" in said.json["detail"]
    assert "got '/v1/x/y/z/w'; /openapi.json" in web.ask("GET", "/v1/x/y/z/w").json["detail"]


def test_a_browser_that_is_lost_gets_a_page_and_a_program_a_problem(web: Web) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = web.ask("GET", "/nowhere", headers=browser)
    assert (page.status, page.headers.get_content_type()) == (404, "text/html")
    assert b"There is no such page" in page.body and b'aria-label="Pages"' in page.body
    assert web.ask("GET", "/nowhere").problem == "not-found"
    assert web.ask("GET", "/v1/nowhere", headers=browser).problem == "not-found"
    assert web.ask("POST", "/nowhere", {}, headers=browser).problem == "not-found"


def test_a_key_that_stands_for_another_call_is_refused(web: Web, store: "redis.Redis[bytes]") -> None:
    first = web.post(STOP, idempotency_key="k")
    others = [STOP | change for change in ({"body": {"session_id": "S-2"}}, {"priority": "bulk"}, {"deadline_s": 5})]
    for other in (*others, READ):
        said = web.post(other, idempotency_key="k")
        assert (said.status, said.problem) == (422, "key-reused")
        assert first.json["id"] in said.json["detail"]
    assert waiting(store) == 1


def test_a_key_may_be_quoted_as_structured_fields_are(web: Web) -> None:
    said = [web.post(STOP, idempotency_key=key) for key in ('"a \\"b\\""', '"plain"', "plain")]
    assert [answer.status for answer in said] == [202, 202, 202]
    assert said[1].json == said[2].json != said[0].json


@pytest.mark.parametrize("key", ['"open', '"bad \\x"', "\x7f", "é", "x" * 256])
def test_a_key_of_another_form_is_refused(web: Web, key: str) -> None:
    said = web.ask("POST", "/v1/jobs", STOP, {"Idempotency-Key": key.encode("utf-8").decode("latin-1")})
    assert (said.status, said.problem) == (400, "key-malformed")


def test_header_and_member_must_be_the_same_key(web: Web) -> None:
    assert web.post(STOP | {"key": "k"}, idempotency_key="k").status == 202
    assert web.post(STOP | {"key": "k"}, idempotency_key="l").problem == "key-malformed"


def test_a_call_that_must_not_be_repeated_needs_a_key(web: Web, store: "redis.Redis[bytes]") -> None:
    said = web.post(STOP)
    assert (said.status, said.problem) == (400, "key-missing")
    assert "Idempotency-Key" in said.json["detail"]
    assert waiting(store) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({}, "operation"),
        ({"operation": "stellantis.b2b.get_vehicle_statu", "account": "stellantis:fleet-1"}, "did you mean"),
        (READ | {"account": "stellantis:fleet-2"}, "stellantis:fleet-1"),
        (READ | {"params": {"fid": "FLEET-1"}}, "vid"),
        (READ | {"params": {"fid": "FLEET-1", "vid": ".."}}, "vid"),
        (READ | {"params": []}, "params"),
        (READ | {"priority": "soon"}, "urgent, normal or bulk"),
        (READ | {"priority": ["urgent"]}, "priority"),
        (READ | {"deadline_s": 0}, "deadline"),
        (READ | {"deadline_s": True}, "deadline"),
        (READ | {"operation": 7}, "operation"),
        (READ | {"acount": "x"}, "did you mean 'account'"),
        (READ | {"body": {"a": 1}}, "no body"),
    ],
)
def test_what_cannot_be_accepted_is_refused_with_what_was_expected(
    web: Web, store: "redis.Redis[bytes]", call: dict[str, Any], words: str
) -> None:
    said = web.post(call)
    assert (said.status, said.problem) == (422, "refused")
    assert words in said.json["detail"]
    assert waiting(store) == 0


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b'"text"', b"\xff\xfe", b'{"a": NaN}', b'{"operation": "\\ud800"}', b"[" * 9000, b"1" * 9000],
)
def test_what_cannot_be_read_is_malformed(web: Web, body: bytes) -> None:
    said = web.ask("POST", "/v1/jobs", body, {"Content-Type": "application/json"})
    assert (said.status, said.problem) == (400, "malformed")


def test_another_content_type_is_named_and_refused(web: Web) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        said = web.ask("POST", "/v1/jobs", json.dumps(READ).encode(), {"Content-Type": kind})
        assert (said.status, said.problem) == (415, "unsupported")
    assert web.ask("POST", "/v1/jobs", READ, {"Content-Type": "Application/JSON; charset=utf-8"}).status == 202


def test_a_body_that_is_too_long_is_refused_by_its_length_and_while_it_is_read(web: Web) -> None:
    said = web.ask("POST", "/v1/jobs", b" " * 20_001, {"Content-Type": "application/json"})
    assert (said.status, said.problem) == (413, "too-large")
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as line:
        line.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        line.sendall(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
        for _ in range(4):  # the end never comes
            line.sendall(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
        answer = http.client.HTTPResponse(line)
        answer.begin()
        assert answer.status == 413
        assert b"/v1/errors/too-large" in answer.read()
        answer.close()


def test_each_line_of_a_batch_is_answered_in_its_order_and_the_wrong_ones_hinder_nobody(
    web: Web, store: "redis.Redis[bytes]"
) -> None:
    long = json.dumps(READ | {"key": "x" * 20_000}).encode()
    said = web.batch([READ, b"{", READ | {"account": "nobody"}, b"", STOP, STOP | {"key": "k"}, long, READ])
    assert said.status == 200
    assert said.headers["content-type"] == "application/jsonl"
    assert [(one["line"], one["status"]) for one in said.lines] == [
        (1, 202), (2, 400), (3, 422), (5, 400), (6, 202), (7, 413), (8, 202)
    ]  # fmt: skip
    assert said.lines[3]["error"]["type"] == "/v1/errors/key-missing"
    assert all(store.exists(KEYS("job", one["id"])) for one in said.lines if one["status"] == 202)
    assert waiting(store) == 3


def test_a_batch_with_a_key_may_be_sent_again_as_a_whole(web: Web, store: "redis.Redis[bytes]") -> None:
    first, again = (web.batch([READ, STOP, STOP], {"Idempotency-Key": "night"}) for _ in range(2))
    assert [one["id"] for one in first.lines] == [one["id"] for one in again.lines]
    assert [one["duplicate"] for one in again.lines] == [True] * 3
    assert waiting(store) == 3
    mixed = web.batch([READ, STOP | {"body": {"session_id": "S-9"}}], {"Idempotency-Key": "night"})
    assert [one["status"] for one in mixed.lines] == [202, 422]


def test_ten_thousand_lines_are_taken_in_at_once(web: Web, store: "redis.Redis[bytes]") -> None:
    said = web.batch([READ | {"key": f"k-{n}"} for n in range(10_000)])
    assert [one["line"] for one in said.lines] == list(range(1, 10_001))
    assert {one["status"] for one in said.lines} == {202}
    assert waiting(store) == len({one["id"] for one in said.lines}) == 10_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much memory was used")
def test_a_batch_needs_no_more_memory_than_a_few_of_its_lines(web: Web) -> None:
    def most() -> int:
        status = Path(f"/proc/{web.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    web.batch([READ] * 300)
    before = most()
    said = web.batch([b'{"operation": "nothing", "pad": "' + b"x" * 15_000 + b'"}'] * 5_000)
    assert [one["status"] for one in said.lines] == [422] * 5_000
    assert most() - before < 40_000_000, "of a body of 75 MB"


def test_more_lines_than_may_come_at_once_are_not_read(store_server: EmbeddedServer, store: Any) -> None:
    with serving(store_server.url, INTAKE__MAX_LINES="3", INTAKE__MAX_WAITING="5") as small:
        said = small.batch([READ] * 9)
        assert [one["status"] for one in said.lines] == [202, 202, 202, 413]
        assert waiting(store) == 3
        assert [one["status"] for one in small.batch([READ] * 3).lines] == [503, 503, 503]
        assert [small.post(READ).status for _ in range(3)] == [202, 202, 503]
        refused = small.post(READ)
        assert (refused.problem, int(refused.headers["Retry-After"]) > 0) == ("full", True)
        assert waiting(store) == 5


def test_a_full_store_refuses_and_says_when_to_come_again(web: Web, store: "redis.Redis[bytes]") -> None:
    try:
        store.config_set("maxmemory", 1)
        said = web.post(READ)
        lines = web.batch([READ, b"{", READ]).lines
    finally:
        store.config_set("maxmemory", 0)
    assert (said.status, said.problem) == (503, "full")
    assert int(said.headers["Retry-After"]) > 0
    assert [one["status"] for one in lines] == [503, 400, 503]
    assert waiting(store) == 0


def test_a_store_that_is_away_is_said_and_costs_no_call(store_server: EmbeddedServer, tmp_path: Any) -> None:
    with EmbeddedServer.start(tmp_path) as own, serving(own.url) as web:
        assert web.post(READ).status == 202
        own.stop()
        said = web.post(READ, idempotency_key="k")
        assert (said.status, said.problem) == (503, "unavailable")
        assert int(said.headers["Retry-After"]) > 0
        assert web.ask("GET", "/v1/lanes").status == 503
        assert web.ask("GET", "/metrics").status == 503
        assert web.ask("GET", "/readyz").status == 503
        assert web.ask("GET", "/healthz").status == 200
