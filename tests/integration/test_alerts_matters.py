"""What is told and when it is over, cause by cause: opened once, counted while it lasts, resolved when it ends."""

import json
from typing import Any

import pytest

from tests.integration.alerting import (
    CAR,
    HUB,
    OPERATION,
    Clock,
    Notebook,
    ask_for,
    bury,
    dies,
    end_next,
    send_again,
    system_of,
    take_next,
    wait_until,
    waiting,
    working,
)
from worker.fail.fate import Fate, answered, refund
from worker.main import System
from worker.observe.alerts import Outbox
from worker.sandbox.server import Sandbox

pytestmark = pytest.mark.usefixtures("store")
START = "hub.start_session"
BUDGET = f"{CAR}|calls"


def told_by(system: System) -> Notebook:
    """What an outbox has to tell now."""
    sink = Notebook()
    Outbox(system.broker, [sink]).hand_over()
    return sink


def close(**how: Any) -> Fate:
    """The fate of a call that was refused for its rate."""
    facts = json.dumps({"kind": "notice", "api": "stellantis", "account": CAR, "operation": OPERATION, "code": "429"})
    closing = {"jitter": 1, "base": 1_000_000, "cap": 8_000_000, "reason": "429", "facts": facts, **how}
    notices = [{"key": f"refusal:{BUDGET}", "facts": facts}]
    return Fate("park", answered(0), {"wait": 0, "attempt": 0, "close": closing, "notices": notices})


def done() -> Fate:
    return Fate("finish", answered(0), {"meaning": "success"})


# -- problems -----------------------------------------------------------------------------------------------------


def test_a_problem_that_goes_on_is_told_once_and_one_that_comes_back_after_an_hour_is_told_again(
    redis_url: str,
) -> None:
    clock = Clock()
    with system_of(redis_url, None, clock) as system:
        bury(system)
        for _ in range(5):
            clock.wait(50 * 60)
            bury(system)
        first = told_by(system)
        clock.wait(60 * 60)
        bury(system)
        second = told_by(system)
    assert [(alert.generation, alert.count) for alert in (*first.offered, *second.offered)] == [(1, 6), (2, 1)]
    assert first.offered[0].fingerprint == second.offered[0].fingerprint
    assert first.offered[0].member != second.offered[0].member


def test_a_problem_whose_dead_letters_are_all_discarded_is_resolved(redis_url: str) -> None:
    with system_of(redis_url, None) as system:
        jobs = bury(system, 2)
        assert told_by(system).changes == ["1 opened"]
        for job in jobs:
            assert told_by(system).changes == []
            system.broker.scripts("discard", {"id": job, "by": "somebody", "undo": False})
        assert told_by(system).changes == ["1 resolved"]
        system.broker.scripts("discard", {"id": jobs[0], "by": "somebody", "undo": True})
        assert told_by(system).changes == []
        bury(system)
        assert told_by(system).changes == ["2 opened"]
        system.broker.scripts("discard", {"id": jobs[0], "by": "somebody", "undo": False})
        assert told_by(system).changes == [], "one letter is left"


def test_a_problem_whose_last_dead_letter_is_too_old_to_be_kept_is_resolved_and_then_forgotten(redis_url: str) -> None:
    clock = Clock()
    day = 86_400
    with system_of(redis_url, None, clock) as system:
        bury(system)
        assert told_by(system).changes == ["1 opened"]
        clock.wait(31 * day)
        system.broker.scripts("sweep", {"dead_us": 30 * day * 1_000_000})
        clock.wait(31 * day)
        system.broker.scripts("sweep", {"dead_us": 30 * day * 1_000_000})
        assert system.client.zcard(system.broker.keys("alerts")) == 1, "it waits to be told"
        assert told_by(system).changes == ["1 resolved"]
        clock.wait(31 * day)
        system.broker.scripts("sweep", {"dead_us": 30 * day * 1_000_000})
        assert system.client.zcard(system.broker.keys("alerts")) == 0
        assert not list(system.client.scan_iter(match="*alert:*"))


