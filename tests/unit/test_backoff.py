"""Backoff: spread over a doubling span, never at once, never above the cap."""

import random

from hypothesis import given
from hypothesis import strategies as st

from worker.fail.backoff import full_jitter


@given(st.integers(-5, 10_000), st.floats(0.1, 60), st.floats(0.1, 3600), st.integers())
def test_a_wait_lies_between_a_tenth_of_the_base_and_the_cap(attempt: int, base: float, cap: float, seed: int) -> None:
    wait = full_jitter(attempt, base, cap, random.Random(seed))
    assert min(base / 10, cap) <= wait <= cap


def test_the_ceiling_doubles_from_the_base_to_the_cap() -> None:
    rng = random.Random(1)
    highest = [max(full_jitter(attempt, 2.0, 300.0, rng) for _ in range(2000)) for attempt in (1, 2, 3, 20)]
    for seen, ceiling in zip(highest, (2, 4, 8, 300), strict=True):
        assert ceiling * 0.98 < seen <= ceiling


def test_waits_of_jobs_that_failed_together_fill_the_whole_span() -> None:
    rng = random.Random(2)
    waits = [full_jitter(4, 2.0, 300.0, rng) for _ in range(4000)]
    quarters = [sum(low <= wait < low + 4 for wait in waits) for low in (0, 4, 8, 12)]
    assert min(quarters) > 800


def test_the_same_generator_gives_the_same_waits() -> None:
    assert full_jitter(3, 2, 300, random.Random(7)) == full_jitter(3, 2, 300, random.Random(7))
