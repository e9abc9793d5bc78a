"""A long window is used up while 50,000 jobs wait for it: they cost nothing, and when it opens the urgent go first."""

import time

import pytest

from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy
from tests.faults.stage import CAR, STATUS, Stage, until
from tests.faults.stages import MakeStage
from tests.faults.test_many_waiting import enqueue, resident
from worker.sandbox.options import SUBSCRIPTIONS

WAITING, QUOTA, WINDOW_S, URGENT, WORKERS = 50_000, 60, 40.0, 12, 3
WATCHED_S = 9.5  # two beats of five seconds, counted from one
OTHER_CAR = "stellantis:fleet-2"


def commands(stage: Stage) -> int:
    """Commands that the server has run, those of scripts included."""
    return sum(int(one["calls"]) for one in stage.client.info("commandstats").values())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_50000_jobs_that_wait_for_a_used_up_quota_cost_nothing_and_the_urgent_go_first_when_it_opens(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = {"limit_per_day": QUOTA, "day_window_s": WINDOW_S}
    stage = make_stage(quick=False, apis_options={"subscriptions": [{**one, **limits} for one in SUBSCRIPTIONS]})
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        workers = fleet.start(WORKERS, PACELINE_REDIS_URL=proxy.url)
        warm = stage.enqueue(STATUS, QUOTA, OTHER_CAR)
        until(lambda: stage.states(warm) == {"done": QUOTA})
        until(lambda: proxy.counts()["unheard"] > WORKERS)  # the first beat, in which each script is sent whole
        stage.desk._scripts("hold", {"scope": f"account:{CAR}", "by": "test", "reason": "not yet"})
        few = [resident(worker) for worker in workers]
        enqueue(stage, WAITING, priority="bulk", deadline_s=86_400)
        stage.desk._scripts("release", {"scope": f"account:{CAR}", "by": "test"})
        stage.await_arrivals(QUOTA, account=CAR)
        opens = stage.apis.log(account=CAR, limit=1)[0]["at"] + WINDOW_S
        until(lambda: stage.counts()["done"] == 2 * QUOTA)

        beats = proxy.counts()["renew"]
        until(lambda: proxy.counts()["renew"] >= beats + WORKERS)
        before, ran, began = proxy.counts(), commands(stage), time.monotonic()
        time.sleep(WATCHED_S)
        asked = proxy.counts() - before
        ran, watched = commands(stage) - ran, time.monotonic() - began
        many = [resident(worker) for worker in workers]

        urgent, before = [], proxy.counts()
        for _ in range(URGENT):
            urgent += stage.enqueue(STATUS, priority="urgent", deadline_s=3_600)
            time.sleep(0.1)
        for_urgent = proxy.counts() - before
        assert stage.apis.count(account=CAR) == QUOTA, "the window opened too early for this test, or was overrun"

        before = proxy.counts()
        stage.await_arrivals(2 * QUOTA, account=CAR)
        until(lambda: stage.counts()["done"] == 3 * QUOTA)
        assert stage.apis.count(account=CAR) == 2 * QUOTA
        for_opening = proxy.counts() - before
    assert stage.counts() == {"accepted": WAITING + URGENT + QUOTA, "done": 3 * QUOTA}
    assert stage.client.zcard(stage.keys("deadlines")) == WAITING + URGENT - 2 * QUOTA, "one that waits is lost"
    assert stage.client.zcard(stage.keys("leases")) == 0
    arrived = stage.apis.log(account=CAR, limit=10 * QUOTA)
    assert all(one["at"] >= opens for one in arrived[QUOTA:])
    leased = {one["job"]: int(stage.job(one["job"])["leased"]) for one in arrived[QUOTA:]}
    last = max(leased.pop(job) for job in urgent)
    assert all(last <= at for at in leased.values()), "a bulk call was taken before an urgent one"
    assert asked.total() <= 2.0 * WORKERS * watched, asked
    assert ran < WAITING / 10
    assert for_urgent.total() <= 4 * WORKERS * URGENT, for_urgent
    assert for_opening.total() <= 6 * QUOTA + 20 * WORKERS, for_opening
    assert all(after < 1.05 * first for after, first in zip(many, few, strict=True))
    stage.assert_within_limits()
    with capsys.disabled():
        print(
            f"\n  {WAITING} waiting: {asked.total() / watched:.2f} requests a second by {WORKERS} workers, "
            f"{ran / watched:.0f} commands a second in the store, memory {sum(few) / 1e6:.0f} MB before and "
            f"{sum(many) / 1e6:.0f} MB then; {for_urgent.total() / URGENT:.1f} requests for an urgent arrival, "
            f"{for_opening.total()} until the {QUOTA} calls of the next window were done"
        )
