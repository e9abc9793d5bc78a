"""Every scripted fault, seen from the client's side of a real socket."""

import asyncio
import http.client
import json
import socket
import threading
import time

import pytest

from tests.integration.sandbox_caller import Caller, Moments
from worker.sandbox.server import Sandbox


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


def raw(sandbox: Sandbox, timeout_s: float = 30.0) -> bytes:
    """All bytes of one answer, however it ends."""
    with socket.create_connection(("127.0.0.1", sandbox.ports["hub"]), timeout=timeout_s) as peer:
        peer.sendall(
            b"GET /ocpi/2.2.1/locations HTTP/1.1\r\nHost: x\r\nAuthorization: Token sandbox-token-abc\r\n"
            b"Connection: close\r\n\r\n"
        )
        got = b""
        while part := peer.recv(65536):
            got += part
        return got


def test_a_status_and_body_of_choice_replace_the_answer(caller: Caller) -> None:
    caller.sandbox.fault("status", {"api": "hub"}, times=1, status=503, body={"a": 1}, retry_after=7)
    answer = caller.authorize()
    assert (answer.status, answer.json, answer.headers["Retry-After"]) == (503, {"a": 1}, "7")
    assert caller.authorize().status == 200


def test_an_ocpi_code_of_choice_replaces_the_answer(caller: Caller) -> None:
    caller.sandbox.fault("ocpi", {"operation": "hub.authorize_token"}, times=1, code=3001, message="backend away")
    answer = caller.authorize()
    assert (answer.status, answer.code, answer.json["status_message"]) == (200, 3001, "backend away")


@pytest.mark.parametrize("shape", ["standard", "legacy", "gateway", "oauth", "named", "html"])
def test_an_error_body_of_choice_replaces_the_answer(caller: Caller, shape: str) -> None:
    caller.sandbox.fault("error_body", {"api": "stellantis"}, shape=shape, status=500, code=50000)
    answer = caller.status()
    assert answer.status == 500
    assert (answer.headers["Content-Type"] == "text/html") == (shape == "html")


@pytest.mark.parametrize("status", [200, 502])
def test_a_page_for_people_may_come_instead(caller: Caller, status: int) -> None:
    caller.sandbox.fault("html", times=1, status=status)
    answer = caller.authorize()
    assert (answer.status, answer.body[:6]) == (status, b"<html>")


def test_a_redirect_names_another_host(caller: Caller) -> None:
    caller.sandbox.fault("redirect", times=1, location="http://other.invalid/x", status=307)
    answer = caller.authorize()
    assert (answer.status, answer.headers["Location"]) == (307, "http://other.invalid/x")


def test_a_delay_comes_before_the_first_byte(caller: Caller) -> None:
    caller.sandbox.fault("delay", times=1, delay_s=0.3)
    before = time.monotonic()
    assert caller.authorize().code == 1000
    assert time.monotonic() - before >= 0.3


def test_a_hanging_call_never_answers_and_has_been_carried_out(caller: Caller) -> None:
    caller.sandbox.fault("hang", times=1)
    caller.timeout_s = 0.5
    with pytest.raises(TimeoutError):
        caller.start()
    deadline = time.monotonic() + 30
    while not caller.sandbox.commands():  # who has given up may have done so before the whole call was read
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(caller.sandbox.commands()) == 1
    assert caller.sandbox.log()[0]["executed"] == "yes"


def test_a_dripping_answer_comes_one_byte_at_a_time(caller: Caller) -> None:
    caller.sandbox.fault("drip", times=1, interval_s=0.05)
    with socket.create_connection(("127.0.0.1", caller.sandbox.ports["hub"]), timeout=30) as peer:
        before, got = time.monotonic(), b""
        peer.sendall(b"GET /ocpi/versions HTTP/1.1\r\nHost: x\r\nAuthorization: Token sandbox-token-abc\r\n\r\n")
        while len(got) < 5:
            got += peer.recv(65536)
        took = time.monotonic() - before
    assert got.startswith(b"HTTP/")
    assert took >= (len(got) - 1) * 0.049, "each byte came after a pause of its own"


