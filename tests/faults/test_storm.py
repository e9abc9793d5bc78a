"""Everything at once: slow and broken answers, stalled threads, workers that are killed, sent away and started, while
the limits are used as far as they go. The remote side counts.
"""

import itertools
import time
from collections import Counter

import pytest

from tests.conservation import assert_conserved
from tests.faults.bending import Bend
from tests.faults.fleet import Fleet, Process
from tests.faults.stage import CAR, OTHER_PARTY, PARTY, START, STATUS
from tests.faults.stages import MakeStage

LIMITS = {"commands": (6, 2), "calls.second": (25, 1)}
LASTS_S, EVERY_S = 10.0, 1.5
CARS, STARTS = 220, 24


@pytest.mark.slow
def test_permits_are_exact_while_threads_stall_calls_fail_and_processes_come_and_go(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(
        "everysec",
        {"limits": LIMITS},
        PACELINE_DELIVER__TOTAL_DEADLINE_S="2",
        PACELINE_DELIVER__CONNECT_TIMEOUT_S="1",
        PACELINE_FAIL__ATTEMPTS="50",
    )
    stage.apis.latency("stellantis", median_ms=60, p95_ms=400, inbound_ms=5, inbound_jitter_ms=80)
    stage.apis.latency("hub", median_ms=60, p95_ms=400, inbound_jitter_ms=80)
    for action, share in (("hang", 0.02), ("reset", 0.03), ("close_before_reply", 0.03), ("drip", 0.02)):
        stage.apis.fault(action, probability=share)
    stage.apis.fault("status", {"api": "stellantis"}, probability=0.05, status=503, retry_after=1)
    # A claim may be used for 2.7 s: one worker's threads stall for less, the other's for longer than that.
    bends = itertools.cycle(
        [Bend(stage.folder, "short", stall_each=4, stall_s=1.0), Bend(stage.folder, "long", stall_each=12, stall_s=3.2)]
    )
    with Fleet(stage.env, stage.folder) as fleet:

        def start() -> Process:
            return fleet.launch(threads=6, **next(bends).environ)

        running = [start() for _ in range(3)]
        for worker in running:
            worker.await_ready()
        cars = stage.enqueue(STATUS, CARS)
        starts = stage.enqueue(START, STARTS // 2) + stage.enqueue(START, STARTS // 2, OTHER_PARTY)
        began, killed, sent_away = time.monotonic(), 0, 0
        for number in itertools.count():
            if time.monotonic() - began > LASTS_S or stage.left() == 0:
                break
            time.sleep(EVERY_S)
            leaving = running.pop(0)
            if number % 2:
                leaving.terminate()
                sent_away += 1
            else:
                leaving.kill_child()
                killed += 1
            running.append(start())
        went_on = time.monotonic() - began
        took = stage.await_all_ended()
    verdict = stage.assert_within_limits()
    fates = Counter(
        event["outcome"]["class"] for job in cars + starts for event in stage.evidence(job) if "outcome" in event
    )
    ends, told = ([(stage.job(job)["state"], stage.job(job).get("err")) for job in ids] for ids in (cars, starts))
    assert set(ends) <= {("done", None), ("dead", "crashed")}, "a read is given up only after three workers died of it"
    assert set(told) <= {("done", None), ("dead", "outcome_unknown")}
    unknown = told.count(("dead", "outcome_unknown"))
    assert max(stage.arrivals(job) for job in starts) == 1
    assert_conserved(stage.client, stage.keys)
    full = {(one["account"], one["window"]): one["max"] for one in verdict["windows"]}
    assert full[CAR, "calls.second"] > 12
    assert full[PARTY, "commands"] > 3
    with capsys.disabled():
        print(
            f"\n  {killed} workers killed and {sent_away} sent away in {went_on:.0f} s, all ended {took:.1f} s later; "
            f"{verdict['arrivals']} arrivals for {CARS + STARTS} jobs, {unknown} commands unknown, "
            f"{fates['too_late']} permits given back by threads that stalled for too long, "
            f"at most {full[CAR, 'calls.second']} of 25 and {full[PARTY, 'commands']} of 6 in a window"
        )
