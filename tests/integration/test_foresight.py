"""When many jobs will be sent, foretold at once: the same as for each alone."""

from collections.abc import Mapping

import pytest

from tests.integration.desk import BULK, CAR, NORMAL, READ, START, URGENT, Desk, account
from worker.accept.jobs import read_jobs
from worker.limiter.estimate import expected_s
from worker.limiter.foresight import Foresight, between, seconds_to_look
from worker.store.partition import Partition

WINDOWS = {"minute": (20, 60.0), "second": (5, 1.0)}


@pytest.fixture
def partition(desk: Desk) -> Partition:
    desk.hire(accounts={CAR: account(f"calls={','.join(WINDOWS)}", windows=WINDOWS)}, digest="d2")
    return Partition(desk.client, desk.keys, desk.scripts)


def alone(partition: Partition, ids: list[str]) -> list[float | None]:
    return [expected_s(job, partition) for job in read_jobs(partition, ids)]


def facts(desk: Desk, **changes: object) -> Mapping[str, object]:
    return {"acct": CAR, "op": READ, "budget": "calls", "prio": NORMAL, **changes}


def test_the_first_and_the_last_of_each_line_are_told_as_if_alone(desk: Desk, partition: Partition) -> None:
    lines = {(READ, NORMAL): 30, (START, NORMAL): 12, (READ, URGENT): 7, (START, BULK): 9}
    jobs = [
        (job, facts(desk, op=op, prio=prio))
        for (op, prio), count in lines.items()
        for job in desk.put(count, op=op, prio=prio)
    ]
    told = dict(zip([job for job, _ in jobs], Foresight(partition).expected(jobs)[1], strict=True))
    single = dict(zip(told, alone(partition, list(told)), strict=True))
    start = 0
    for count in lines.values():
        ids = [job for job, _ in jobs[start : start + count]]
        assert [told[ids[0]], told[ids[-1]]] == pytest.approx([single[ids[0]], single[ids[-1]]])
        assert [told[one] for one in ids] == sorted(told[one] or 0 for one in ids)
        start += count
    assert all(one is not None for one in told.values())


def test_nothing_is_told_of_what_does_not_stand_in_a_line(desk: Desk, partition: Partition) -> None:
    [first, second, third] = desk.put(3)
    taken = desk.take().one
    desk.person("cancel", id=second)
    jobs = [(job, facts(desk)) for job in (first, second, third, "0-unknown")]
    assert taken.id == first
    assert [one is None for one in Foresight(partition).expected(jobs)[1]] == [True, True, False, True]


def test_nothing_is_told_while_a_hold_has_no_known_end(desk: Desk, partition: Partition) -> None:
    held, free = desk.put(1, op=START)[0], desk.put(1)[0]
    desk.person("hold", scope=f"lane:{CAR}|{START}")
    jobs = [(held, facts(desk, op=START)), (free, facts(desk))]
    assert [one is None for one in Foresight(partition).expected(jobs)[1]] == [True, False]


def test_nothing_is_told_while_nobody_works(desk: Desk, partition: Partition) -> None:
    jobs = [(job, facts(desk)) for job in desk.put(2)]
    desk.client.delete(desk.keys("workers"))
    assert Foresight(partition).expected(jobs)[1] == [None, None]


def test_places_between_two_are_told_in_proportion() -> None:
    assert [between([(0, 0.0), (10, 5.0)], ahead) for ahead in (0, 4, 10)] == [0.0, 2.0, 5.0]
    assert between([(3, 1.5)], 3) == 1.5
    assert between([], 3) is None
    assert [seconds_to_look(one) for one in (None, 0.0, 2.5, 10**9)] == [60, 1, 3, 3600]
