"""The simulated hub: tokens, envelope, roles, magic ids, paging and command results, over real sockets."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.integration.sandbox_caller import CPO_TOKEN, Caller
from worker.sandbox.server import Sandbox


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that keeps the command results posted to it."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append({"path": self.path, "job": self.headers["X-Correlation-ID"], **body})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def eventually(condition: Any, timeout_s: float = 30.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def test_the_addresses_end_as_the_settings_expect_them(sandbox: Sandbox) -> None:
    assert sandbox.hub_url.endswith("/ocpi/2.2.1")
    assert sandbox.stellantis_url.endswith("/connectedcar/v3")


def test_an_authorization_arrives_in_the_envelope_and_both_ids_come_back(caller: Caller) -> None:
    answer = caller.authorize(X_Request_ID="request-1", X_Correlation_ID="job-1")
    assert answer.status == 200
    assert set(answer.json) == {"status_code", "status_message", "timestamp", "data"}
    assert answer.json["data"]["allowed"] == "ALLOWED"
    assert (answer.headers["X-Request-ID"], answer.headers["X-Correlation-ID"]) == ("request-1", "job-1")


@pytest.mark.parametrize("allowed", ["BLOCKED", "NOT_ALLOWED", "UNKNOWN", "EXPIRED", "NO_CREDIT"])
def test_the_token_id_chooses_the_authorization(caller: Caller, allowed: str) -> None:
    assert caller.authorize(f"{allowed}-1").json["data"] == {"allowed": allowed}


def test_a_flaky_charge_point_operator_answers_the_second_time(caller: Caller) -> None:
    assert [caller.authorize("FLAKY-7").json["data"]["allowed"] for _ in range(3)] == ["UNKNOWN", "ALLOWED", "ALLOWED"]


def test_authorizing_by_post_is_a_path_the_hub_does_not_know(caller: Caller) -> None:
    answer = caller.hub("POST", "/tokens/IN/CPO/T-1/authorize", {})
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize(("shape", "status", "code"), [("401", 401, 2002), ("200", 200, 2002), ("401-bare", 401, None)])
def test_a_bad_token_is_refused_in_every_shape(caller: Caller, shape: str, status: int, code: int | None) -> None:
    caller.sandbox.config({"hub.unauthorized": shape})
    answer = caller.hub("GET", "/locations", token="no such token")
    assert answer.status == status
    assert code is None or answer.code == code


def test_a_revoked_token_fails_until_it_is_renewed_and_still_names_its_account(caller: Caller) -> None:
    caller.sandbox.revoke("hub:IN-ABC")
    assert caller.authorize().code == 2002
    assert caller.sandbox.log()[-1]["account"] == "hub:IN-ABC"
    caller.sandbox.renew("hub:IN-ABC")
    assert caller.authorize().code == 1000


def test_two_tokens_are_accepted_while_a_rotation_overlaps(caller: Caller) -> None:
    caller.sandbox.rotate("hub:IN-ABC", "token-b")
    assert [caller.hub("GET", "", token=token).code for token in ("sandbox-token-abc", "token-b")] == [1000, 1000]
    caller.sandbox.rotate("hub:IN-ABC", "token-c", overlap=False)
    assert [caller.hub("GET", "", token=token).code for token in ("token-b", "token-c")] == [2002, 1000]


def test_a_suspended_party_is_turned_away_and_shown_as_suspended(caller: Caller) -> None:
    caller.sandbox.suspend("hub:IN-ABC")
    assert "suspended" in caller.authorize().json["status_message"]
    shown = caller.hub("GET", "/hubclientinfo/IN/ABC", token=CPO_TOKEN).json["data"]
    assert shown["status"] == "SUSPENDED"


def test_a_party_may_write_its_token_in_base64() -> None:
    party = {"country_code": "IN", "party_id": "ABC", "role": "EMSP", "token": "plain", "token_encoding": "base64"}
    with Sandbox(parties=[party]) as sandbox:
        caller = Caller(sandbox)
        encoded = base64.b64encode(b"plain").decode()
        assert [caller.hub("GET", "", token=token).code for token in ("plain", encoded)] == [2002, 1000]


@pytest.mark.parametrize(
    ("shape", "status", "code"),
    [("404", 404, 2003), ("200", 200, 2003), ("404-2004", 404, 2004), ("404-bare", 404, None)],
)
def test_an_unknown_location_is_not_found_in_every_shape(
    caller: Caller, shape: str, status: int, code: int | None
) -> None:
    caller.sandbox.config({"hub.not_found": shape})
    answer = caller.hub("GET", "/locations/IN/CPO/MISSING-1")
    assert answer.status == status
    assert code is None or answer.code == code


def test_an_emsp_cannot_push_sessions(caller: Caller) -> None:
    answer = caller.hub("PUT", "/sessions/IN/CPO/S-1", {})
    assert "CPO-only endpoint called by eMSP" in answer.json["status_message"]


def test_a_cpo_cannot_push_sessions_of_another_party(caller: Caller) -> None:
    answer = caller.hub("PUT", "/sessions/IN/XYZ/S-1", {}, token=CPO_TOKEN)
    assert answer.json["status_message"].startswith("Party mismatch")


def test_a_session_without_a_customer_is_accepted_and_never_delivered(caller: Caller) -> None:
    for name, body in (("S-1", {}), ("S-2", {"cdr_token": {"uid": "T-1"}})):
        assert caller.hub("PUT", f"/sessions/IN/CPO/{name}", body, token=CPO_TOKEN).code == 1000
    kept = caller.sandbox.records()["sessions"]
    assert [kept[name]["delivered"] for name in ("S-1", "S-2")] == [False, True]


def test_a_posted_cdr_is_given_an_address(caller: Caller) -> None:
    answer = caller.hub("POST", "/cdrs", {"id": "CDR-1", "cdr_token": {}}, token=CPO_TOKEN)
    assert answer.code == 1000
    assert answer.headers["Location"].endswith("/cdrs/CDR-1")


def test_the_pages_of_locations_are_followed_to_their_end(caller: Caller) -> None:
    url: str | None = caller.sandbox.hub_url + "/locations?limit=50&date_from=2026-01-01T00:00:00Z"
    names: list[str] = []
    while url:
        answer = caller.call("GET", url, Authorization="Token sandbox-token-abc")
        assert (answer.headers["X-Total-Count"], answer.headers["X-Limit"]) == ("120", "50")
        names += [row["id"] for row in answer.json["data"]]
        link = answer.headers["Link"]
        url = link.partition(">")[0].lstrip("<") if link else None
        assert url is None or "date_from=2026-01-01" in url
    assert names == [f"LOC-{number:04d}" for number in range(1, 121)]


def test_without_a_routing_rule_the_list_of_locations_is_empty(caller: Caller) -> None:
    caller.sandbox.config({"hub.routing": False})
    assert caller.hub("GET", "/locations").json["data"] == []


@pytest.mark.parametrize("shape", ["object", "list"])
def test_a_command_is_answered_at_once_in_either_shape(caller: Caller, shape: str) -> None:
    caller.sandbox.config({"hub.command_data": shape})
    data = caller.start().json["data"]
    assert (data[0] if shape == "list" else data) == {"result": "ACCEPTED", "timeout": 30}


@pytest.mark.parametrize("response", ["REJECTED", "NOT_SUPPORTED", "UNKNOWN_SESSION"])
def test_the_target_of_a_command_chooses_its_response(caller: Caller, response: str) -> None:
    assert caller.start(location_id=f"{response}-1").json["data"]["result"] == response


def test_a_command_without_its_parameters_is_malformed(caller: Caller) -> None:
    assert caller.hub("POST", "/commands/STOP_SESSION", {"response_url": "http://127.0.0.1:9"}).code == 2001


def test_an_unknown_command_is_an_unknown_path(caller: Caller) -> None:
    assert caller.hub("POST", "/commands/UNLOCK_CONNECTOR", {}).status == 404


def test_the_result_of_a_command_is_posted_bare_to_its_own_address(
    caller: Caller, receiver: tuple[str, list[dict[str, Any]]]
) -> None:
    url, got = receiver
    caller.start(job="job-9", response_url=f"{url}/results/9?secret=s")
    assert eventually(lambda: got)
    assert got[0] == {
        "path": "/results/9?secret=s",
        "job": "job-9",
        "result": "ACCEPTED",
        "message": [{"language": "en", "text": "sandbox"}],
    }
    assert eventually(lambda: caller.sandbox.results()[0]["status"] == 200)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("DROP-1", []),
        ("REPEAT-1", ["ACCEPTED", "ACCEPTED"]),
        ("FAILED-1", ["FAILED"]),
        ("CANCELED-1", ["ACCEPTED", "CANCELED_RESERVATION"]),
    ],
)
def test_results_may_be_dropped_repeated_or_bad(
    caller: Caller, receiver: tuple[str, list[dict[str, Any]]], target: str, expected: list[str]
) -> None:
    url, got = receiver
    caller.sandbox.config({"hub.result_delay_s": 0.01})
    caller.start(location_id=target, response_url=f"{url}/a")
    caller.start(response_url=f"{url}/last")
    assert eventually(lambda: len(got) == len(expected) + 1)
    assert [one["result"] for one in got if one["path"] == "/a"] == expected
