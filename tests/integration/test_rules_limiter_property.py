"""Whatever happens to calls, the remote side never counts more than the limit; and demand uses nearly all of it."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.desk import Desk
from tests.integration.world import ENDS, WINDOWS, World


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    ends=st.lists(st.sampled_from(ENDS), min_size=1, max_size=5).map(tuple),
    slowest_s=st.sampled_from([0.02, 0.3, 2.0, 8.0]),
)
def test_no_window_of_the_remote_side_is_ever_overfull(
    desk: Desk, seed: int, ends: tuple[str, ...], slowest_s: float
) -> None:
    life = World(desk, random.Random(seed), ends, slowest_s)
    life.run(60, jobs=300)
    assert max(life.remote.worst()) <= 1
    desk.assert_whole()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_judge_would_see_one_call_too_many(desk: Desk, seed: int) -> None:
    life = World(desk, random.Random(seed), ("answered",), 0.3)
    life.run(20, jobs=100)
    assert 0.9 <= max(life.remote.worst()) <= 1
    life.remote.arrived += [life.remote.arrived[30]] * 6
    assert max(life.remote.worst()) > 1


@pytest.mark.parametrize("slowest_s", [0.02, 0.2])
def test_saturated_demand_uses_nearly_all_of_the_limit(desk: Desk, slowest_s: float) -> None:
    life = World(desk, random.Random(7), ("answered",), slowest_s)
    life.run(120, jobs=400)
    allowed, window = WINDOWS["minute"]
    possible = 120 / (window + slowest_s / 2 + 0.1) * allowed
    assert len(life.remote.arrived) >= 0.97 * possible
    assert max(life.remote.worst()) <= 1
    desk.assert_whole()
