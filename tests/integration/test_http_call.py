"""One call, one request on the wire, and the truth about what became of it."""

import socket
import threading
import time

import pytest

from tests.integration.calls import Spec, call, kind
from tests.integration.raw_peer import OK, Peer, answering, peer, reset
from worker.deliver.http_call import Unsendable, boottime


def test_a_call_is_one_plain_request_and_its_whole_answer() -> None:
    with peer(answering(b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\nX-A: 1\r\nX-A: 2\r\n\r\n[1,2,3]")) as other:
        spec = Spec(other.url("/a%2Fb/c"), "POST", [("t", "1"), ("t", "2 +")], {"ü": 1}, {"X-Request-ID": "r1"})
        exchange = call(spec, query={"client_id": "c"})
    assert exchange.failure is None
    assert exchange.response is not None
    assert (exchange.response.status, exchange.response.body) == (201, b"[1,2,3]")
    assert [value for name, value in exchange.response.headers if name == "X-A"] == ["1", "2"]
    head, _, body = other.received[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /a%2fb/c?t=1&t=2+%2b&client_id=c http/1.1"
    assert {"accept-encoding: identity", "x-request-id: r1", "authorization: token top-secret"} <= set(lines)
    assert len([line for line in lines if line.startswith("host:")]) == 1
    assert body == '{"ü":1}'.encode()
    assert len(other.received) == other.connections == 1


def test_the_moments_of_a_call_are_recorded_in_their_order() -> None:
    with peer(answering()) as other:
        before = time.monotonic()
        exchange = call(other.url())
    assert exchange.sent_at is not None and exchange.first_byte_at is not None
    assert before <= exchange.started <= exchange.sent_at <= exchange.first_byte_at <= exchange.ended_at


def test_calls_share_a_connection_unless_one_asks_for_its_own() -> None:
    with peer(answering()) as other:
        for _ in range(3):
            assert kind(call(other.url())) is None
        assert other.connections == 1
        for _ in range(3):
            assert kind(call(other.url(), fresh=True)) is None
        assert other.connections == 4
        assert b"connection: close" in other.received[-1].lower()


def test_a_fresh_connection_is_closed_after_its_call() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        running.request(conn)
        conn.sendall(OK)
        running.note_end(conn)

    with peer(act) as other:
        assert kind(call(other.url(), fresh=True)) is None
        other.join()
        assert other.notes == ["closed"]


@pytest.mark.parametrize("location", ["/elsewhere", "http://127.0.0.1:1/", "http://[bad", "//", ""])
def test_a_redirect_is_an_answer_and_not_followed(location: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    with peer(answering(answer)) as other:
        exchange = call(other.url())
    assert exchange.response is not None and exchange.response.status == 302
    assert len(other.received) == 1


def test_nothing_of_the_environment_or_of_earlier_answers_gets_into_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with peer(answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}")) as other:
        assert kind(call(other.url())) is None
        assert kind(call(other.url())) is None
    assert all(b"cookie" not in request.lower() for request in other.received)


def test_a_compressed_answer_is_left_as_it_came() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\x00"
    with peer(answering(answer)) as other:
        exchange = call(other.url())
    assert exchange.response is not None and exchange.response.body == b"\x1f\x8b\x00\x00"


def test_a_name_with_several_addresses_is_tried_until_one_answers() -> None:
    with peer(answering()) as other:
        assert kind(call(other.url(host="localhost"))) is None


def test_many_threads_call_at_once_and_each_gets_its_own_answer() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        while request := running.request(conn):
            path = request.split(b" ")[1]
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    wrong: list[str] = []

    def many(number: int) -> None:
        for turn in range(20):
            path = f"/{number}/{turn}"
            exchange = call(other.url(path), fresh=turn % 5 == 0)
            if exchange.response is None or exchange.response.body.decode() != path:
                wrong.append(f"{path}: {exchange}")

    with peer(act) as other:
        threads = [threading.Thread(target=many, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(other.received) == 320


def test_a_call_past_its_time_to_send_writes_nothing() -> None:
    with peer(answering()) as other:
        exchange = call(other.url(), send_by=boottime() - 0.001)
        assert kind(call(other.url(), send_by=boottime() + 60)) is None
    assert (kind(exchange), exchange.wrote, exchange.sent_at) == ("too_late", False, None)
    assert len(other.received) == 1


@pytest.mark.parametrize("warm", [False, True])
def test_a_call_whose_lease_is_gone_writes_nothing(warm: bool) -> None:
    with peer(answering()) as other:
        if warm:
            call(other.url())
        exchange = call(other.url(), fence=lambda: False)
    assert (kind(exchange), exchange.wrote) == ("fenced", False)
    assert len(other.received) == warm


def test_the_fence_is_asked_once_and_only_when_a_connection_stands() -> None:
    asked: list[bool] = []

    def fence() -> bool:
        asked.append(True)
        return True

    with peer(answering()) as other:
        assert kind(call(Spec(other.url(), "POST", json={"a": 1}), fresh=True, fence=fence)) is None
        url = other.url()
    assert kind(call(url, fence=fence)) == "refused"
    assert asked == [True]


def test_a_fence_that_takes_too_long_makes_the_call_too_late() -> None:
    def slow() -> bool:
        time.sleep(0.05)
        return True

    with peer(answering()) as other:
        exchange = call(other.url(), send_by=boottime() + 0.04, fence=slow)
    assert (kind(exchange), other.received) == ("too_late", [])


def test_an_error_of_the_fence_comes_out_and_nothing_was_written() -> None:
    def broken() -> bool:
        raise ConnectionError("the store is away")

    with peer(answering()) as other:
        with pytest.raises(ConnectionError, match="the store is away"):
            call(other.url(), fence=broken)
        assert kind(call(other.url())) is None
    assert len(other.received) == 1


def test_a_header_that_cannot_be_sent_is_named_and_its_value_is_not() -> None:
    for value in ("Token hush\r\nX: y", "Token hush\N{BULLET}"):
        with pytest.raises(Unsendable) as raised:
            call("http://127.0.0.1:1/", credentials={"Authorization": value})
        assert "authorization" in str(raised.value)
        assert "hush" not in str(raised.value)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "/only/a/path", "http://"])
def test_an_address_that_is_none_is_a_mistake_of_ours(url: str) -> None:
    with pytest.raises(Unsendable):
        call(url)


def test_a_refusal_before_the_whole_request_was_read_is_the_answer() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        conn.recv(100)
        conn.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        conn.shutdown(socket.SHUT_WR)
        running.note_end(conn)

    with peer(act) as other:
        exchange = call(Spec(other.url(), "POST", json={"a": "x" * 5_000_000}), fresh=True)
    assert exchange.response is not None and exchange.response.status == 413


def test_a_reset_while_a_large_request_is_written_is_a_write_error_after_a_byte() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        conn.recv(100)
        reset(conn)

    with peer(act) as other:
        exchange = call(Spec(other.url(), "POST", json={"a": "x" * 20_000_000}), fresh=True)
    assert (kind(exchange), exchange.wrote) == ("write_error", True)
