"""A worker stops moving for longer than its claims hold, is thought dead, and wakes up."""

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet
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
        until(lambda: stage.states(starts) == {"dead": 3}, 10)
        assert {stage.job(job)["err"] for job in starts} == {"outcome_unknown"}
        sleeper.thaw()
        until(lambda: stage.states(starts) == {"done": 3}, 10)
        stage.await_all_ended()
    assert stage.counts() == {"accepted": 43, "done": 43, "dead": 0}
    assert stage.states(cars) == {"done": 40}
    stage.assert_each_sent_once(starts + cars)
    stage.assert_within_limits()
    alerts = {stage.client.hget(key, "state") for key in stage.client.scan_iter(stage.keys("alert", "*"))}
    assert alerts == {b"resolved"}
    assert_conserved(stage.client, stage.keys)


def test_reads_of_a_frozen_worker_are_made_by_another_and_its_late_answers_change_nothing(stage: Stage) -> None:
    stage.apis.latency("stellantis", fixed_ms=500)
    with Fleet(stage.env, stage.folder) as fleet:
        (sleeper,) = fleet.start(1)
        held = stage.enqueue(STATUS, 4)
        stage.apis.wait_for(4)
        sleeper.freeze()
        fleet.start(1)
        cars = stage.enqueue(STATUS, 300)
        stage.await_all_ended(20)
        done = stage.counts()
        sleeper.thaw()
        sleeper.await_text("superseded")
        until(lambda: sum(len(stage.evidence(job)) for job in held) == 12, 5)
    assert stage.counts() == done == {"accepted": 304, "done": 304}
    assert {stage.arrivals(job) for job in held} == {2}
    assert {tuple(kind(event) for event in stage.evidence(job)) for job in held} == {("crashed", "success", "success")}
    stage.assert_each_sent_once(cars)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def kind(event: dict[str, object]) -> object:
    outcome = event.get("outcome")
    return outcome["class"] if isinstance(outcome, dict) else event["event"]
