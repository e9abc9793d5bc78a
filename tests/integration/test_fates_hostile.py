"""Peers that mean harm, or are as broken: each ends in its row, no job is lost, and no credential leaves."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.fate_bench import Bench, sandbox_of
from tests.integration.fate_hindrances import Raising
from tests.integration.raw_peer import Authority, Peer, answering, peer
from worker.sandbox.server import Sandbox

READ, START = "hub.authorize_token", "hub.start_session"
STATUS, REMOTE = "stellantis.b2b.get_vehicle_status", "stellantis.b2b.send_remote"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MEGABYTE = 1_000_000
PIECE = b"x" * 65_536

Act = Callable[[Peer, socket.socket], None]


def pouring(head: bytes, size: int) -> Act:
    """Sends so many bytes after the head, and notes how many of them were taken before the connection was cut."""

    def act(running: Peer, conn: socket.socket) -> None:
        running.request(conn)
        sent = 0
        try:
            conn.sendall(head)
            while sent < size:
                conn.sendall(PIECE)
                sent += len(PIECE)
        except OSError:
            pass
        running.notes.append(str(sent))

    return act


def dripping_for_ever(running: Peer, conn: socket.socket) -> None:
    running.request(conn)
    conn.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    try:
        while not running.stopping.wait(0.02):
            conn.sendall(b" ")
    except OSError:
        running.notes.append("cut off")


HTML = b"<html><script>alert(1)</script>Sign in</html>"
HTML_200 = HEAD.replace(b"application/json", b"text/html") + b"Content-Length: %d\r\n\r\n%b" % (len(HTML), HTML)
POURED: dict[str, tuple[Act, str]] = {
    "100 MB with its length": (pouring(HEAD + b"Content-Length: 100000000\r\n\r\n", 100 * MEGABYTE), "oversized"),
    "100 MB in chunks": (pouring(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5F5E100\r\n", 100 * MEGABYTE), "oversized"),
    "100 MB without an end": (pouring(HEAD + b"\r\n", 100 * MEGABYTE), "oversized"),
    "a header of 1 MB": (pouring(HEAD + b"X-Long: ", MEGABYTE), "header_too_large"),
    "drop by drop": (dripping_for_ever, "read_timeout"),
}
BRIEF = {"DELIVER__TOTAL_DEADLINE_S": "1", "DELIVER__CONNECT_TIMEOUT_S": "1"}


def check_nothing_leaked(bench: Bench, peers: tuple[Peer, ...] = ()) -> None:
    """No credential in the log, in the store, or with somebody it was not meant for."""
    kept = b"".join(key + (bench.store.dump(key) or b"") for key in bench.store.keys(f"*{bench.settings.partition}*"))
    log = bench.log_file.read_bytes()
    assert len(kept) > 500 and len(log) > 500
    for secret in bench.system.credentials.secrets():
        assert secret.encode() not in kept + log
        assert all(secret.encode() not in request for other in peers for request in other.received)


def address(operation: str, other: Peer) -> dict[str, str]:
    if operation.startswith("hub."):
        return {"HUB__BASE_URL": other.url("/ocpi/2.2.1")}
    return {"STELLANTIS__B2B_BASE_URL": other.url("/connectedcar/v3")}


@pytest.mark.parametrize("name", POURED)
@pytest.mark.parametrize(("operation", "error_class"), [(READ, "outcome_unknown"), (REMOTE, "outcome_unknown")])
def test_an_answer_without_measure_is_cut_off_and_unknown(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, name: str, operation: str, error_class: str
) -> None:
    act, code = POURED[name]
    time = BRIEF if code == "read_timeout" else {}
    with peer(act) as other, Bench(redis_url, sandbox, tmp_path, **address(operation, other), **time) as bench:
        ended = bench.run(operation)
        check_nothing_leaked(bench)
    assert (ended.state, ended.error_class, ended.code, ended.told) == ("dead", error_class, code, 1)
    assert len(other.received) == (2 if operation == READ else 1)
    other.join()
    taken = [int(note) for note in other.notes if note.isdecimal()]
    assert all(one < 20 * MEGABYTE for one in taken), "what is too long is not read to its end"
    record = json.dumps(ended.evidence[-1])
    assert len(record) < 20_000, "nor kept"


@pytest.mark.parametrize(
    ("operation", "error_class"),
    [(READ, "undocumented"), (START, "outcome_unknown"), (STATUS, "outcome_unknown"), (REMOTE, "outcome_unknown")],
)
def test_a_page_for_people_is_no_answer(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str, error_class: str
) -> None:
    with (
        peer(answering(HTML_200)) as other,
        Bench(redis_url, sandbox, tmp_path, **address(operation, other)) as bench,
    ):
        ended = bench.run(operation)
        check_nothing_leaked(bench)
    assert (ended.state, ended.error_class, ended.told) == ("dead", error_class, 1)
    assert other.received


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("operation", [READ, REMOTE])
def test_a_redirect_to_another_host_takes_nothing_there(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str, status: int
) -> None:
    with peer(answering()) as thief:
        there = thief.url("/ocpi/2.2.1", host="localhost").encode()
        answer = b"HTTP/1.1 %d Moved\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % (status, there)
        with (
            peer(answering(answer)) as other,
            Bench(redis_url, sandbox, tmp_path, **address(operation, other)) as bench,
        ):
            ended = bench.run(operation)
            check_nothing_leaked(bench, (thief,))
    assert (ended.state, ended.error_class, ended.code, ended.told) == ("dead", "redirected", str(status), 1)
    assert (len(other.received), thief.connections) == (1, 0)


@pytest.mark.parametrize("operation", [READ, REMOTE])
def test_a_peer_that_repeats_our_credentials_finds_them_masked(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    def echo(running: Peer, conn: socket.socket) -> None:
        text = json.dumps({"code": 41800, "status_code": 2999, "message": running.request(conn).decode("latin-1")})
        text = text.replace("message", "status_message") if operation == READ else text
        head = f"HTTP/1.1 418 X\r\nX-Request-ID: 7\r\nContent-Length: {len(text)}\r\n\r\n"
        conn.sendall((head + text).encode())

    with peer(echo) as other, Bench(redis_url, sandbox, tmp_path, **address(operation, other)) as bench:
        ended = bench.run(operation)
        check_nothing_leaked(bench)
    assert (ended.state, ended.told) == ("dead", 1)


def test_a_broken_middleware_that_says_our_token_does_not_make_it_known(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        said = " ".join(bench.system.credentials.secrets()[:4])

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError(f"no such thing: {said}")

        monkeypatch.setattr(bench.system.fate._chooser, "choose", broken)
        bench.broker.add_middleware(Raising(said))
        ended = bench.run(READ)
        check_nothing_leaked(bench)
    assert (ended.state, ended.error_class, ended.told) == ("dead", "internal", 1)


def test_an_expired_certificate_of_a_peer_takes_no_credential(redis_url: str, tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "authority")
    row = {"name": "fleet-1", "client_id": "sandbox-client-1", "username": "MZP000001"}
    row["password"] = "sandbox-password-1"
    with (
        peer(answering(), tls=authority.server(expired=True)) as other,
        sandbox_of(subscriptions=[row | {"ca_bundle": str(authority.bundle)}]) as sandbox,
        Bench(redis_url, sandbox, tmp_path, **address(STATUS, other)) as bench,
    ):
        held = bench.parked(bench.send(STATUS))
        check_nothing_leaked(bench, (other,))
        assert (set(bench.holds()), held.told, other.received) == ({"account:stellantis:fleet-1"}, 1, [])
