"""A refused credential stops its account once, tells once, costs no attempt, and mends itself."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fate_bench import Bench, sandbox_of
from tests.integration.fate_count import provokes
from tests.integration.raw_peer import Authority, answering, peer
from worker.sandbox.server import Sandbox

HUB, FLEET = "hub:IN-ABC", "stellantis:fleet-1"
READ, START = "hub.authorize_token", "hub.start_session"
STATUS, REMOTE = "stellantis.b2b.get_vehicle_status", "stellantis.b2b.send_remote"
ACCOUNTS = [(HUB, "hub.get_location"), (FLEET, STATUS)]


def with_files(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """The sandbox's environment, with each secret in a file of its own."""
    found = dict(sandbox.environment())
    for name, key in (("HUB__PARTIES", "token"), ("STELLANTIS__SUBSCRIPTIONS", "password")):
        rows: list[dict[str, Any]] = json.loads(found[f"PACELINE_{name}"])
        for number, row in enumerate(rows):
            file = folder / f"{key}-{number}"
            file.write_text(row[key], encoding="ascii")
            row[key] = {"file": str(file)}
        found[f"PACELINE_{name}"] = json.dumps(rows)
    return found


def secret_file(folder: Path, account: str) -> Path:
    return folder / ("token-0" if account == HUB else "password-0")


def write(file: Path, secret: str) -> None:
    """As a secret is mounted: whole or not at all."""
    made = file.with_suffix(".made")
    made.write_text(secret, encoding="ascii")
    made.replace(file)


