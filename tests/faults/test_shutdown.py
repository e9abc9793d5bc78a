"""SIGTERM while long calls run: a worker drains, hoards nothing, and leaves in time."""

import re
import time

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet, worker_command
from tests.faults.gate import Gate
from tests.faults.proxy import Proxy
from tests.faults.stage import PARTY, START, STATUS, Stage, until


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_finishes_its_calls_takes_no_more_and_the_next_one_takes_over_at_once(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    env = {"PACELINE_BROKER__LANE_CAP": "8"}
    with (
        Proxy(stage.store.url) as proxy,
        Gate(stage.apis) as gate,
        Fleet(stage.env | env, stage.folder) as fleet,
    ):
        (leaving,) = fleet.start(1, threads=7, PACELINE_REDIS_URL=proxy.url, **gate.environ)
        starts = stage.enqueue(START, 3)
        stage.await_arrivals(3, account=PARTY)
        long = stage.enqueue(STATUS, 3)
        stage.await_arrivals(6)
        waiting = stage.enqueue(STATUS, 40)
        began = time.monotonic()
        leaving.terminate()
        leaving.await_text("Stopping worker process")
        fleet.start(1)
        others = until(lambda: stage.states(waiting) == {"done": 40})
        assert stage.states(starts + long) == {"running": 6}, "the next worker must not wait for the last one"
        takes = proxy.count("take")
        opened = time.monotonic()
        gate.open()
        code = leaving.wait()
        left, after = time.monotonic() - began, time.monotonic() - opened
        assert proxy.count("take") == takes
        stage.await_all_ended()
    assert code == 0
    assert left < 28, "its calls may last for 25 s, and were let go before"
    assert stage.states(starts + long) == {"done": 6}
    stage.assert_each_sent_once(starts + long + waiting)
    assert stage.crashes() == 0
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  SIGTERM: 40 waiting jobs were run by the next worker {others:.1f} s after it was ready; ")
        print(f"  the last one left after {left:.1f} s, {after:.1f} s after its calls were answered")


def test_an_order_to_stop_that_reaches_master_and_child_alike_drains_as_one_order_does(stage: Stage) -> None:
    """Process managers signal the whole group, and dramatiq's master passes its signal on: the child hears it twice."""
    with Gate(stage.apis) as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        (worker,) = fleet.start(1)
        ids = stage.enqueue(START, 3)
        stage.await_arrivals(3)
        worker.terminate_group()
        worker.await_text("Stopping worker process")
        gate.open()
        assert worker.wait() == 0
        assert stage.states(ids) == {"done": 3}
        assert stage.client.zcard(stage.keys("leases")) == 0
    assert stage.crashes() == 0
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_gives_back_what_a_reply_on_its_way_deals_it(stage: Stage) -> None:
    env = {"PACELINE_BROKER__LANE_CAP": "8", "PACELINE_BROKER__IDLE_POLL_S": "20"}
    with Proxy(stage.store.url) as proxy, Fleet(stage.env | env, stage.folder) as fleet:
        (leaving,) = fleet.start(1, threads=7, PACELINE_REDIS_URL=proxy.url)
        rule = proxy.hold_reply("take", containing=STATUS.encode())
        ids = stage.enqueue(STATUS, 7)
        until(lambda: rule.struck == 1)
        leaving.terminate()
        leaving.await_text("Stopping worker process")
        time.sleep(2.0)  # its threads have gone by then
        rule.release()
        assert leaving.wait() == 0
        assert stage.client.zcard(stage.keys("leases")) == 0, "what it was dealt waits for a lease to lapse"
        fleet.start(1)
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 7}
    stage.assert_each_sent_once(ids)
    assert stage.crashes() == 0
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_while_the_store_is_away_leaves_in_time_and_loses_nothing(stage: Stage) -> None:
    """What it could not say is found out when its leases lapse: reads are asked for again, commands are unknown."""
    (patience_ms,) = re.findall(r"--worker-shutdown-timeout (\d+)", " ".join(worker_command()))
    env = {**stage.env, "PACELINE_DELIVER__TOTAL_DEADLINE_S": "8"}
    with Gate(stage.apis) as gate, Fleet(env, stage.folder) as fleet:
        (leaving,) = fleet.start(1, **gate.environ)
        starts, cars = stage.enqueue(START, 2), stage.enqueue(STATUS, 2)
        stage.await_arrivals(4)
        stage.store.kill()
        began = time.monotonic()
        leaving.terminate()
        gate.open()
        assert leaving.wait() == 0
        assert time.monotonic() - began < int(patience_ms) / 1000
        assert leaving.text().count("this process leaves") == 4
        stage.store.restart()
        assert stage.states(starts + cars) == {"running": 4}
        fleet.start(1)
        more = stage.enqueue(STATUS, 3)
        stage.await_all_ended()
    assert stage.states(cars + more) == {"done": 5}
    assert {stage.job(job)["err"] for job in starts} == {"outcome_unknown"}
    assert [stage.arrivals(job) for job in starts + cars + more] == [1, 1, 2, 2, 1, 1, 1]
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_second_order_to_stop_ends_a_worker_at_once_and_says_of_its_commands_that_they_are_unknown(
    stage: Stage,
) -> None:
    stage.apis.fault("delay", {"operation": START}, delay_s=20.0)
    stage.apis.fault("delay", {"api": "stellantis"}, times=3, delay_s=20.0)
    with Fleet(stage.env, stage.folder) as fleet:
        (worker,) = fleet.start(1)
        starts, cars = stage.enqueue(START, 2), stage.enqueue(STATUS, 3)
        stage.await_arrivals(5)
        worker.terminate()
        worker.await_text("Stopping worker process")
        time.sleep(3.5)
        began = time.monotonic()
        worker.terminate()
        assert worker.wait() != 0
        assert time.monotonic() - began < 10
        fleet.start(1)
        stage.await_all_ended()
    assert {stage.job(job)["err"] for job in starts} == {"outcome_unknown"}
    assert stage.states(cars) == {"done": 3}
    stage.assert_each_sent_once(starts)
    assert {stage.arrivals(job) for job in cars} == {2}
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_rolling_deploy_under_load_repeats_nothing_loses_nothing_and_lets_two_versions_share_one_budget(
    stage: Stage,
) -> None:
    stage.apis.latency("stellantis", fixed_ms=150)
    stage.apis.fault("delay", {"operation": START}, delay_s=2.0)
    newer = {"PACELINE_FAIL__DEAD_TTL_S": "2600000", "PACELINE_FAIL__ATTEMPTS": "6"}
    with Fleet(stage.env, stage.folder) as fleet:
        old = fleet.start(2)
        starts, cars = stage.enqueue(START, 8), stage.enqueue(STATUS, 300)
        stage.await_arrivals(20)
        for leaving in old:
            fleet.start(1, **newer)
            more = stage.enqueue(STATUS, 150)
            cars += more
            leaving.terminate()
            assert leaving.wait() == 0
        stage.await_all_ended()
    assert stage.states(starts + cars) == {"done": 608}
    stage.assert_each_sent_once(starts + cars)
    assert stage.crashes() == 0
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_jobs_in_hand_that_never_began_go_back_to_their_place_with_their_permits(stage: Stage) -> None:
    stage.apis.latency("stellantis", fixed_ms=1500)
    with Fleet(stage.env, stage.folder) as fleet:
        (worker,) = fleet.start(1, threads=4)
        ids = stage.enqueue(STATUS, 12)
        stage.await_arrivals(2)
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
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
