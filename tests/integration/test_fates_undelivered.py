"""What the hub owed us and did not deliver: told once, kept with what support needs, and never taken for a call."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.fate_count import provokes
from tests.integration.fate_provocations import OFFLINE, OWED
from tests.integration.terminal import Terminal
from worker.observe.wording import title_of
from worker.sandbox.server import Sandbox

HUB, INFO = "hub:IN-ABC", "hub.get_client_info"


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(bench.environ, monkeypatch, capsys)


@provokes("hub", OWED, "repeatable", "unrepeatable")
def test_a_push_that_never_came_is_a_dead_letter_with_one_alert_and_a_bundle(bench: Bench, run: Terminal) -> None:
    words = ("hub", "undelivered", HUB, "cdr", "CDR-77", "--expected", "2026-01-31T09:00:00Z", "--note", "third time")
    job = run(*words, "--json").record["job"]
    letter = bench.ended(job)
    assert (letter.state, letter.error_class, letter.code, letter.arrivals) == ("dead", "undelivered", "cdr", [])
    assert (letter.told, letter.problem["op"], letter.problem["count"]) == (1, "hub.push", "1")
    assert run("hub", "undelivered", HUB, "cdr", "cdr-77", "--json").record == {"job": job, "status": "noted"}
    other = run("hub", "undelivered", HUB, "cdr", "CDR-78", "--json").record["job"]
    assert (other != job, bench.ended(other).told) == (True, 1), "one problem, one alert"
    assert title_of(letter.alerts[0].key, letter.alerts[0].facts) == f"Not delivered to {HUB}: a CDR"
    said = run("dlq", "show", job, "--bundle", "--output", "-").out
    for wanted in ("### Not delivered to us", "- What: cdr", "- Id: CDR-77", "- Expected at (UTC): 2026-01-31T09:00:00",
                   "- Endpoint of ours: POST cdrs", "- Note: third time"):  # fmt: skip
        assert wanted in said
    shown = run("dlq", "show", job)
    assert (shown.code, "no call of ours" in shown.out, "dlq discard" in shown.out) == (0, True, True)


def test_a_report_is_never_sent_and_is_closed_and_opened_again(bench: Bench, run: Terminal) -> None:
    job = run("hub", "undelivered", HUB, "session", "S-1", "--json").record["job"]
    refused = run("dlq", "redrive", job, "--even-if-unknown", "--reason", "try")
    assert (refused.code, "no call of ours" in refused.err, bench.state(job)) == (1, True, "dead")
    assert bench.broker.scripts("redrive", {"id": job, "by": "a test"}) == b"undelivered"
    assert run("dlq", "discard", job, "--reason", "it came").code == 0
    assert [alert.state for alert in bench.alerts()] == ["resolved"]
    assert run("hub", "undelivered", HUB, "session", "S-1", "--json").record["status"] == "again"
    assert (bench.alerts()[0].state, bench.problem(bench.record(job)["fp"])["open"]) == ("open", "1")
    assert bench.sandbox.log() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stellantis:fleet-1", "cdr", "C-1"), "hub"),
        (("hub:IN-ZZZ", "cdr", "C-1"), "known accounts"),
        ((HUB, "invoice", "C-1"), "'invoice' is not one of"),
        ((HUB, "cdr", "x" * 65), "1 to 64 characters"),
        ((HUB, "cdr", "C-1", "--expected", "yesterday"), "yesterday"),
    ],
)
def test_a_report_that_names_nothing_is_refused(run: Terminal, words: tuple[str, ...], said: str) -> None:
    answer = run("hub", "undelivered", *words)
    assert (answer.code, len(answer.complaints), said in answer.err) == (2, 1, True)


def party(status: str, party_id: str = "abc") -> dict[str, Any]:
    """As the hub answers; ids of OCPI are compared without case."""
    row = {"country_code": "in", "party_id": party_id, "role": "EMSP", "status": status}
    data = {**row, "last_updated": "2026-01-31T09:00:00Z"}
    return {"status": 200, "body": {"status_code": 1000, "timestamp": "2026-01-31T09:00:00Z", "data": data}}


@provokes("hub", OFFLINE, "repeatable")
def test_our_own_party_offline_is_an_answer_and_told_once_a_day(bench: Bench) -> None:
    ours = {"country_code": "IN", "party_id": "ABC"}
    for _ in range(2):
        ended = bench.run(INFO, HUB, ours, fault={"action": "status", "times": 1, **party("OFFLINE")})
    assert (ended.state, ended.result["value"]["status"], ended.told) == ("done", "OFFLINE", 1)
    assert (ended.evidence[-1]["why"], ended.alerts[0].seen) == (OFFLINE, 2)
    assert "receiver" in ended.alerts[0].facts["advice"]
    assert title_of(ended.alerts[0].key, ended.alerts[0].facts).startswith(f"{HUB} is OFFLINE for the hub")
    bench.run(INFO, HUB, ours, fault={"action": "status", "times": 1, **party("CONNECTED")})
    other = {"country_code": "IN", "party_id": "CPO"}
    last = bench.run(INFO, HUB, other, fault={"action": "status", "times": 1, **party("OFFLINE", "CPO")})
    assert (last.state, last.told) == ("done", 1), "another party's trouble is not ours"
