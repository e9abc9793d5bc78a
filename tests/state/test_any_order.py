"""Whatever is asked of the store, in whatever order, whatever it forgets: the rules hold after each step."""

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.state.machine import AnyOrder

ENOUGH = 10_000


def drive(store: "redis.Redis[bytes]", examples: int, steps: int) -> int:
    """How many steps there were."""
    AnyOrder.client = store
    AnyOrder.steps.clear()
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    return AnyOrder.steps["all"]


def test_the_rules_hold_after_each_of_a_few_hundred_steps(store: "redis.Redis[bytes]") -> None:
    assert drive(store, examples=5, steps=40) > 100


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_rules_hold_after_each_of_ten_thousand_steps(
    store: "redis.Redis[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    done = 0
    while done < ENOUGH:  # how long an example gets is for chance to say
        done += drive(store, examples=130, steps=60)
    with capsys.disabled():
        print(f"\n  {done} steps of the state machine")
    assert done >= ENOUGH
