"""Basic over mutual TLS with real certificates: who is let in, who is not, and how often the rest try."""

import shutil
from base64 import b64encode
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fate_bench import Bench, sandbox_of
from tests.integration.raw_peer import Authority, answering, peer

FLEET = "stellantis:fleet-1"
STATUS, REMOTE = "stellantis.b2b.get_vehicle_status", "stellantis.b2b.send_remote"
ANSWER = b'{"energy": []}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority")


def subscription(authority: Authority, folder: Path, expired: bool = False) -> dict[str, Any]:
    """With a certificate of its own, in files that can be replaced."""
    folder.mkdir(exist_ok=True)
    for made, name in zip(authority.issue("client", expired=expired), ("client.crt", "client.key"), strict=True):
        shutil.copy(made, folder / name)
    who = {"name": "fleet-1", "client_id": "sandbox-client-1", "username": "MZP000001"}
    who["password"] = "sandbox-password-1"
    files = {"client_certificate": str(folder / "client.crt"), "client_key": str(folder / "client.key")}
    return {**who, **files, "ca_bundle": str(authority.bundle)}


def listening(authority: Authority, **options: Any) -> dict[str, Any]:
    """A sandbox's options for TLS that asks for our certificate."""
    certificate, key = authority.issue("server", host="127.0.0.1", **options)
    return {"tls_cert": str(certificate), "tls_key": str(key), "tls_ca": str(authority.bundle)}


@pytest.mark.parametrize("operation", [STATUS, REMOTE])
def test_a_password_over_mutual_tls_is_let_in(
    redis_url: str, tmp_path: Path, authority: Authority, operation: str
) -> None:
    ours = subscription(authority, tmp_path / "ours")
    with (
        sandbox_of(subscriptions=[ours], **listening(authority)) as sandbox,
        Bench(redis_url, sandbox, tmp_path) as bench,
    ):
        ended = bench.run(operation)
        assert (ended.state, ended.attempts, sandbox.count(unauthorized=True)) == ("done", 0, 0)


def test_the_password_travels_in_the_header_and_the_client_id_in_the_query(
    redis_url: str, tmp_path: Path, authority: Authority
) -> None:
    ours = subscription(authority, tmp_path / "ours")
    with (
        peer(answering(OK), tls=authority.server(clients=True)) as other,
        sandbox_of(subscriptions=[ours]) as sandbox,
        Bench(redis_url, sandbox, tmp_path, STELLANTIS__B2B_BASE_URL=other.url("/connectedcar/v3")) as bench,
    ):
        assert bench.run(STATUS).state == "done"
    (request,) = other.received
    basic = b64encode(b"MZP000001:sandbox-password-1")
    assert b"\r\nauthorization: basic " + basic.lower() in request.lower()
    assert b"client_id=sandbox-client-1" in request.split(b"\r\n")[0]


@pytest.mark.parametrize("operation", [STATUS, REMOTE])
def test_an_expired_certificate_of_theirs_holds_the_account_and_nothing_is_sent(
    redis_url: str, tmp_path: Path, authority: Authority, operation: str
) -> None:
    ours = subscription(authority, tmp_path / "ours")
    with (
        sandbox_of(subscriptions=[ours], **listening(authority, expired=True)) as sandbox,
        Bench(redis_url, sandbox, tmp_path) as bench,
    ):
        held = bench.parked(bench.send(operation))
        assert (set(bench.holds()), held.attempts, held.told) == ({f"account:{FLEET}"}, 0, 1)
        record = held.evidence[0]
        assert (record["outcome"]["class"], record["wrote"]) == ("certificate_trouble", False)
        assert "expired" in record["failure"]["detail"]
        assert sandbox.count() == 0


def test_an_expired_certificate_of_ours_holds_the_account_and_its_replacement_is_tried_at_once(
    redis_url: str, tmp_path: Path, authority: Authority
) -> None:
    ours = subscription(authority, tmp_path / "ours", expired=True)
    with (
        peer(answering(OK), tls=authority.server(clients=True)) as other,
        sandbox_of(subscriptions=[ours]) as sandbox,
        Bench(redis_url, sandbox, tmp_path, STELLANTIS__B2B_BASE_URL=other.url("/connectedcar/v3")) as bench,
    ):
        jobs = [bench.send(STATUS) for _ in range(5)]
        bench.until(bench.holds, "a hold")
        bench.until(lambda: bench.states(jobs) == {"waiting": 5}, "all to wait")
        assert other.received == []
        subscription(authority, tmp_path / "ours")
        ended = [bench.wait(job) for job in jobs]
        assert bench.holds() == {}
    assert {(job.state, job.attempts) for job in ended} == {("done", 0)}
    assert [(alert.opened, alert.state) for alert in ended[0].alerts] == [(1, "resolved")]


def test_a_certificate_that_stays_refused_is_tried_once_per_probe(
    redis_url: str, tmp_path: Path, authority: Authority
) -> None:
    """A handshake that fails settles nothing at the other side; it must not let the next job try at once for that."""
    ours = subscription(authority, tmp_path / "ours")
    with (
        peer(answering(OK), tls=authority.server(expired=True)) as other,
        sandbox_of(subscriptions=[ours]) as sandbox,
        Bench(
            redis_url, sandbox, tmp_path, threads=2, FAIL__CREDENTIAL_PROBE_S="0.5",
            STELLANTIS__B2B_BASE_URL=other.url("/connectedcar/v3"),
        ) as bench,
    ):  # fmt: skip
        jobs = [bench.send(STATUS) for _ in range(8)]
        bench.until(bench.holds, "a hold")
        bench.until(lambda: len(moments(bench, jobs)) >= bench.threads + 3, "three probes")
        times = moments(bench, jobs)
        assert (set(bench.holds()), bench.states(jobs)["dead"]) == ({f"account:{FLEET}"}, 0)
        bench.stop()
        assert other.connections <= len(moments(bench, jobs))
    probes = times[bench.threads :]
    assert all(later - earlier >= 0.4 for earlier, later in pairwise(probes)), times


def moments(bench: Bench, jobs: list[str]) -> list[float]:
    """When each attempt began."""
    records = [record for job in jobs for record in bench.ended(job).evidence]
    return sorted(datetime.fromisoformat(record["at"]).timestamp() for record in records)
