"""`dlq show --bundle`: a file for a vendor's support, with all that both ask for and nothing that must stay here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.terminal import Terminal
from worker.sandbox.server import Sandbox

NOWHERE = {"country_code": "IN", "party_id": "CPO", "location_id": "NOWHERE"}


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    terminal = Terminal(bench.environ, monkeypatch, capsys)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return terminal


def problem(run: Terminal) -> str:
    return str(run("dlq", "problems", "--json").records[0]["fingerprint"])


def test_a_hub_letter_becomes_the_request_that_its_support_asks_for(bench: Bench, run: Terminal) -> None:
    ended = bench.run("hub.start_session", fault={"action": "reset", "times": 1})
    said = run("dlq", "show", ended.job_id, "--bundle", "--output", "-").out
    [attempt] = [record for record in ended.evidence if "outcome" in record]
    for wanted in (
        f"- X-Request-ID: {attempt['ids']['request_id']}",
        f"- X-Correlation-ID: {ended.job_id}",
        f"- Timestamp (UTC): {attempt['at']}",
        "- Endpoint: POST ",
        "/commands/START_SESSION",
        "- Carried out: unknown",
        "Request (body: ",
    ):
        assert wanted in said
    assert not any(secret in said for secret in bench.system.credentials.secrets())


def test_a_car_letter_names_code_uuid_message_and_timestamp(bench: Bench, run: Terminal) -> None:
    ended = bench.run("stellantis.b2b.get_vehicle_status", params={"fid": "FLEET-1", "vid": "FORBIDDEN-1"})
    said = run("dlq", "show", ended.job_id, "--bundle", "--output", "-").out
    assert "- HTTP status: 403" in said
    for name in ("Code", "Message", "UUID", "Vendor's timestamp"):
        assert f"\n- {name}: " in said


def test_a_bundle_is_written_beside_the_caller_and_never_over_another(
    bench: Bench, run: Terminal, tmp_path: Path
) -> None:
    job = bench.run("hub.get_location", params=NOWHERE).job_id
    first = run("dlq", "show", job, "--bundle")
    path = tmp_path / "here" / f"support-{job}.md"
    assert (first.code, first.out) == (0, "")
    assert f"1 call written to {path.name}" in first.err
    kept = path.read_text()
    again = run("dlq", "show", job, "--bundle")
    assert again.code == 1
    assert "exists already" in again.err
    assert path.read_text() == kept


def test_a_problem_has_one_bundle_with_its_first_its_last_and_some_between(bench: Bench, run: Terminal) -> None:
    jobs = [bench.run("hub.get_location", params=NOWHERE).job_id for _ in range(8)]
    whole = json.loads(run("dlq", "show", problem(run), "--bundle", "--json", "--output", "-").out)
    ids = [case["job"]["id"] for case in whole["cases"]]
    assert len(ids) == 5
    assert (ids[0], ids[-1]) == (jobs[0], jobs[-1])
    assert whole["problem"]["ever"] == 8
    text = run("dlq", "show", problem(run), "--bundle", "--output", "-").out
    assert "8 calls ended this way" in text
    assert text.count("\n## Call ") == 5


def test_an_unknown_problem_is_not_found(run: Terminal) -> None:
    answer = run("dlq", "show", "0123456789abcdef", "--bundle")
    assert answer.code == 4
    assert "no problem" in answer.err
