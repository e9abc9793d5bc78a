"""A worker is killed in the middle of its work. The others carry on, and nothing unrepeatable goes out twice."""

from collections import Counter

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy
from tests.faults.stage import PARTY, START, STATUS, Stage, until

STARTS, CARS = 6, 400


def set_the_scene(stage: Stage) -> tuple[list[str], list[str]]:
    """Commands that take long and cars that come quickly, so that both are in flight when something is killed."""
    stage.apis.fault("delay", {"operation": START}, delay_s=2.5)
    stage.apis.latency("stellantis", fixed_ms=80)
    starts = [job for _ in range(STARTS) for job in stage.enqueue(START)]
    cars = stage.enqueue(STATUS, CARS)
    stage.apis.wait_for(STARTS, account=PARTY)
    return starts, cars


def test_the_others_carry_on_when_a_worker_is_killed_and_what_it_was_sending_is_unknown(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with Fleet(stage.env, stage.folder) as fleet:
        workers = fleet.start(3)
        starts, cars = set_the_scene(stage)
        victim = max(workers, key=lambda worker: len(stage.in_hand(worker.child, starts)))
        held = stage.in_hand(victim.child, starts)
        victim.kill_child()
        took = stage.await_all_ended(30)
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
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        (orphan,) = fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        fleet.start(2)
        starts, cars = set_the_scene(stage)
        orphan.kill_master()
        gone = orphan.await_child_gone(20)
        takes = proxy.count("take")
        more = stage.enqueue(STATUS, 20)
        stage.await_all_ended(30)
        assert proxy.count("take") == takes
    assert stage.states(starts + cars + more) == {"done": STARTS + CARS + 20}
    stage.assert_each_sent_once(starts + cars + more)
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
        stage.apis.wait_for(150)
        for worker in first:
            worker.kill_child()
        for worker in first:
            worker.wait()
        fleet.start(2)
        seen = stage.apis.count()
        again = until(lambda: stage.apis.count() > seen, 30)
        stage.await_all_ended(40)
    assert stage.states(ids) == {"done": 1500}
    verdict = stage.assert_within_limits()
    assert verdict["jobs"]["repeated"] <= 16
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  whole fleet killed: first call of the next one {again:.2f} s after it was ready")


@pytest.mark.slow
def test_a_job_that_kills_three_workers_is_given_up(stage: Stage) -> None:
    stage.apis.fault("hang", {"api": "stellantis"})
    (job,) = stage.enqueue(STATUS)
    with Fleet(stage.env, stage.folder) as fleet:
        for number in range(3):
            (worker,) = fleet.start(1)
            assert stage.apis.wait_for(number + 1) == number + 1
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
        rule = proxy.swallow_request("finish")  # and what another thread has to say waits for its answer
        (start,) = stage.enqueue(START)
        (car,) = stage.enqueue(STATUS)
        until(lambda: rule.struck == 1 and stage.apis.count() == 2, 20)
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