def test_a_call_whose_outcome_is_unknown_is_told_and_resolved_by_its_late_answer(redis_url: str) -> None:
    clock = Clock()
    with system_of(redis_url, None, clock) as system:
        job = ask_for(system, START)
        message = take_next(system)
        sending = {"id": job, "lease": message.card.lease, "door": "secret"}
        assert system.broker.scripts("sending", sending) == 1
        for _ in range(6):  # in steps: one long gap would be an outage, which is nobody's crash
            clock.wait(5)
            system.broker.threads.wake()
            assert system.broker.next_job(0.5) is None
        opened = told_by(system)
        message.fate = done()
        system.broker.acknowledge(message)
        resolved = told_by(system)
    assert [alert.title for alert in opened.offered] == [
        f"Dead letters of {START}: outcome unknown (worker_crashed)"
    ]
    assert "No read tells what became of the call" in opened.offered[0].advice
    assert resolved.changes == ["1 resolved"]


def test_an_operation_no_process_knows_is_told_with_what_to_deploy(redis_url: str) -> None:
    clock = Clock()
    with system_of(redis_url, None, clock) as system:
        why = {"class": "internal", "code": "unknown_operation", "message": "no operation 'x'", "alert": True}
        patience = Fate("park", refund(), {"wait": 0, "attempt": 0, "patience": 600_000_000, "why": why})
        ask_for(system)
        for _ in range(11):
            end_next(system, patience)
            clock.wait(61)
        told = told_by(system)
        assert dead(system) == 1
    assert [alert.title for alert in told.offered] == [f"Dead letters of {OPERATION}: internal (unknown_operation)"]
    assert "Deploy the version that knows it" in told.offered[0].advice


def dead(system: System) -> int:
    size: int = system.client.zcard(system.broker.keys("dead"))  # type: ignore[assignment]
    return size


# -- what is stopped ----------------------------------------------------------------------------------------------


def test_a_refused_credential_is_one_alert_for_all_jobs_and_resolved_when_it_is_accepted(
    redis_url: str, sandbox: Sandbox
) -> None:
    there = {name.removeprefix("PACELINE_"): value for name, value in sandbox.environment().items()}
    with system_of(redis_url, None, **there, BROKER__RENEW_S="0.1") as system:
        sink = Notebook()
        system.sinks.append(sink)
        sandbox.revoke(HUB)
        for _ in range(20):
            ask_for(system, "hub.get_location")
        with working(system):
            wait_until(lambda: sink.changes == ["1 opened"], "the hold is told")
            wait_until(lambda: not system.client.exists(system.broker.keys("leases")), "no call is on its way")
            sandbox.renew(HUB)
            system.broker.scripts("release", {"scope": f"account:{HUB}", "by": "somebody", "reason": "renewed"})
            wait_until(lambda: system.client.hget(system.broker.keys("counts"), "done") == b"20", "all is done")
            wait_until(lambda: len(sink.offered) == 2, "the end is told")
    assert sink.changes == ["1 opened", "1 resolved"]
    assert sink.offered[0].title.startswith(f"Account {HUB} is held: credential refused")
    assert "To rotate" in sink.offered[0].advice
    assert sink.offered[0].level == "error"


def test_a_brake_is_resolved_by_its_release_and_counts_anew_from_there(redis_url: str) -> None:
    with system_of(redis_url, None, FAIL__BRAKE_COUNT="3") as system:
        quiet = dies("not_found", "2003", alert=False)
        lane = f"lane:{HUB}|hub.get_location"
        bury(system, 3, quiet, "hub.get_location")
        assert told_by(system).changes == ["1 opened"]
        system.broker.scripts("release", {"scope": lane, "by": "somebody", "reason": "mended"})
        assert told_by(system).changes == ["1 resolved"]
        bury(system, 2, quiet, "hub.get_location")
        assert told_by(system).changes == []
        bury(system, 1, quiet, "hub.get_location")
        assert told_by(system).changes == ["2 opened"]


