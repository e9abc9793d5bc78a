"""Faults: a message that cannot be read any more dies with evidence, and nobody else suffers from it."""

import hashlib

from tests.faults.crew import Crew
from tests.faults.stage import CAR, STATUS, Stage

GARBLED = b"\x00not a message\xff"


def test_an_unreadable_message_dies_with_evidence_that_shows_nothing_of_it(stage: Stage) -> None:
    (garbled, *others) = stage.enqueue(STATUS, 3)
    stage.client.set(stage.keys("message", garbled), GARBLED)
    with Crew(stage.settings, stage.store.url, threads=2):
        stage.await_all_ended()
    assert stage.states(others) == {"done": 2}
    assert stage.job(garbled)["state"] == "dead"
    (record,) = stage.evidence(garbled)
    assert (record["event"], record["job"], record["operation"], record["account"]) == (
        "internal",
        garbled,
        STATUS,
        CAR,
    )
    assert record["message"] == {"length": len(GARBLED), "sha256": hashlib.sha256(GARBLED).hexdigest()}
    assert "cannot be read" in record["why"]
    assert record["worker"]
    assert record["at"]
    assert stage.arrivals(garbled) == 0
