"""What people say of problems and write down, and the minutes that history is made of."""

import json

import pytest

from tests.integration.desk import ANSWERED, Desk, micros
from tests.integration.meter import out
from tests.integration.test_rules_advice import told
from tests.integration.test_rules_standing import die
from worker.errors import Conflict, NotFound, Refused
from worker.fail.notes import LONGEST, MOST, Notes
from worker.fail.problem import Problem, Problems
from worker.observe.history import FIELDS, KEPT, MINUTE_US, History
from worker.store.partition import Partition

HOUR_S = 3600


def partition_of(desk: Desk) -> Partition:
    return Partition(desk.client, desk.keys, desk.scripts)


def problems_of(desk: Desk) -> Problems:
    return Problems(partition_of(desk))


def problem_of(desk: Desk) -> Problem:
    """The only one."""
    (found,) = problems_of(desk).find(resolved=True)
    return found


def test_nobody_is_told_of_a_problem_that_is_ignored_and_its_letters_are_kept(desk: Desk) -> None:
    fingerprint = die(desk).removeprefix("problem:")
    told(desk)
    problems_of(desk).say(fingerprint, "ignored", "ann", "their test car")
    desk.wait(2 * HOUR_S)
    die(desk)
    assert told(desk) == []
    found = problem_of(desk)
    assert (found.state, found.open, found.said.by, found.said.why) == ("ignored", 2, "ann", "their test car")
    problems_of(desk).say(fingerprint, "open", "bob", "it is no test car")
    die(desk)
    assert len(told(desk)) == 1
    assert problem_of(desk).state == "open"


def test_a_problem_that_somebody_calls_mended_opens_with_one_more_letter(desk: Desk) -> None:
    key = die(desk)
    told(desk)
    problems_of(desk).say(key.removeprefix("problem:"), "resolved", "ann", "deployed")
    assert problem_of(desk).state == "resolved"
    assert len(told(desk, "resolved")) == 1
    assert desk.hash("alert", key)["ended_by"] == "ann"
    die(desk)
    assert problem_of(desk).state == "open"
    assert len(told(desk)) == 1


def test_whoever_knows_of_a_problem_does_so_until_it_was_over(desk: Desk) -> None:
    key = die(desk)
    told(desk)
    problems_of(desk).say(key.removeprefix("problem:"), "acknowledged", "ann", "asked them")
    assert desk.hash("alert", key)["acked_by"] == "ann"
    desk.wait(2 * HOUR_S)
    die(desk)
    assert problem_of(desk).state == "acknowledged"
    assert told(desk) == []
    for job in desk.client.zrange(desk.keys("dead"), 0, -1):
        desk.decide("discard", {"id": job.decode(), "by": "ann", "reason": "x"})
    die(desk)
    assert problem_of(desk).state == "open"


def test_what_is_said_is_audited_and_not_said_twice(desk: Desk) -> None:
    fingerprint = die(desk).removeprefix("problem:")
    problems_of(desk).say(fingerprint, "ignored", "ann", "known")
    with pytest.raises(Conflict):
        problems_of(desk).say(fingerprint, "ignored", "bob", "known")
    with pytest.raises(NotFound):
        problems_of(desk).say("0" * 16, "ignored", "bob", "known")
    with pytest.raises(Refused):
        problems_of(desk).say(fingerprint, "gone", "bob", "known")
    (entry,) = (json.loads(text) for text in desk.client.lrange(desk.keys("audit"), 0, -1))
    assert (entry["what"], entry["by"], entry["problem"]) == ("problem ignored", "ann", fingerprint)


def test_notes_are_kept_with_their_writer_and_go_with_their_letter(desk: Desk) -> None:
    fingerprint = die(desk).removeprefix("problem:")
    (job,) = (one.decode() for one in desk.client.zrange(desk.keys("dead"), 0, -1))
    notes = Notes(partition_of(desk), dead_ttl_s=HOUR_S)
    notes.write("job", job, "ann", "  asked them\n\x1b[31mtwice  ")
    notes.write("problem", fingerprint, "bob", "a wrong id in the import")
    (note,) = notes.of(job)
    assert (note.by, note.text) == ("ann", "asked them\n [31mtwice")
    assert 0 < desk.client.ttl(desk.keys("notes", job)) <= 3 * HOUR_S
    assert [one.by for one in notes.of(fingerprint)] == ["bob"]
    with pytest.raises(NotFound):
        notes.write("job", "0-none", "ann", "x")
    for text in (" \n ", "x" * (LONGEST + 1)):
        with pytest.raises(Refused):
            notes.write("job", job, "ann", text)
    desk.wait(2 * HOUR_S)
    desk.decide("sweep", {"dead_us": micros(HOUR_S)})
    assert notes.of(job) == [] and notes.of(fingerprint) == []


def test_there_are_never_too_many_notes(desk: Desk) -> None:
    fingerprint = die(desk).removeprefix("problem:")
    notes = Notes(partition_of(desk), dead_ttl_s=HOUR_S)
    for number in range(MOST):
        notes.write("problem", fingerprint, "ann", f"note {number}")
    with pytest.raises(Conflict):
        notes.write("problem", fingerprint, "ann", "one more")
    assert len(notes.of(fingerprint)) == MOST


def minute(desk: Desk) -> float:
    """Writes a minute down, if one has begun; the seconds until the next one begins."""
    return float(desk.decide("minute", {"every": MINUTE_US, "keep": KEPT})) / 1e6


def test_a_minute_is_written_down_once_for_the_whole_fleet(desk: Desk) -> None:
    rest = minute(desk)
    assert minute(desk) <= rest <= 60
    assert desk.client.llen(desk.keys("minutes")) == 1
    desk.wait(rest + 0.001)
    minute(desk)
    minute(desk)
    assert desk.client.llen(desk.keys("minutes")) == 2
    assert all(len(line.split()) == 1 + len(FIELDS) for line in desk.client.lrange(desk.keys("minutes"), 0, -1))


def test_history_says_what_ended_in_which_minute_and_what_nobody_saw(desk: Desk) -> None:
    desk.wait(minute(desk) + 1)
    minute(desk)
    slips = out(desk, 3)
    for slip in slips[:2]:
        desk.finish(slip)
    die(desk)
    desk.park(slips[2], ANSWERED, wait_s=1, attempt=1, **{"class": "server_trouble"})
    rest = minute(desk)
    history = History(partition_of(desk))
    *before, now = history.last(60, 1, desk.now_us)
    assert now.counts is not None
    assert (now.counts["done"], now.counts["died"], now.counts["retried"]) == (2, 1, 1)
    desk.wait(rest + 1)
    minute(desk)
    *before, last, now = history.last(60, 1, desk.now_us)
    assert last.counts is not None and last.counts["done"] == 2
    assert now.counts is not None and now.counts["done"] == 0
    assert before[0].counts is None, "nobody wrote anything down then"
    assert sum(one.counts["done"] for one in history.last(1440, 10, desk.now_us) if one.counts) == 2


def test_a_day_of_minutes_is_kept(desk: Desk) -> None:
    for _ in range(5):
        desk.wait(61)
        desk.decide("minute", {"every": MINUTE_US, "keep": 3})
    assert desk.client.llen(desk.keys("minutes")) == 3
