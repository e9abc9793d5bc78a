"""A worker that has nothing it may do costs the store next to nothing, however much waits."""

import time
from collections import Counter

import pytest

from tests.conservation import assert_conserved
from tests.faults.fleet import Fleet
from tests.faults.proxy import Proxy
from tests.faults.stage import AUTHORIZE, CAR, STATUS, until
from tests.faults.stages import MakeStage

WATCHED_S = 12.0
PER_SECOND = 2.0


def watch(proxy: Proxy) -> tuple[float, Counter[str]]:
    """Requests a second over a while, and what they were; after the first beat, in which each script is sent whole."""
    until(lambda: proxy.counts()["recent"] >= 1)
    before, began = proxy.counts(), time.monotonic()
    time.sleep(WATCHED_S)
    seen = proxy.counts() - before
    return seen.total() / (time.monotonic() - began), seen


@pytest.mark.slow
def test_an_idle_worker_sends_the_store_at_most_two_requests_a_second(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stock dramatiq sends 2.75 a second (E10)."""
    stage = make_stage(quick=False)
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        first = stage.enqueue(STATUS, 5)
        until(lambda: stage.states(first) == {"done": 5})
        rate, seen = watch(proxy)
        late = stage.enqueue(STATUS)
        woken = until(lambda: stage.states(late) == {"done": 1})
    assert rate <= PER_SECOND, seen
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  idle: {rate:.2f} requests a second ({dict(seen)}); the next job was done {woken:.2f} s later")


@pytest.mark.slow
def test_a_worker_whose_jobs_wait_for_their_budget_or_a_hold_is_as_quiet_as_an_idle_one(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stock dramatiq and its limiters spend nine commands on each throttled attempt (E10)."""
    # A window that does not open again before the end, however slow everything is.
    stage = make_stage(apis_options={"limits": {"tokens": (100, 1_200)}}, quick=False)
    with Proxy(stage.store.url) as proxy, Fleet(stage.env, stage.folder) as fleet:
        stage.desk._scripts("hold", {"scope": f"account:{CAR}", "by": "test", "reason": "quiet"})
        fleet.start(1, PACELINE_REDIS_URL=proxy.url)
        held = stage.enqueue(STATUS, 1000)
        waiting = stage.enqueue(AUTHORIZE, 400, deadline_s=3_600)
        until(lambda: stage.states(waiting)["done"] == 100)  # its budget's whole window
        rate, seen = watch(proxy)
        assert stage.states(waiting + held) == {"done": 100, "waiting": 1300}
    assert rate <= PER_SECOND, seen
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  1300 jobs waiting: {rate:.2f} requests a second ({dict(seen)})")
