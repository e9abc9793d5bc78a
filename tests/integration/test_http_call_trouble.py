"""Everything that can go wrong on the wire: one kind each, on time, and honest about whether a byte went out."""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from tests.integration.calls import Spec, call, kind
from tests.integration.raw_peer import OK, Peer, answering, dripping, peer, reset
from worker.deliver import resolver
from worker.deliver.exchange import NOTHING_SENT, Exchange

HEAD = b"HTTP/1.1 200 OK\r\n"


LONG_S = 10.0
"""Less than it would last without a deadline, more than any machine is late by."""


def timed(make: Callable[[], Exchange]) -> tuple[Exchange, float]:
    started = time.monotonic()
    return make(), time.monotonic() - started


def test_a_port_nobody_listens_on_refuses() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody else can take it meanwhile
        exchange = call(f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert (kind(exchange), exchange.wrote, exchange.response) == ("refused", False, None)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/", f"http://{'a' * 70}.invalid/", "http://a..b/"])
def test_a_name_without_an_address_is_dns_trouble(url: str) -> None:
    exchange = call(url, connect=1.0)
    assert (kind(exchange), exchange.wrote) == ("dns", False)


def test_a_lookup_that_hangs_ends_in_time_and_holds_one_thread_for_all_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, began, under_way = threading.Event(), threading.Event(), []

    def hanging(host: str, port: int) -> resolver.Addresses:
        under_way.append(host)
        began.set()
        go_on.wait(60)
        return []

    monkeypatch.setattr(resolver, "_look_up", hanging)
    for _ in range(3):
        exchange, took = timed(lambda: call("http://slow.example/", connect=0.1))
        assert kind(exchange) == "dns"
        assert 0.09 < took < LONG_S
    assert began.wait(30)
    assert under_way == ["slow.example"]
    go_on.set()


def test_a_connection_that_is_never_accepted_ends_in_time() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for sock in waiting:  # fills the backlog, so that the next connection request is dropped
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
            exchange, took = timed(lambda: call(f"http://127.0.0.1:{port}/", connect=0.3))
        finally:
            for sock in waiting:
                sock.close()
    assert (kind(exchange), exchange.wrote) == ("connect_timeout", False)
    assert 0.28 < took < LONG_S


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 4000\r\n\r\n" + b"x" * 4000,
        HEAD + b"X-Long: " + b"x" * 4000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 400,
    ],
    ids=["body", "header", "chunks", "informational"],
)
def test_a_dripping_peer_does_not_move_the_deadline_and_is_reset(answer: bytes) -> None:
    with peer(dripping(answer, 0.005)) as other:  # for at least twenty seconds, unless it is stopped
        exchange, took = timed(lambda: call(other.url(), deadline=0.9))
        other.join()
    assert (kind(exchange), exchange.wrote) == ("read_timeout", True)
    assert 0.89 < took < LONG_S
    assert other.notes in (["reset"], ["BrokenPipeError"])
    assert exchange.first_byte_at is not None


def test_a_silent_peer_ends_at_the_deadline_and_is_reset() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        running.request(conn)
        running.note_end(conn)

    with peer(act) as other:
        exchange, took = timed(lambda: call(other.url(), deadline=0.9, fresh=True))
        other.join()
    assert (kind(exchange), exchange.wrote, exchange.first_byte_at) == ("read_timeout", True, None)
    assert 0.89 < took < LONG_S
    assert other.notes == ["reset"]


def test_a_peer_that_reads_nothing_ends_at_the_deadline() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        running.stopping.wait(60)

    with peer(act) as other:
        spec = Spec(other.url(), "POST", json={"a": "x" * 30_000_000})
        exchange, took = timed(lambda: call(spec, deadline=1.5))
    assert (kind(exchange), exchange.wrote) == ("write_error", True)
    assert took < LONG_S


def raw(
    answer: bytes, then: Callable[[socket.socket], None] = socket.socket.close
) -> Callable[[Peer, socket.socket], None]:
    def act(running: Peer, conn: socket.socket) -> None:
        running.request(conn)
        conn.sendall(answer)
        then(conn)

    return act


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (raw(b""), "closed"),
        (raw(b"", reset), "reset"),
        (raw(b"HTTP/1.1 20"), "truncated"),
        (raw(HEAD + b"Content-Length: 10\r\n\r\n12345"), "truncated"),
        (raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"), "truncated"),
        (raw(b"SSH-2.0-OpenSSH\r\n\r\n"), "protocol"),
        (raw(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12"), "protocol"),
        (raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "protocol"),
        (raw(HEAD + b"Content-Length: 100001\r\n\r\n"), "oversized"),
        (raw(HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n"), "protocol"),
        (raw(HEAD + b"\r\n" + b"x" * 150_000), "oversized"),
        (raw(HEAD + b"X: " + b"x" * 300_000), "header_too_large"),
        (raw(HEAD + b"X: 1\r\n" * 50_000), "header_too_large"),
        (raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000), "header_too_large"),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_broken_answer_has_its_kind_and_says_that_something_was_sent(
    act: Callable[[Peer, socket.socket], None], expected: str, fresh: bool
) -> None:
    with peer(act) as other:
        exchange = call(other.url(), fresh=fresh)
    assert kind(exchange) == expected
    assert exchange.wrote
    assert expected not in NOTHING_SENT
    assert len(other.received) == 1


def test_what_came_of_a_truncated_answer_is_kept_as_evidence() -> None:
    with peer(raw(HEAD.replace(b"200 OK", b"429 No") + b"Retry-After: 5\r\nContent-Length: 10\r\n\r\n12345")) as other:
        exchange = call(other.url())
    assert kind(exchange) == "truncated"
    assert exchange.response is not None
    assert (exchange.response.status, exchange.response.body) == (429, b"12345")
    assert exchange.response.header("retry-after") == "5"


def test_a_body_up_to_the_bound_is_read_and_one_byte_more_is_not() -> None:
    for length, expected in ((1000, None), (1001, "oversized")):
        chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (length, b"x" * length)
        with peer(answering(chunked)) as other:
            exchange = call(other.url(), max_body=1000)
        assert kind(exchange) == expected
        assert exchange.response is not None and len(exchange.response.body) == 1000


def test_an_idle_connection_that_was_closed_meanwhile_is_not_used() -> None:
    with peer(answering(OK, times=1)) as other:
        assert kind(call(other.url())) is None
        other.join()
        assert kind(call(other.url())) is None
    assert other.connections == 2


def test_a_connection_that_closes_on_the_second_request_is_unknown_and_not_tried_again() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        running.request(conn)
        conn.sendall(OK)
        running.request(conn)  # read, so that the request may have been acted on

    with peer(act) as other:
        assert kind(call(other.url())) is None
        exchange = call(other.url())
    assert (kind(exchange), exchange.wrote) == ("closed", True)
    assert (len(other.received), other.connections) == (2, 1)


def test_a_second_answer_is_never_taken_for_the_answer_to_the_next_request() -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        running.request(conn)
        conn.sendall(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nWRONG")
        running.request(conn)

    with peer(act) as other:
        assert kind(call(other.url())) is None
        exchange = call(other.url())
    assert kind(exchange) == "protocol"
    assert exchange.response is None
