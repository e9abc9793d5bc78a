"""The bench measures what it says, on Paceline alone: what it is compared with has to be installed first."""

import pytest

from bench import intake, pickup, quota, throughput
from bench.field import Field
from worker.sandbox.latency import Latency
from worker.store.keys import Keys


def test_a_perfect_limiter_loses_no_more_than_the_round_trip() -> None:
    found = quota.perfect(2000, Latency(fixed_ms=20.0))
    assert found["used"] == pytest.approx(1 / 1.02)


@pytest.mark.slow
def test_the_bench_reads_quota_and_refusals_from_the_remote_sides_log() -> None:
    with Field({"fixed_ms": 5.0}) as field:
        found = quota.measure(field, quota.paceline, calls=250, at_most_s=60)
    assert (found["done"], found["refused"], found["wanted"]) == (250, 0, 250)
    assert found["most"] <= quota.LIMIT
    assert 0 < found["used"] < 1


@pytest.mark.slow
def test_the_bench_times_every_job_from_its_enqueueing_to_its_start() -> None:
    with Field(unlimited=True) as field:
        field.clear()
        marks = field.folder / "marks"
        with pickup.paceline(field, marks) as ask:
            times = pickup.one_by_one(ask, marks, jobs=20)
    assert len(times) == 20
    assert times == sorted(times)
    assert times[0] > 0


@pytest.mark.slow
def test_the_bench_counts_jobs_and_asks_of_the_store_once_the_gate_is_open() -> None:
    with Field(unlimited=True) as field:
        row = throughput.one(field, "Paceline", processes=2, jobs=300)
    assert row["jobs_per_s"] > 0
    assert 1 <= row["asked_per_job"] < 3


@pytest.mark.slow
def test_the_bench_counts_posts_that_were_accepted() -> None:
    with Field(unlimited=True) as field:
        row = intake.single(field, "Paceline", intake.serve(), connections=4, posts=200)
        assert int(field.client.zcard(Keys("0")("deadlines"))) == 400  # and those that warmed it
    assert row["per_core"] > 0 and row["posts_per_s"] > 0
