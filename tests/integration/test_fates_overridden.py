"""A row of the table with another fate, through the whole system; and what `policy` shows of it."""

import json
from pathlib import Path

import pytest

from settings import SettingsError
from tests.integration.fate_bench import Bench
from tests.integration.terminal import Terminal
from worker.sandbox.server import Sandbox

READ, START = "hub.authorize_token", "hub.start_session"
TROUBLE = {"action": "ocpi", "code": 3001}


def policy(**changes: object) -> str:
    return json.dumps({name.replace("__", ":"): change for name, change in changes.items()})


def test_a_changed_row_decides_for_calls_that_may_be_repeated_alone(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    changed = policy(hub__remote_trouble={"repeatable": "dead", "alert": True})
    with Bench(redis_url, sandbox, tmp_path, FAIL__POLICY=changed) as bench:
        read = bench.run(READ, fault=TROUBLE)
        start = bench.run(START, fault=TROUBLE)
    assert (read.state, read.error_class, read.attempts, len(read.arrivals), read.told) == (
        "dead", "remote_trouble", 1, 1, 1,
    )  # fmt: skip
    assert read.evidence[0]["decision"] == "dead letter + alert"
    assert (start.error_class, len(start.arrivals)) == ("outcome_unknown", 1)


def test_a_lane_can_be_held_instead_of_filling_up_with_dead_letters(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    changed = policy(hub__wrong_path={"repeatable": "hold"})
    with Bench(redis_url, sandbox, tmp_path, FAIL__POLICY=changed) as bench:
        bench.fault(READ, "html", status=404)
        jobs = [bench.send(READ, deadline_s=600) for _ in range(20)]
        scope = f"lane:hub:IN-ABC|{READ}"
        bench.until(lambda: scope in bench.holds(), "a hold")
        bench.until(lambda: bench.states(jobs) == {"waiting": 20}, "all to wait")
        assert (sandbox.count() <= bench.threads, len(bench.alerts())) == (True, 1)
        sandbox.clear_faults()
        assert bench.release(scope) == "released"
        assert {bench.wait(job).state for job in jobs} == {"done"}


def test_a_worker_does_not_start_with_a_change_that_could_repeat_an_unrepeatable_call(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    unsafe = policy(both__outcome_unknown={"unrepeatable": "retry"})
    with pytest.raises(SettingsError, match="could be carried out twice"):
        Bench(redis_url, sandbox, tmp_path, FAIL__POLICY=unsafe)


def test_policy_marks_what_settings_have_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = policy(hub__remote_trouble={"repeatable": "dead"})
    run = Terminal({"PACELINE_ENVIRONMENT": "test", "PACELINE_FAIL__POLICY": changed}, monkeypatch, capsys)
    rows = run("policy", "--json").records
    (row,) = [row for row in rows if row["changed"]]
    assert row["changed"] == {"repeatable": "retry, then dead letter + alert"}
    said = run("policy", "--api", "hub")
    assert "dead letter + alert *" in said.out
    assert said.lines[-1].startswith("* hub, 3xxx, 4002, or HTTP 5xx, repeatable: changed by PACELINE_FAIL__POLICY")
    run.set(PACELINE_FAIL__POLICY=policy(hub__success={"alert": False}))
    refused = run("policy")
    assert (refused.code, len(refused.complaints)) == (2, 1)
    assert "an answer of the documented shape is done" in refused.err
    doctor = run("doctor", "--offline")
    assert (doctor.code, "PACELINE_FAIL__POLICY" in doctor.out) == (2, True)
