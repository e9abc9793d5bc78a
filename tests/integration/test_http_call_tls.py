"""TLS: verified on both sides, and trouble with certificates told apart from other trouble."""

import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.integration.calls import Files, call, kind
from tests.integration.raw_peer import Authority, Peer, answering, dripping, peer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def files(authority: Authority) -> Files:
    return Files(*authority.issue("client"), authority.bundle)


def test_a_verified_connection_carries_calls_and_is_kept(authority: Authority) -> None:
    with peer(answering(), tls=authority.server()) as other:
        for _ in range(3):
            assert kind(call(other.url(), tls=Files(ca_bundle=authority.bundle))) is None
    assert (other.connections, len(other.received)) == (1, 3)


@pytest.mark.parametrize("fresh", [False, True])
def test_our_certificate_is_shown_to_a_peer_that_asks(authority: Authority, files: Files, fresh: bool) -> None:
    with peer(answering(), tls=authority.server(clients=True)) as other:
        assert kind(call(other.url(), tls=files, fresh=fresh)) is None


def test_a_peer_of_another_authority_is_certificate_trouble(authority: Authority) -> None:
    with peer(answering(), tls=authority.server()) as other:
        exchange = call(other.url())
    assert (kind(exchange), exchange.wrote, other.received) == ("certificate", False, [])


def test_a_certificate_for_another_host_or_past_its_time_is_certificate_trouble(authority: Authority) -> None:
    for context in (authority.server(host="other.example"), authority.server(expired=True)):
        with peer(answering(), tls=context) as other:
            exchange = call(other.url(), tls=Files(ca_bundle=authority.bundle))
        assert (kind(exchange), exchange.wrote) == ("certificate", False)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_the_peer_does_not_know_is_certificate_trouble(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = authority.server(clients=True)
    context.minimum_version = context.maximum_version = version
    stranger = Authority.create(tmp_path, "stranger")
    with peer(answering(), tls=context) as other:
        exchange = call(other.url(), tls=Files(*stranger.issue("stranger-client"), authority.bundle), fresh=True)
    assert kind(exchange) == "certificate"
    assert other.received == []


def test_files_that_are_missing_or_no_certificates_are_certificate_trouble(
    authority: Authority, tmp_path: Path
) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("not a certificate")
    with peer(answering(), tls=authority.server()) as other:
        for files in (Files(ca_bundle=tmp_path / "absent.pem"), Files(ca_bundle=nonsense), Files(nonsense)):
            exchange = call(other.url(), tls=files)
            assert (kind(exchange), exchange.wrote) == ("certificate", False)
    assert other.connections == 0


def test_a_replaced_file_is_used_by_the_next_call(authority: Authority, tmp_path: Path) -> None:
    wrong = Authority.create(tmp_path / "wrong", "wrong")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(wrong.bundle.read_bytes())
    with peer(answering(), tls=authority.server()) as other:
        assert kind(call(other.url(), tls=Files(ca_bundle=bundle))) == "certificate"
        bundle.write_bytes(authority.bundle.read_bytes() + b"\n")
        assert kind(call(other.url(), tls=Files(ca_bundle=bundle))) is None


def test_a_peer_that_speaks_no_tls_is_handshake_trouble(authority: Authority) -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        conn.recv(100)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with peer(act) as other:
        exchange = call(other.url(scheme="https"), tls=Files(ca_bundle=authority.bundle))
    assert (kind(exchange), exchange.wrote) == ("tls", False)


def test_a_peer_that_closes_during_the_handshake_is_handshake_trouble() -> None:
    with peer(lambda running, conn: conn.close()) as other:
        exchange = call(other.url(scheme="https"))
    assert (kind(exchange), exchange.wrote) == ("tls", False)


@pytest.mark.parametrize("dripped", [False, True])
def test_a_handshake_that_hangs_ends_in_time(dripped: bool) -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        while dripped and not running.stopping.wait(0.01):
            conn.sendall(b"\x16")
        running.stopping.wait(60)

    with peer(act) as other:
        started = time.monotonic()
        exchange = call(other.url(scheme="https"), connect=0.3)
        took = time.monotonic() - started
    assert (kind(exchange), exchange.wrote) in [("connect_timeout", False), ("tls", False)]
    assert took < 10
    assert dripped or took > 0.29


def test_a_lease_that_is_gone_after_the_handshake_stops_the_request(authority: Authority) -> None:
    def act(running: Peer, conn: socket.socket) -> None:
        running.notes.append("handshake done")
        running.request(conn)

    with peer(act, tls=authority.server()) as other:
        exchange = call(other.url(), tls=Files(ca_bundle=authority.bundle), fence=lambda: False, fresh=True)
    assert (kind(exchange), exchange.wrote) == ("fenced", False)
    assert (other.notes, other.received) == (["handshake done"], [])


def test_a_dripping_peer_behind_tls_does_not_move_the_deadline(authority: Authority) -> None:
    slow = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + b"x" * 4000, 0.005)
    with peer(slow, tls=authority.server()) as other:
        started = time.monotonic()
        exchange = call(other.url(), tls=Files(ca_bundle=authority.bundle), deadline=1.5)
        took = time.monotonic() - started
    assert kind(exchange) == "read_timeout"
    assert 1.48 < took < 10  # it drips for twenty seconds
