"""Every row of the error table for receivers of callbacks, provoked by a receiver on a real socket."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fate_bench import Bench
from tests.integration.fate_count import provokes
from tests.integration.fate_sight import Ended
from tests.integration.raw_peer import Authority, answering, peer
from tests.integration.told_host import KEY, Host
from worker.deliver.callback import TRY_AGAIN
from worker.errors import StoreUnavailable
from worker.sandbox.server import Sandbox

STATUS = "stellantis.b2b.get_vehicle_status"
ANSWER = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
TROUBLE = "5xx, 408 or 425"
INSIDE = "the name of a callback's host leads to a private address"


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


class Telling:
    """A bench whose jobs are told to one host."""

    def __init__(self, bench: Bench, url: str) -> None:
        self.bench, self.url = bench, url

    def teller(self) -> str:
        return f"{self.bench.send(STATUS, callback_url=self.url)}.c1"

    def until(self, *states: str) -> Ended:
        return self.bench.wait(self.teller(), *states)


def telling(redis_url: str, sandbox: Sandbox, folder: Path, host: Host, **more: Any) -> Any:
    return Bench(redis_url, sandbox, folder, **host.settings(**more))


@provokes("callback", "2xx", "repeatable")
@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_2xx_confirms(redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host, status: int) -> None:
    host.always = (status, {})
    with telling(redis_url, sandbox, tmp_path, host) as bench:
        ended = Telling(bench, host.url()).until("done", "dead")
    assert (ended.state, ended.attempts, ended.told, len(host.told)) == ("done", 0, 0, 1)
    assert ended.evidence[0]["why"] == "2xx"


@provokes("callback", "2xx", "repeatable")
def test_a_confirmation_counts_however_little_of_its_body_comes(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    cut_off = b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\nthank y"
    with peer(answering(cut_off)) as other:
        name = other.url("", scheme="http").removeprefix("http://")
        hosts = {"CALLBACKS__HOSTS": json.dumps([name])}
        with telling(redis_url, sandbox, tmp_path, host, **hosts) as bench:
            ended = Telling(bench, f"http://{name}/").until("done", "dead")
    assert (ended.state, ended.attempts, len(other.received)) == ("done", 0, 1)


@provokes("callback", "410", "repeatable")
@provokes("callback", "another 4xx", "repeatable")
@provokes("callback", "3xx", "repeatable")
@provokes("callback", "another status", "repeatable")
@pytest.mark.parametrize(
    ("status", "error", "sign"),
    [
        (410, "receiver_gone", "410"), (400, "receiver_refused", "another 4xx"),
        (401, "receiver_refused", "another 4xx"),
        (404, "receiver_refused", "another 4xx"), (302, "redirected", "3xx"), (308, "redirected", "3xx"),
        (304, "redirected", "3xx"), (600, "undocumented", "another status"),
    ],
)  # fmt: skip
def test_what_would_be_answered_so_again_is_a_dead_letter_at_once_and_told(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host, status: int, error: str, sign: str
) -> None:
    answer = b"HTTP/1.1 %d Odd\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:9/elsewhere\r\n\r\n" % status
    with peer(answering(answer)) as other:
        name = other.url("", scheme="http").removeprefix("http://")
        hosts = {"CALLBACKS__HOSTS": json.dumps([name])}
        with telling(redis_url, sandbox, tmp_path, host, **hosts) as bench:
            ended = Telling(bench, f"http://{name}/").until("done", "dead")
    assert (ended.state, ended.error_class, ended.told, len(other.received)) == ("dead", error, 1, 1)
    assert ended.evidence[0]["why"] == sign
    assert ended.alerts[0].key == f"problem:{ended.record['fp']}"


@provokes("callback", "429", "repeatable")
@pytest.mark.parametrize("hint", [{"retry-after": "1"}, {}])
def test_a_refusal_for_the_rate_closes_its_hosts_budget_and_tells_nobody(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host, hint: dict[str, str]
) -> None:
    host.answers = [(429, hint)]
    with telling(redis_url, sandbox, tmp_path, host) as bench:
        ended = Telling(bench, host.url()).until("done", "dead")
    assert (ended.state, ended.attempts, ended.told, len(host.told)) == ("done", 0, 0, 2)
    first = ended.evidence[0]
    assert (first["why"], first["decision"]) == ("429", "close the budget, park")
    assert first["outcome"]["class"] == "rate_limited"
    assert host.told[1].at - host.told[0].at >= (1 if hint else 0)


@provokes("callback", "429 with a wait that cannot be obeyed", "repeatable")
@pytest.mark.parametrize("hint", ["soon", "31536000"])
def test_a_wait_that_cannot_be_obeyed_holds_the_hosts_budget(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host, hint: str
) -> None:
    host.answers = [(429, {"retry-after": hint})]
    with telling(redis_url, sandbox, tmp_path, host) as bench:
        held = bench.parked(Telling(bench, host.url()).teller())
        scope = f"budget:{host.account}|other"
        assert (set(bench.holds()), held.told) == ({scope}, 1)
        bench.release(scope)
        ended = bench.wait(held.job_id)
    assert (ended.state, ended.attempts, len(host.told)) == ("done", 0, 2)


@provokes("callback", TROUBLE, "repeatable")
@pytest.mark.parametrize("status", [500, 502, 503, 504, *TRY_AGAIN])
def test_trouble_is_tried_again_and_told_when_it_does_not_end(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host, status: int
) -> None:
    host.always = (status, {})
    with telling(redis_url, sandbox, tmp_path, host) as bench:
        ended = Telling(bench, host.url()).until("done", "dead")
    assert (ended.state, ended.error_class, ended.code) == ("dead", "server_trouble", f"http_{status}")
    assert (ended.attempts, ended.told, len(host.told)) == (2, 1, 2)
    assert ended.evidence[0]["why"] == TROUBLE


@provokes("callback", "503 with Retry-After", "repeatable")
def test_a_receiver_that_names_a_time_is_left_alone_until_then_without_an_attempt(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    host.answers = [(503, {"retry-after": "0"})] * 4
    with telling(redis_url, sandbox, tmp_path, host) as bench:
        ended = Telling(bench, host.url()).until("done", "dead")
    assert (ended.state, ended.attempts, ended.told, len(host.told)) == ("done", 0, 0, 5)
    assert ended.evidence[0]["why"] == "503 with Retry-After"


@provokes("both", INSIDE, "repeatable")
def test_a_name_that_leads_inside_is_not_followed_unless_settings_say_so(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = f"hooks.example.com:{host.name.rpartition(':')[2]}"
    monkeypatch.setattr("worker.deliver.resolver.socket.getaddrinfo", _leading_to("127.0.0.1"))
    named = {"CALLBACKS__HOSTS": json.dumps([inside])}
    with telling(redis_url, sandbox, tmp_path, host, **named) as bench:
        ended = Telling(bench, f"https://{inside}/").until("done", "dead")
    assert (ended.state, ended.error_class, ended.told, ended.runs) == ("dead", "forbidden_address", 1, 0)
    assert ended.evidence[0]["wrote"] is False
    allowed = named | {"CALLBACKS__PRIVATE_HOSTS": json.dumps([inside])}
    with telling(redis_url, sandbox, tmp_path, host, **allowed) as bench:
        ended = Telling(bench, f"https://{inside}/").until("done", "dead")
    assert ended.error_class == "never_sent", "it was connected to, and speaks no TLS"
    assert host.told == []


def _leading_to(address: str) -> Any:
    usual = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **options: Any) -> Any:
        return usual(address if host == "hooks.example.com" else host, *args, **options)

    return look_up


@provokes("both", "lease lost before the first byte", "repeatable")
def test_without_the_store_nothing_is_told_and_no_attempt_is_spent(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    with telling(redis_url, sandbox, tmp_path, host) as bench:
        usual, failures = bench.system.delivery.told, [1, 2, 3]

        def failing_at_first(*given: Any) -> Any:
            if failures:
                failures.pop()
                raise StoreUnavailable("the store did not say how the job ended (ConnectionError)")
            return usual(*given)

        bench.system.delivery.told = failing_at_first
        ended = Telling(bench, host.url()).until("done", "dead")
    assert (ended.state, ended.attempts, ended.runs, len(host.told)) == ("done", 0, 1, 1)
    assert [record["outcome"]["class"] for record in ended.evidence] == ["fenced"] * 3 + ["success"]


def test_a_certificate_that_is_not_trusted_holds_the_host_and_a_bundle_mends_it(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, host: Host
) -> None:
    authority = Authority.create(tmp_path / "authority")
    with peer(answering(ANSWER), tls=authority.server()) as other:
        name = other.url("", scheme="https").removeprefix("https://")
        hosts = {"CALLBACKS__HOSTS": json.dumps([name]), "CALLBACKS__SECRET": KEY}
        with telling(redis_url, sandbox, tmp_path, host, **hosts) as bench:
            held = bench.parked(Telling(bench, f"https://{name}/").teller())
            assert (set(bench.holds()), held.told) == ({f"account:callback:{name}"}, 1)
            bench.broker.scripts("cancel", {"id": held.job_id, "by": "ann", "reason": "seen"})
        trusted = hosts | {"CALLBACKS__CA_BUNDLE": str(authority.bundle)}
        with telling(redis_url, sandbox, tmp_path, host, **trusted) as bench:
            ended = Telling(bench, f"https://{name}/").until("done", "dead")
    assert (ended.state, len(other.received)) == ("done", 1)
