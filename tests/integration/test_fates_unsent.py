"""Calls that never left us: told apart from calls that may have, given their permit back, or not accepted at all."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.fate_bench import Bench
from tests.integration.fate_count import provokes
from tests.integration.fate_hindrances import After, HeldUp, Once, hanging_up
from tests.integration.fate_sight import Ended
from tests.integration.raw_peer import peer
from worker.accept.operation import find
from worker.broker.card import JobMessage
from worker.errors import Refused
from worker.sandbox.server import Sandbox

READ, CDR = "hub.authorize_token", "hub.post_cdr"
STATUS, REMOTE = "stellantis.b2b.get_vehicle_status", "stellantis.b2b.send_remote"
CASES = [("hub", READ), ("hub", CDR), ("stellantis", STATUS), ("stellantis", REMOTE)]
NEVER_SENT = "refused, DNS, TLS handshake, pool time-out"
AT_ENQUEUE = "at enqueue: wrong role, a path that names another party, a session or CDR without cdr_token"


def occupied(bench: Bench, operation: str) -> int:
    """How many permits of the operation's budget are in use or were used."""
    row = find(operation)
    account = "stellantis:fleet-1" if row.api == "stellantis" else "hub:IN-ABC"
    names = ["calls.day", "calls.second"] if row.budget == "calls" else [row.budget]
    found = [bench.window(f"{account}|{name}") for name in names]
    return sum(window.get("tot", 0) + window.get("inf", 0) for window in found)


def check_never_sent(bench: Bench, operation: str, ended: Ended, code: str) -> None:
    assert (ended.state, ended.error_class, ended.code) == ("dead", "never_sent", code)
    assert (ended.attempts, ended.runs, ended.arrivals, ended.told) == (2, 0, [], 1)
    assert occupied(bench, operation) == 0, "a call that was never sent uses nothing up"
    for record in ended.evidence:
        assert (record["wrote"], record["response"], record["failure"]["kind"]) == (False, None, code)
        assert (record["outcome"]["class"], record["outcome"]["executed"]) == ("never_sent", False)
    assert 0 < ended.evidence[0]["wait_s"] <= 0.02
    assert ended.problem["class"] == "never_sent"


