"""SIGTERM while long calls run: a worker drains, hoards nothing, and leaves in time."""

import time

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy
from tests.faults.stage import PARTY, START, STATUS, Stage, until


def test_a_worker_that_is_told_to_stop_finishes_its_calls_takes_no_more_and_the_next_one_takes_over_at_once(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.apis.fault("delay", {"path": "VEH-0000[123]/"}, times=3, delay_s=4.0)
    stage.apis.fault("delay", {"operation": START}, times=3, delay_s=4.0)
    env = {"PACELINE_BROKER__LANE_CAP": "8"}
    with Proxy(stage.store.url) as proxy, Fleet(stage.env | env, stage.folder) as fleet:
        (leaving,) = fleet.start(1, threads=6, PACELINE_REDIS_URL=proxy.url)
        starts = stage.enqueue(START, 3)
        stage.apis.wait_for(3, account=PARTY)
        long = stage.enqueue(STATUS, 3)
        stage.apis.wait_for(6)
        waiting = stage.enqueue(STATUS, 40)
        began = time.monotonic()
        leaving.terminate()
        fleet.start(1)
        others = until(lambda: stage.states(waiting) == {"done": 40}, 3)
        assert stage.states(starts + long) == {"running": 6}, "the next worker must not wait for the last one"
        takes = proxy.count("take")
        code = leaving.wait()
        left = time.monotonic() - began
        assert proxy.count("take") == takes
        stage.await_all_ended()
    assert code == 0
    assert left < 28
    assert stage.states(starts + long) == {"done": 6}
    stage.assert_each_sent_once(starts + long + waiting)
    assert stage.crashes() == 0
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  SIGTERM: 40 waiting jobs were run by the next worker {others:.1f} s after it was ready; ")
        print(f"  the last one left after {left:.1f} s, its calls of 4 s done")


def test_jobs_in_hand_that_never_began_go_back_to_their_place_with_their_permits(stage: Stage) -> None:
    stage.apis.latency("stellantis", fixed_ms=1500)
    with Fleet(stage.env, stage.folder) as fleet:
        (worker,) = fleet.start(1, threads=4)
        ids = stage.enqueue(STATUS, 12)
        stage.apis.wait_for(2)
        worker.terminate()
        assert worker.wait() == 0
        stage.apis.latency("stellantis", fixed_ms=0)
        states = stage.states(ids)
        assert set(states) <= {"done", "waiting"}
        assert stage.client.zcard(stage.keys("leases")) == 0
        assert stage.client.zcard(stage.keys("workers")) == 0
        fleet.start(1)
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 12}
    stage.assert_each_sent_once(ids)
    assert stage.crashes() == 0
    assert_conserved(stage.client, stage.keys)
