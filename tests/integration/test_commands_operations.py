"""`ops`, and what `dlq redrive|discard|restore` with a filter makes: operations on many letters, from a terminal."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.fate_bench import Bench
from tests.integration.terminal import Terminal
from worker.fail.bulk import BULK_ID
from worker.sandbox.server import Sandbox

NOWHERE = {"country_code": "IN", "party_id": "CPO", "location_id": "NOWHERE"}


@pytest.fixture
def bench(redis_url: str, store: "redis.Redis[bytes]", sandbox: Sandbox, tmp_path: Path) -> Iterator[Bench]:
    with Bench(redis_url, sandbox, tmp_path) as made:
        yield made


@pytest.fixture
def run(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(bench.environ, monkeypatch, capsys)


def letters(bench: Bench, count: int) -> list[str]:
    made = [bench.send("hub.get_location", params=NOWHERE) for _ in range(count)]
    for job in made:
        bench.wait(job, "dead")
    return made


def started(run: Terminal, *words: str) -> str:
    """The operation that a command made."""
    said = run("dlq", *words, "--yes")
    assert said.code == 0, said.err
    made = said.out.split()[0]
    assert BULK_ID.fullmatch(made)
    assert f"`ops show {made}`" in said.err
    return made


def test_a_worker_carries_out_what_a_filter_ordered(bench: Bench, run: Terminal) -> None:
    jobs = letters(bench, 4)
    made = started(run, "redrive", "--class", "not_found", "--pace", "200", "--reason", "it exists now")
    bench.until(lambda: run("ops", "show", made, "--json").record["state"] == "done", "the operation")
    bench.until(lambda: run("ops", "show", made, "--json").record["under_way"] == 0, "the end of its calls")
    record = run("ops", "show", made, "--json").record
    assert (record["done"], record["left_alone"], record["ends"]["dead"], record["fresh"]) == (4, 0, 4, 0)
    assert record["filter"]["error_class"] == "not_found"
    (fingerprint,) = record["failed"]
    assert [bench.ended(job).runs for job in jobs] == [2] * 4
    shown = run("ops", "show", made)
    assert "progress" in shown.out and "4 sent again; of those 0 done, 4 failed again" in shown.out
    assert f"4 failed again: problem {fingerprint}" in shown.lines
    assert "it exists now" in run("ops", "list").out
    assert run("ops", "list", "--json").record["id"] == made


def test_what_died_since_is_told_apart_from_what_failed_again(bench: Bench, run: Terminal) -> None:
    letters(bench, 2)
    said = run("dlq", "redrive", "--all", "--yes", "--wait", "--json")
    assert said.code in (0, 5)
    made = said.record["id"]
    bench.until(lambda: run("ops", "show", made, "--json").record["under_way"] == 0, "the end of its calls")
    letters(bench, 3)
    record = run("ops", "show", made, "--json").record
    assert (record["ends"]["dead"], record["fresh"], record["fresh_complete"]) == (2, 3, True)
    assert "new since the plan" in run("ops", "show", made).out


def test_it_is_cancelled_half_way_and_says_what_was_done(bench: Bench, run: Terminal) -> None:
    jobs = letters(bench, 8)
    made = started(run, "discard", "--all", "--pace", "0.2")
    bench.until(lambda: run("ops", "show", made, "--json").record["done"], "a step")
    said = run("ops", "cancel", made, "--reason", "the wrong ones")
    assert said.code == 0
    assert f"{made} is cancelled: " in said.out and "were not touched" in said.out
    record = run("ops", "show", made, "--json").record
    assert (record["state"], record["ended_why"]) == ("cancelled", "the wrong ones")
    assert 0 < record["done"] < 8 and record["done"] + record["remaining"] == 8
    marked = [bench.store.hget(bench.key("job", job), "disc") for job in jobs]
    assert sum(mark is not None for mark in marked) == record["done"]
    assert run("ops", "cancel", made).code == 0, "saying it again changes nothing"
    rest = run("dlq", "discard", "--all", "--yes", "--wait", "--json").record
    assert rest["done"] == 8 - record["done"]


def test_where_no_worker_runs_the_one_who_waits_carries_it_out(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with Bench(redis_url, sandbox, tmp_path) as bench:
        run = Terminal(bench.environ, monkeypatch, capsys)
        letters(bench, 3)
        bench.stop()
        plan = run("dlq", "discard", "--all", "--dry-run")
        assert plan.lines[0] == "3 letters fit."
        assert run("dlq", "discard", "--all", "--yes", "--wait").code == 0
        assert "3 set aside" in run("ops", "list").out
        assert run("dlq", "restore", "--filter", "/dead-letters?pile=discarded", "--yes", "--wait").code == 0
        assert len(run("dlq", "list", "--json").records) == 3


def test_a_filter_is_the_one_of_the_consoles_addresses(bench: Bench, run: Terminal) -> None:
    letters(bench, 1)
    for asked in ("class=not_found", "/dead-letters?class=not_found&since=2h", "account=hub%3AIN-ABC"):
        assert run("dlq", "redrive", "--filter", asked, "--dry-run", "--json").record["letters"] == 1
    assert run("dlq", "redrive", "--filter", "class=wrong_path", "--dry-run", "--json").record["letters"] == 0
    for words, said in (
        (("--filter", "colour=red"), "expected account, operation, class, problem, since, until, pile"),
        (("--filter", "since=yesterday"), "expected since to be a length of time"),
        (("--filter", "pile=discarded"), "restore them first"),
        (("--filter", "class=a", "--class", "b"), "expected error_class in --filter or as an option, got both"),
        (("--filter", "class=malformed", "0-some"), "expected ids or a filter, got both"),
        (("0-some", "--pace", "3"), "expected --wait, --pace or --keep-priority with a filter, got ids"),
        (("--all", "--priority", "urgent"), "--keep-priority leaves it as it was"),
        (("--all", "--priority", "bulk", "--keep-priority"), "expected --keep-priority or --priority, got both"),
        (("--all", "--pace", "0"), "is not in the range"),
    ):
        refused = run("dlq", "redrive", *words)
        assert refused.code == 2 and said in refused.err, words


def test_one_that_nobody_knows_is_not_found(run: Terminal) -> None:
    for words in (("show", "op-1"), ("show", "op-" + "0" * 20), ("cancel", "0-1"), ("show", "op-1", "--wait")):
        assert run("ops", *words).code == 4
    assert run("ops", "list", "--json").records == []
