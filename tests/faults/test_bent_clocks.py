"""Clocks that are wrong, or step. The store's time alone decides about limits and claims."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conservation import assert_conserved
from tests.faults.bending import Bend
from tests.faults.fleet import Fleet, Process
from tests.faults.stage import PARTY, START, STATUS, Stage, alerts_of_the_store, until
from tests.faults.stages import MakeStage

LIMITS = {"commands": (6, 2), "calls.second": (20, 1)}


@contextmanager
def alone(worker: Process, fleet: Fleet, stage: Stage) -> Iterator[None]:
    """Within this the others are frozen: what is done, it does."""
    others = [other for other in fleet.workers if other is not worker]
    stage.freeze(*others)
    yield
    for other in others:
        other.thaw()


def assert_its_wall_clock_is(bent_s: float, stage: Stage) -> None:
    """Of the only worker that moves; by a call that it makes."""
    began = time.time()
    (car,) = stage.enqueue(STATUS)
    until(lambda: stage.states([car]) == {"done": 1})
    at = datetime.datetime.fromisoformat(stage.evidence(car)[-1]["at"]).timestamp() - bent_s
    assert began - 1 <= at <= time.time() + 1


@pytest.mark.slow
def test_hosts_two_minutes_apart_and_a_clock_that_steps_back_steal_no_claim_and_pass_no_limit(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage("everysec", {"limits": LIMITS})
    stage.apis.fault("delay", {"operation": START}, delay_s=5.0)  # longer than a lease
    ahead, behind, steps = (Bend(stage.folder, name) for name in ("ahead", "behind", "steps"))
    ahead.set(wall_s=120)
    behind.set(wall_s=-120)
    with Fleet(stage.env, stage.folder) as fleet:
        for bend in (ahead, behind, steps):
            fleet.launch(**bend.environ)
        for worker in fleet.workers:
            worker.await_ready()
        for worker, bent_s in zip(fleet.workers, (120, -120, 0), strict=True):
            with alone(worker, fleet, stage):
                assert_its_wall_clock_is(bent_s, stage)
        with alone(fleet.workers[-1], fleet, stage):
            starts = stage.enqueue(START, 2)  # so that it has claims when its clock steps
            stage.await_arrivals(2, account=PARTY)
        stage.apis.latency("stellantis", fixed_ms=30, jitter_ms=60)
        starts, cars = starts + stage.enqueue(START, 4), stage.enqueue(STATUS, 100)
        stage.await_arrivals(6, account=PARTY)
        began = time.monotonic()
        steps.set(wall_s=-120)
        took = stage.await_all_ended()
        with alone(fleet.workers[-1], fleet, stage):
            assert_its_wall_clock_is(-120, stage)
    assert stage.states(starts + cars) == {"done": 106}
    assert stage.crashes() == 0
    stage.assert_each_sent_once(starts + cars)
    assert alerts_of_the_store(stage) == {}
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  clocks 240 s apart: 106 jobs ended {took:.1f} s after the step ({time.monotonic() - began:.1f} s)")


@pytest.mark.slow
def test_a_store_whose_clock_stepped_forward_is_worked_for_with_care(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Seen from a worker it is the same whether the store's clock has stepped forward or its own has fallen back."""
    stage = make_stage("always", {"limits": LIMITS})
    bend = Bend(stage.folder, boot_s=0)
    with Fleet(stage.env | bend.environ, stage.folder) as fleet:
        fleet.start(2)
        first = stage.enqueue(START, 6)
        until(lambda: stage.states(first) == {"done": 6})
        bend.set(boot_s=-30)
        began = time.monotonic()
        until(lambda: set(alerts_of_the_store(stage)) == {"suspect:clock"})
        known, quiet_us = time.monotonic() - began, int(stage.client.hget(stage.keys("meta"), "quiet") or 0)
        later = stage.enqueue(START, 6) + stage.enqueue(STATUS, 30)
        took = stage.await_all_ended()
    assert stage.states(first + later) == {"done": 42}
    assert all(int(stage.job(job)["leased"]) >= quiet_us > 0 for job in later), "handed out while it was not sure"
    assert alerts_of_the_store(stage) == {"suspect:clock": "resolved"}
    stage.assert_each_sent_once(first + later)
    assert stage.crashes() == 0
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  a step of 30 s: known {known:.1f} s later, 36 jobs ended {took:.1f} s after that")
