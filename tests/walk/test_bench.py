"""The bench measures what it says, on Paceline alone: what it is compared with has to be installed first."""

import pytest

from bench import decisions, intake, lanes, memory, minutes, pickup, quota, report, throughput, urgent
from bench.field import Field
from worker.sandbox.latency import Latency
from worker.store.keys import Keys


def test_a_perfect_limiter_loses_no_more_than_the_round_trip() -> None:
    found = quota.perfect(2000, Latency(fixed_ms=20.0))
    assert found["used"] == pytest.approx(1 / 1.02)


def test_a_perfect_limiter_uses_a_minute_whole_and_less_where_a_second_spreads_the_last_windowful() -> None:
    assert minutes.perfect(minutes.Case("hub:IN-ABC", 100), 400, 60.0) == pytest.approx(1.0)
    both = minutes.perfect(minutes.Case("stellantis:fleet-1", 500, 20), 2000, 60.0)
    assert both == pytest.approx(180 / (180 + 24))


def test_several_runs_are_told_by_their_medians_their_worst_and_the_median_of_their_ratios() -> None:
    def run(used: float, refused: int, most: int) -> dict[str, float]:
        return {"used": used, "refused": refused, "most": most, "done": 10, "wanted": 10, "store_ms": 1.0}

    theirs = [run(0.5, 7, 100), run(0.4, 9, 130), run(0.9, 8, 110)]
    told = quota.middle(theirs, [run(1.0, 0, 100), run(0.5, 0, 100), run(0.9, 0, 100)], reach=0.8)
    assert (told["used"], told["least_used"], told["of_reach"]) == (0.5, 0.4, pytest.approx(0.625))
    assert (told["refused"], told["most_refused"], told["most"]) == (8, 9, 130)
    assert told["of_paceline"] == 0.8
    assert told["store_ms"] == 1.0 and "workers_ms" not in told


def test_throughput_is_compared_with_stock_turn_by_turn() -> None:
    def turn(speed: float) -> dict[str, object]:
        return {"subject": "it", "processes": 1, "jobs_per_s": speed, "asked_per_job": 2.0, "store_us_per_job": 9.0}

    told = throughput.middle([turn(100), turn(50), turn(90)], [turn(50), turn(50), turn(60)])
    assert (told["jobs_per_s"], told["of_stock"]) == (90, 1.5)
    assert (told["least_of_stock"], told["most_of_stock"]) == (1.0, 2.0)


def test_a_subject_whose_tools_are_missing_is_told_in_one_line() -> None:
    found = [quota.perfect(200, Latency())]
    best = quota.middle(found, found, reach=1.0) | {"latency": "none", "subject": "perfect"}
    lines = report.quota_lines([best, {"latency": "none", "subject": "BullMQ", "skipped": "skipped: no node"}])
    assert lines[-1].split() == ["BullMQ", "skipped:", "no", "node"]
    left_out = decisions.Subject(decisions.JOB, "BullMQ", (), reason="skipped: no node")
    row = decisions.row(left_out, {}, [left_out]) | {"window_s": 1, "callers": 1}
    assert report.decisions_lines([row])[-1].split() == ["BullMQ", "skipped:", "no", "node"]


@pytest.mark.slow
def test_the_bench_asks_for_permits_one_after_another_and_reads_what_they_cost() -> None:
    with Field() as field:
        told = [decisions.measure(field, one, permits=40, window_s=60, callers=1) for one in decisions.ours(40)]
    assert len(told) == 4
    assert all(one["per_s"] > 0 and one["store_ms"] > 0 and one["client_ms"] > 0 for one in told)


@pytest.mark.slow
def test_the_bench_uses_limits_over_several_windows_without_a_refusal() -> None:
    cases = (minutes.Case("hub:IN-ABC", 20), minutes.Case("stellantis:fleet-2", 20, 15))
    rows = minutes.minutes(2.0, 1, cases)
    assert [(row["done"], row["refused"], row["most"]) for row in rows] == [(40, 0, 20), (40, 0, 20)]
    assert rows[1]["most_in_second"] <= 15
    assert all(0 < row["used"] <= row["perfect"] for row in rows)


@pytest.mark.slow
def test_the_bench_times_an_urgent_job_from_its_enqueueing_to_its_arrival() -> None:
    row = urgent.measure(urgent.CASES[1], bulk=200, times=2)
    assert (row["bulk"], row["times"], row["late"]) == (200, 2, 0)
    assert 0 < row["median_ms"] <= row["most_ms"]


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
    assert 0 < row["asked_per_job"] < 2.2


@pytest.mark.slow
def test_the_bench_counts_posts_that_were_accepted() -> None:
    with Field(unlimited=True) as field:
        row = intake.single(field, "Paceline", intake.serve(), connections=4, posts=200)
        assert int(field.client.zcard(Keys("0")("deadlines"))) == 400  # and those that warmed it
    assert row["per_core"] > 0 and row["posts_per_s"] > 0


@pytest.mark.slow
def test_the_bench_asks_the_store_itself_what_a_take_costs_with_many_lanes_a_full_day_or_all_due() -> None:
    one, eight, day, due = lanes.lanes(accounts=80, turns=8, jobs=1_000)
    assert [row["case"].partition(":")[0] for row in (one, eight, day)] == ["take of 1", "take of 8", "take of 1"]
    assert all(row["less_us"] > 0 and row["ratio"] == row["more_us"] / row["less_us"] for row in (one, eight, day))
    assert 0 < day["bytes"] <= 25_000
    assert 0 < due["less_us"] <= due["more_us"]


@pytest.mark.slow
def test_the_bench_weighs_a_worker_and_the_store_while_jobs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SETTLE_S", 0.5)
    monkeypatch.setattr(memory, "WATCHED_S", 0.5)
    few, more = memory.memory((50, 100))
    assert (few["waiting"], more["waiting"], few["growth"]) == (50, 100, 0)
    assert few["resident_bytes"] > 10**6 and more["store_bytes"] > 100
