"""A worker stops moving for longer than its claims hold, is thought dead, and wakes up. The other one is frozen before
that, so that it takes nothing.
"""

import time

import pytest

from tests.conservation import assert_conserved
from tests.faults.bending import Bend
from tests.faults.fleet import Fleet
from tests.faults.gate import Gate
from tests.faults.proxy import Proxy
from tests.faults.stage import PARTY, START, STATUS, Stage, until


def test_a_frozen_worker_sends_nothing_twice_and_its_late_answer_settles_what_was_unknown(stage: Stage) -> None:
    with Gate(stage.apis) as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        sleeper, other = fleet.start(2)
        stage.freeze(other)
        starts = stage.enqueue(START, 3)
        stage.await_arrivals(3, account=PARTY)
        sleeper.freeze()
        gate.open()
        other.thaw()
        cars = stage.enqueue(STATUS, 40)
        until(lambda: stage.states(starts) == {"dead": 3})
        assert {stage.job(job)["err"] for job in starts} == {"outcome_unknown"}
        sleeper.thaw()
        until(lambda: stage.states(starts) == {"done": 3})
        stage.await_all_ended()
    assert stage.counts().items() >= {"accepted": 43, "done": 43, "dead": 0}.items()
    assert stage.states(cars) == {"done": 40}
    stage.assert_each_sent_once(starts + cars)
    stage.assert_within_limits()
    alerts = {stage.client.hget(key, "state") for key in stage.client.scan_iter(stage.keys("alert", "*"))}
    assert alerts == {b"resolved"}
    assert_conserved(stage.client, stage.keys)


def test_reads_of_a_frozen_worker_are_made_by_another_and_its_late_answers_change_nothing(stage: Stage) -> None:
    with Gate(stage.apis) as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        sleeper, other = fleet.start(2)
        stage.freeze(other)
        held = stage.enqueue(STATUS, 4)
        stage.await_arrivals(4)
        sleeper.freeze()
        gate.open()
        stage.apis.latency("stellantis", fixed_ms=20)
        other.thaw()
        cars = stage.enqueue(STATUS, 150)
        stage.await_all_ended()
        done = stage.counts()
        sleeper.thaw()
        sleeper.await_text("superseded")
        until_told_of(12, stage, held)
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
        taken = proxy.hold_reply("take", containing=START.encode())
        ids = stage.enqueue(START)
        until(lambda: taken.struck == 1)
        assert stage.states(ids) == {"running": 1}
        sleeper.freeze()
        taken.release()  # the answer to its take waits for it
        fleet.start(1)
        ids += stage.enqueue(START) + stage.enqueue(STATUS, 10)
        stage.await_all_ended()
        seen = stage.apis.count()
        sleeper.thaw()
        until_told_of(3, stage, ids[:1])
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
    bend = Bend(stage.folder)
    with Gate(stage.apis) as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        (blocked,) = fleet.start(1, **bend.environ)
        (other,) = fleet.start(1)
        stage.freeze(other)
        starts, held = stage.enqueue(START, 3), stage.enqueue(STATUS, 4)
        stage.await_arrivals(7)
        with bend.held_gil():
            gate.open()
            other.thaw()
            cars = stage.enqueue(STATUS, 60)
            until(lambda: stage.states(starts) == {"dead": 3})
            assert {stage.job(job)["err"] for job in starts} == {"outcome_unknown"}
            until(lambda: stage.states(held) == {"done": 4})
        began = time.monotonic()
        until(lambda: stage.states(starts) == {"done": 3})
        took = time.monotonic() - began
        blocked.await_text("superseded")
        stage.await_all_ended()
        until_told_of(12, stage, held)
    assert stage.counts().items() >= {"accepted": 67, "done": 67, "dead": 0}.items()
    assert {stage.arrivals(job) for job in held} == {2}
    stage.assert_each_sent_once(starts + cars)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  interpreter let go: its three commands were settled by its own answers {took:.1f} s later")


def until_told_of(events: int, stage: Stage, jobs: list[str]) -> None:
    """Until so much is on record of these jobs."""
    until(
        lambda: sum(len(stage.evidence(job)) for job in jobs) >= events,
        otherwise=lambda: str([[kind(event) for event in stage.evidence(job)] for job in jobs]),
    )


def kind(event: dict[str, object]) -> object:
    outcome = event.get("outcome")
    return outcome["class"] if isinstance(outcome, dict) else event["event"]
