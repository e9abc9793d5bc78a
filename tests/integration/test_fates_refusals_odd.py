"""Refusals that say too much, too little, or contradict themselves: all jobs are done in the end, without an attempt
spent, and what no window explains is held and told.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.fate_bench import Bench, sandbox_of
from tests.integration.fate_hindrances import Once

TOKENS, FLEET = "hub:IN-ABC", "stellantis:fleet-1"
READ, STATUS = "hub.authorize_token", "stellantis.b2b.get_vehicle_status"
LEFT_S = 0.7


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"headers": "none"},
        {"headers": "none", "retry_after": "none"},
        {"headers": "plain"},
        {"remaining_nonzero": True},
        {"remaining_nonzero": True, "retry_after": "none"},
    ],
    ids=["no limits", "no headers", "one limit, unnamed", "contradicts itself", "contradicts itself, no wait"],
)
def test_whatever_a_refusal_tells_the_budget_opens_again_and_all_is_done(
    redis_url: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    def filled(_: object) -> None:
        sandbox.limits("calls.second", window_s=LEFT_S, account=FLEET)
        sandbox.prefill(FLEET, "calls.second", 100, 0.001)

    with (
        sandbox_of(stellantis=options) as sandbox,
        Bench(redis_url, sandbox, tmp_path, middleware=[Once(filled)]) as bench,
    ):
        ended = [bench.wait(job) for job in [bench.send(STATUS) for _ in range(6)]]
        refused = [one for one in sandbox.log(account=FLEET, foreign=False) if one["refused"]]
        assert [(job.well, job.attempts) for job in ended] == [(True, 0)] * 6
        assert 1 <= len(refused) <= 8 * bench.threads, "each round of refusals waits longer"
        assert bench.holds() == {}


@pytest.mark.parametrize("wait", ["86400", "-1", "tomorrow", "1e9", ""])
def test_a_wait_that_no_window_of_the_hub_explains_is_held_and_told_once(
    redis_url: str, tmp_path: Path, wait: str
) -> None:
    with sandbox_of() as sandbox, Bench(redis_url, sandbox, tmp_path) as bench:
        bench.fault(READ, "status", times=1, status=429, headers={"Retry-After": wait})
        refused = bench.send(READ)
        bench.until(lambda: set(bench.holds()) == {f"budget:{TOKENS}|tokens"}, "the hold")
        later = bench.send(READ)
        bench.parked(refused)
        assert sandbox.count(operation=READ) == 1, "nothing is sent while it is held"
        assert bench.release(f"budget:{TOKENS}|tokens") == "released"
        ended = [bench.wait(job) for job in (refused, later)]
        assert [(job.well, job.attempts) for job in ended] == [(True, 0)] * 2


def test_a_day_is_believed_where_a_window_is_as_long(redis_url: str, tmp_path: Path) -> None:
    with sandbox_of() as sandbox, Bench(redis_url, sandbox, tmp_path) as bench:
        bench.fault(STATUS, "status", times=1, status=429, headers={"Retry-After": "86400"})
        parked = bench.parked(bench.send(STATUS))
        until = [bench.window(f"{FLEET}|{name}")["shut"] for name in ("calls.day", "calls.second")]
        assert all(86_300 < (moment - bench.clock_us()) / 1e6 <= 86_400 for moment in until)
        assert (parked.attempts, bench.holds(), parked.told) == (0, {}, 1)
