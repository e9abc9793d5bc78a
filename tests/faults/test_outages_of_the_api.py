"""An API answers 500 for a while: a trickle goes there, no job is lost to it, and it comes back without a burst."""

import time

import pytest

from tests.faults.fleet import PATIENCE_S, Fleet
from tests.faults.stage import CAR, STATUS, Stage


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "outage_s"), [(1000, 30.0)])
def test_a_long_outage_costs_a_trickle_of_calls_and_no_job(stage: Stage, jobs: int, outage_s: float) -> None:
    stage.apis.outage("stellantis", mode="500")
    patient = {"PACELINE_FAIL__BACKOFF_BASE_S": "2", "PACELINE_FAIL__BACKOFF_CAP_S": "300"}
    with Fleet(stage.env | patient, stage.folder) as fleet:
        fleet.start(4)
        ids = stage.enqueue(STATUS, jobs)
        time.sleep(outage_s)
        stage.apis.end_outage("stellantis")
        took = stage.await_all_ended(2 * PATIENCE_S)
    assert stage.states(ids) == {"done": jobs}
    during = stage.apis.count(account=CAR, status=500)
    print(f"\n  {during} calls in {outage_s:g} s of outage; all {jobs} jobs were done {took:.1f} s after it")
    # As many as were in flight when it began, then ever fewer: 2, 4, 8, 16, 30 s apart, with jitter.
    assert during <= 32 + 10 + 12
    stage.assert_within_limits()
    told = list(stage.client.scan_iter(stage.keys("alert", "*")))
    assert [key.decode().rpartition("alert:")[2] for key in told] == [f"trouble:{CAR}|{STATUS}"]
    assert stage.client.hget(told[0], "gen") == b"1"
    assert stage.client.hget(told[0], "state") == b"resolved"
