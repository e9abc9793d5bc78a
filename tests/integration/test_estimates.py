"""When a waiting job will be sent: foretold from its place and the budget, and compared with what then happens."""

from collections.abc import Mapping

import pytest

from tests.integration.desk import BULK, CAR, LEASE_S, NORMAL, READ, START, URGENT, Desk, account
from tests.integration.meter import answer, limit, out
from worker.accept.jobs import Job, read_jobs
from worker.limiter.estimate import CALL_S, expected_s, jobs_ahead
from worker.store.partition import Partition

SHAPES = {
    "ten in 10 s": {"short": (10, 10.0)},
    "twenty in 60 s and five in 1 s": {"minute": (20, 60.0), "second": (5, 1.0)},
}


def open_desk(desk: Desk, windows: Mapping[str, tuple[int, float]]) -> Partition:
    desk.hire(accounts={CAR: account(f"calls={','.join(windows)}", windows=windows)}, digest="d2")
    return Partition(desk.client, desk.keys, desk.scripts)


def job_of(partition: Partition, job_id: str) -> Job:
    [job] = read_jobs(partition, [job_id])
    return job


def play(desk: Desk, jobs: int) -> dict[str, float]:
    """Serves the jobs as workers would, each call as long as the estimate takes it to be; when each was taken."""
    began, sent = desk.now_us, dict[str, float]()
    while len(sent) < jobs:
        dealt = desk.take(want=64)
        for slip in dealt.slips:
            sent[slip.id] = (dealt.now_us - began) / 1e6
        if dealt.slips:
            desk.wait(CALL_S)
            for slip in dealt.slips:
                desk.finish(slip)
        else:
            desk.wait(max(0.001, (dealt.next_us - desk.now_us) / 1e6))
    return sent


@pytest.mark.parametrize("windows", SHAPES.values(), ids=SHAPES.keys())
def test_the_estimate_of_each_job_in_a_line_comes_true(desk: Desk, windows: Mapping[str, tuple[int, float]]) -> None:
    partition = open_desk(desk, windows)
    ids = desk.put(55)
    foretold = {job: expected_s(job_of(partition, job), partition) for job in ids}
    happened = play(desk, len(ids))
    length = max(seconds for _, seconds in windows.values())
    assert max(abs(foretold[job] - happened[job]) for job in ids) <= 0.05 * length + CALL_S  # type: ignore[operator]
    desk.assert_whole()


def test_the_estimate_counts_what_the_window_holds_already(desk: Desk) -> None:
    partition = open_desk(desk, {"short": (10, 10.0)})
    desk.put(7)
    play(desk, 7)
    desk.wait(4)
    ids = desk.put(12)
    foretold = {job: expected_s(job_of(partition, job), partition) for job in ids}
    happened = play(desk, 12)
    assert foretold[ids[0]] == 0
    assert max(abs(foretold[job] - happened[job]) for job in ids) <= 0.5  # type: ignore[operator]


def test_lanes_of_one_budget_take_turns_in_the_estimate_too(desk: Desk) -> None:
    partition = open_desk(desk, {"short": (10, 10.0)})
    desk.put(30, op=READ)
    beside = desk.put(10, op=START)
    last = job_of(partition, beside[-1])
    assert jobs_ahead(last, partition) == 9 + 9
    foretold = expected_s(last, partition)
    happened = play(desk, 40)[last.id]
    assert foretold == pytest.approx(happened, abs=0.5)


def test_urgent_jobs_are_counted_before_and_bulk_jobs_are_not(desk: Desk) -> None:
    partition = open_desk(desk, {"short": (10, 10.0)})
    desk.put(3, prio=URGENT)
    desk.put(5, prio=BULK)
    [normal] = desk.put(1, prio=NORMAL)
    assert jobs_ahead(job_of(partition, normal), partition) == 3


def test_a_job_that_stands_in_no_line_has_no_estimate(desk: Desk) -> None:
    partition = open_desk(desk, {"short": (10, 10.0)})
    [job] = desk.put(1)
    desk.park(desk.take().one, wait_s=60)
    assert expected_s(job_of(partition, job), partition) is None


def test_a_budget_without_windows_is_open_at_once(desk: Desk) -> None:
    desk.hire(accounts={CAR: account("other")}, digest="d3")
    partition = Partition(desk.client, desk.keys, desk.scripts)
    [job] = desk.put(1, budget="other")
    assert expected_s(job_of(partition, job), partition) == 0


def test_what_others_use_and_what_is_kept_free_for_them_is_counted_in_every_turn(desk: Desk) -> None:
    limit(desk, minute=(100, 60))
    partition = Partition(desk.client, desk.keys, desk.scripts)
    desk.put(1)
    answer(desk, out(desk, 1)[0], {"minute": {"limit": 100, "remaining": 49}})  # others: 51, not to be told from 50
    desk.wait(1)
    ids = desk.put(150)
    foretold = [expected_s(job_of(partition, ids[at]), partition) or 0.0 for at in (40, 47, 60, 100)]
    assert foretold[0] == 0
    assert foretold[1] > 50, "of the 48 that are free, two or three are kept"
    assert 0 < foretold[2] < 62 < 118 < foretold[3], "and the next turn is of no more than half"


def test_after_a_loss_the_estimate_waits_as_the_jobs_do(desk: Desk) -> None:
    limit(desk, minute=(10, 60))
    desk.take(mode="wait")
    desk.wait(LEASE_S + 0.001)
    partition = Partition(desk.client, desk.keys, desk.scripts)
    [job] = desk.put(1)
    assert desk.take(mode="wait").slips == []
    dealt = desk.take(mode="wait")
    foretold = expected_s(job_of(partition, job), partition)
    assert foretold == pytest.approx((dealt.next_us - dealt.now_us) / 1e6)
    desk.wait(float(foretold or 0) + 0.001)
    assert [slip.id for slip in desk.take(mode="wait").slips] == [job]
