"""When the store forgets: emptied, or without the last moments before a restart. The remote side must not notice."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.desk import Desk
from tests.integration.meter import limit
from tests.integration.world import World

ENDS = ("answered", "answered", "answered", "unanswered", "refund", "dies")
LONG = {"minute": (12, 40.0), "second": (5, 1.0)}
SHORT = {"minute": (12, 6.0), "second": (5, 1.0)}

quietly = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 2**32)
slowness = st.sampled_from([0.3, 4.0, 12.0])
windows = st.sampled_from([LONG, SHORT])


def forget_tail(life: World, tail_s: float) -> None:
    """A restart of the server from what it had written `tail_s` ago; time and calls have gone on since."""
    client = life.desk.client
    kept = {key: client.dump(key) for key in client.scan_iter(count=1000)}
    life.run(tail_s)
    client.flushall()
    for key, value in kept.items():
        client.restore(key, 0, value)  # type: ignore[arg-type]
    life.asking["run"] = "after"


@quietly
@given(seed=seeds, slowest_s=slowness, windows=windows, tail_s=st.sampled_from([0.05, 1.0, 2.0]))
def test_a_restart_that_lost_its_last_moments_lets_no_window_overflow(
    desk: Desk, seed: int, slowest_s: float, windows: dict[str, tuple[int, float]], tail_s: float
) -> None:
    life = World(desk, random.Random(seed), ENDS, slowest_s, {"mode": "fresh"}, windows)
    life.run(39.8, jobs=200)  # the long window opens again in the moments that are lost
    life.asking["mode"] = "probe"
    forget_tail(life, tail_s)
    life.done.clear()  # an answer that was told within the lost moments is lost
    life.run(100)
    assert max(life.remote.worst()) <= 1
    assert len(life.done) == len(set(life.done)), "a job that was done has been done again"
    desk.assert_whole()


@pytest.mark.parametrize("remembered", ["waiting", "an earlier claim"])
def test_the_answer_to_a_claim_of_the_lost_moments_counts_and_is_not_asked_for_again(
    desk: Desk, remembered: str
) -> None:
    limit(desk, minute=(5, 60))
    desk.take()  # the store knows its server's run
    job = desk.job()
    desk.put_jobs([job])
    earlier = desk.take().one if remembered == "an earlier claim" else None
    kept = {key: desk.client.dump(key) for key in desk.client.scan_iter(count=1000)}
    if earlier:
        desk.park(earlier)
    slip = desk.take().one
    desk.client.flushall()
    for key, value in kept.items():
        desk.client.restore(key, 0, value)  # type: ignore[arg-type]
    assert desk.take(run="after").verdict == "quiet"
    taken = int(slip.facts["taken"])
    assert desk.finish(slip, taken=taken) == "forgotten"
    assert desk.remember(slip, job) == "held"
    assert desk.finish(slip, taken=taken) == "own"
    assert desk.state(slip.id) == "done"
    assert desk.occupied() == [2 if earlier else 1]
    desk.assert_whole()


@quietly
@given(seed=seeds, slowest_s=slowness, windows=windows)
def test_an_emptied_store_lets_no_window_overflow(
    desk: Desk, seed: int, slowest_s: float, windows: dict[str, tuple[int, float]]
) -> None:
    life = World(desk, random.Random(seed), ENDS, slowest_s, {"mode": "fresh"}, windows)
    life.run(42, jobs=100)
    life.asking |= {"mode": "probe", "run": "after"}
    desk.client.flushall()
    life.settle_in()
    life.run(100, jobs=100)
    assert max(life.remote.worst()) <= 1
    desk.assert_whole()


@quietly
@given(seed=seeds, slowest_s=st.sampled_from([0.3, 3.0]), windows=windows)
def test_with_headers_at_most_the_single_probe_is_one_too_many(
    desk: Desk, seed: int, slowest_s: float, windows: dict[str, tuple[int, float]]
) -> None:
    """What the lone probe is told holds until the forgotten calls have left: answers to several calls in flight tell
    only the least that others can have used.
    """
    life = World(desk, random.Random(seed), ("answered",), slowest_s, {"mode": "fresh"}, windows, headers=True)
    life.run(42, jobs=100)
    life.asking |= {"mode": "probe", "run": "after"}
    desk.client.flushall()
    life.settle_in()
    life.run(100, jobs=100)
    over = [share - 1 / allowed for share, (allowed, _) in zip(life.remote.worst(), windows.values(), strict=True)]
    assert max(over) <= 1
    desk.assert_whole()


@pytest.mark.parametrize("headers", [True, False])
def test_after_a_loss_the_limit_is_used_again(desk: Desk, headers: bool) -> None:
    life = World(desk, random.Random(1), ("answered",), 0.3, {"mode": "fresh"}, SHORT, headers=headers)
    life.run(10, jobs=10)
    desk.client.flushall()
    life.settle_in()
    life.asking |= {"mode": "probe", "run": "after"}
    before = len(life.remote.arrived)
    life.run(15 + 5 + 60, jobs=200)
    assert len(life.remote.arrived) - before >= (8 if headers else 7) * 12
    desk.assert_whole()
