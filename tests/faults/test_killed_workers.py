"""A worker is killed in the middle of its work. The others carry on, and nothing unrepeatable goes out twice."""

import time
from collections import Counter

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet
from tests.faults.gate import Gate
from tests.faults.proxy import Proxy
from tests.faults.stage import PARTY, START, STATUS, Stage, until

STARTS, CARS = 6, 400


def set_the_scene(stage: Stage) -> tuple[list[str], list[str]]:
    """Commands that wait at the gate and cars that come quickly, so that both are in flight when one is killed."""
    stage.apis.latency("stellantis", fixed_ms=80)
    starts = [job for _ in range(STARTS) for job in stage.enqueue(START)]
    cars = stage.enqueue(STATUS, CARS)
    stage.await_arrivals(STARTS, account=PARTY)
    return starts, cars


def test_the_others_carry_on_when_a_worker_is_killed_and_what_it_was_sending_is_unknown(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with Gate(stage.apis, "hub") as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        workers = fleet.start(3)
        starts, cars = set_the_scene(stage)
        victim = max(workers, key=lambda worker: len(stage.in_hand(worker.child, starts)))
        held = stage.in_hand(victim.child, starts)
        victim.kill_child()
        gate.open()
        took = stage.await_all_ended()
        assert victim.wait() != 0, "a master whose child was killed must say so"
    unknown = {job for job in starts if stage.job(job).get("err") == "outcome_unknown"}
    assert held
    assert unknown == held
    assert stage.states(starts) == Counter(dead=len(held), done=STARTS - len(held))
    assert stage.states(cars) == {"done": CARS}
    stage.assert_each_sent_once(starts)
    verdict = stage.assert_within_limits()
    assert verdict["jobs"]["repeated"] <= 8, "only calls that its eight threads had in hand may be made again"
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(
            f"\n  worker killed: {len(held)} of {STARTS} commands unknown, {verdict['jobs']['repeated']} of {CARS} "
            f"reads made again, everything ended {took:.1f} s after the kill"
        )


def test_an_orphan_leaves_within_seconds_when_its_master_is_killed_and_finishes_what_it_has(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        Proxy(stage.store.url) as proxy,
        Gate(stage.apis, "hub") as gate,
        Fleet(stage.env | gate.environ, stage.folder) as fleet,
    ):
        (orphan,) = fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        others = fleet.start(2)
        stage.freeze(*others)
        first = stage.enqueue(START)
        stage.await_arrivals(1, account=PARTY)
        for other in others:
            other.thaw()
        starts, cars = set_the_scene(stage)
        orphan.kill_master()
        assert stage.in_hand(orphan.child, first) == set(first)
        gate.open()
        gone = orphan.await_child_gone()
        takes = proxy.count("take")
        more = stage.enqueue(STATUS, 20)
        stage.await_all_ended()
        assert proxy.count("take") == takes
    ids = first + starts + cars + more
    assert stage.states(ids) == {"done": len(ids)}
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert stage.crashes() == 0
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  master killed: its child had left {gone:.1f} s later, with nothing lost or repeated")


@pytest.mark.slow
def test_a_fleet_killed_whole_with_thousands_waiting_loses_none(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.apis.latency("stellantis", fixed_ms=40)
    with Fleet(stage.env, stage.folder) as fleet:
        first = fleet.start(2)
        ids = stage.enqueue(STATUS, 1500)
        stage.await_arrivals(150)
        for worker in first:
            worker.kill_child()
        for worker in first:
            worker.wait()
        seen, began = stage.apis.count(), time.monotonic()
        fleet.start(2)
        until(lambda: stage.apis.count() > seen)
        again = time.monotonic() - began
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 1500}
    verdict = stage.assert_within_limits()
    assert verdict["jobs"]["repeated"] <= 16
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  whole fleet killed: first call of the next one {again:.2f} s after its start")


@pytest.mark.slow
def test_a_job_that_kills_three_workers_is_given_up(stage: Stage) -> None:
    stage.apis.fault("hang", {"api": "stellantis"})
    (job,) = stage.enqueue(STATUS)
    with Fleet(stage.env, stage.folder) as fleet:
        for number in range(3):
            (worker,) = fleet.start(1)
            stage.await_arrivals(number + 1)
            assert stage.apis.count() == number + 1
            worker.kill_child()
            worker.wait()
        fleet.start(1)
        stage.await_all_ended()
    assert (stage.job(job)["state"], stage.job(job)["err"]) == ("dead", "crashed")
    assert stage.arrivals(job) == 3
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_a_worker_killed_between_an_answer_and_its_record_leaves_a_command_unknown_and_a_read_to_be_made_again(
    stage: Stage,
) -> None:
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        (worker,) = fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        rule = proxy.swallow_request("finish", times=1000)  # and what another thread has to say waits for its answer
        (start,) = stage.enqueue(START)
        (car,) = stage.enqueue(STATUS)
        until(lambda: rule.struck > 0 and stage.apis.count() == 2)
        worker.kill_child()
        worker.wait()
        fleet.start(1)
        stage.await_all_ended()
    assert (stage.job(start)["state"], stage.job(start)["err"]) == ("dead", "outcome_unknown")
    assert stage.evidence(start)[0]["sending"] is True
    assert stage.job(car)["state"] == "done"
    assert (stage.arrivals(start), stage.arrivals(car)) == (1, 2)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