def test_a_connection_may_be_closed_before_anything_is_read(caller: Caller) -> None:
    caller.sandbox.fault("close_on_accept", {"api": "hub"}, times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        caller.authorize()
    assert caller.sandbox.log() == []
    assert caller.authorize().code == 1000


def test_a_connection_may_be_closed_after_reading_and_before_replying(caller: Caller) -> None:
    caller.sandbox.fault("close_before_reply", times=1)
    with pytest.raises(http.client.RemoteDisconnected):
        caller.authorize()
    assert len(caller.sandbox.log()) == 1


def test_a_connection_may_be_closed_in_the_middle_of_a_reply(caller: Caller) -> None:
    caller.sandbox.fault("close_mid_reply", times=1)
    head, _, body = raw(caller.sandbox).partition(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert 0 < len(body) < length
    with pytest.raises(ValueError, match=r"\w"):
        json.loads(body)


@pytest.mark.parametrize("action", ["reset", "reset_mid_reply"])
def test_a_connection_may_be_reset(caller: Caller, action: str) -> None:
    caller.sandbox.fault(action, times=1)
    with pytest.raises(ConnectionResetError):
        raw(caller.sandbox)
    assert len(caller.sandbox.log()) == 1


def test_a_body_may_be_huge(caller: Caller) -> None:
    caller.sandbox.fault("huge_body", times=1, megabytes=3)
    assert len(caller.authorize().body) > 3_000_000


def test_a_header_may_be_huge(caller: Caller) -> None:
    caller.sandbox.fault("huge_header", times=1, bytes=1_000_000)
    assert len(raw(caller.sandbox)) > 1_000_000


def test_the_type_of_a_body_may_be_wrong(caller: Caller) -> None:
    caller.sandbox.fault("wrong_type", times=1)
    assert caller.authorize().headers["Content-Type"] == "text/plain"


def test_a_body_may_be_no_json(caller: Caller) -> None:
    caller.sandbox.fault("invalid_json", times=1)
    answer = caller.authorize()
    assert answer.status == 200
    with pytest.raises(ValueError, match=r"\w"):
        json.loads(answer.body)


def test_a_body_may_be_empty(caller: Caller) -> None:
    caller.sandbox.fault("empty_body", times=1)
    answer = caller.authorize()
    assert (answer.status, answer.body) == (200, b"")


def test_an_envelope_may_be_wrong(caller: Caller) -> None:
    caller.sandbox.fault("wrong_envelope", times=1)
    assert "status_code" not in caller.authorize().json


def test_the_next_page_may_be_said_to_be_elsewhere(caller: Caller) -> None:
    caller.sandbox.fault("foreign_link", origin="http://other.invalid:81")
    link = caller.hub("GET", "/locations").headers["Link"]
    assert link.startswith("<http://other.invalid:81/ocpi/2.2.1/locations?")
    page = caller.car("/fleets/FLEET-1/vehicles").json
    assert page["_links"]["next"]["href"].startswith("http://other.invalid:81/connectedcar/v3/")


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        ({"api": "stellantis"}, [False, False, True]),
        ({"operation": "hub.list_locations"}, [False, True, False]),
        ({"account": "hub:IN-ABC"}, [True, True, False]),
        ({"path": r"/T-\d+/authorize$"}, [True, False, False]),
        ({"correlation_id": "job-2"}, [False, True, False]),
        ({"method": "GET", "api": "hub"}, [False, True, False]),
    ],
)
def test_a_fault_strikes_only_what_it_matches(caller: Caller, match: dict[str, str], hits: list[bool]) -> None:
    caller.sandbox.fault("status", match, status=599)
    answers = [
        caller.authorize(X_Correlation_ID="job-1"),
        caller.hub("GET", "/locations", X_Correlation_ID="job-2"),
        caller.status(X_Correlation_ID="job-3"),
    ]
    assert [answer.status == 599 for answer in answers] == hits


