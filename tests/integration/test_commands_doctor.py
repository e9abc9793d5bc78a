"""`doctor` and `workers`: is everything well?"""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.fate_bench import Bench
from tests.integration.fate_hindrances import HeldUp
from tests.integration.terminal import Said, Terminal
from worker.sandbox.server import Sandbox
from worker.store.embedded import EmbeddedServer

ACCOUNTS = {"hub:IN-ABC", "hub:IN-DEF", "hub:IN-CPO", "stellantis:fleet-1", "stellantis:fleet-2"}


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path, idle=True) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(bench.environ, monkeypatch, capsys)


def findings(said: Said) -> dict[str, tuple[str, str]]:
    """Level and words of the last finding about each thing."""
    return {record["about"]: (record["level"], record["said"]) for record in said.records}


def certificate(path: Path, days: float) -> Path:
    """A certificate whose validity ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "paceline test")])
    end = datetime.now(UTC) + timedelta(days=days, hours=1)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(end - timedelta(days=400)).not_valid_after(end)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.with_suffix(".key").write_bytes(key.private_bytes(*form))
    return path


def test_all_is_well_and_each_account_was_asked_once(bench: Bench, run: Terminal) -> None:
    bench.start()
    said = run("doctor")
    assert said.code == 0
    assert {line.split()[0] for line in said.lines} == {"ok"}
    assert said.err == "paceline: all is well."
    found = findings(run("doctor", "--json"))
    assert found.keys() >= ACCOUNTS | {"settings", "store", "durability", "memory", "clock", "workers"}
    assert "maxmemory-policy noeviction" in found["store"][1]
    assert "may lose its last second or more (appendfsync everysec)" in found["durability"][1]
    assert found["hub:IN-ABC"][1].endswith("the hub calls us CONNECTED.")
    assert {account: bench.sandbox.count(account=account) for account in ACCOUNTS} == dict.fromkeys(ACCOUNTS, 2)


def test_it_works_before_any_worker_has(bench: Bench, run: Terminal) -> None:
    said = run("doctor", "--json")
    assert said.code == 0
    assert findings(said)["workers"][0] == "warn"
    assert all(findings(said)[account][0] == "ok" for account in ACCOUNTS)
    assert run("workers", "--json").records == []


def test_its_calls_have_permits_and_give_them_back(bench: Bench, run: Terminal) -> None:
    assert run("doctor").code == 0
    window = bench.store.hgetall(bench.key("window", "stellantis:fleet-1|calls.day"))
    assert (int(window[b"tot"]), int(window[b"inf"])) == (1, 0)
    assert bench.store.zcard(bench.key("leases")) == 0


def test_offline_asks_nobody(bench: Bench, run: Terminal) -> None:
    assert run("doctor", "--offline").code == 0
    assert bench.sandbox.count() == 0


def test_a_refused_credential_fails_with_the_way_out(bench: Bench, run: Terminal) -> None:
    bench.sandbox.revoke("hub:IN-ABC")
    bench.sandbox.revoke("stellantis:fleet-2")
    said = run("doctor", "--json")
    assert said.code == 1
    found = findings(said)
    assert found["hub:IN-ABC"][0] == found["stellantis:fleet-2"][0] == "fail"
    assert "the credential is refused (2002" in found["hub:IN-ABC"][1]
    assert "To rotate" in found["hub:IN-ABC"][1]
    assert found["hub:IN-DEF"][0] == "ok"
    assert said.err.startswith("paceline: 2 of ")


def test_an_api_that_cannot_be_reached_has_its_own_code(bench: Bench, run: Terminal) -> None:
    run.set(PACELINE_HUB__BASE_URL="http://127.0.0.1:1/ocpi/2.2.1")
    said = run("doctor", "--json")
    assert said.code == 3
    level, words = findings(said)["hub:IN-ABC"]
    assert level == "fail"
    assert words.startswith("127.0.0.1:1 cannot be reached (")


def test_a_wrong_base_url_is_named(bench: Bench, run: Terminal) -> None:
    run.set(PACELINE_HUB__BASE_URL=bench.sandbox.hub_url.replace("2.2.1", "2.3"))
    said = run("doctor", "--json")
    assert said.code == 1
    assert "Check PACELINE_HUB__BASE_URL" in findings(said)["hub:IN-ABC"][1]


def test_a_refusal_for_the_rate_is_a_warning(bench: Bench, run: Terminal) -> None:
    bench.start()
    bench.sandbox.fault("status", {"account": "stellantis:fleet-1"}, times=1, status=429, retry_after=30)
    found = findings(run("doctor", "--json"))
    assert found["stellantis:fleet-1"][0] == "warn"
    assert "refused for its rate" in found["stellantis:fleet-1"][1]


def test_who_is_not_asked_is_told_for_what_reason(bench: Bench, run: Terminal) -> None:
    parties = json.loads(bench.environ["PACELINE_HUB__PARTIES"])
    parties[0]["limits"] = {**parties[0].get("limits", {}), "control": {"limit": 1, "window_s": 3600}}
    run.set(PACELINE_HUB__PARTIES=json.dumps(parties))
    assert findings(run("doctor", "--json"))["hub:IN-ABC"][0] == "ok"
    level, words = findings(run("doctor", "--json"))["hub:IN-ABC"]
    assert level == "warn"
    assert words.startswith("not asked: its limit control is used up (1/1 in 1 h); the next permit comes in ")
    seconds, _ = bench.store.time()
    bench.store.hset(bench.key("meta"), mapping={"quiet": (seconds + 3600) * 1_000_000, "suspect": "restart"})
    for level, words in (found for about, found in findings(run("doctor", "--json")).items() if about in ACCOUNTS):
        assert level == "warn"
        assert words.startswith("not asked: the store was started again: nothing is sent until every process")


def test_holds_are_found(run: Terminal) -> None:
    assert run("lanes", "hold", "hub:IN-ABC", "--reason", "planned").code == 0
    said = run("doctor", "--offline")
    assert said.code == 0
    assert any(line.startswith("warn  holds") and "planned" in line for line in said.lines)


@pytest.mark.parametrize(
    ("days", "level", "words"), [(400, "ok", "in 400 days"), (12, "warn", "in 12 days"), (-3, "fail", "expired on")]
)
def test_certificates_are_looked_at_before_they_expire(
    bench: Bench, run: Terminal, tmp_path: Path, days: int, level: str, words: str
) -> None:
    file = certificate(tmp_path / "client.pem", days)
    subscriptions = json.loads(bench.environ["PACELINE_STELLANTIS__SUBSCRIPTIONS"])
    subscriptions[0] |= {"client_certificate": str(file), "client_key": str(file.with_suffix(".key"))}
    run.set(PACELINE_STELLANTIS__SUBSCRIPTIONS=json.dumps(subscriptions))
    said = run("doctor", "--offline", "--json")
    assert said.code == (1 if level == "fail" else 0)
    found = findings(said)["stellantis:fleet-1"]
    assert found[0] == level
    assert words in found[1]


def test_durability_is_said_as_the_server_is_configured(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with EmbeddedServer.start(tmp_path, appendfsync="always") as server, redis.Redis.from_url(server.url) as admin:
        environ = {**sandbox.environment(), "PACELINE_REDIS_URL": server.url, "PACELINE_ENVIRONMENT": "test"}
        run = Terminal(environ, monkeypatch, capsys)
        level, words = findings(run("doctor", "--offline", "--json"))["durability"]
        assert (level, words.startswith("every acknowledged job survives")) == ("ok", True)
        admin.config_set("appendonly", "no")
        level, words = findings(run("doctor", "--offline", "--json"))["durability"]
        assert (level, words.startswith("a restart of the server may lose everything")) == ("warn", True)
        admin.config_set("maxmemory", int(admin.info("memory")["used_memory"] * 1.02))
        said = run("doctor", "--offline", "--json")
        assert said.code == 1
        assert "of maxmemory is used: new calls are refused" in findings(said)["memory"][1]
        admin.config_set("maxmemory", 0)


def test_settings_that_do_not_hold_are_all_named(run: Terminal) -> None:
    run.set(PACELINE_THREADS="many", PACELINE_NOPE="1")
    said = run("doctor")
    assert said.code == 2
    assert [line.split()[:2] for line in said.lines] == [["fail", "settings"]] * 2


def test_workers_are_listed_with_what_they_run(bench: Bench, run: Terminal) -> None:
    assert run("workers").err == "paceline: no worker is running; `dramatiq worker.main:broker tasks` starts one"
    sent = HeldUp()
    bench.broker.add_middleware(sent)
    bench.start()
    job = bench.send("hub.get_location")
    assert sent.stopped.wait(30)
    (record,) = run("workers", "--json").records
    assert (record["worker"], record["threads"], record["in_flight"]) == (bench.broker.worker_id, 4, 1)
    assert record["silent"] is False
    said = run("workers")
    assert said.lines[1].split()[0] == bench.broker.worker_id
    assert said.err == "paceline: 1 process, 4 threads."
    sent.go_on.set()
    bench.wait(job)


def test_a_port_that_somebody_else_listens_on_is_said_in_one_line(run: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run("serve", "--host", "127.0.0.1", "--port", str(port))
    assert said.code == 2
    assert said.err == (
        f"paceline: expected an address to listen on, got 127.0.0.1, port {port} (address already in use); choose "
        "another with --port or --host."
    )
