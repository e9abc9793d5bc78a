"""A refusal for the rate costs no attempt, closes its budget for everybody, and is obeyed in every form it comes in."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fate_bench import Bench, sandbox_of
from tests.integration.fate_hindrances import Once
from worker.sandbox.server import Sandbox

TOKENS, FLEET = "hub:IN-ABC", "stellantis:fleet-1"
READ, STATUS = "hub.authorize_token", "stellantis.b2b.get_vehicle_status"


def fill(sandbox: Sandbox, left_s: float) -> None:
    """Somebody else has used up both accounts' limits; room comes back in `left_s` seconds."""
    for account, window in ((TOKENS, "tokens"), (FLEET, "calls.second")):
        sandbox.limits(window, window_s=left_s, account=account)
        sandbox.prefill(account, window, 100, 0.001)


def filling(sandbox: Sandbox, left_s: float) -> Once:
    """Somebody else does so right before our first call, however long it takes until then."""
    return Once(lambda _: fill(sandbox, left_s))


def gaps(arrivals: list[dict[str, Any]]) -> list[float]:
    return [later["at"] - earlier["at"] for earlier, later in pairwise(arrivals)]


def test_a_refusal_closes_the_budget_for_other_operations_and_other_processes(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with (
        Bench(redis_url, sandbox, tmp_path) as bench,
        Bench(redis_url, sandbox, tmp_path, PARTITION=bench.settings.partition) as other,
    ):
        bench.fault("hub.start_session", "status", times=1, status=429, retry_after=0.5)
        refused = bench.send("hub.start_session")
        bench.parked(refused)
        same_budget = [other.send("hub.stop_session") for _ in range(3)]
        elsewhere = other.run(READ)
        assert (elsewhere.state, elsewhere.alerts[0].opened) == ("done", 1)
        ended = [bench.wait(job) for job in (refused, *same_budget)]
    first = sandbox.log(job=refused)[0]["at"]
    assert [(job.well, job.attempts) for job in ended] == [(True, 0)] * 4
    assert all(job.arrivals[-1]["at"] - first >= 0.5 for job in ended)
    assert [len(job.arrivals) for job in ended] == [2, 1, 1, 1]
    assert ended[0].told == 1


def test_a_refusal_seen_by_many_calls_at_once_is_one_alert_and_no_attempt(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Bench(redis_url, sandbox, tmp_path, middleware=[filling(sandbox, 0.9)]) as bench:
        jobs = [bench.send(READ) for _ in range(20)]
        ended = [bench.wait(job) for job in jobs]
        refused = [arrival for arrival in sandbox.log(account=TOKENS, foreign=False) if arrival["refused"]]
    assert [(job.well, job.attempts) for job in ended] == [(True, 0)] * 20
    assert 1 <= len(refused) <= bench.threads
    assert (ended[-1].told, ended[-1].alerts[0].seen) == (1, len(refused))


@pytest.mark.parametrize(
    ("refusal", "form"),
    [("429", "seconds"), ("429", "date"), ("429", "none"), ("200", "seconds"), ("429-bare", "none")],
)
def test_a_wait_is_obeyed_in_seconds_as_a_date_and_without_a_hint(
    redis_url: str, tmp_path: Path, refusal: str, form: str
) -> None:
    options = {"hub": {"refusal": refusal, "retry_after": form}, "stellantis": {"retry_after": form}}
    with (
        sandbox_of(**options) as sandbox,
        Bench(redis_url, sandbox, tmp_path, middleware=[filling(sandbox, 0.9)]) as bench,
    ):
        jobs = [bench.send(READ), bench.send(STATUS)]
        ended = [bench.wait(job) for job in jobs]
    for job in ended:
        assert (job.state, job.attempts) == ("done", 0)
        hint = job.evidence[0]["outcome"]["hint"]
        assert hint == ("none" if form == "none" else "ok")
        # a date has whole seconds: it may name a moment up to a second early, never a late one
        assert form != "seconds" or (len(job.arrivals) == 2 and gaps(job.arrivals)[0] >= 1)
        assert form != "date" or len(job.arrivals) <= 3
    assert ended[0].told == 2


def test_refusals_without_a_hint_are_waited_out_longer_each_time(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        ended = bench.run(READ, fault={"action": "ocpi", "code": 2004, "times": 4})
        counted = bench.store.hexists(bench.key("refusals"), f"{TOKENS}|tokens")
    assert (ended.state, ended.attempts, len(ended.arrivals)) == ("done", 0, 5)
    for turn, gap in enumerate(gaps(ended.arrivals)):
        assert gap >= 0.05 * 2**turn
    assert not counted, "a success begins the count anew"


@pytest.mark.parametrize("form", ["nonsense", "negative", "absurd"])
def test_a_wait_that_cannot_be_obeyed_holds_the_budget_and_tells_once(
    redis_url: str, tmp_path: Path, form: str
) -> None:
    options = {"hub": {"retry_after": form}, "stellantis": {"retry_after": form}}
    with sandbox_of(**options) as sandbox, Bench(redis_url, sandbox, tmp_path) as bench:
        fill(sandbox, 60)
        jobs = [bench.send(name) for name in (READ, READ, STATUS, STATUS)]
        scopes = {f"budget:{TOKENS}|tokens", f"budget:{FLEET}|calls"}
        if form == "absurd":  # a year is longer than any window of either account
            assert all("31536000" in json_of(bench, job) for job in (jobs[0], jobs[2]))
        bench.until(lambda: set(bench.holds()) == scopes, "both holds")
        bench.until(lambda: all(bench.state(job) == "waiting" for job in jobs), "all jobs to wait")
        held = [bench.ended(job) for job in jobs]
        assert [job.attempts for job in held] == [0] * 4
        assert sorted(alert.key for alert in held[0].alerts) == sorted(f"hold:{scope}" for scope in scopes)
        assert held[0].told == 2
        sandbox.reset()
        for scope in scopes:
            assert bench.release(scope) == "released"
        assert [bench.wait(job).state for job in jobs] == ["done"] * 4


def json_of(bench: Bench, job: str) -> str:
    return str(bench.parked(job).evidence[0]["response"]["headers"])


def test_only_the_window_that_is_used_up_is_closed(redis_url: str, sandbox: Sandbox, tmp_path: Path) -> None:
    told = {"X-RateLimit-Limit-1": 100000, "X-RateLimit-Remaining-1": 70000}
    burst = {"X-RateLimit-Limit-2": 100, "X-RateLimit-Remaining-2": 0}
    with Bench(redis_url, sandbox, tmp_path) as bench:
        fault = {"action": "status", "status": 429, "retry_after": 0.4, "headers": told | burst, "times": 1}
        ended = bench.run(STATUS, fault=fault)
        day, second = bench.window(f"{FLEET}|calls.day"), bench.window(f"{FLEET}|calls.second")
    assert (ended.state, ended.attempts) == ("done", 0)
    assert (day["shut"], second["shut"] > 0) == (0, True)


def test_the_published_refusal_is_obeyed_although_it_contradicts_itself(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The vendor's own sample asks for 1045 seconds while both windows have room: obeyed, and no hold."""
    told = {"X-RateLimit-Limit-1": 100000, "X-RateLimit-Remaining-1": 9000, "X-RateLimit-Reset": 1045}
    burst = {"X-RateLimit-Limit-2": 100, "X-RateLimit-Remaining-2": 50}
    with Bench(redis_url, sandbox, tmp_path) as bench:
        bench.fault(STATUS, "status", times=1, status=429, retry_after=1045, headers=told | burst)
        parked = bench.parked(bench.send(STATUS))
        until = [bench.window(f"{FLEET}|{name}")["shut"] for name in ("calls.day", "calls.second")]
        assert all(1000 < (moment - bench.clock_us()) / 1e6 <= 1045 for moment in until)
        assert (parked.attempts, bench.holds(), parked.told) == (0, {}, 1)


def test_a_budget_without_limits_is_closed_by_a_refusal_like_any_other(
    redis_url: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Bench(redis_url, sandbox, tmp_path) as bench:
        bench.fault("hub.get_location", "status", times=1, status=429, retry_after=0.5)
        refused = bench.send("hub.get_location")
        bench.parked(refused)
        others = [bench.send("hub.get_client_info") for _ in range(3)]
        ended = [bench.wait(job) for job in (refused, *others)]
    first = ended[0].arrivals[0]["at"]
    assert [(job.well, job.attempts) for job in ended] == [(True, 0)] * 4
    assert all(job.arrivals[-1]["at"] - first >= 0.5 for job in ended)