def test_a_fault_ends_after_its_number_of_calls_or_its_time(caller: Caller, moments: Moments) -> None:
    caller.sandbox.fault("status", times=2, status=500)
    assert [caller.authorize().status for _ in range(3)] == [500, 500, 200]
    caller.sandbox.fault("status", seconds=0.3, status=500)
    assert caller.authorize().status == 500
    moments.wait(0.35)
    assert caller.authorize().status == 200


def test_faults_queue_up_and_can_be_taken_back(caller: Caller) -> None:
    first = caller.sandbox.fault("status", times=1, status=500)
    caller.sandbox.fault("status", times=1, status=502)
    caller.sandbox.clear_faults(first)
    assert [one["action"] for one in caller.sandbox.faults()["active"]] == ["status"]
    assert [caller.authorize().status for _ in range(2)] == [502, 200]


def test_a_refused_call_uses_no_fault_up(caller: Caller) -> None:
    caller.sandbox.limits("tokens", 1, 60.0)
    caller.authorize()
    caller.sandbox.fault("status", times=1, status=500)
    assert caller.authorize().status == 429
    assert len(caller.sandbox.faults()["active"]) == 1


def test_a_fault_that_does_not_exist_is_refused_with_those_that_do(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="the faults are status, ocpi"):
        sandbox.fault("meteorite")
    with pytest.raises(ValueError, match="cannot match on colour"):
        sandbox.fault("hang", {"colour": "red"})


@pytest.mark.parametrize("mode", ["500", "503"])
def test_an_outage_answers_everything_with_one_status_until_it_is_over(
    caller: Caller, moments: Moments, mode: str
) -> None:
    caller.sandbox.outage("hub", seconds=0.3, mode=mode)
    assert [caller.authorize().status, caller.hub("GET", "/locations").status] == [int(mode)] * 2
    assert caller.status().status == 200
    moments.wait(0.35)
    assert caller.authorize().status == 200


def test_an_api_may_refuse_connections_and_come_back_on_the_same_port(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, back, slept = threading.Event(), threading.Event(), []
    sleep = asyncio.sleep

    async def until_over(seconds: float) -> None:
        slept.append(seconds)
        while not over.is_set():
            await sleep(0.01)
        asyncio.get_running_loop().call_soon(back.set)  # it goes on before this is called

    monkeypatch.setattr(asyncio, "sleep", until_over)
    caller.sandbox.outage("hub", seconds=0.3, mode="refuse")
    with pytest.raises(ConnectionRefusedError):
        caller.authorize()
    assert caller.status().status == 200
    over.set()
    assert back.wait(30)
    assert caller.authorize().status == 200
    assert slept == [0.3]


def test_an_outage_without_an_end_is_ended_by_hand(caller: Caller) -> None:
    caller.sandbox.outage("stellantis", mode="refuse")
    with pytest.raises(ConnectionRefusedError):
        caller.status()
    caller.sandbox.end_outage("stellantis")
    assert caller.status().status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
    ],
)
def test_bytes_that_are_no_request_get_a_clear_answer(sandbox: Sandbox, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", sandbox.ports["hub"]), timeout=30) as peer:
        peer.sendall(sent)
        assert peer.recv(1000).split(b" ")[1] in (b"400", b"411", b"431")


def test_a_kept_connection_serves_one_request_after_the_other_even_when_sent_together(sandbox: Sandbox) -> None:
    one = b"GET /ocpi/versions HTTP/1.1\r\nHost: x\r\nAuthorization: Token sandbox-token-abc\r\n\r\n"
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with socket.create_connection(("127.0.0.1", sandbox.ports["hub"]), timeout=30) as peer:
        peer.sendall(one + one + last)
        got = b""
        while part := peer.recv(65536):
            got += part
    assert got.count(b"HTTP/1.1 200 OK") == 3
    assert len({one["connection"] for one in sandbox.log()}) == 1