def test_refusals_are_one_alert_while_they_last_and_over_when_calls_pass_for_ten_minutes(redis_url: str) -> None:
    clock = Clock()
    with system_of(redis_url, None, clock) as system:
        for _ in range(40):
            ask_for(system, deadline_s=86_000)
        told: list[str] = []
        for _ in range(15):  # a limit that is set too high: refused, open again, some calls pass, refused …
            end_next(system, close(after=30_000_000))
            clock.wait(31)
            end_next(system, done())
            told += told_by(system).changes
            clock.wait(29)
        assert told == ["1 opened"]
        end_next(system, done())
        assert told_by(system).changes == []
        clock.wait(10 * 60)
        end_next(system, done())
        assert told_by(system).changes == ["1 resolved"]
        end_next(system, close(after=30_000_000))
        again = told_by(system)
    assert again.changes == ["2 opened"]
    assert again.offered[0].title == f"{CAR} was refused for its rate (429) in {OPERATION}"
    assert again.offered[0].level == "warning"


def test_a_refusal_that_asks_for_too_long_a_wait_holds_the_budget_until_it_is_released(redis_url: str) -> None:
    with system_of(redis_url, None) as system:
        facts = {"kind": "hold", "api": "stellantis", "account": CAR, "class": "rate_limited", "code": "429"}
        scope = f"budget:{BUDGET}"
        ask_for(system)
        end_next(system, close(nonsense=True, facts=json.dumps(facts | {"scope": scope})))
        opened = told_by(system)
        system.broker.scripts("release", {"scope": scope, "by": "somebody", "reason": "asked the vendor"})
        assert told_by(system).changes == ["1 resolved"]
    titles = {alert.title for alert in opened.offered}
    assert f"Budget calls of {CAR} is held: rate limited (429)" in titles


def test_a_suspicion_is_resolved_when_jobs_are_handed_out_again_and_another_cause_takes_its_place(
    redis_url: str,
) -> None:
    clock = Clock()
    suspect = {"lease_us": 15_000_000, "mode": "probe"}
    with system_of(redis_url, None, clock) as system:
        ask_for(system)
        end_next(system, done())
        system.broker.scripts("suspect", suspect | {"cause": "clock"})
        assert told_by(system).changes == ["1 opened"]
        system.client.hset(system.broker.keys("meta"), "run", "another")
        ask_for(system)
        system.broker.threads.wake()
        assert system.broker.next_job(0.1) is None
        told = told_by(system)
        assert {(alert.key, alert.change) for alert in told.offered} == {
            ("suspect:clock", "resolved"),
            ("suspect:restart", "opened"),
        }
        clock.wait(16)
        end_next(system, done())
        told = told_by(system)
        assert [(alert.key, alert.change) for alert in told.offered] == [("suspect:restart", "resolved")]


# -- an outbox nobody empties -------------------------------------------------------------------------------------


def crowd(system: System, size: int) -> None:
    far = 2 * 10**15
    system.client.zadd(system.broker.keys("outbox"), {f"problem:{n}#1#{n}#opened": far for n in range(size)})


def test_in_a_crowded_outbox_a_matter_that_comes_and_goes_waits_once(redis_url: str) -> None:
    with system_of(redis_url, None) as system:
        crowd(system, 1000)
        jobs = bury(system)
        for _ in range(20):
            send_again(system, jobs)
            end_next(system, dies())
        assert waiting(system) == 1001
        assert told_by(system).changes == ["21 opened"]


def test_what_does_not_fit_into_a_full_outbox_is_told_when_it_comes_again(redis_url: str) -> None:
    with system_of(redis_url, None) as system:
        crowd(system, 10_000)
        bury(system, 3)
        assert waiting(system) == 10_000
        assert dead(system) == 3
        system.client.delete(system.broker.keys("outbox"))
        bury(system)
        assert told_by(system).changes == ["4 opened"]
