"""A worker stops moving for longer than its claims hold, is thought dead, and wakes up."""

import time

import pytest

from tests.conservation import assert_conserved
from tests.faults.bending import Bend
from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy
from tests.faults.stage import PARTY, START, STATUS, Stage, until


def test_a_frozen_worker_sends_nothing_twice_and_its_late_answer_settles_what_was_unknown(stage: Stage) -> None:
    stage.apis.fault("delay", {"operation": START}, delay_s=1.0)
    with Fleet(stage.env, stage.folder) as fleet:
        (sleeper,) = fleet.start(1)
        starts = stage.enqueue(START, 3)
        stage.apis.wait_for(3, account=PARTY)
        fleet.start(1)
        sleeper.freeze()
        cars = stage.enqueue(STATUS, 40)
        until(lambda: stage.states(starts) == {"dead": 3}, 30)
        assert {stage.job(job)["err"] for job in starts} == {"outcome_unknown"}
        sleeper.thaw()
        until(lambda: stage.states(starts) == {"done": 3}, 30)
        stage.await_all_ended()
    assert stage.counts().items() >= {"accepted": 43, "done": 43, "dead": 0}.items()
    assert stage.states(cars) == {"done": 40}
    stage.assert_each_sent_once(starts + cars)
    stage.assert_within_limits()
    alerts = {stage.client.hget(key, "state") for key in stage.client.scan_iter(stage.keys("alert", "*"))}
    assert alerts == {b"resolved"}
    assert_conserved(stage.client, stage.keys)


def test_reads_of_a_frozen_worker_are_made_by_another_and_its_late_answers_change_nothing(stage: Stage) -> None:
    stage.apis.latency("stellantis", fixed_ms=1000)
    with Fleet(stage.env, stage.folder) as fleet:
        (sleeper,) = fleet.start(1)
        held = stage.enqueue(STATUS, 4)
        stage.apis.wait_for(4)
        sleeper.freeze()
        stage.apis.latency("stellantis", fixed_ms=20)
        fleet.start(1)
        cars = stage.enqueue(STATUS, 150)
        stage.await_all_ended()
        done = stage.counts()
        sleeper.thaw()
        sleeper.await_text("superseded")
        until(lambda: sum(len(stage.evidence(job)) for job in held) == 12, 30)
    assert stage.counts() == done == {"accepted": 154, "done": 154}
    assert {stage.arrivals(job) for job in held} == {2}
    assert {tuple(kind(event) for event in stage.evidence(job)) for job in held} == {("crashed", "success", "success")}
    stage.assert_each_sent_once(cars)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_a_worker_frozen_before_it_could_send_does_not_send_when_it_wakes_up(stage: Stage) -> None:
    """Its permit has a time to send by: it belongs to a past in which the remote side still had room for the call."""
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        (sleeper,) = fleet.start(1, PACELINE_REDIS_URL=proxy.url, PACELINE_BROKER__IDLE_POLL_S="20")
        proxy.delay_reply("take", seconds=1.0)
        ids = stage.enqueue(START)
        until(lambda: stage.states(ids) == {"running": 1}, 10)
        sleeper.freeze()  # the answer to its take waits for it
        fleet.start(1)
        ids += stage.enqueue(START) + stage.enqueue(STATUS, 10)
        stage.await_all_ended()
        seen = stage.apis.count()
        sleeper.thaw()
        until(lambda: len(stage.evidence(ids[0])) == 3, 30)
        assert stage.apis.count() == seen == 12
    assert stage.states(ids) == {"done": 12}
    fates = {kind(event) for event in stage.evidence(ids[0])}
    assert fates == {"crashed", "success", "too_late"}
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_worker_whose_interpreter_is_blocked_past_its_claims_is_fenced_and_settles_what_was_unknown(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """No thread of it runs, so nothing is renewed; its sockets go on, and its master sees nothing. Stock dramatiq lets
    such a worker acknowledge what another has done meanwhile.
    """
    stage.apis.fault("delay", {"operation": START}, times=3, delay_s=1.0)
    stage.apis.latency("stellantis", fixed_ms=1000)
    bend = Bend(stage.folder)
    with Fleet(stage.env, stage.folder) as fleet:
        (blocked,) = fleet.start(1, **bend.environ)
        starts, held = stage.enqueue(START, 3), stage.enqueue(STATUS, 4)
        stage.apis.wait_for(7)
        bend.hold_the_gil(7.0)
        began = time.monotonic()
        stage.apis.latency("stellantis", fixed_ms=20)
        fleet.start(1)
        cars = stage.enqueue(STATUS, 60)
        until(lambda: stage.states(starts) == {"dead": 3}, 30)
        assert {stage.job(job)["err"] for job in starts} == {"outcome_unknown"}
        until(lambda: stage.states(starts) == {"done": 3}, 30)
        took = time.monotonic() - began
        blocked.await_text("superseded")
        stage.await_all_ended()
        until(lambda: sum(len(stage.evidence(job)) for job in held) == 12, 30)
    assert stage.counts().items() >= {"accepted": 67, "done": 67, "dead": 0}.items()
    assert {stage.arrivals(job) for job in held} == {2}
    stage.assert_each_sent_once(starts + cars)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  interpreter blocked for 7 s: its three commands were settled by its own answers after {took:.1f} s")


def kind(event: dict[str, object]) -> object:
    outcome = event.get("outcome")
    return outcome["class"] if isinstance(outcome, dict) else event["event"]
