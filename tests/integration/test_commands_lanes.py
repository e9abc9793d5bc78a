"""`lanes`: what waits where, and stopping it on purpose."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.terminal import Terminal
from worker.sandbox.server import Sandbox

PLACE = '{"country_code": "IN", "party_id": "CPO", "location_id": "LOC-0001"}'
READ = ("enqueue", "hub.get_location", "--account", "hub:IN-ABC", "--params", PLACE)


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path, idle=True) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(bench.environ, monkeypatch, capsys)


def test_an_empty_store_says_so(run: Terminal) -> None:
    said = run("lanes", "list")
    assert (said.code, said.out) == (0, "")
    assert "no lane has ever held a job in the store at redis://" in said.err
    assert run("lanes", "list", "--json").records == []


def test_lanes_are_listed_with_what_waits_in_them(run: Terminal) -> None:
    assert run(*READ, "--count", "3").code == 0
    assert run(*READ, "--priority", "urgent").code == 0
    (record,) = run("lanes", "list", "--json").records
    assert record["waiting"] == {"urgent": 1, "normal": 3, "bulk": 0}
    assert (record["in_flight"], record["hold"], record["budget"]) == (0, None, "other")
    head, row = run("lanes", "list").lines
    assert head.split()[:5] == ["account", "operation", "urgent", "normal", "bulk"]
    assert row.split()[:5] == ["hub:IN-ABC", "hub.get_location", "1", "3", "0"]
    assert run("lanes", "list", "--account", "hub:IN-DEF", "--json").records == []


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        (("hub:IN-ABC",), "account:hub:IN-ABC"),
        (("hub:IN-ABC", "hub.get_location"), "lane:hub:IN-ABC|hub.get_location"),
        (("hub:IN-ABC", "other"), "budget:hub:IN-ABC|other"),
    ],
)
def test_a_hold_keeps_jobs_back_until_it_is_released(
    bench: Bench, run: Terminal, scope: tuple[str, ...], name: str
) -> None:
    said = run("lanes", "hold", *scope, "--reason", "their maintenance")
    assert (said.code, said.out) == (0, f"{name} is held\n")
    job = run(*READ).out.strip()
    bench.start()
    assert run("jobs", "wait", job, "--timeout", "300ms").code == 1
    listed = run("lanes", "list")
    assert f"paceline: {name} held (operator) by " in listed.err
    assert "their maintenance" in listed.err
    assert listed.lines[1].endswith("after release")
    assert run("lanes", "list", "--json", "--busy").record["hold"]["reason"] == "their maintenance"
    again = run("lanes", "hold", *scope)
    assert again.code == 1
    assert f"{name} is held already (operator, by " in again.err
    assert run("lanes", "release", *scope).out == f"{name} is released\n"
    assert run("jobs", "wait", job, "--timeout", "30s").code == 0


def test_a_hold_can_be_released_by_the_name_it_is_listed_with(run: Terminal) -> None:
    assert run("lanes", "hold", "hub:IN-ABC", "commands", "--json").record == {
        "scope": "budget:hub:IN-ABC|commands", "held": True,
    }  # fmt: skip
    said = run("lanes", "release", "budget:hub:IN-ABC|commands", "--json")
    assert said.record == {"scope": "budget:hub:IN-ABC|commands", "held": False, "probing": False}


def test_releasing_what_is_not_held_finds_nothing(run: Terminal) -> None:
    said = run("lanes", "release", "hub:IN-ABC")
    assert said.code == 4
    assert "account:hub:IN-ABC is not held" in said.err


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (("hub:IN-XYZ",), "expected a configured account, got 'hub:IN-XYZ'"),
        (("hub:IN-ABC", "nope"), "expected an operation or a budget of hub:IN-ABC"),
        (("hub:IN-ABC", "hub.nope"), "expected an operation of the catalogue, got 'hub.nope'"),
        (("stellantis:fleet-1", "hub.get_location"), "expected an operation of the stellantis API"),
        (("hub:IN-ABC", "hub.get_location", "more"), "got 3 words"),
    ],
)
def test_a_scope_that_does_not_exist_is_refused(run: Terminal, scope: tuple[str, ...], expected: str) -> None:
    for verb in ("hold", "release"):
        said = run("lanes", verb, *scope)
        assert said.code == 2
        assert expected in said.err


def test_a_refused_credential_shows_as_a_hold_that_one_job_tries(bench: Bench, run: Terminal) -> None:
    bench.sandbox.revoke("hub:IN-ABC")
    bench.start()
    job = run(*READ).out.strip()
    bench.until(lambda: bench.store.hlen(bench.key("holds")), "a hold")
    assert "account:hub:IN-ABC held (credential)" in run("lanes", "list").err
    assert any("waits for: account:hub:IN-ABC held (credential)" in line for line in run("jobs", "show", job).lines)
    bench.sandbox.renew("hub:IN-ABC")
    said = run("lanes", "release", "hub:IN-ABC")
    assert said.out.startswith("account:hub:IN-ABC will be tried by one job")
    assert run("jobs", "wait", job, "--timeout", "30s").code == 0


def test_what_an_odd_answer_taught_is_shown_beside_the_settings_and_can_be_forgotten(
    bench: Bench, run: Terminal
) -> None:
    window = bench.key("window", "stellantis:fleet-1|calls.day")
    read = ("enqueue", "stellantis.b2b.get_vehicle_status", "--account", "stellantis:fleet-1", "--params",
            '{"fid": "FLEET-1", "vid": "VEH-00001"}')  # fmt: skip
    bench.start()
    assert run("jobs", "wait", run(*read).out.strip(), "--timeout", "30s").code == 0
    configured = int(bench.store.hget(window, "ceil") or 0)
    bench.store.hset(window, "lim", 1)
    assert f"/1 in 24 h, {configured} configured" in run("lanes", "list").lines[1]
    said = run("lanes", "relearn", "stellantis:fleet-1", "--reason", "their mistake")
    assert (said.code, said.lines) == (
        0, [f"stellantis:fleet-1 calls.day: limit 1 instead of {configured:,}: forgotten"],
    )  # fmt: skip
    assert "held (relearn)" in run("lanes", "list").err
    assert run("jobs", "wait", run(*read).out.strip(), "--timeout", "30s").code == 0
    assert "held" not in run("lanes", "list").err
    again = run("lanes", "relearn", "stellantis:fleet-1", "--json")
    assert (again.code, again.out) == (4, "")
    assert run("lanes", "relearn", "stellantis:nobody").code == 2
