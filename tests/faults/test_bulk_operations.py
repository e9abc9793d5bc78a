"""Five thousand dead letters sent again beside live traffic: cancelled half-way, the carrier killed half-way, ordered
twice. The remote side's own log says what arrived; the store's records say in which order it left.
"""

import statistics
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from settings import load
from tests.conservation import assert_conserved
from tests.faults.fleet import PATIENCE_S, Fleet
from tests.faults.stage import CAR, STATUS, Stage, until, wanted
from tests.faults.stages import MakeStage
from worker.accept.enqueue import Enqueuer
from worker.fail.bulk import BulkAction, BulkActions
from worker.fail.bulk_plan import BulkOrder
from worker.fail.dead_letter import Filter
from worker.limiter.limiter import Limiter
from worker.store.connection import connect
from worker.store.partition import Partition
from worker.store.scripts import Scripts

LETTERS, PACE = 5_000, 500.0
LIVE_EVERY_S, BEFORE_S = 0.025, 3.0
CALL_MS = 5


@dataclass
class Traffic:
    """Live calls at a steady rate, from a thread of its own."""

    stage: Stage
    jobs: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Traffic":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(20)

    def _run(self) -> None:
        client = connect(self.stage.store.url)
        desk = Enqueuer(load(self.stage.env), client, Scripts(client, self.stage.keys))
        while not self._over.wait(LIVE_EVERY_S):
            self.jobs += [accepted.job_id for accepted in desk.enqueue_many(wanted(STATUS, 1))]
        client.close()


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    limits = {"calls.second": (800, 1), "calls.day": (1_000_000, 86_400)}
    return make_stage("no", {"limits": limits}, PACELINE_FAIL__BRAKE_COUNT="100000", PACELINE_FAIL__ATTEMPTS="1")


def dead_letters(stage: Stage, count: int) -> list[str]:
    """Calls that the other side refused, each once, with evidence."""
    fault = stage.apis.fault("error_body", {"api": "stellantis"}, status=400, code=40000)
    jobs = stage.enqueue(STATUS, count)
    until(lambda: stage.counts().get("dead", 0) == count, 3 * PATIENCE_S, lambda: str(stage.counts()))
    stage.apis.clear_faults(fault)
    stage.apis.latency("stellantis", fixed_ms=CALL_MS)
    return jobs


def records(stage: Stage, jobs: list[str], *fields: str) -> Iterator[tuple[str, list[str]]]:
    partition = Partition(stage.client, stage.keys)
    for at in range(0, len(jobs), 500):
        some = jobs[at : at + 500]
        answers = partition.ask(*(("hmget", stage.keys("job", one), list(fields)) for one in some))
        yield from ((one, [value or "0" for value in answer]) for one, answer in zip(some, answers, strict=True))


def carrier_of(stage: Stage, bulk_id: str) -> str:
    return (stage.client.hget(stage.keys("bulk", bulk_id), "carrier") or b"").decode()


def half_way(actions: BulkActions, bulk_id: str, done: int) -> BulkAction:
    until(lambda: actions.read(bulk_id).done >= done, otherwise=lambda: str(actions.read(bulk_id)))
    return actions.read(bulk_id)


def overtaken(stage: Stage, live: list[str], again: list[str]) -> list[str]:
    """Live jobs that were waiting when a letter sent again was taken, and were taken after it. What was taken more than
    once, as a worker that was killed had it in hand, is no case of it.
    """
    taken = sorted(int(float(at)) for _, (at,) in records(stage, again, "leased"))
    late = []
    for job, (created, leased) in records(stage, live, "created", "leased"):
        first_after = bisect_right(taken, int(float(created)))
        if first_after < len(taken) and taken[first_after] < int(float(leased)):
            late.append(job)
    return [job for job in late if len(stage.evidence(job)) == 1]


