"""The store goes away while jobs run, fail and wait, and comes back. Every job ends, once."""

import os
import time

import pytest

from settings import load
from tests.conservation import assert_conserved
from tests.faults.crew import Crew
from tests.faults.fleet import Fleet
from tests.faults.gate import Gate
from tests.faults.proxy import Proxy
from tests.faults.stage import CAR, PARTY, START, STATUS, WINDOWS, Stage, until, wanted
from tests.faults.stages import MakeStage
from worker.errors import StoreUnavailable
from worker.store.connection import connect


def go_away(stage: Stage, how: str) -> None:
    if how == "killed":
        stage.store.kill()
    stage.store.stop()


@pytest.mark.parametrize(
    ("fsync", "how"),
    [
        ("always", "stopped"),
        pytest.param("always", "killed", marks=pytest.mark.slow),
        pytest.param("everysec", "stopped", marks=pytest.mark.slow),
        pytest.param("everysec", "killed", marks=pytest.mark.slow),
    ],
)
def test_every_job_ends_once_when_the_store_restarts_in_the_middle(
    make_stage: MakeStage, fsync: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(fsync, {"limits": WINDOWS})
    stage.apis.latency("stellantis", fixed_ms=50)
    stage.apis.fault("status", {"api": "stellantis", "path": r"VEH-000[01]\d/"}, times=20, status=500)
    with Gate(stage.apis, "hub") as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        fleet.start(2)
        cars = stage.enqueue(STATUS, 130)
        starts = stage.enqueue(START, 6)
        stage.await_arrivals(40, account=CAR)
        stage.await_arrivals(6, account=PARTY)
        before = stage.counts()
        went = time.monotonic()
        go_away(stage, how)
        gate.open()
        time.sleep(1.5)
        stage.store.restart()
        away = time.monotonic() - went
        assert stage.counts()["accepted"] == before["accepted"], "the server itself lost accepted jobs"
        stage.await_all_ended()
    took = time.monotonic() - went
    assert stage.states(starts) == {"done": 6}
    assert stage.states(cars) == {"done": 130}
    stage.assert_each_sent_once(starts)
    assert stage.crashes() == 0
    verdict = stage.assert_within_limits()
    assert verdict["jobs"]["repeated"] <= 20  # those whose first answer was an error
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  {fsync}, {how}: away {away:.1f} s, all 136 jobs ended {took:.1f} s after it went")


def test_claims_that_a_crashed_store_forgot_are_made_again_from_the_workers_memory(make_stage: MakeStage) -> None:
    limits = {**WINDOWS, "commands": (6, 2)}
    stage = make_stage("everysec", {"limits": limits})
    (log,) = stage.store.dir.glob("appendonlydir/*.incr.aof")
    with Gate(stage.apis, "hub") as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        workers = fleet.start(2)
        stage.freeze(*workers)
        ids = stage.enqueue(START, 9)
        known = log.stat().st_size  # of all that follows, the store will have forgotten everything
        for worker in workers:
            worker.thaw()
        stage.await_arrivals(6, account=PARTY)
        stage.store.kill()
        stage.store.stop()
        os.truncate(log, known)
        stage.store.restart()
        until(lambda: stage.states(ids)["running"] == 6)
        gate.open()
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 9}
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert stage.crashes() == 0
    assert_conserved(stage.client, stage.keys)


