"""Who is let in over HTTP, and what each may do."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.integration.desk import START, Desk
from tests.integration.intake import ACCOUNTS, READ, Web, emptied, entry, serving
from tests.integration.terminal import Terminal
from worker.store.embedded import EmbeddedServer

ROLES = ("enqueue", "view", "operate", "admin")
SECRETS = {role: f"pace_{role}-of-the-tests-which-is-long-enough" for role in ROLES}
LOOK = {"view", "operate", "admin"}
WAYS: dict[tuple[str, str], set[str]] = {
    ("GET", "/metrics"): LOOK,
    ("GET", "/openapi.json"): set(ROLES),
    ("GET", "/v1/errors/refused"): set(ROLES),
    ("GET", "/v1/jobs"): LOOK,
    ("POST", "/v1/jobs"): {"enqueue", "admin"},
    ("GET", "/v1/jobs/0-1"): set(ROLES),
    ("GET", "/v1/jobs/0-1?evidence=true"): LOOK,
    ("POST", "/v1/jobs/0-1/cancel"): {"enqueue", "operate", "admin"},
    ("POST", "/v1/undelivered"): {"enqueue", "operate", "admin"},
    ("GET", "/v1/catalogue"): set(ROLES),
    ("GET", "/v1/catalogue/hub.stop_session"): set(ROLES),
    ("GET", "/v1/operations"): LOOK,
    ("POST", "/v1/operations"): {"operate", "admin"},
    ("GET", "/v1/operations/op-1"): LOOK,
    ("POST", "/v1/operations/op-1/confirm"): {"operate", "admin"},
    ("POST", "/v1/operations/op-1/cancel"): {"operate", "admin"},
    ("GET", "/v1/lanes"): LOOK,
    ("GET", "/v1/problems"): LOOK,
    ("GET", "/v1/dead-letters"): LOOK,
}
"""Every address that is not open, and who may use it."""
OPEN = {"/healthz", "/readyz"}
TRICKS = (
    "//v1/jobs", "/v1//jobs", "/v1/jobs/", "/V1/JOBS", "/v1/jobs%00", "/v1/../v1/jobs", "/v1/%2e%2e/metrics",
    "/healthz/../metrics", "/healthz%2f..%2fmetrics", "/healthz;/metrics", "/readyz/../v1/lanes", "/healthz/",
    "//metrics",
    "/v1/command-results/../lanes", "/v1/command-results%2f..%2flanes", "/v1/command-results/../../metrics",
)  # fmt: skip


@pytest.fixture(scope="module")
def keyed(store_server: EmbeddedServer) -> Iterator[Web]:
    """A process whose settings have a key of each role."""
    keys = [entry(role, SECRETS[role], role) for role in ROLES]
    with serving(emptied(store_server.url), INTAKE__KEYS=json.dumps(keys)) as web:
        yield web


@pytest.fixture(scope="module")
def keyless(store_server: EmbeddedServer) -> Iterator[Web]:
    """A process without any key, that listens on all addresses."""
    with serving(emptied(store_server.url), host="0.0.0.0") as web:
        yield web


@pytest.fixture
def outside() -> str:
    """An address of this machine that is no loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def body_of(method: str, path: str) -> Any:
    return READ if (method, path) == ("POST", "/v1/jobs") else None


def test_the_table_of_this_test_holds_every_address_there_is(keyed: Web) -> None:
    described = keyed.ask("GET", "/openapi.json", key=SECRETS["admin"]).json["paths"]
    ways = {(method.upper(), path) for path, item in described.items() for method in item if method != "parameters"}
    filled = {(m, p.replace("{job_id}", "0-1").replace("{operation_id}", "op-1")) for m, p in ways}
    names = {"/v1/errors/{name}": "/v1/errors/refused", "/v1/catalogue/{name}": "/v1/catalogue/hub.stop_session"}
    here = {(method, path.partition("?")[0]) for method, path in WAYS} | {("GET", path) for path in OPEN}
    assert {(m, names.get(p, p)) for m, p in filled} == here


@pytest.mark.parametrize(("method", "path"), WAYS)
def test_each_address_serves_its_roles_and_nobody_else(keyed: Web, store: Any, method: str, path: str) -> None:
    for role in ROLES:
        said = keyed.ask(method, path, body_of(method, path), key=SECRETS[role])
        assert (said.status == 403) == (role not in WAYS[method, path]), (role, said.status)
        if said.status == 403:
            assert said.problem == "forbidden"
    refused = keyed.ask(method, path, body_of(method, path))
    assert (refused.status, refused.problem) == (401, "unauthorized")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic d3Jvbmc=", f"Token {SECRETS['admin']}", SECRETS["admin"],
     f"Bearer {SECRETS['admin']}x", "Bearer " + "x" * 5000],
)  # fmt: skip
def test_nothing_but_a_known_key_opens_once_there_is_one(keyed: Web, header: str) -> None:
    said = keyed.ask("GET", "/v1/lanes", headers={"Authorization": header})
    assert (said.status, said.problem) == (401, "unauthorized")
    assert "wrong" not in said.json["detail"]


def test_what_does_not_exist_is_told_to_callers_alone(keyed: Web) -> None:
    assert keyed.ask("GET", "/v1/nothing").status == 401
    said = keyed.ask("GET", "/v1/nothing", key=SECRETS["view"])
    assert (said.status, said.problem) == (404, "not-found")
    wrong = keyed.ask("PUT", "/v1/jobs", key=SECRETS["view"])
    assert (wrong.status, wrong.problem, wrong.headers["Allow"]) == (405, "method-not-allowed", "GET, POST")