@provokes("both", NEVER_SENT, "repeatable", "unrepeatable")
@pytest.mark.parametrize(("api", "operation"), CASES)
def test_a_closed_port_is_tried_again_and_a_short_outage_costs_one_attempt(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, api: str, operation: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        sandbox.outage(api, mode="refuse")
        check_never_sent(bench, operation, bench.run(operation), "refused")
    back = After(lambda: sandbox.end_outage(api))
    with Bench(redis_url, sandbox, tmp_path, middleware=[back]) as bench:
        ended = bench.run(operation)
    assert (ended.state, ended.attempts, len(ended.arrivals)) == ("done", 1, 1)


@provokes("both", NEVER_SENT, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", [READ, CDR])
def test_a_name_that_does_not_resolve_was_never_sent_to(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    nowhere = {"HUB__BASE_URL": "http://no-such-host.invalid/ocpi/2.2.1"}
    with Bench(redis_url, sandbox, tmp_path, DELIVER__CONNECT_TIMEOUT_S="0.3", **nowhere) as bench:
        check_never_sent(bench, operation, bench.run(operation), "dns")


@provokes("both", NEVER_SENT, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", [STATUS, REMOTE])
def test_a_handshake_that_breaks_off_was_never_a_request(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    with peer(hanging_up) as other:
        base = other.url("/connectedcar/v3", scheme="https")
        with Bench(redis_url, sandbox, tmp_path, STELLANTIS__B2B_BASE_URL=base) as bench:
            check_never_sent(bench, operation, bench.run(operation), "tls")
    assert (other.connections, other.received) == (2, [])


@provokes("both", "past send_by", "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", [READ, REMOTE])
def test_a_worker_that_was_held_up_gives_the_permit_back_and_the_job_goes_again(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    def held_up(message: JobMessage) -> None:
        message.card.send_by_s -= 3600  # as if it had stood there for an hour; its lease was renewed all the time

    with Bench(redis_url, sandbox, tmp_path, middleware=[Once(held_up)]) as bench:
        ended = bench.run(operation)
    first = ended.evidence[0]
    assert (ended.state, ended.attempts, ended.runs, len(ended.arrivals), ended.told) == ("done", 0, 1, 1, 0)
    assert (first["outcome"]["class"], first["wrote"], first["wait_s"]) == ("too_late", False, 0.0)
    assert first["decision"] == "again without an attempt, permit refunded"
    assert [record["attempt"] for record in ended.evidence] == [1, 1], "the second call is still the first attempt"


@provokes("both", "lease lost before the first byte", "unrepeatable")
@pytest.mark.parametrize("operation", [CDR, REMOTE])
def test_a_worker_whose_job_was_given_to_another_stays_silent(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    late = HeldUp()
    long = {"BROKER__LEASE_S": "40", "BROKER__RENEW_S": "19"}
    with Bench(redis_url, sandbox, tmp_path, middleware=[late], threads=1, **long) as bench:
        job = bench.send(operation)
        assert late.stopped.wait(30)
        with Bench(redis_url, sandbox, tmp_path, PARTITION=bench.settings.partition, **long) as other:
            bench.store.zadd(bench.key("leases"), {late.lease: 1})  # as after a failover that forgot the renewals
            assert other.wait(job).state == "done"
            late.go_on.set()
            bench.until(lambda: bench.store.llen(bench.key("evidence", job)) == 3, "the silent one's record")
            ended = bench.ended(job)
    crashed, sent, silent = ended.evidence
    assert (ended.state, ended.attempts, len(ended.arrivals), ended.told) == ("done", 0, 1, 0)
    assert (crashed["event"], crashed["sending"]) == ("crashed", False)
    assert (sent["outcome"]["class"], sent["worker"]) == ("success", other.broker.worker_id)
    assert (silent["outcome"]["class"], silent["wrote"]) == ("fenced", False)
    assert silent["worker"] == bench.broker.worker_id


@provokes("both", "past its deadline", "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", [READ, CDR, STATUS, REMOTE])
def test_a_job_past_its_deadline_is_never_sent_and_listed_once(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        account = "stellantis:fleet-1" if operation.startswith("stellantis") else "hub:IN-ABC"
        account = "hub:IN-CPO" if operation == CDR else account
        assert bench.hold(f"account:{account}") == "held"
        job = bench.send(operation, deadline_s=0.3)
        ended = bench.wait(job)
        assert bench.release(f"account:{account}") == "released"
        assert bench.run(operation).state == "done"
        listed = bench.store.zrange(bench.key("expired"), 0, -1)
        counted = int(bench.store.hget(bench.key("counts"), "expired") or 0)
    assert (ended.state, ended.attempts, ended.runs, ended.arrivals) == ("expired", 0, 0, [])
    assert (ended.evidence, listed, counted) == ([], [job.encode()], 1)
    assert bench.sandbox.log(job=job) == []


def without_card(operation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    params, body = find(operation).example
    assert body is not None
    return dict(params), {key: value for key, value in body.items() if key != "cdr_token"}


def somebody_else() -> dict[str, Any]:
    return {**find("hub.put_session").example[0], "party_id": "XYZ"}


@provokes("hub", AT_ENQUEUE, "repeatable", "unrepeatable")
@pytest.mark.parametrize(
    ("operation", "account", "params", "body", "said"),
    [
        ("hub.put_session", "hub:IN-ABC", None, None, "CPO"),
        (CDR, "hub:IN-ABC", None, None, "CPO"),
        ("hub.put_session", "hub:IN-CPO", somebody_else(), None, "party"),
        ("hub.put_session", "hub:IN-CPO", *without_card("hub.put_session"), "cdr_token"),
        (CDR, "hub:IN-CPO", *without_card(CDR), "cdr_token"),
    ],
    ids=["session by an eMSP", "CDR by an eMSP", "another party", "session", "CDR"],
)
def test_a_call_the_hub_would_refuse_is_not_accepted_and_leaves_nothing(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str, account: str, params: Any, body: Any, said: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        with pytest.raises(Refused, match=said):
            bench.send(operation, account, params, body)
        assert not bench.store.exists(bench.key("counts"))
        assert [bench.store.keys(bench.key(kind, "*")) for kind in ("job", "message")] == [[], []]
    assert sandbox.log() == []
