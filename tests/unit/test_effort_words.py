"""Unit: how often a call was sent, in words that never say more than is known."""

from types import SimpleNamespace
from typing import Any

import pytest

from worker.accept.jobs import job_of
from worker.commands.answers import efforts

SESSION: Any = SimpleNamespace(settings=SimpleNamespace(effort=lambda _: SimpleNamespace(attempts=5)))


@pytest.mark.parametrize(
    ("runs", "attempts", "crashes", "words"),
    [
        (0, 0, 0, "not yet"),
        (2, 1, 0, "2 times; 1 of 5 attempts used up"),
        (0, 0, 1, "no answer came back; 1 worker crashed with it"),
    ],
)
def test_a_call_whose_worker_crashed_is_not_said_to_be_unsent(
    runs: int, attempts: int, crashes: int, words: str
) -> None:
    sums = {"runs": runs, "attempts": attempts, "crashes": crashes, "redrives": 0}
    assert dict(efforts(SESSION, "hub", sums))["sent"] == words


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"repeat": "0", "err": "outcome_unknown", "code": "worker_crashed", "crashes": "1"}, "1?"),
        ({"repeat": "0", "err": "outcome_unknown", "code": "read_timeout", "runs": "1"}, "1"),
        ({"repeat": "0", "err": "crashed", "code": "worker_crashed", "crashes": "3"}, "0"),
        ({"repeat": "1", "err": "crashed", "code": "worker_crashed", "crashes": "3", "runs": "2"}, "5?"),
        ({"repeat": "1", "runs": "2"}, "2"),
    ],
)
def test_what_a_worker_may_have_sent_before_it_ended_is_counted_with_a_question_mark(
    facts: dict[str, str], words: str
) -> None:
    assert job_of("j", {"state": "dead"} | facts).sent == words
