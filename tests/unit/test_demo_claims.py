"""Unit: what the demo claims can turn out false, each claim by the very record it is about."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from worker.demo import ending, record
from worker.demo.claims import check
from worker.demo.command import main

Record = dict[str, Any]
FLEET, PARTY = "stellantis:fleet-1", "hub:IN-ABC"
SECOND, COMMANDS = "calls.second", "commands"
LIMIT = 2

WINDOWS = "no window was exceeded by us"
REFUSALS = "no refusal was caused by us"
ONCE = "no call that must not be repeated arrived twice"
CONSERVED = "accepted = done + dead + cancelled + expired"
KNOWN = "every arrival is on the record of its job"
URGENT = "urgent calls went first"
ALERTS = "one problem, one alert"
EVIDENCE = "every dead letter has its evidence"
SECRETS = "no secret was written anywhere"
STORY = "the story went as announced"


def arrival(at: float, job: str, **more: Any) -> Record:
    """One request as the sandbox logs it; a command to the hub by default."""
    return {
        "at": at, "api": "hub", "account": PARTY, "method": "POST", "path": "/commands/START_SESSION",
        "operation": "hub.start_session", "job": job, "request_id": f"r-{job}-{at:g}", "foreign": False,
        "repeatable": False, "windows": [COMMANDS], "refused": [], "unauthorized": False, "status": 200, "code": "1000",
        "executed": "yes", "fault": "", "digest": f"body of {job}", "connection": 1, "utc": "", "number": 0,
    } | more  # fmt: skip


def read(at: float, job: str, **more: Any) -> Record:
    """A car's status is asked for."""
    same = {"api": "stellantis", "account": FLEET, "method": "GET", "path": "/status", "operation": "status"}
    return arrival(at, job, repeatable=True, windows=[SECOND], digest="", **{**same, **more})


def attempt(job: str, at: float, decision: str = "done", **more: Any) -> Record:
    return {
        "at": "2026-01-01T00:00:00Z", "job": job, "worker": "w", "method": "POST", "url": "http://hub/", "request": {},
        "latency_ms": 1, "outcome": "success", "decision": decision, "why": "", "response": {"status": 200},
        "failure": None, "ids": {"request_id": f"r-{job}-{at:g}"},
    } | more  # fmt: skip


def job(state: str, *evidence: Record, fp: str = "") -> Record:
    return {"state": state, "fp": fp, "evidence": list(evidence)}


@pytest.fixture
def good() -> Record:
    """A run in which everything went right: a refusal beside a foreign user, a crash, and a dead letter."""
    waited = {f"bulk-{n}": 20.0 + n for n in range(4)}
    arrivals = [
        arrival(1.0, "start"),
        arrival(2.0, "lost", fault="delay"),
        read(4.0, "refused", status=429, refused=[SECOND]),
        *(read(3.5 + n / 10, "", foreign=True, request_id=f"foreign-{n}") for n in range(4)),
        read(11.0, "urgent"),
        *(read(at, name) for name, at in waited.items()),
        read(30.0, "refused"),
    ]
    crash = {"event": "crashed", "worker": "w", "lease": "l", "at_us": 1}
    jobs = {
        "start": job("done", attempt("start", 1.0)),
        "lost": job("dead", crash, fp="lost-fp"),
        "refused": job("done", attempt("refused", 4.0, "close + alert"), attempt("refused", 30.0)),
        "urgent": job("done", attempt("urgent", 11.0)),
        **{name: job("done", attempt(name, at)) for name, at in waited.items()},
        "given-up": job("cancelled"),
        "too-late": job("expired"),
    }
    return {
        "noted": {
            "expected": [{"what": "it goes well", "ok": True, "figure": ""}],
            "urgent": {"jobs": ["urgent"], "ahead": list(waited), "asked_at": 10.0},
        },
        "limits": [
            {"account": PARTY, "window": COMMANDS, "limit": LIMIT, "window_s": 2.0},
            {"account": FLEET, "window": SECOND, "limit": LIMIT, "window_s": 1.0},
        ],
        "arrivals": arrivals,
        "counts": {"accepted": 10, "done": 7, "dead": 1, "cancelled": 1, "expired": 1},
        "jobs": jobs,
        "alerts": {"problem:lost-fp": {"state": "open", "opened": 1, "opened_us": 1, "count": 3, "title": "Lost"}},
        "told": ["problem:lost-fp"],
        "secrets": {"found_in": [], "looked_for": 2, "bytes": 1000},
    }  # fmt: skip


def broken(record: Record) -> list[str]:
    """The claims that are not kept, read from the record as it is read from its file."""
    return [claim.said for claim in check(json.loads(json.dumps(record))) if not claim.kept]


def test_a_run_in_which_everything_went_right_keeps_every_claim(good: Record) -> None:
    assert broken(good) == []
    assert len(check(good)) == 10


def test_every_claim_has_a_test_that_breaks_it(good: Record) -> None:
    assert {claim.said for claim in check(good)} == {claim for claim, _ in BREAKS}


def add(*arrivals: Record) -> Callable[[Record], None]:
    """Requests that arrived at the other side as well."""

    def change(record: Record) -> None:
        record["arrivals"] += arrivals
        for one in arrivals:
            if one["job"] in record["jobs"]:
                known = attempt(one["job"], one["at"]) | {"ids": {"request_id": one["request_id"]}}
                record["jobs"][one["job"]]["evidence"].append(known)

    return change


