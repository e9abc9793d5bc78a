"""The ways to ask for a callback besides Python's: HTTP, many lines, the copied client, the command line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.fate_web import listening
from tests.integration.intake import READ
from tests.integration.terminal import Terminal
from tests.integration.told_host import KEY, Host
from worker.accept.intake.paceline_client import Client, PacelineRefused
from worker.sandbox.server import Sandbox

STATUS = ("enqueue", "stellantis.b2b.get_vehicle_status", "--account", "stellantis:fleet-1")
WHERE = ("--params", '{"fid": "FLEET-1", "vid": "VEH-00001"}')
ELSEWHERE = "https://evil.example/secret-path"


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


@pytest.fixture
def bench(
    redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path, host: Host
) -> Iterator[Bench]:
    with listening() as (url, serve), Bench(redis_url, sandbox, tmp_path, PUBLIC_URL=url, **host.settings()) as made:
        serve(made)
        yield made


def test_the_copied_client_is_called_back_and_sees_who_told_it(bench: Bench, host: Host) -> None:
    client = Client(str(bench.settings.public_url))
    job = client.enqueue(READ["operation"], READ["account"], READ["params"], key="mine", callback_url=host.url())
    client.wait(job)
    bench.until(lambda: host.told, "the callback")
    assert (host.told[0].data["id"], host.told[0].data["key"]) == (job, "mine")
    assert host.told[0].data["result"] == client.job(job)["result"]
    assert client.job(job)["callbacks"] == [f"{job}.c1"]
    bench.wait(f"{job}.c1", "done")
    assert client.job(f"{job}.c1")["operation"] == "callback.post_result"
    with pytest.raises(PacelineRefused, match=r"evil\.example") as caught:
        client.enqueue(READ["operation"], READ["account"], READ["params"], callback_url=ELSEWHERE)
    assert (caught.value.status, "secret-path" in str(caught.value.problem)) == (422, False)


def test_of_many_lines_each_has_an_address_of_its_own(bench: Bench, host: Host) -> None:
    client = Client(str(bench.settings.public_url))
    lines = [READ | {"callback_url": url} for url in (host.url(), ELSEWHERE, None, 7)]
    first, second, third, fourth = client.enqueue_many(lines)
    direct = client.enqueue_many([{"operation": "callback.post_result", "account": host.account, "params": {}}])
    assert [one["status"] for one in (first, second, third, fourth)] == [202, 422, 202, 422]
    assert "evil.example" in second["error"]["detail"]
    assert "callback_url" in fourth["error"]["detail"]
    assert [(one["status"], "callback_url" in one["error"]["detail"]) for one in direct] == [(422, True)]
    bench.until(lambda: host.told, "the callback")
    assert [told.data["id"] for told in host.told] == [first["id"]]


def test_closed_by_default(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> None:
    with listening() as (url, serve), Bench(redis_url, sandbox, tmp_path, idle=True, PUBLIC_URL=url) as bench:
        serve(bench)
        with pytest.raises(PacelineRefused, match="got one; ask whoever runs this service") as caught:
            Client(url).enqueue(READ["operation"], READ["account"], READ["params"], callback_url="https://h.example/")
        assert bench.store.exists(bench.key("counts")) == 0
    assert (caught.value.status, caught.value.problem["type"]) == (422, "/v1/errors/refused")


def test_the_command_line_asks_for_a_callback_and_shows_who_told_it(
    bench: Bench, host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Terminal(bench.environ, monkeypatch, capsys)
    job = run(*STATUS, *WHERE, "--callback", host.url(), "--wait", "--json").record["id"]
    bench.until(lambda: host.told, "the callback")
    bench.wait(f"{job}.c1", "done")
    assert f"{job}.c1" in run("jobs", "show", job).out
    told = run("jobs", "show", f"{job}.c1")
    assert "s3cr3t" not in told.out
    assert host.name in told.out
    assert run("jobs", "show", job, "--json").record["callbacks"] == [f"{job}.c1"]
    refused = run(*STATUS, *WHERE, "--callback", ELSEWHERE)
    assert (refused.code, refused.out, len(refused.complaints)) == (2, "", 1)
    assert "callback.post_result" not in run("operations").out
    assert "callback.post_result" in json.dumps(run("operations", "callback.post_result", "--json").record)
    rows = run("policy", "--api", "callback", "--json").records
    assert {row["api"] for row in rows} == {"callback"}


def test_on_call_people_find_a_callback_that_died_and_send_it_again(
    bench: Bench, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Terminal(bench.environ, monkeypatch, capsys)
    host.always = (401, {})
    job = bench.send("stellantis.b2b.get_vehicle_status", callback_url=host.url())
    teller = bench.wait(f"{job}.c1", "dead").job_id
    shown, bundle = run("dlq", "show", teller), tmp_path / "bundle.md"
    assert (shown.code, run("dlq", "show", teller, "--bundle", "--output", str(bundle)).code) == (0, 0)
    assert "PACELINE_CALLBACKS__SECRET" in shown.out
    assert "it may be sent again at any time" in shown.out
    assert "receiver_refused" in run("dlq", "problems").out
    assert host.account in run("lanes", "list").out
    for text in (shown.out, run("dlq", "export").out, *(file.read_text() for file in tmp_path.glob("bundle*"))):
        assert "s3cr3t" not in text
        assert KEY not in text
    host.always = None
    assert run("dlq", "redrive", teller, "--reason", "mended").code == 0
    assert bench.wait(teller, "done").state == "done"
    assert host.told[-1].id == teller
