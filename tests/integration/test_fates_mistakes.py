"""Mistakes, ours and the other side's, that would repeat themselves: told once, stopped early, never taken for done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.integration.fate_bench import Bench
from tests.integration.fate_count import provokes
from tests.integration.fate_hindrances import Forgetful, Raising, Refusing, Skipping
from tests.integration.fate_sight import Ended
from worker.fail.middleware import FateMiddleware
from worker.sandbox.server import Sandbox

READ, CDR = "hub.authorize_token", "hub.post_cdr"
STATUS, REMOTE = "stellantis.b2b.get_vehicle_status", "stellantis.b2b.send_remote"
EITHER = [READ, REMOTE]
INTERNAL = "no decision, broken middleware, refused script"
BRAKE = "many dead letters of one problem in a short time"
UNROUTED = "1000, no locations on the first, unfiltered page"


@provokes("both", BRAKE, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", [STATUS, REMOTE])
def test_many_dead_letters_of_one_problem_hold_the_lane_and_tell_once(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path, threads=1, FAIL__BRAKE_COUNT="3") as bench:
        bench.fault(operation, "error_body", status=403, code=40300)
        jobs = [bench.send(operation) for _ in range(10)]
        scope = f"lane:stellantis:fleet-1|{operation}"
        hold = bench.until(bench.holds, "a hold")[scope]
        bench.until(lambda: bench.states(jobs) == {"dead": 3, "waiting": 7}, "the rest to wait")
        other = bench.run("stellantis.b2b.list_fleets")
        assert (other.state, hold["cause"], len(sandbox.log(operation=operation))) == ("done", "brake", 3)
        assert [(alert.key, alert.opened) for alert in other.alerts] == [(f"hold:{scope}", 1)]
        assert other.alerts[0].facts["problem"] == hold["problem"]
        assert bench.problem(hold["problem"])["count"] == "3"
        sandbox.clear_faults()
        assert bench.release(scope) == "released"
        bench.until(lambda: bench.states(jobs) == {"dead": 3, "done": 7}, "the rest to go on")
        assert [alert.state for alert in bench.alerts()] == ["resolved"]


def check_internal(bench: Bench, operation: str, arrivals: int, said: str) -> Ended:
    ended = bench.run(operation)
    assert (ended.state, ended.error_class, len(ended.arrivals), ended.told) == ("dead", "internal", arrivals, 1)
    assert said in ended.why
    assert (ended.problem["class"], ended.alerts[0].key) == ("internal", f"problem:{ended.record['fp']}")
    assert ended.alerts[0].facts["message"] == ended.why
    return ended


@provokes("both", INTERNAL, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", EITHER)
def test_a_job_that_another_middleware_skips_is_not_done(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path, middleware=[Skipping()]) as bench:
        check_internal(bench, operation, 0, "skipped")


@provokes("both", INTERNAL, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", EITHER)
def test_a_call_without_a_permit_in_hand_is_not_made(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dramatiq goes on with a message although a middleware's `before` hook has raised."""
    with Bench(redis_url, sandbox, tmp_path) as bench:
        monkeypatch.setattr(bench.system.fate, "before_process_message", broken)
        ended = check_internal(bench, operation, 0, "without a job in hand")
        line = next(line for line in bench.log_lines() if line["event"] == "internal")
    assert [record["event"] for record in ended.evidence] == ["internal"]
    assert (line["why"], line["job"]) == (ended.why, ended.job_id)


@provokes("both", INTERNAL, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", EITHER)
def test_a_job_nobody_decided_about_is_not_done(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path, idle=True) as bench:
        bench.broker.add_middleware(Forgetful(), before=FateMiddleware)  # after a call they run from last to first
        bench.start()
        check_internal(bench, operation, 1, "no middleware decided")


@provokes("both", INTERNAL, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", EITHER)
def test_a_decision_that_fails_is_told_with_what_is_known(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        monkeypatch.setattr(bench.system.fate._chooser, "choose", broken)
        ended = check_internal(bench, operation, 1, "deciding its fate failed: RuntimeError")
        lines = [line for line in bench.log_lines() if line["event"] == "attempt"]
    (record,) = ended.evidence
    assert (record["outcome"]["class"], record["response"]["status"] // 100) == ("success", 2)
    assert (record["why"], len(lines)) == (ended.why, 1)


@provokes("both", INTERNAL, "repeatable", "unrepeatable")
@pytest.mark.parametrize("operation", EITHER)
def test_a_decision_the_store_refuses_for_good_is_told_with_its_evidence(
    redis_url: str, sandbox: Sandbox, tmp_path: Path, operation: str
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        bench.broker.turn.end = refusing(bench.broker.turn.end, "finish")  # type: ignore[method-assign]
        check_internal(bench, operation, 1, "the store refused its finish")
        (job,) = {arrival["job"] for arrival in sandbox.log()}
        (record,) = bench.ended(job).evidence
    assert (record["outcome"]["class"], record["response"]["status"] // 100) == ("success", 2)


def test_a_middleware_that_breaks_after_the_call_changes_nothing(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Bench(redis_url, sandbox, tmp_path, middleware=[Raising()]) as bench:
        ended = bench.run(READ)
    assert (ended.state, ended.attempts, len(ended.arrivals), ended.told) == ("done", 0, 1, 0)


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a mistake")


def refusing(scripts: Callable[..., Any], name: str) -> Any:
    return Refusing(scripts, name, ResponseError("ERR user_script:12: a mistake"))


@provokes("hub", UNROUTED, "repeatable")
def test_an_empty_list_of_locations_is_done_and_told_once_a_day(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        sandbox.config({"hub.locations": 0})
        ended = [bench.run("hub.list_locations", None, {"offset": 0}) for _ in range(3)]
        filtered = bench.run("hub.list_locations", None, {"date_from": "2026-01-01T00:00:00Z"})
        elsewhere = bench.run("hub.list_locations", "hub:IN-DEF", {"offset": 0})
    assert [(job.state, job.attempts, len(job.arrivals), job.result["class"]) for job in ended] == [
        ("done", 0, 1, "success")
    ] * 3
    assert [job.told for job in ended] == [1, 1, 1]
    assert (filtered.state, filtered.told) == ("done", 1), "a filtered page may be empty"
    assert elsewhere.told == 2, "another account is another matter"
    assert ended[0].alerts[0].key.startswith("no routing:hub:IN-ABC:")
    assert "routing" in ended[0].alerts[0].facts["advice"]
    assert ended[0].evidence[-1]["why"] == UNROUTED
