"""What waits costs a worker nothing, and does not stand in the way of what is urgent."""

import time
from pathlib import Path

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet, Process
from tests.faults.proxy import Proxy
from tests.faults.stage import CAR, STATUS, Stage, until
from tests.faults.stages import MakeStage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FEW, MANY, AT_ONCE = 1_000, 100_000, 1_000
WATCHED_S = 9.5  # two beats of five seconds, counted from one


def enqueue(stage: Stage, count: int, **more: object) -> None:
    for start in range(0, count, AT_ONCE):
        stage.enqueue(STATUS, min(AT_ONCE, count - start), **more)


def resident(worker: Process) -> int:
    """Bytes of memory of the process that runs jobs."""
    status = Path(f"/proc/{worker.child}/status").read_text(encoding="ascii")
    [kilobytes] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]
    return kilobytes * 1024


def await_beat(proxy: Proxy) -> None:
    """A whole one: from when its first request is seen until its last one is."""
    for request in ("renew", "unheard"):
        seen = proxy.counts()[request]
        until(lambda name=request, before=seen: proxy.counts()[name] > before)  # type: ignore[misc]


def test_a_worker_needs_no_more_memory_and_asks_no_more_often_when_100000_jobs_wait(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind a hold here; for a quota that is used up: `test_used_up.py`."""
    stage = make_stage(quick=False)
    stage.desk._scripts("hold", {"scope": f"account:{CAR}", "by": "test", "reason": "quiet"})
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        [worker] = fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        enqueue(stage, FEW, deadline_s=86_400)
        await_beat(proxy)
        few = resident(worker)
        enqueue(stage, MANY - FEW, deadline_s=86_400)
        await_beat(proxy)
        before, began = proxy.counts(), time.monotonic()
        time.sleep(WATCHED_S)
        rate = (proxy.counts() - before).total() / (time.monotonic() - began)
        many = resident(worker)
    with capsys.disabled():
        print(f"\n  {few / 1e6:.1f} MB with {FEW} waiting, {many / 1e6:.1f} MB with {MANY}; {rate:.2f} asks a second")
    assert many < 1.05 * few
    assert rate <= 2.0
    stage.assert_within_limits()


def test_no_bulk_call_is_taken_before_an_urgent_one_that_waits_however_many_there_are(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(quick=False)
    enqueue(stage, 10_000, priority="bulk", deadline_s=3_600)
    with Fleet(stage.env, stage.folder) as fleet:
        fleet.start(2)
        until(lambda: stage.apis.count() > 150)
        most, most_in_hand = 0, 0
        for _ in range(10):
            seen = len(stage.apis.log(limit=1_000_000))
            [urgent] = stage.enqueue(STATUS, priority="urgent")
            until(lambda job=urgent: stage.arrivals(job) == 1)  # type: ignore[misc]
            between = []
            for arrival in stage.apis.log(since=seen, limit=1_000_000):
                if arrival["job"] == urgent:
                    break
                between.append(arrival["job"])
            came, went = (int(stage.job(urgent)[name]) for name in ("created", "leased"))
            times = [{name: int(stage.job(job).get(name) or 0) for name in ("leased", "ended")} for job in between]
            assert [one for one in times if came < one["leased"] < went] == []
            in_hand = [one for one in times if one["leased"] < came and not 0 < one["ended"] < came]
            most, most_in_hand = max(most, len(between)), max(most_in_hand, len(in_hand))
    with capsys.disabled():
        print(
            f"\n  at most {most} bulk calls arrived between an urgent job's being asked for and its arrival, "
            f"{most_in_hand} of them taken before it had come"
        )
    assert most_in_hand <= 16, "nobody takes more than there are threads in the fleet"
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