def wait_ms(stage: Stage, jobs: list[str]) -> float:
    """The median time from being accepted to being taken, by the store's clock."""
    found = records(stage, jobs, "created", "leased")
    return statistics.median((float(leased) - float(created)) / 1000 for _, (created, leased) in found)


def in_time(stage: Stage, jobs: list[str], keep: Callable[[float], bool]) -> list[str]:
    return [job for job, (created,) in records(stage, jobs, "created") if keep(float(created))]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_thousand_letters_go_again_below_live_traffic_each_once(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    partition = Partition(stage.client, stage.keys)
    actions = BulkActions(partition, Limiter(partition), 3600)
    order = BulkOrder("redrive", Filter(account=CAR), "ann", "the account was mended", pace=PACE)
    with Fleet(stage.env, stage.folder) as fleet:
        fleet.start(2, threads=24)
        letters = dead_letters(stage, LETTERS)
        with Traffic(stage) as traffic:
            time.sleep(BEFORE_S)
            began_us = partition.now_us()
            plan = actions.plan(order)
            assert (plan.letters, plan.to_do, len(plan.problems)) == (LETTERS, LETTERS, 1)
            first = actions.start(actions.make(order, plan).id, "ann")
            half_way(actions, first.id, LETTERS // 3)
            first = actions.cancel(first.id, "ann", "let us see")
            rest = LETTERS - first.done
            time.sleep(0.5)
            assert actions.read(first.id).done == first.done, "no step acts after a cancel"
            assert stage.counts().get("dead") == rest, "what was not touched lies where it lay"

            second = actions.make(order)
            assert second.total == rest
            actions.start(second.id, "ann")
            half_way(actions, second.id, rest // 2)
            carrier = carrier_of(stage, second.id)
            killed = next(worker for worker in fleet.workers if f".{worker.child}." in carrier)
            killed.kill_child()
            killed_at = actions.read(second.id).done
            until(lambda: actions.read(second.id).done > killed_at and carrier_of(stage, second.id) != carrier)
            until(lambda: actions.read(second.id).ended, 2 * PATIENCE_S, lambda: str(actions.read(second.id)))
            third = actions.make(order)
            assert third.total == 0, "ordered again, nothing is left to do"
            ended_us = partition.now_us()
        stage.await_all_ended()
        live = traffic.jobs
        report = actions.read(second.id)
        for worker in fleet.workers:
            worker.terminate()
        for worker in fleet.workers:
            worker.wait(60)
    assert_conserved(stage.client, stage.keys)

    # each once, none lost
    assert (first.done + report.done, report.left_alone, report.gone) == (LETTERS, 0, 0)
    assert report.ends["done"] == report.done and report.under_way == 0
    ends = Counter((state, redrives) for _, (state, redrives) in records(stage, letters, "state", "redrives"))
    assert ends == {("done", "1"): LETTERS}
    assert stage.states(live) == {"done": len(live)}
    arrivals = Counter(arrival["job"] for arrival in stage.apis.log(limit=100_000))
    unlucky = {job for job in {*letters, *live} if arrivals[job] != (2 if job in letters else 1)}
    crashed = {job for job in unlucky if any(event.get("event") == "crashed" for event in stage.evidence(job))}
    assert unlucky == crashed, "only what a killed worker had in hand arrived once more"
    stage.assert_within_limits()

    # below live traffic
    assert overtaken(stage, live, letters) == []
    before = wait_ms(stage, in_time(stage, live, lambda at: at < began_us))
    during = wait_ms(stage, in_time(stage, live, lambda at: began_us <= at <= ended_us))
    seconds = (ended_us - began_us) / 1e6
    with capsys.disabled():
        print(
            f"\n{LETTERS} letters sent again in {seconds:.1f} s beside {1 / LIVE_EVERY_S:.0f} live calls per second: "
            f"median live wait {before:.2f} ms before, {during:.2f} ms meanwhile, ratio {during / before:.2f}"
        )
    assert during < before + 250, "a step of the carrier, or its calls, stand in the way"
