"""Unit: what happened to a call is told round by round."""

from typing import Any

from worker.accept.jobs import job_of
from worker.commands.timeline import timeline
from worker.console.story import story_of

JOB = job_of("j1", {"state": "dead", "created": "1000000"})


def attempt(queued_s: float) -> dict[str, Any]:
    return {
        "job": "j1", "at": "2026-01-31T09:00:00Z", "attempt": 1, "queued_ms": queued_s * 1000, "wrote": True,
        "outcome": {"class": "not_found", "code": "2003"}, "response": {"status": 200}, "decision": "dead letter",
    }  # fmt: skip


REDRIVEN = {"event": "redriven", "at_us": "601000000", "by": "ann", "reason": "mended", "class": "not_found"}
EVIDENCE = [attempt(2), REDRIVEN, attempt(603), REDRIVEN | {"by": "ben", "at_us": "1001000000"}, attempt(1001)]


def test_an_attempt_after_somebody_sent_it_again_says_so() -> None:
    said = [(event.again, event.attempt) for event in story_of(EVIDENCE, [JOB])]
    assert said == [("", "1"), ("", None), ("ann", "1"), ("", None), ("ben", "1")]
    lines = [text for text in timeline(EVIDENCE) if "attempt 1" in text]
    assert ["sent again by ann, attempt 1" in text for text in lines] == [False, True, False]
    assert ["sent again by ben, attempt 1" in text for text in lines] == [False, False, True]


def test_time_as_a_dead_letter_is_no_waiting() -> None:
    waited = [dict(event.facts).get("waited in line") for event in story_of(EVIDENCE, [JOB])]
    assert waited == ["2.0 s", None, "3.0 s", None, "1.0 s"]
    unknown = [dict(event.facts).get("waited in line") for event in story_of(EVIDENCE)]
    assert unknown == ["2.0 s", None, None, None, None], "when it was asked for is not known"


def test_a_page_that_was_sent_again_says_nothing_of_the_others() -> None:
    other = attempt(1) | {"job": "j1.2"}
    said = [event.again for event in story_of([REDRIVEN | {"job": "j1"}, attempt(603), other], [JOB])]
    assert said == ["", "ann", ""]


def test_a_result_that_never_came_is_no_good_end() -> None:
    overdue = {"event": "result_overdue", "at_us": "1", "class": "outcome_unknown", "message": "its result never came"}
    (event,) = story_of([overdue])
    assert (event.title, event.tone, event.words) == ("result overdue", "bad", "its result never came")


def test_a_crash_shows_when_the_job_was_taken_and_when_sending_began() -> None:
    crash = {"event": "crashed", "worker": "w", "at_us": "3000000", "sending": True, "taken_us": "1000000",
             "sending_began_us": "2000000"}  # fmt: skip
    (event,) = story_of([crash])
    assert {"taken": "1970-01-01T00:00:01.000Z", "sending began": "1970-01-01T00:00:02.000Z"}.items() <= dict(
        event.facts
    ).items()
    assert "1970-01-01T00:00:02.000Z" in "".join(timeline([crash]))


def test_a_time_of_any_shape_is_shown() -> None:
    (event,) = story_of([{"event": "crashed", "taken_us": ["x"]}])
    assert dict(event.facts) == {"taken": "['x']"}
