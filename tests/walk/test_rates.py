"""The limits used as far as they go, by several processes, counted where they are counted: at the remote side.

What is claimed is behaviour: nothing refused, nothing twice, no window over its limit. How close the workers come to
the limit depends on the machine and is printed.
"""

from statistics import mean, median
from typing import Any

import pytest

from tests.faults.stage import AUTHORIZE, CAR, LOCATIONS, OTHER_PARTY, PARTY, START, STATUS, Stage
from tests.faults.stages import MakeStage
from tests.walk.procfile import running_workers

CALLS, LATENCY_MS, RUNS = 2000, 20.0, 3
HUB_WINDOW_S = 20.0
"""Longer than a slow machine takes to use all of one up."""
HUB = {"tokens": (AUTHORIZE, 100, 150), "commands": (START, 50, 75), "locations": (LOCATIONS, 200, 300)}
"""By window: operation, limit, calls wanted: half as many again as one window lets through."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_four_processes_use_the_whole_limit_of_a_subscription_and_never_more(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(apis_options={"latency": {"stellantis": {"fixed_ms": LATENCY_MS}}}, quick=False)
    ratios = []
    with running_workers(4, stage.env, stage.folder, threads=8):
        for run in range(1, RUNS + 1):
            stage.apis.reset()
            ids = stage.enqueue(STATUS, CALLS)
            stage.await_all_ended(120)
            second = assert_windows_held(stage, CAR)["calls.second"]
            assert stage.states(ids) == {"done": CALLS}
            assert_each_arrived_once(stage, ids)
            trip = mean_round_trip_s(stage, ids)
            reachable = second["window_s"] / (second["window_s"] + trip)
            ratios.append(second["usage"] / reachable)
            with capsys.disabled():
                print(
                    f"\nrun {run}: usage={second['usage']:.4f} of limit/window, {ratios[-1]:.4f} of "
                    f"limit/(window + mean round trip of {trip * 1000:.1f} ms), refused 0, "
                    f"at most {second['max']} of {second['limit']} in a window",
                    end="",
                )
    with capsys.disabled():
        print(f"\nmedian of {RUNS}: {median(ratios):.4f} of limit/(window + mean round trip)")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_half_as_many_again_as_a_hub_window_takes_two_windows_and_slows_no_other_party(make_stage: MakeStage) -> None:
    limits = {window: (limit, HUB_WINDOW_S) for window, (_, limit, _) in HUB.items()}
    options = {"hub": {"locations": 40}, "limits": limits}  # fewer locations than a page holds: each list is one call
    stage = make_stage(apis_options=options, quick=False)
    with running_workers(4, stage.env, stage.folder, threads=8):
        for account in (PARTY, OTHER_PARTY):
            stage.desk._scripts("hold", {"scope": f"account:{account}", "by": "test", "reason": "asking for calls"})
        ids, others = [], []
        for operation, _, wanted in HUB.values():
            ids += stage.enqueue(operation, wanted, PARTY, deadline_s=3600)
        for operation, limit, _ in HUB.values():
            others += stage.enqueue(operation, limit // 5, OTHER_PARTY, deadline_s=3600)
        for account in (PARTY, OTHER_PARTY):
            stage.desk._scripts("release", {"scope": f"account:{account}", "by": "test"})
        stage.await_all_ended(120)
        assert stage.states([*ids, *others]) == {"done": len(ids) + len(others)}
    windows = assert_windows_held(stage, PARTY)
    assert_windows_held(stage, OTHER_PARTY)
    assert_each_arrived_once(stage, [*ids, *others])
    theirs_at = [arrival["at"] for arrival in stage.apis.log(account=OTHER_PARTY)]
    assert len(theirs_at) == len(others)
    for window, (_, limit, wanted) in HUB.items():
        ours_at = [one["at"] for one in stage.apis.log(account=PARTY) if window in one["windows"]]
        assert len(ours_at) == wanted
        # The first window takes the limit, the second the rest: none is left for a third.
        assert len([at for at in ours_at if at - ours_at[0] < HUB_WINDOW_S]) == limit == windows[window]["max"]
        assert ours_at[-1] - ours_at[0] < 2 * HUB_WINDOW_S
        # The other party was through before the first one's second window opened.
        assert max(theirs_at) < ours_at[limit]


def assert_windows_held(stage: Stage, account: str) -> dict[str, dict[str, Any]]:
    """The account's windows by name; none held more than its limit at any moment, and nothing of it was refused."""
    verdict = stage.apis.judge(account)
    assert verdict["ok"], verdict["violations"]
    assert verdict["refusals"] == {"ours": 0, "foreign": 0}
    assert [window for window in verdict["windows"] if window["max"] > window["limit"]] == []
    return {window["window"]: window for window in verdict["windows"]}


def assert_each_arrived_once(stage: Stage, ids: list[str]) -> None:
    assert sorted(arrival["job"] for arrival in stage.apis.log()) == sorted(ids)


def mean_round_trip_s(stage: Stage, ids: list[str]) -> float:
    """From the request's last byte to the answer's first, over all calls."""
    records = [record for each in ids for record in stage.evidence(each)]
    return mean(record["first_byte_ms"] - record["sent_ms"] for record in records) / 1000
