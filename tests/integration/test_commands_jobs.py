"""`enqueue` and `jobs`: asking for calls, looking at them, waiting for them, cancelling them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.fate_hindrances import HeldUp
from tests.integration.terminal import Terminal
from worker.accept.operation import find
from worker.sandbox.server import Sandbox

READ = ("enqueue", "hub.get_location", "--account", "hub:IN-ABC")
PLACE = '{"country_code": "IN", "party_id": "CPO", "location_id": "LOC-0001"}'
NOWHERE = '{"country_code": "IN", "party_id": "CPO", "location_id": "NOWHERE"}'
STATUS = ("enqueue", "stellantis.b2b.get_vehicle_status", "--account", "stellantis:fleet-1")


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    """A system whose worker has not started: what is asked for waits."""
    with Bench(redis_url, sandbox, tmp_path, idle=True) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(bench.environ, monkeypatch, capsys)


def test_a_call_is_accepted_carried_out_and_its_result_given_to_who_waits(bench: Bench, run: Terminal) -> None:
    bench.start()
    said = run(*STATUS, "--params", '{"fid": "FLEET-1", "vid": "VEH-00001"}')
    assert said.code == 0
    (job,) = said.lines
    assert run("jobs", "wait", job, "--timeout", "30s").out == f"{job} done\n"
    record = run("jobs", "wait", job, "--json").record
    assert (record["id"], record["state"], record["pages"]) == (job, "done", 1)
    assert record["result"]["vin"]
    shown = run("jobs", "show", job)
    assert shown.code == 0
    assert record["result"]["vin"] not in shown.out, "whoever looks sees personal values masked"
    assert run("jobs", "show", job, "--json").record["evidence"][0]["response"]["status"] == 200


def test_many_calls_are_numbered(bench: Bench, run: Terminal) -> None:
    words = (*STATUS, "--params", '{"fid": "FLEET-1", "vid": "VEH-{n}"}', "--key", "k{n}", "--count", "250", "--json")
    said = run(*words)
    assert said.code == 0
    assert [record["duplicate"] for record in said.records] == [False] * 250
    again = run(*words)
    assert [record["job"] for record in again.records] == [record["job"] for record in said.records]
    assert {record["duplicate"] for record in again.records} == {True}
    message = json.loads(bench.store.get(bench.key("message", said.records[249]["job"])) or "{}")
    assert message["kwargs"]["params"]["vid"] == "VEH-250"


def test_a_key_that_stands_for_another_call_is_a_conflict(run: Terminal) -> None:
    assert run(*READ, "--params", PLACE, "--key", "k").code == 0
    said = run(*READ, "--params", NOWHERE, "--key", "k")
    assert said.code == 1
    assert "this idempotency key already stands for job" in said.err


def test_params_can_come_from_a_file(run: Terminal, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(PLACE)
    assert run(*READ, "--params", f"@{tmp_path}/params.json").code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("enqueue", "hub.nope", "--account", "hub:IN-ABC"), "expected an operation of the catalogue, got 'hub.nope'"),
        (("enqueue", "hub.get_location", "--account", "hub:IN-XYZ"), "expected a configured account, got 'hub:IN-XYZ'"),
        (("enqueue", "hub.get_location", "--account", "stellantis:fleet-1"), "expected an account of the hub API"),
        (("enqueue", "hub.post_cdr", "--account", "hub:IN-ABC", "--body", "{}"), "with the role CPO"),
        (("enqueue", "hub.get_location"), "Missing option '--account'"),
        ((*READ, "--params", "{bad"), "--params: expected JSON"),
        ((*READ, "--params", "[1]"), "expected params to be an object, got list"),
        ((*READ, "--params", '{"a": NaN}'), "got NaN, which JSON does not have"),
        ((*READ, "--params", "@/nowhere.json"), "'/nowhere.json' cannot be read"),
        ((*READ, "--params", "[" * 100_000), "--params: expected JSON of a reasonable depth"),
        (READ, "expected params.country_code"),
        ((*READ, "--params", PLACE, "--deadline", "soon"), "expected a length of time such as 30s"),
        ((*READ, "--params", PLACE, "--deadline", "0"), "expected a deadline in seconds, above 0"),
        ((*READ, "--params", PLACE, "--priority", "high"), "'high' is not one of 'urgent', 'normal', 'bulk'"),
        ((*READ, "--params", PLACE, "--count", "0"), "0 is not in the range"),
        ((*READ, "--params", PLACE, "--count", "2", "--key", "k"), "expected {n} in the key of several calls"),
        ((*READ, "--params", PLACE, "--timeout", "2s"), "--timeout: expected --wait beside it"),
        (("jobs", "list", "--state", "lost"), "expected one of running, awaiting, waiting, dead, expired, done"),
    ],
)
def test_what_cannot_be_accepted_is_refused_in_one_line(
    bench: Bench, run: Terminal, words: tuple[str, ...], expected: str
) -> None:
    said = run(*words)
    assert said.code == 2
    assert len(said.complaints) == 1
    assert expected in said.err
    assert bench.store.keys(bench.key.prefix + "job:*") == []


@pytest.mark.parametrize("verb", ["show", "wait", "cancel"])
def test_a_job_nobody_knows_is_not_found(run: Terminal, verb: str) -> None:
    said = run("jobs", verb, "0-nothing")
    assert said.code == 4
    assert "no job '0-nothing' is known" in said.err


def test_the_pages_of_a_list_answer_as_one(bench: Bench, run: Terminal) -> None:
    bench.start()
    words = ("enqueue", "hub.list_locations", "--account", "hub:IN-ABC", "--params", '{"limit": 7}')
    said = run(*words, "--wait", "--timeout", "30s")
    assert said.code == 0
    job = said.out.split()[0]
    assert said.out == f"{job} done, 120 items on 18 pages\n"
    record = run("jobs", "wait", job, "--json").record
    assert (record["pages"], record["items"], len(record["jobs"])) == (18, 120, 18)
    assert len({location["id"] for location in record["result"]}) == 120
    of_a_page = run("jobs", "show", record["jobs"][5])
    assert of_a_page.lines[0].split() == ["job", job]
    assert "pages       18 of 18 done" in of_a_page.lines
    assert any("page 18, attempt 1: HTTP 200" in line for line in of_a_page.lines)
    assert "  … 6 more, which --json shows …" in of_a_page.lines


def test_whoever_waits_in_vain_is_told_what_for(run: Terminal) -> None:
    job = run(*READ, "--params", PLACE).out.strip()
    said = run("jobs", "wait", job, "--timeout", "100ms")
    assert said.code == 1
    assert said.out == f"{job} waiting\n"
    assert f"{job} waits for: no worker is running" in said.err


def test_a_waiting_job_says_its_place_and_its_reason(run: Terminal) -> None:
    first, second = (run(*READ, "--params", PLACE).out.strip() for _ in range(2))
    assert run("lanes", "hold", "hub:IN-ABC", "--reason", "planned").code == 0
    said = run("jobs", "show", second)
    assert "place 2 of 2 in its line (hub:IN-ABC hub.get_location, normal)" in said.lines
    assert any("waits for: account:hub:IN-ABC held (operator)" in line and "planned" in line for line in said.lines)
    assert run("jobs", "show", first, "--json").record["waiting"]["ahead"] == 0


def test_some_done_and_some_dead_is_partly_done(bench: Bench, run: Terminal) -> None:
    bench.start()
    good, bad = (run(*READ, "--params", params).out.strip() for params in (PLACE, NOWHERE))
    assert run("jobs", "wait", good, bad, "--timeout", "30s").code == 5
    assert run("jobs", "wait", bad).code == 1
    said = run("jobs", "wait", bad)
    assert said.out == f"{bad} dead: not_found 2003 (location does not exist)\n"
    assert f"`dlq show {bad}` says what can safely be done." in run("jobs", "show", bad).lines


def test_jobs_are_listed_by_state(bench: Bench, run: Terminal) -> None:
    assert run("jobs", "list").err == "paceline: no job is running, awaiting or waiting"
    assert run("jobs", "list", "--json").records == []
    jobs = run(*READ, "--params", PLACE, "--count", "3").lines
    assert [record["id"] for record in run("jobs", "list", "--json").records] == jobs
    assert [line.split()[0] for line in run("jobs", "list").lines] == ["job", *jobs]
    assert run("jobs", "list", "--account", "hub:IN-DEF", "--json").records == []
    assert len(run("jobs", "list", "--state", "waiting", "--limit", "2", "--json").records) == 2


def test_what_a_worker_has_done_can_be_listed_a_moment_later(bench: Bench, run: Terminal) -> None:
    job = run(*READ, "--params", PLACE, "--key", "of-mine").out.strip()
    other = run(*READ, "--params", PLACE).out.strip()
    assert run("jobs", "cancel", other).code == 0
    bench.start()
    bench.wait(job)
    listed = ("jobs", "list", "--state", "done", "--state", "cancelled", "--json")
    bench.until(lambda: [record["id"] for record in run(*listed).records] == [job, other], "both are listed")
    assert [record["id"] for record in run("jobs", "list", "--key", "of-mine", "--json").records] == [job]


def test_what_was_done_last_is_listed_when_its_worker_has_left(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Bench(redis_url, sandbox, tmp_path, BROKER__LEASE_S="60", BROKER__RENEW_S="25") as bench:
        job = bench.run("hub.get_location").job_id
        bench.stop()
        assert [one.decode() for one in bench.store.zrange(bench.key("recent"), 0, -1)] == [job]


def test_what_waits_can_be_cancelled_and_is_never_sent(bench: Bench, run: Terminal) -> None:
    kept, gone = run(*READ, "--params", PLACE, "--count", "2").lines
    said = run("jobs", "cancel", gone, "--reason", "typed by mistake")
    assert (said.code, said.out) == (0, f"{gone} cancelled\n")
    assert run("jobs", "cancel", gone).code == 0, "saying it again changes nothing"
    assert run("jobs", "cancel", gone, "0-nothing").code == 5
    bench.start()
    assert run("jobs", "wait", kept, "--timeout", "30s").code == 0
    said = run("jobs", "cancel", kept)
    assert said.code == 1
    assert f"{kept} is done already; there is nothing to cancel." in said.err
    shown = run("jobs", "show", gone)
    assert "state       cancelled" in shown.lines
    assert any(line.endswith(": typed by mistake") for line in shown.lines)
    assert bench.sandbox.count(job=gone) == 0


def test_a_call_that_is_being_sent_cannot_be_cancelled(bench: Bench, run: Terminal) -> None:
    sent = HeldUp()
    bench.broker.add_middleware(sent)
    bench.start()
    job = run(*READ, "--params", PLACE).out.strip()
    assert sent.stopped.wait(30)
    said = run("jobs", "cancel", job, "--json")
    sent.go_on.set()
    assert (said.code, said.record["cancelled"]) == (1, False)
    assert f"{job} is being sent at this moment" in said.err
    assert run("jobs", "wait", job, "--timeout", "30s").code in (0, 1)


def test_a_call_past_its_deadline_has_expired(bench: Bench, run: Terminal) -> None:
    assert run("lanes", "hold", "hub:IN-ABC").code == 0
    bench.start()
    started = time.monotonic()
    said = run(*READ, "--params", PLACE, "--deadline", "100ms", "--wait", "--timeout", "30s")
    assert said.code == 1
    assert said.out.endswith(" expired\n")
    assert time.monotonic() - started < 30


def test_a_command_whose_result_is_to_come_says_so(bench: Bench, run: Terminal) -> None:
    row = find("hub.start_session")
    words = ("enqueue", row.name, "--account", "hub:IN-ABC", "--body", json.dumps(row.example[1]))
    job = run(*words).out.strip()
    bench.store.zrem(bench.key("queue", f"hub:IN-ABC|{row.name}", 0), job)
    bench.store.zrem(bench.key("deadlines"), job)
    bench.store.hset(bench.key("job", job), "state", "awaiting")
    bench.store.zadd(bench.key("awaiting"), {job: (time.time() + 3600) * 1e6})
    assert any(line.startswith("waits for: the result of the command") for line in run("jobs", "show", job).lines)
    assert [record["state"] for record in run("jobs", "list", "--json").records] == ["awaiting"]
    bench.store.hset(bench.key("job", job), mapping={"state": "done", "heard": '{"result": "ACCEPTED"}'})
    bench.store.zrem(bench.key("awaiting"), job)
    assert run("jobs", "wait", job, "--json").record["command_result"] == {"result": "ACCEPTED"}
    bench.store.delete(*bench.store.keys(bench.key.prefix + "*"))  # set by hand, its figures do not add up


def test_a_store_that_may_have_forgotten_calls_is_named_as_the_reason(bench: Bench, run: Terminal) -> None:
    job = run(*READ, "--params", PLACE).out.strip()
    listing = run("enqueue", "hub.list_locations", "--account", "hub:IN-ABC").out.strip()
    bench.broker.hello()
    now = int(time.time() * 1e6)
    bench.store.hset(bench.key("meta"), mapping={"quiet": now + 90_000_000, "unsure": now, "suspect": "restart"})
    assert "nothing is sent until all claims have been renewed" in run("jobs", "show", job).out
    assert "the store may have forgotten earlier calls, or is new" in run("jobs", "show", listing).out
    bench.store.hdel(bench.key("meta"), "quiet", "unsure", "suspect")
    bench.broker.farewell()