def test_a_job_that_fails_while_the_store_is_away_is_not_lost(make_stage: MakeStage) -> None:
    """Stock dramatiq loses the retry and acknowledges the job (E2)."""
    stage = make_stage("always")
    stage.apis.fault("status", {"api": "stellantis"}, times=1, status=500)
    (job,) = stage.enqueue(STATUS)
    with Gate(stage.apis) as gate, Crew(load(stage.env | gate.environ), stage.store.url):
        stage.await_arrivals(1)
        go_away(stage, "stopped")
        gate.open()
        time.sleep(1.5)
        stage.store.restart()
        stage.await_all_ended()
    assert (stage.job(job)["state"], stage.job(job)["attempts"]) == ("done", "1")
    assert stage.arrivals(job) == 2
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_jobs_that_wait_for_their_time_survive_the_store(make_stage: MakeStage) -> None:
    """Stock dramatiq holds them in memory, drops them when it reconnects, and never runs them (E3)."""
    stage = make_stage("always")
    stage.apis.fault("status", {"api": "stellantis"}, times=5, status=503, retry_after=5)
    ids = stage.enqueue(STATUS, 5)
    with Crew(stage.settings, stage.store.url):
        until(lambda: all(stage.job(job).get("due", "0") != "0" for job in ids))
        go_away(stage, "killed")
        stage.store.restart()
        assert stage.states(ids) == {"waiting": 5}
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 5}
    assert {stage.arrivals(job) for job in ids} == {2}
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_no_thread_of_a_worker_dies_of_a_store_that_does_not_answer(stage: Stage) -> None:
    """Stock dramatiq loses the thread that promotes delayed jobs, for good (E15)."""
    stage.apis.fault("status", {"api": "stellantis"}, times=3, status=503, retry_after=4)
    with Proxy(stage.store.url) as proxy, Crew(stage.settings, proxy.url) as crew:
        parked = stage.enqueue(STATUS, 3)
        until(lambda: all(stage.job(job).get("due", "0") != "0" for job in parked))
        threads = crew.living_threads()
        proxy.leave()
        time.sleep(4.5)  # their time comes meanwhile
        proxy.come_back()
        ids = parked + stage.enqueue(STATUS, 8) + stage.enqueue(START, 2)
        stage.await_all_ended()
        assert crew.living_threads() == threads == 5
    assert stage.states(ids) == {"done": 13}
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_an_answer_waits_as_long_as_the_store_is_away(make_stage: MakeStage) -> None:
    stage = make_stage("always")
    ids = stage.enqueue(START, 2)
    with Gate(stage.apis) as gate, Crew(load(stage.env | gate.environ), stage.store.url):
        stage.await_arrivals(2)
        go_away(stage, "killed")
        gate.open()
        time.sleep(7)
        stage.store.restart()
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 2}
    assert stage.crashes() == 0
    stage.assert_each_sent_once(ids)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_store_frozen_for_longer_than_a_lease_counts_no_crash_and_sends_nothing_twice(
    make_stage: MakeStage,
) -> None:
    stage = make_stage("everysec", {"limits": WINDOWS})
    stage.apis.latency("stellantis", fixed_ms=300)
    with Gate(stage.apis, "hub") as gate, Fleet(stage.env | gate.environ, stage.folder) as fleet:
        fleet.start(2)
        starts, cars = stage.enqueue(START, 6), stage.enqueue(STATUS, 60)
        stage.await_arrivals(6, account=PARTY)
        stage.store.freeze()
        gate.open()
        time.sleep(4.2)
        stage.store.thaw()
        stage.await_all_ended()
    assert stage.states(starts + cars) == {"done": 66}
    assert stage.crashes() == 0
    stage.assert_each_sent_once(starts + cars)
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_a_full_store_finishes_what_runs_and_waits_and_refuses_what_is_new(make_stage: MakeStage) -> None:
    """Stock dramatiq can neither acknowledge nor fetch in a full Redis (E17)."""
    stage = make_stage()
    stage.apis.fault("delay", {"operation": START}, delay_s=0.8)
    stage.apis.fault("status", {"api": "stellantis"}, times=2, status=500)
    stage.apis.fault("error_body", {"api": "stellantis"}, times=2, status=400, code=40000)
    ids = stage.enqueue(START, 4) + stage.enqueue(STATUS, 30)
    with Crew(stage.settings, stage.store.url, threads=6), connect(stage.store.url) as other:
        stage.await_arrivals(1, account=PARTY)
        other.config_set("maxmemory", "1mb")  # less than is in use
        with pytest.raises(StoreUnavailable, match="full"):
            stage.desk.enqueue_many(wanted(STATUS))
        stage.desk._memory_asked = time.monotonic() + 60  # past the early refusal: the store itself must refuse as well
        with pytest.raises(StoreUnavailable, match="the store is full"):
            stage.desk.enqueue_many(wanted(STATUS))
        stage.await_all_ended()
        assert int(other.info("stats")["evicted_keys"]) == 0
        other.config_set("maxmemory", "0")
        stage.desk._memory_asked = 0.0
        more = stage.enqueue(STATUS)
        stage.await_all_ended()
    assert stage.states(ids) == {"done": 32, "dead": 2}
    assert stage.states(more) == {"done": 1}
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


def test_a_worker_whose_store_goes_away_while_it_starts_ends_and_says_so(stage: Stage) -> None:
    """It must not run without the renewals and the bell that would have been started next."""
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        proxy.lose_request("configure", times=1)
        worker = fleet.launch(PACELINE_REDIS_URL=proxy.url)
        assert worker.wait() == 3
    assert "the store went away" in worker.text()
    assert stage.client.zcard(stage.keys("workers")) == 0