def put(value: Any, *path: Any) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        place = record
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def drop(*path: Any) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        place = record
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


def forget_foreign_calls(record: Record) -> None:
    record["arrivals"] = [one for one in record["arrivals"] if not one["foreign"]]


def lose(record: Record) -> None:
    """A job was accepted and is nowhere."""
    record["counts"]["accepted"] += 1


def hurry_the_others(record: Record) -> None:
    """The calls that waited are sent before the urgent one."""
    for one in record["arrivals"]:
        if one["job"].startswith("bulk"):
            one["at"] = 10.1 + (one["at"] - 20.0) / 5


BREAKS: list[tuple[str, Callable[[Record], None]]] = [
    (WINDOWS, add(*(read(20.1 + n / 100, "bulk-0", request_id=f"more-{n}") for n in range(LIMIT)))),
    (WINDOWS, put([], "arrivals")),
    (REFUSALS, forget_foreign_calls),
    (REFUSALS, add(arrival(50.0, "start", executed="no", status=429, refused=[COMMANDS]))),
    (ONCE, add(arrival(50.0, "start", request_id="again"))),
    (ONCE, add(arrival(50.0, "other", digest="body of start"))),
    (CONSERVED, lose),
    (CONSERVED, drop("jobs", "too-late")),
    (CONSERVED, put("waiting", "jobs", "start", "state")),
    (CONSERVED, put("done", "jobs", "lost", "state")),
    (KNOWN, put([], "jobs", "start", "evidence")),
    (KNOWN, add(read(50.0, "nobody's"))),
    (KNOWN, put([attempt("start", 1.0), attempt("start", 40.0)], "jobs", "start", "evidence")),
    (URGENT, hurry_the_others),
    (URGENT, put([], "noted", "urgent", "ahead")),
    (URGENT, put(["never-sent"], "noted", "urgent", "jobs")),
    (ALERTS, put(["problem:lost-fp"] * 2, "told")),
    (ALERTS, put([], "told")),
    (ALERTS, put(["problem:lost-fp", "problem:unheard-of"], "told")),
    (ALERTS, put("fp-of-another", "jobs", "lost", "fp")),
    (EVIDENCE, put([], "jobs", "lost", "evidence")),
    (EVIDENCE, put([{"event": "crashed"}], "jobs", "lost", "evidence")),
    (EVIDENCE, put([attempt("lost", 999.0)], "jobs", "lost", "evidence")),
    (EVIDENCE, put([attempt("lost", 2.0, response=None)], "jobs", "lost", "evidence")),
    (SECRETS, put(["worker-1.jsonl"], "secrets", "found_in")),
    (SECRETS, put(0, "secrets", "bytes")),
    (STORY, put(False, "noted", "expected", 0, "ok")),
    (STORY, put([], "noted", "expected")),
]


@pytest.mark.parametrize(("claim", "change"), BREAKS, ids=[f"{n}-{claim[:24]}" for n, (claim, _) in enumerate(BREAKS)])
def test_a_claim_turns_false_with_the_record_it_is_about(
    good: Record, claim: str, change: Callable[[Record], None]
) -> None:
    changed = copy.deepcopy(good)
    change(changed)
    assert claim in broken(changed)


def test_a_refusal_in_a_window_that_others_filled_is_not_ours(good: Record) -> None:
    good["arrivals"] += [read(60 + n / 10, "", foreign=True, request_id=f"f-{n}") for n in range(2)]
    add(read(60.5, "urgent", status=429, refused=[SECOND]))(good)
    assert broken(good) == []


def test_a_killed_call_may_be_missing_on_record_once_for_each_crash(good: Record) -> None:
    good["arrivals"].append(arrival(9.0, "lost", executed="no", request_id="cut off as well"))
    assert broken(good) == [KNOWN]
    good["jobs"]["lost"]["evidence"] *= 2
    assert broken(good) == []


def test_a_dead_letter_of_our_own_mistake_is_proved_by_its_event(good: Record) -> None:
    event = {"event": "internal", "at": "2026-01-01T00:00:00Z", "worker": "w", "job": "lost", "why": "cannot be read"}
    good["arrivals"] = [one for one in good["arrivals"] if one["job"] != "lost"]
    good["jobs"]["lost"]["evidence"] = [event]
    assert broken(good) == []
    del event["why"]
    assert broken(good) == [EVIDENCE]


def test_checking_a_saved_record_again_exits_by_its_verdict(
    good: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record.save(tmp_path, good)
    assert main(["--check", str(tmp_path)]) == 0
    assert "10 of 10 claims kept." in capsys.readouterr().out
    good["arrivals"].append(arrival(50.0, "start", request_id="again"))
    record.save(tmp_path, good)
    assert main(["--check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"✗ {ONCE}: " in said
    assert "8 of 10 claims kept." in said


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"arrivals": 1}'])
def test_a_record_that_cannot_be_read_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    if content is not None:
        (tmp_path / record.FILE).write_text(content)
    assert main(["--check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "holds no record that can be read" in said


def test_the_summary_shows_every_window_and_every_alert(good: Record, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=80)
    ending.print_windows(good, console)
    ending.print_alerts(good, console)
    said = capsys.readouterr().out
    assert all(word in said for word in (FLEET, SECOND, "2 in 1 s", PARTY, COMMANDS, "2 in 2 s", "Lost"))