@pytest.fixture(params=ACCOUNTS, ids=["hub", "stellantis"])
def account(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    yield request.param


def test_a_revoked_credential_with_many_jobs_waiting_is_one_hold_one_alert_and_no_attempt(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, account: tuple[str, str]
) -> None:
    name, operation = account
    with Bench(redis_url, sandbox, tmp_path, environ=with_files(sandbox, tmp_path)) as bench:
        sandbox.rotate(name, "the-next-secret", overlap=False)
        jobs = [bench.send(operation) for _ in range(50)]
        bench.until(bench.holds, "a hold")
        elsewhere = bench.run(operation, name.replace("IN-ABC", "IN-DEF").replace("fleet-1", "fleet-2"))
        assert elsewhere.state == "done", "other accounts go on"
        bench.until(lambda: all(bench.state(job) == "waiting" for job in jobs), "all jobs to wait")
        assert set(bench.holds()) == {f"account:{name}"}
        assert sandbox.count(account=name) <= bench.threads
        write(secret_file(tmp_path, name), "the-next-secret")
        ended = [bench.wait(job) for job in jobs]
        assert bench.holds() == {}
    assert {(job.well, job.attempts) for job in ended} == {(True, 0)}
    assert sandbox.count(account=name, unauthorized=True) <= bench.threads + 1
    assert [(alert.opened, alert.state) for alert in ended[0].alerts] == [(1, "resolved")]
    assert name in json.dumps(ended[0].alerts[0].facts)


def test_a_new_secret_that_is_refused_too_costs_one_call_and_no_second_alert(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, account: tuple[str, str]
) -> None:
    name, operation = account
    with Bench(redis_url, sandbox, tmp_path, environ=with_files(sandbox, tmp_path)) as bench:
        sandbox.rotate(name, "the-next-secret", overlap=False)
        jobs = [bench.send(operation) for _ in range(10)]
        bench.until(bench.holds, "a hold")
        bench.until(lambda: all(bench.state(job) == "waiting" for job in jobs), "all jobs to wait")
        before = sandbox.count()
        write(secret_file(tmp_path, name), "another-mistake")
        bench.until(lambda: sandbox.count() == before + 1, "one probe")
        bench.until(lambda: all(bench.state(job) == "waiting" for job in jobs), "all jobs to wait again")
        assert (bench.release(f"account:{name}"), set(bench.holds())) == ("released", {f"account:{name}"})
        bench.until(lambda: sandbox.count() == before + 2, "the probe of a release")
        sandbox.renew(name, "another-mistake")
        bench.release(f"account:{name}")
        ended = [bench.wait(job) for job in jobs]
    assert {(job.well, job.attempts) for job in ended} == {(True, 0)}
    assert [alert.opened for alert in ended[0].alerts] == [1]


def test_a_party_that_is_suspended_is_probed_slowly_and_resumes_by_itself(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, account: tuple[str, str]
) -> None:
    name, operation = account
    with Bench(redis_url, sandbox, tmp_path, threads=2, FAIL__CREDENTIAL_PROBE_S="0.3") as bench:
        sandbox.suspend(name)
        jobs = [bench.send(operation) for _ in range(6)]
        sandbox.wait_for(bench.threads + 2, unauthorized=True)
        sandbox.resume(name)
        ended = [bench.wait(job) for job in jobs]
    assert {(job.well, job.attempts) for job in ended} == {(True, 0)}
    probes = [a["at"] for a in sandbox.log(unauthorized=True)][bench.threads :]
    assert all(later - earlier >= 0.28 for earlier, later in pairwise(probes))
    assert [(alert.opened, alert.state) for alert in ended[0].alerts] == [(1, "resolved")]


@pytest.mark.parametrize("shape", ["401", "200", "401-bare"])
def test_every_shape_of_the_hubs_refusal_holds_the_account(redis_url: str, tmp_path: Path, shape: str) -> None:
    with sandbox_of(hub={"unauthorized": shape}) as sandbox, Bench(redis_url, sandbox, tmp_path) as bench:
        sandbox.revoke(HUB)
        repeatable, not_repeatable = bench.send(READ), bench.send(START)
        bench.until(bench.holds, "a hold")
        sandbox.renew(HUB)
        bench.release(f"account:{HUB}")
        ended = [bench.wait(job) for job in (repeatable, not_repeatable)]
        assert [(job.well, job.attempts) for job in ended] == [(True, 0)] * 2
        assert sandbox.count(executed="yes", operation=START) == 1


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority")


def subscription(bundle: Path) -> dict[str, Any]:
    own = {"name": "fleet-1", "client_id": "sandbox-client-1", "username": "MZP000001"}
    return {**own, "password": "sandbox-password-1", "ca_bundle": str(bundle)}


@provokes("both", "certificate trouble", "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", [STATUS, REMOTE])
def test_a_certificate_that_is_not_accepted_holds_the_account_until_it_is_mended(
    redis_url: str, tmp_path: Path, authority: Authority, operation: str
) -> None:
    certificate, key = authority.issue("server", host="127.0.0.1")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(Authority.create(tmp_path / "stranger", "stranger").bundle.read_bytes())
    tls: dict[str, Any] = {"tls_cert": str(certificate), "tls_key": str(key)}
    with (
        sandbox_of(subscriptions=[subscription(bundle)], **tls) as sandbox,
        Bench(redis_url, sandbox, tmp_path) as bench,
    ):
        jobs = [bench.send(operation) for _ in range(5)]
        bench.until(bench.holds, "a hold")
        bench.until(lambda: all(bench.state(job) == "waiting" for job in jobs), "all jobs to wait")
        held = bench.parked(bench.holds()[f"account:{FLEET}"] and jobs[0])
        assert (held.attempts, held.told, sandbox.count()) == (0, 1, 0)
        assert held.evidence[-1]["outcome"]["class"] == "certificate_trouble"
        assert bench.window(f"{FLEET}|calls.day")["tot"] == 0, "no permit is used by a call that never arrived"
        bundle.write_bytes(authority.bundle.read_bytes() + b"\n")
        bench.release(f"account:{FLEET}")
        ended = [bench.wait(job) for job in jobs]
    assert {(job.well, job.attempts) for job in ended} == {(True, 0)}
    assert ended[0].alerts[0].state == "resolved"


def test_an_api_that_refuses_our_certificate_holds_the_account(
    redis_url: str, tmp_path: Path, authority: Authority
) -> None:
    certificate, key = Authority.create(tmp_path / "stranger", "stranger").issue("client")
    files = {"client_certificate": str(certificate), "client_key": str(key)}
    with (
        peer(answering(), tls=authority.server(clients=True)) as other,
        sandbox_of(subscriptions=[subscription(authority.bundle) | files]) as sandbox,
        Bench(redis_url, sandbox, tmp_path, STELLANTIS__B2B_BASE_URL=other.url("/connectedcar/v3")) as bench,
    ):
        held = bench.parked(bench.send(REMOTE))
        assert (held.attempts, held.told, other.received) == (0, 1, [])
        assert set(bench.holds()) == {f"account:{FLEET}"}
        assert held.evidence[0]["outcome"]["class"] == "certificate_trouble"
