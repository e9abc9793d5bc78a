"""The store has forgotten something, is somebody's replica for a while, or takes seconds to answer."""

import os
import time

import pytest

from tests.conservation import assert_conserved
from tests.faults.crew import Crew
from tests.faults.fleet import Fleet
from tests.faults.gate import Gate
from tests.faults.proxy import Proxy
from tests.faults.stage import CAR, PARTY, START, STATUS, WINDOWS, alerts_of_the_store, until, wanted
from tests.faults.stages import MakeStage
from worker.errors import StoreUnavailable
from worker.store.connection import connect


@pytest.mark.slow
def test_an_emptied_store_is_worked_for_with_care_until_the_apis_have_told_how_much_is_left(
    make_stage: MakeStage,
) -> None:
    limits = {**WINDOWS, "commands": (6, 3), "calls.second": (20, 1)}
    stage = make_stage("everysec", {"limits": limits}, PACELINE_ON_EMPTY_STORE="probe")
    with Gate(stage.apis, "hub") as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        fleet.start(2)
        flying = stage.enqueue(START, 6)
        stage.enqueue(STATUS, 120)
        stage.await_arrivals(6, account=PARTY)
        stage.await_arrivals(20, account=CAR)
        stage.client.flushall()
        until(lambda: set(alerts_of_the_store(stage)) == {"suspect:empty"})
        before = stage.apis.count()
        after = stage.enqueue(START, 3) + stage.enqueue(STATUS, 40)
        until(lambda: stage.states(flying) == {"running": 6})
        gate.open()
        until(lambda: stage.states(flying) == {"done": 6})
        stage.await_all_ended()
    assert stage.states(after) == {"done": 43}
    assert stage.apis.count() >= before + 43
    stage.assert_each_sent_once(flying + after)
    assert stage.crashes() == 0
    assert alerts_of_the_store(stage) == {"suspect:empty": "resolved"}
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_store_whose_log_has_lost_its_end_lets_no_window_overflow_and_no_command_go_out_twice(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ended within the lost end is known to the workers, and its permits are still in their windows."""
    stage = make_stage("everysec", {"limits": {"commands": (6, 3.0), "calls.second": (20, 1)}})
    (log,) = stage.store.dir.glob("appendonlydir/*.incr.aof")
    with Fleet(stage.env, stage.folder) as fleet:
        workers = fleet.start(2)
        warm = stage.enqueue(STATUS, 5)
        until(lambda: stage.states(warm) == {"done": 5})
        stage.freeze(*workers)
        starts, cars = stage.enqueue(START, 8), stage.enqueue(STATUS, 40)
        known = log.stat().st_size
        for worker in workers:
            worker.thaw()
        until(lambda: stage.states(starts)["done"] >= 6 and stage.states(cars)["done"] >= 10)
        went = time.monotonic()
        for worker in workers:
            worker.freeze()  # they remember what the store will not, and would tell it at once
        stage.store.kill()
        stage.store.stop()
        cut = log.stat().st_size - known - 7
        os.truncate(log, known + 7)  # in the middle of a command, as a machine that lost its power leaves it
        stage.store.restart()
        assert stage.states(starts + cars) == {"waiting": 48}
        for worker in workers:
            worker.thaw()
        until(lambda: set(alerts_of_the_store(stage)) == {"suspect:restart"})
        stage.await_all_ended()
        took = time.monotonic() - went
    assert stage.states(warm + starts + cars) == {"done": 53}
    assert alerts_of_the_store(stage) == {"suspect:restart": "resolved"}
    stage.assert_each_sent_once(starts)
    assert stage.crashes() == 0
    verdict = stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(
            f"\n  {cut} bytes of the log lost: everything had ended {took:.1f} s after the crash; "
            f"{verdict['jobs']['repeated']} of 45 reads were made again"
        )


READ_ONLY = (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"])
NO_WRITES = (["CONFIG", "SET", "min-replicas-to-write", "1"], ["CONFIG", "SET", "min-replicas-to-write", "0"])


@pytest.mark.parametrize(
    ("begin", "end"), [READ_ONLY, pytest.param(*NO_WRITES, marks=pytest.mark.slow)], ids=["replica", "no-writes"]
)
def test_a_store_that_refuses_writes_for_a_while_makes_no_job_run_twice_and_kills_no_thread(
    make_stage: MakeStage, begin: list[str], end: list[str]
) -> None:
    """Stock dramatiq gives up acknowledging, and runs what has succeeded again after its next restart (E7)."""
    stage = make_stage("everysec")
    stage.apis.fault("delay", {"operation": START}, delay_s=1.0)
    stage.apis.latency("stellantis", fixed_ms=200)
    with Crew(stage.settings, stage.store.url, threads=6) as crew, connect(stage.store.url) as other:
        threads = crew.living_threads()
        ids = stage.enqueue(START, 3) + stage.enqueue(STATUS, 40)
        stage.await_arrivals(3, account=PARTY)
        other.execute_command(*begin)
        with pytest.raises(StoreUnavailable):
            stage.desk.enqueue_many(wanted(STATUS))
        time.sleep(2.0)
        other.execute_command(*end)
        stage.await_all_ended()
        assert crew.living_threads() == threads
    assert stage.states(ids) == {"done": 43}
    assert stage.crashes() == 0
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0, 4.0, 6.0])
def test_a_store_as_slow_as_its_clients_patience_hands_nothing_out_twice_and_lets_no_call_past_its_limit(
    make_stage: MakeStage, seconds: float
) -> None:
    stage = make_stage("everysec", {"limits": {**WINDOWS, "calls.second": (10, 1)}}, PACELINE_BROKER__LEASE_S="15")
    ids = stage.enqueue(STATUS, 30) + stage.enqueue(START, 3)
    with Proxy(stage.store.url) as proxy, Crew(stage.settings, proxy.url, threads=6):
        stage.await_arrivals(3)
        proxy.slow(seconds)
        time.sleep(12)
        proxy.slow(0)
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 33}
    assert stage.crashes() == 0
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
