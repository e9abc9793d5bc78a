"""`dlq`: looking at what died, and doing something about it."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from settings.surroundings import surroundings
from tests.integration.fate_bench import Bench
from tests.integration.terminal import Terminal
from worker.console.query import read_query
from worker.sandbox.server import Sandbox

PLACE = {"country_code": "IN", "party_id": "CPO", "location_id": "LOC-0001"}
NOWHERE = PLACE | {"location_id": "NOWHERE"}


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(bench.environ, monkeypatch, capsys)


def not_found(bench: Bench) -> str:
    """A letter of a read: safe to send again."""
    return bench.run("hub.get_location", params=NOWHERE).job_id


def unknown(bench: Bench) -> str:
    """A letter of a command that may have been carried out."""
    ended = bench.run("hub.start_session", fault={"action": "reset", "times": 1})
    assert ended.error_class == "outcome_unknown"
    return ended.job_id


def states(run: Terminal, pile: str = "") -> set[str]:
    return {record["id"] for record in run("dlq", "list", "--json", *([pile] if pile else [])).records}


def test_nothing_dead_is_said_in_one_line(run: Terminal) -> None:
    for words, said in ((("problems",), "no problem is open"), (("list",), "no letter fits")):
        answer = run("dlq", *words)
        assert (answer.code, answer.out, answer.err) == (0, "", f"paceline: {said}")
        assert run("dlq", *words, "--json").records == []
    assert run("dlq", "export").out == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dlq list --class not_fund", "did you mean 'not_found'"),
        ("dlq problems --class not_fund", "did you mean 'not_found'"),
        ("dlq redrive --class nonsense --dry-run", "expected --class to be a class of the error table"),
        ("dlq redrive --filter class=nonsense --dry-run", "expected --class to be a class of the error table"),
        ("dlq list --account hub:XX", "expected --account to be an account"),
        ("dlq list --operation hub.get_locatoin", "did you mean 'hub.get_location'"),
        ("dlq list --since 1h --until 2h", "expected --since to be before --until"),
        ("dlq list --since 2099-01-01T00:00:00Z", "got one in the future"),
        ("dlq problems --since 2099-01-01T00:00:00Z", "got one in the future"),
        ("jobs list --account hub:IN-ABX", "did you mean 'hub:IN-"),
        ("jobs list --operation stellantis.b2b.nope", "expected --operation to be an operation"),
        ("lanes list --account hub:XX", "expected --account to be an account"),
        ("alerts list --account hub:XX", "expected --account to be an account"),
        ("tail --account hub:XX --for 1s", "expected --account to be an account"),
    ],
)
def test_a_misspelt_value_is_no_empty_list(run: Terminal, words: str, said: str) -> None:
    answer = run(*words.split())
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_letters_are_grouped_by_their_cause(bench: Bench, run: Terminal) -> None:
    letters = {not_found(bench) for _ in range(3)} | {unknown(bench)}
    records = run("dlq", "problems", "--json").records
    assert {(record["operation"], record["error_class"], record["open"]) for record in records} == {
        ("hub.get_location", "not_found", 3), ("hub.start_session", "outcome_unknown", 1),
    }  # fmt: skip
    (reads,) = run("dlq", "problems", "--class", "not_found", "--json").records
    assert len(run("dlq", "list", "--problem", reads["fingerprint"], "--json").records) == 3
    assert states(run) == letters
    listed = run("dlq", "problems")
    assert listed.lines[0].split()[:5] == ["problem", "operation", "class", "code", "state"]
    assert "ask the other side or its support" in next(text for text in listed.lines if "hub.start_session" in text)
    assert len(run("dlq", "list", "--operation", "hub.start_session").lines) == 2
    assert run("dlq", "list", "--since", "1h", "--limit", "2", "--json").out.count("\n") == 2


def test_a_letter_tells_what_happened_what_is_known_and_what_is_safe(bench: Bench, run: Terminal) -> None:
    job = not_found(bench)
    said = run("dlq", "show", job)
    assert said.code == 0
    facts = dict(line.split("  ", 1) for line in said.lines[:18] if "  " in line)
    assert facts["letter"].strip() == job
    assert facts["died of"].strip() == "not_found 2003"
    assert facts["known"].strip() == "the other side did not carry it out."
    assert f"`dlq redrive {job}`" in facts["safe to do"]
    assert any("attempt 1: HTTP 404" in line for line in said.lines)
    assert any(line.strip().startswith("request  GET http://") for line in said.lines)
    assert any("request_id" in line for line in said.lines)
    record = run("dlq", "show", job, "--json").record
    assert record["advice"]["needs_care"] is False
    assert record["evidence"][0]["outcome"]["vendor"]["http_status"] == "404"


def test_a_call_that_may_have_been_carried_out_is_sent_again_by_somebody_who_knows_alone(
    bench: Bench, run: Terminal
) -> None:
    job = unknown(bench)
    shown = run("dlq", "show", job)
    assert "operation   hub.start_session (must not be repeated)" in shown.lines
    assert "known       nobody knows whether the other side carried it out." in shown.lines
    assert f"`dlq redrive {job} --even-if-unknown --reason …`" in shown.out
    plain = run("dlq", "redrive", job)
    assert plain.code == 1
    assert "nobody knows whether it was carried out; find out first" in plain.err
    assert run("dlq", "redrive", job, "--even-if-unknown").code == 2, "a reason is asked for"
    assert run("dlq", "redrive", job, "--yes", "--reason", "please").code == 1
    said = run("dlq", "redrive", job, "--even-if-unknown", "--reason", "the CPO has no such session")
    assert (said.code, said.out) == (0, f"{job} waits again\n")
    assert bench.wait(job, "done", "awaiting").record["redrives"] == "1"
    assert "redriven by " in run("jobs", "show", job).out
    assert len(bench.sandbox.log(job=job)) == 2


def test_the_read_that_reconciles_is_named(bench: Bench, run: Terminal) -> None:
    ended = bench.run("stellantis.b2b.send_remote", fault={"action": "reset", "times": 1})
    assert "find out with the read stellantis.b2b.list_remotes" in run("dlq", "show", ended.job_id).out


def test_more_than_one_letter_is_changed_only_after_yes(bench: Bench, run: Terminal) -> None:
    letters = {not_found(bench) for _ in range(3)}
    careful = unknown(bench)
    asked = run("dlq", "redrive", "--all")
    assert asked.code == 2
    assert asked.lines[0] == "4 letters fit."
    assert asked.lines[1].startswith("3 of them: hub.get_location not_found 2003 (problem ")
    assert any(text.startswith("1 of them would be left alone: it must not be repeated") for text in asked.lines)
    assert "nothing was done; add --yes to redrive them." in asked.err
    planned = run("dlq", "redrive", "--all", "--dry-run", "--json").record
    assert {name: planned[name] for name in ("action", "letters", "complete", "left_alone", "to_do")} == {
        "action": "redrive", "letters": 4, "complete": True, "left_alone": 1, "to_do": 3,
    }  # fmt: skip
    assert run("ops", "list").err == "paceline: no operation is kept"
    assert run("dlq", "redrive", *letters).code == 2
    done = run("dlq", "redrive", "--all", "--yes", "--wait", "--json")
    assert done.code == 5
    assert (done.record["state"], done.record["done"], done.record["left_alone"]) == ("done", 3, 1)
    assert [one["job"] for one in done.record["some"]] == [careful]
    for job in letters:
        assert bench.wait(job, "dead").runs == 2


def test_a_letter_keeps_its_id_and_goes_through_its_lane(bench: Bench, run: Terminal) -> None:
    job = not_found(bench)
    assert run("lanes", "hold", "hub:IN-ABC").code == 0
    assert run("dlq", "redrive", job, "--priority", "bulk").code == 0
    assert run("jobs", "list", "--json").record["id"] == job
    assert run("lanes", "list", "--json", "--busy").records[0]["waiting"]["bulk"] == 1
    assert run("lanes", "release", "hub:IN-ABC").code == 0
    assert bench.wait(job, "dead").runs == 2


def test_what_goes_round_in_a_circle_is_left_alone(bench: Bench, run: Terminal) -> None:
    job = not_found(bench)
    for round_number in range(2, 5):
        assert run("dlq", "redrive", job).code == 0
        bench.until(lambda wanted=round_number: bench.ended(job).runs == wanted, "another run")  # type: ignore[misc]
        bench.wait(job, "dead")
    said = run("dlq", "redrive", job)
    assert said.code == 1
    assert "it was sent again 3 times and died each time" in said.err
    assert run("dlq", "redrive", job, "--again").code == 0
    bench.wait(job, "dead")


def test_a_discard_is_a_mark_that_can_be_taken_back(bench: Bench, run: Terminal) -> None:
    job = not_found(bench)
    assert run("dlq", "discard", job, "--reason", "typed by mistake").out == f"{job} discarded\n"
    assert "beside them lie 1 discarded (--discarded)" in run("dlq", "list").err
    assert run("dlq", "problems", "--json").records == []
    assert [record["discarded"] for record in run("dlq", "problems", "--resolved", "--json").records] == [1]
    assert states(run, "--discarded") == {job}
    said = run("dlq", "redrive", job)
    assert said.code == 1
    assert "it is discarded; restore it first" in said.err
    assert "safe to do  it was set aside" in run("dlq", "show", job).out
    assert run("dlq", "discard", job).code == 1
    assert run("dlq", "restore", "--class", "not_found", "--yes", "--wait").code == 0
    assert states(run) == {job}
    assert run("dlq", "restore", job).code == 1


def test_expired_jobs_lie_beside_the_letters(bench: Bench, run: Terminal) -> None:
    assert run("lanes", "hold", "hub:IN-ABC").code == 0
    job = bench.send("hub.get_location", params=PLACE, deadline_s=0.05)
    bench.wait(job, "expired")
    assert "beside them lie 1 expired (--expired)" in run("dlq", "list").err
    assert states(run, "--expired") == {job}
    shown = run("dlq", "show", job)
    assert "known       it was never sent: its deadline passed while it waited." in shown.lines
    assert run("dlq", "discard", job).code == 1
    assert run("lanes", "release", "hub:IN-ABC").code == 0
    bench.store.hset(bench.key("job", job), "dlrel", str(60_000_000))
    assert run("dlq", "redrive", "--expired", "--yes", "--wait").code == 0
    assert run("jobs", "wait", job, "--timeout", "30s").code == 0


@pytest.mark.parametrize("verb", ["show", "redrive", "discard", "restore"])
def test_a_letter_nobody_knows_is_not_found(bench: Bench, run: Terminal, verb: str) -> None:
    done = bench.run("hub.get_location", params=PLACE).job_id
    assert run("dlq", verb, "0-nothing").code == 4
    said = run("dlq", verb, done)
    assert said.code == 1
    assert f"job {done} is done, not a dead letter" in said.err


def test_letters_by_id_answer_for_each(bench: Bench, run: Terminal) -> None:
    job = not_found(bench)
    assert run("dlq", "discard", job, "0-nothing").code == 2, "two at once need a yes"
    assert run("dlq", "discard", job, "0-nothing", "--yes", "--dry-run").out == "1 letter would be done.\n"
    said = run("dlq", "discard", job, "0-nothing", "--yes")
    assert (said.code, said.out) == (5, f"{job} discarded\n")
    assert run("dlq", "discard", "0-nothing", "0-never", "--yes").code == 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("redrive",), "expected ids or a filter"),
        (("discard", "0-some", "--all"), "expected ids or a filter, got both"),
        (("list", "--discarded", "--expired"), "expected --discarded or --expired, got both"),
        (("list", "--since", "yesterday"), "a length of time such as 30s"),
        (("list", "--limit", "0"), "0 is not in the range"),
    ],
)
def test_filters_nobody_understands_are_refused(run: Terminal, words: tuple[str, ...], expected: str) -> None:
    said = run("dlq", *words)
    assert said.code == 2
    assert expected in said.err


def test_a_filter_that_fits_nothing_does_nothing(run: Terminal) -> None:
    said = run("dlq", "redrive", "--class", "not_found", "--yes")
    assert (said.code, said.err) == (0, "paceline: no letter fits; nothing was done.")
    assert run("dlq", "redrive", "--class", "not_found").code == 0


def test_the_export_has_every_letter_with_its_evidence_and_no_secret(bench: Bench, run: Terminal) -> None:
    letters = [not_found(bench), unknown(bench), not_found(bench)]
    said = run("dlq", "export")
    assert [record["id"] for record in said.records] == letters, "first died first"
    assert all(record["evidence"] and record["advice"]["safe"] for record in said.records)
    secrets = bench.system.credentials.secrets()
    doors = [bench.store.hget(bench.key("job", job), "door") for job in letters]
    leaked = [secret for secret in [*secrets, *(door.decode() for door in doors if door)] if secret in said.out]
    assert secrets
    assert any(doors)
    assert leaked == []
    assert len(run("dlq", "export", "--class", "not_found", "--limit", "1").records) == 1


def test_who_changed_what_is_kept(bench: Bench, run: Terminal) -> None:
    job = not_found(bench)
    assert run("dlq", "discard", job, "--reason", "no longer wanted").code == 0
    entry: Any = bench.store.lindex(bench.key("audit"), 0)
    assert b'"what": "discard"' in entry
    assert b'"reason": "no longer wanted"' in entry
    assert b"@" in entry


def test_a_reader_that_has_seen_enough_is_no_failure(bench: Bench, run: Terminal) -> None:
    not_found(bench)
    with subprocess.Popen(
        [sys.executable, "-m", "worker", "dlq", "export"],
        cwd=Path(__file__).parents[2], env=surroundings() | bench.environ, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as export:  # fmt: skip
        assert export.stdout is not None
        export.stdout.close()
        assert export.stderr is not None
        assert export.stderr.read() == ""
        assert export.wait(60) == 0


def test_what_people_say_of_problems_and_letters(bench: Bench, run: Terminal) -> None:
    letter = not_found(bench)
    problem = run("dlq", "problems", "--json").records[0]["fingerprint"]
    assert run("dlq", "note", letter, "the", "location", "moved").code == 0
    assert run("dlq", "note", problem, "asked their support").code == 0
    [note] = run("dlq", "show", letter, "--json").records[0]["notes"]
    assert note["text"] == "the location moved"
    said = {"acknowledge": "acknowledged", "resolve": "resolved", "ignore": "ignored", "reopen": "open"}
    for word, state in said.items():
        answer = run("dlq", word, problem, "--reason", "so it is", "--json")
        assert (answer.code, answer.records) == (0, [{"problem": problem, "state": state}])
        stands = run("dlq", "problems").lines[1].split("  ")
        assert any(cell.strip().startswith(state if word == "reopen" else f"{state} by ") for cell in stands)
    assert run("dlq", "reopen", problem).code == 1
    assert run("dlq", "ignore", "f" * 16).code == run("dlq", "note", "0-none", "x").code == 4


def test_times_are_said_as_in_addresses(bench: Bench, run: Terminal) -> None:
    letter = not_found(bench)
    for options, found in (
        (["--since", "1h"], {letter}), (["--since", "2100-01-01T00:00:00Z"], set()), (["--until", "1h"], set()),
        (["--until", "2100-01-01T00:00:00Z"], {letter}), (["--since", "2000-01-01T00:00:00Z"], {letter}),
    ):  # fmt: skip
        assert {record["id"] for record in run("dlq", "list", "--json", *options).records} == found
    for pile in ("dead", "discarded", "expired"):  # as the console's page shows it
        for asked in ({}, {"account": "hub:IN-ABC", "until": "2h", "class": "not_found"}):
            said = shlex.split(read_query({**asked, "pile": pile}).command())
            assert (said[:3], run(*said[3:], "--json").code) == (["python", "-m", "worker"], 0)
    assert run("dlq", "problems", "--since", "2100-01-01T00:00:00Z", "--json").records == []
    answer = run("dlq", "list", "--since", "yesterday")
    assert answer.code == 2 and "2026-01-31T09:00:00Z" in answer.err