def test_health_is_open_and_figures_are_for_those_who_may_look(keyed: Web) -> None:
    assert keyed.ask("GET", "/healthz").json["status"] == "ok"
    assert keyed.ask("GET", "/readyz").json == {"status": "ok", "store": "ok"}
    assert "figures" not in keyed.ask("GET", "/readyz", key=SECRETS["enqueue"]).json
    assert keyed.ask("GET", "/readyz", key=SECRETS["view"]).json["figures"]["waiting"] >= 0


def test_the_door_for_results_needs_no_key(keyed: Web, desk: Desk) -> None:
    [job] = desk.put(op=START, rep=0)
    taken = desk.take().one
    assert desk.sending(taken)
    desk.finish(taken, awaits=30_000_000)
    said = keyed.ask("POST", f"/v1/command-results/{job}/secret", {"result": "ACCEPTED"})
    assert (said.status, said.json["status_code"]) == (200, 1000)
    assert desk.state(job) == "done"


@pytest.mark.parametrize("path", TRICKS)
def test_no_spelling_of_an_address_comes_past_the_guard(keyed: Web, path: str) -> None:
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        said = keyed.ask(method, path, READ if method == "POST" else None)
        # 303 leads to the console's sign-in, 400 is the door for results with nothing of the kind
        assert said.status in (303, 400, 401, 403, 404, 405), (method, said.status)
        assert b"paceline_" not in said.body and b"items" not in said.body


def test_callers_keys_do_not_meet_though_they_are_the_same(keyed: Web, store: Any) -> None:
    said = [keyed.post(READ, key=SECRETS[role], idempotency_key="k") for role in ("enqueue", "admin", "enqueue")]
    assert said[0].json["id"] == said[2].json["id"] != said[1].json["id"]


def test_without_keys_this_machine_is_served(keyless: Web, store: Any) -> None:
    assert keyless.post(READ).status == 202
    assert keyless.ask("GET", "/metrics").status == 200


@pytest.mark.parametrize(("method", "path"), WAYS)
def test_without_keys_nobody_from_outside_is_served(keyless: Web, outside: str, method: str, path: str) -> None:
    forged = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1"}
    for headers in ({}, forged, {"Host": "127.0.0.1"}, {"Authorization": "Bearer x"}):
        said = keyless.ask(method, path, body_of(method, path), headers, host=outside)
        assert (said.status, said.problem) == (403, "outside")
    assert keyless.ask("GET", "/healthz", host=outside).status == 200
    assert keyless.ask("GET", "/readyz", host=outside).json == {"status": "ok", "store": "ok"}
    door = keyless.ask("POST", "/v1/command-results/0-1/x", {"result": "ACCEPTED"}, host=outside)
    assert (door.status, door.json["status_code"]) == (404, 2003)


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}, {"Via": "1.1 proxy"},
     {"Host": "paceline.example.com"}, {"Host": "127.0.0.1.example.com"}, {"Sec-Fetch-Site": "cross-site"}],
)  # fmt: skip
def test_without_keys_a_proxy_or_a_web_page_on_this_machine_is_not_taken_for_it(
    keyless: Web, headers: dict[str, str]
) -> None:
    said = keyless.ask("GET", "/v1/lanes", headers=headers)
    assert (said.status, said.problem) == (403, "outside")


def test_keys_are_made_listed_and_revoked_by_command_and_hold_at_once(
    store_server: EmbeddedServer, store: "redis.Redis[bytes]", monkeypatch: Any, capsys: Any
) -> None:
    environ = {"PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": store_server.url, **ACCOUNTS}
    run = Terminal(environ, monkeypatch, capsys)
    made = run("keys", "create", "billing", "--role", "enqueue", "--role", "view", "--per-minute", "600", "--json")
    key = made.record["key"]
    assert len(key) >= 45 and made.record["roles"] == ["enqueue", "view"]
    assert all(key.encode() not in value for value in store.hgetall("paceline:{0}:callers").values())
    [listed] = run("keys", "list", "--json").records
    assert (listed["name"], listed["per_minute"], listed["kept_in"]) == ("billing", 600, "store")
    with serving(store_server.url) as web:
        assert web.post(READ).status == 401
        assert web.post(READ, key=key).status == 202
        assert run("keys", "revoke", "billing", "--reason", "left").code == 0
        other = run("keys", "create", "ops", "--role", "operate").lines[0]
        until = time.monotonic() + 20
        while web.post(READ, key=key).status != 401:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert web.ask("GET", "/v1/lanes", key=other).status == 200
    assert run("keys", "revoke", "nobody").code == 4
    assert [row["name"] for row in run("keys", "list", "--json").records] == ["ops"]
    audited = [json.loads(line)["what"] for line in store.lrange("paceline:{0}:audit", 0, -1)]
    assert audited == ["key created", "key revoked", "key created"]


def test_a_key_for_settings_is_kept_nowhere(monkeypatch: Any, capsys: Any) -> None:
    run = Terminal({"PACELINE_ENVIRONMENT": "test", "PACELINE_REDIS_URL": "redis://127.0.0.1:1/0"}, monkeypatch, capsys)
    said = run("keys", "create", "billing", "--for-settings", "--json")
    assert said.code == 0
    assert said.record["entry"] == entry("billing", said.record["key"], "enqueue")
