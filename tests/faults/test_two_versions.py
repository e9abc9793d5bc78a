"""A rolling deploy: two versions work side by side. Order is kept, and what an older version wrote is read."""

import json
from pathlib import Path

import pytest

from tests.conservation import assert_conserved
from tests.faults.crew import Crew
from tests.faults.fleet import Fleet
from tests.faults.stage import CAR, STATUS, Stage

MESSAGES = Path(__file__).with_name("messages")


def older(name: str, job: str) -> bytes:
    """A message as a version of that time wrote it, under this id."""
    return (MESSAGES / f"{name}.json").read_text(encoding="utf-8").strip().replace("JOB", job).encode()


@pytest.mark.parametrize("name", ["first-version", "without-options", "newer-version"])
def test_a_message_that_another_version_wrote_is_read_and_carried_out(stage: Stage, name: str) -> None:
    """The first version's own text; the least there can be; and one with words that are not known yet."""
    (job,) = stage.enqueue(STATUS)
    stage.client.set(stage.keys("message", job), older(name, job))
    assert json.loads(older(name, job))["message_id"] == job
    with Crew(stage.settings, stage.store.url, threads=1):
        stage.await_all_ended()
    assert stage.states([job]) == {"done": 1}
    [arrival] = stage.apis.log()
    assert arrival["job"] == job
    assert "VEH-00042" in arrival["path"]
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)


@pytest.mark.slow
def test_a_lane_keeps_its_order_through_a_rolling_deploy(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """One call at a time, so that the order of arrivals is the order in which jobs were handed out."""
    stage.apis.latency("stellantis", fixed_ms=20)
    one_by_one = {"PACELINE_BROKER__LANE_CAP": "1"}
    newer = {"PACELINE_FAIL__ATTEMPTS": "6", "PACELINE_FAIL__DEAD_TTL_S": "2600000"}
    with Fleet(stage.env | one_by_one, stage.folder) as fleet:
        old = fleet.start(2, threads=4)
        ids = stage.enqueue(STATUS, 120)
        stage.await_arrivals(20)
        for leaving in old:
            fleet.start(1, threads=4, **newer)
            ids += stage.enqueue(STATUS, 60)
            leaving.terminate()
            assert leaving.wait() == 0
        stage.await_all_ended()
    assert [arrival["job"] for arrival in stage.apis.log(account=CAR)] == ids
    assert stage.states(ids) == {"done": 240}
    assert stage.crashes() == 0
    stage.assert_within_limits()
    assert_conserved(stage.client, stage.keys)
    with capsys.disabled():
        print(f"\n  {len(ids)} jobs of one lane arrived in their order, through two versions")
